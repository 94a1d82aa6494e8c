"""The page `/analytics`: why did yield fall, and since when?"""

from typing import Any

from nicegui import ui

from broker.settings import Settings
from ui.components import AnalyticsPage
from ui.feed import Feed
from ui.theme import frame


def register(feed: Feed) -> None:
    """Add the page. Importing this file does nothing."""
    goals = goals_of(feed.state.settings)

    @ui.page("/analytics")
    def analytics_page() -> None:
        with frame(feed, "Analytics", active="analytics", controls=["line", "range"]):
            AnalyticsPage(goals=goals)


def goals_of(settings: Settings) -> dict[str, Any]:
    """Return the rolled yields that are aimed at, in percent, and which lines have a plan.

    First pass yields come with their targets from the HTTP API.
    """
    lines = settings.lines
    return {
        "lines": {name: each.target_rty_percent for name, each in lines.items()},
        "products": {name: each.target_rty_percent for name, each in settings.products.items()},
        "planned": [name for name, each in lines.items() if each.plan_per_hour],
    }

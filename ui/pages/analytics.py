"""The page `/analytics`: why did yield fall, and since when?"""

from typing import Any

from nicegui import ui

from broker.settings import Settings
from ui.components import AnalyticsPage
from ui.feed import Feed
from ui.theme import frame


def register(feed: Feed) -> None:
    """Add the page. Importing this file does nothing."""
    targets = targets_of(feed.state.settings)

    @ui.page("/analytics")
    def analytics_page() -> None:
        with frame(feed, "Analytics", active="analytics", controls=["line", "range"]):
            AnalyticsPage(targets=targets)


def targets_of(settings: Settings) -> dict[str, Any]:
    """Return the yields that are aimed at, in percent: the plant's, and by line and product."""
    return {
        "fpy": settings.plant.target_fpy_percent,
        "lines": {name: each.target_rty_percent for name, each in settings.lines.items()},
        "products": {
            name: {"fpy": each.target_fpy_percent, "rty": each.target_rty_percent}
            for name, each in settings.products.items()
        },
    }

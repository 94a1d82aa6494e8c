"""The page `/analytics`: why did yield fall, and since when?"""

from nicegui import ui

from ui.components import AnalyticsPage
from ui.feed import Feed
from ui.theme import frame


def register(feed: Feed) -> None:
    """Add the page. Importing this file does nothing."""
    target = feed.state.settings.plant.target_fpy_percent

    @ui.page("/analytics")
    def analytics_page() -> None:
        with frame(feed, "Analytics", active="analytics", controls=["line", "range"]):
            AnalyticsPage(target=target)

"""The page `/alerts`: what must I do next?"""

from nicegui import ui

from ui.components import AlertsPage
from ui.feed import Feed
from ui.theme import frame


def register(feed: Feed) -> None:
    """Add the page. Importing this file does nothing."""

    @ui.page("/alerts")
    def alerts_page() -> None:
        with frame(feed, "Alerts", active="alerts", controls=["line"]):
            AlertsPage()

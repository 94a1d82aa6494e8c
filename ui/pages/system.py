"""The page `/system`: do the books balance, and is everything up?"""

from nicegui import ui

from ui.components import SystemPage
from ui.feed import Feed
from ui.theme import frame


def register(feed: Feed) -> None:
    """Add the page. Importing this file does nothing."""

    @ui.page("/system")
    def system_page() -> None:
        with frame(feed, "System", active="system"):
            SystemPage()

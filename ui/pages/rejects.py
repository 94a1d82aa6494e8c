"""The page `/rejects`: what was not understood, and how do I fix it?"""

from nicegui import ui

from ui.components import RejectsPage
from ui.feed import Feed
from ui.theme import frame


def register(feed: Feed) -> None:
    """Add the page. Importing this file does nothing."""

    @ui.page("/rejects")
    def rejects_page() -> None:
        with frame(feed, "Rejects", active="rejects", controls=["range"]):
            RejectsPage()

"""The page `/rules`: what is judged how, and what would a change do?"""

from nicegui import ui

from ui.components import RulesPage
from ui.feed import Feed
from ui.theme import frame


def register(feed: Feed) -> None:
    """Add the page. Importing this file does nothing."""

    @ui.page("/rules")
    def rules_page() -> None:
        with frame(feed, "Rules", active="rules", controls=["range"]):
            RulesPage()

"""The page `/results`: show me exactly these runs."""

from nicegui import ui

from ui.components import ResultsPage
from ui.feed import Feed
from ui.theme import frame


def register(feed: Feed) -> None:
    """Add the page. Importing this file does nothing."""

    @ui.page("/results")
    def results_page() -> None:
        with frame(feed, "Results", active="results", controls=["line", "range"]):
            ResultsPage()

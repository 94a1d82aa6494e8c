"""The page `/`: is anything wrong now, and where?"""

from nicegui import ui

from broker.topics import Channel
from ui.components import Floor
from ui.feed import Feed
from ui.theme import frame
from ui.views import floor_view


def register(feed: Feed) -> None:
    """Add the page. Importing this file does nothing."""
    topic = feed.state.template.format("MACH-01", Channel.TEST, line="L1")

    @ui.page("/")
    def floor_page(line: str = "") -> None:
        with frame(feed, "Floor", active="floor", view=floor_view(line), controls=["line"]):
            Floor(topic=topic)

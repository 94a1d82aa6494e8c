"""The page `/wall`: is my line fine? For a screen that everybody sees and nobody touches."""

from nicegui import ui

from ui.components import Wall
from ui.feed import Feed
from ui.live_pages import caller_facts
from ui.theme import dress


def register(feed: Feed) -> None:
    """Add the page. Importing this file does nothing."""

    @ui.page("/wall")
    def wall_page() -> None:
        plant = feed.state.settings.plant
        dress("Wall")
        zone, caller = plant.time_zone, caller_facts()
        Wall(frame=feed.frame("floor"), zone=zone, plant=plant.name, caller=caller)

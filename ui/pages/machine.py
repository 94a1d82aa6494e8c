"""The page `/machines/{machine_id}`: did it pass, and is this station healthy?"""

from nicegui import ui

from broker.topics import Channel, is_id
from ui.components import MachineKiosk, MachinePage, Sentence
from ui.feed import Feed
from ui.live_pages import caller_facts
from ui.theme import Control, Crumb, dress, frame
from ui.views import machine_view


def register(feed: Feed) -> None:
    """Add the page. Importing this file does nothing."""
    template = feed.state.template

    @ui.page("/machines/{machine_id}")
    def machine_page(machine_id: str, kiosk: str = "") -> None:
        machine = feed.model.machines.get(machine_id)
        if machine is None or not is_id(machine.line):
            ui.context.client.status_code = 404
            with frame(feed, "Machine", active="floor", crumbs=[Crumb("Floor", "/")]):
                Sentence(
                    said=f"No machine {machine_id!r} has reported to this plant.",
                    hint="Look at the name on its tile, or wait for its first result.",
                )
            return
        crumbs = [Crumb("Floor", "/"), Crumb(machine.line, f"/?line={machine.line}")]
        topic = template.format(machine_id, Channel.TEST, line=machine.line)
        view = machine_view(machine_id)
        if kiosk == "1":
            dress(machine_id)
            zone = feed.state.settings.plant.time_zone
            MachineKiosk(frame=feed.frame(view), view=view, zone=zone, caller=caller_facts())
            return
        controls: list[Control] = ["line", "range"]
        with frame(feed, machine_id, active="floor", view=view, crumbs=crumbs, controls=controls):
            MachinePage(topic=topic)

"""The page `/units/{barcode}`: may this unit go on, and if not, why?"""

import asyncio

from nicegui import ui

from broker.errors import YieldlineError
from ui.components import UnitPage, UnitSearch
from ui.feed import Feed
from ui.floor_view import live_run
from ui.own_zone import own_zone
from ui.theme import Crumb, frame
from ui.unit_reading import Wish, read_near, read_unit

_NOT_FOUND = 404
_AWAY = 503


def register(feed: Feed) -> None:
    """Add the pages. Importing this file does nothing."""
    database, settings = feed.state.database, feed.state.settings

    @ui.page("/units")
    def units_page() -> None:
        with frame(feed, "Units", active="units"):
            newest = [live_run(seen) for seen in reversed(feed.model.live)]
            UnitSearch(barcode="", near=[], rejections=[], newest=newest, trouble="")

    @ui.page("/units/{barcode:path}", response_timeout=30)
    async def unit_page(
        barcode: str,
        run: int | None = None,
        all: int = 0,  # noqa: A002 - as it is in the address
        step: str | None = None,
        nth: int = 0,
    ) -> None:
        zone = own_zone(ui.context.client.request.cookies)
        wish = Wish(run, bool(all), step or None, nth, zone)
        try:
            shown = await asyncio.to_thread(read_unit, database, settings, barcode, wish)
            near = None if shown else await asyncio.to_thread(read_near, database, barcode)
        except YieldlineError as error:
            shown, near = None, {"near": [], "rejections": [], "trouble": str(error)}
        if shown is None:
            ui.context.client.status_code = _AWAY if near and near["trouble"] else _NOT_FOUND
            with frame(feed, "Units", active="units", crumbs=[Crumb(barcode)]):
                UnitSearch(barcode=barcode, newest=[], **(near or {}))
            return
        head = shown["head"]
        crumbs = [
            Crumb(head["line"], f"/?line={head['line']}"),
            Crumb(head["machine"], f"/machines/{head['machine']}"),
            Crumb(barcode),
        ]
        with frame(feed, "Units", active="units", crumbs=crumbs):
            UnitPage(given=shown)

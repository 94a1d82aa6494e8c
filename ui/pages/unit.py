"""The page `/units/{barcode}`: may this unit go on, and if not, why?"""

import asyncio
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui

from broker.errors import YieldlineError
from service.store.database import Database
from service.store.queries.pages_search import (
    nearest_barcodes,
    rejections_with,
    telling_measurements,
)
from service.store.queries.run_details import raw_message, run_details
from service.store.queries.units import unit_life
from ui.components import UnitPage, UnitSearch
from ui.feed import Feed
from ui.floor_view import live_run
from ui.measurement_view import rows
from ui.message_view import excerpt
from ui.theme import Crumb, frame
from ui.unit_view import (
    CARDS_MAX,
    Clock,
    journey,
    pick_unit,
    run_head,
    step_index,
    unit_head,
    way,
)
from ui.wording import thousands

_NOT_FOUND = 404
_AWAY = 503


def register(feed: Feed) -> None:
    """Add the pages. Importing this file does nothing."""
    database = feed.state.database
    clock = Clock(ZoneInfo(feed.state.settings.plant.time_zone))

    @ui.page("/units")
    def units_page() -> None:
        with frame(feed, "Units", active="units"):
            newest = [live_run(seen) for seen in reversed(feed.model.live)]
            UnitSearch(barcode="", near=[], rejections=[], newest=newest, trouble="")

    @ui.page("/units/{barcode:path}", response_timeout=30)
    async def unit_page(barcode: str, run: int | None = None, all: int = 0) -> None:  # noqa: A002
        try:
            shown = await asyncio.to_thread(
                _read, database, barcode, run, clock, everything=bool(all)
            )
            near = None if shown else await asyncio.to_thread(_near, database, barcode)
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
            UnitPage(**shown)


def _near(database: Database, barcode: str) -> dict[str, Any]:
    found = rejections_with(database, barcode)
    return {
        "near": nearest_barcodes(database, barcode),
        "rejections": [each._asdict() for each in found],
        "trouble": "",
    }


def _read(
    database: Database, barcode: str, run_id: int | None, clock: Clock, *, everything: bool
) -> dict[str, Any] | None:
    """Return all that the page shows; None: nobody has tested this barcode."""
    life = unit_life(database, barcode)
    if life is None:
        return None
    unit, run = pick_unit(life, run_id)
    details = run_details(database, run["run_id"])
    message = raw_message(database, run["run_id"])
    if details is None or message is None:
        return None
    runs = [each["run_id"] for each in unit["runs"][-CARDS_MAX * 10 :]]
    measurements = details["measurements"]
    shown, left_out = rows(measurements, details["details"]["measurements"], everything=everything)
    index = step_index(measurements)
    step = None if index is None else measurements[index]["test_step"]
    nth = sum(each["test_step"] == step for each in measurements[: index or 0])
    part = excerpt(message.payload, barcode, step, nth)
    attempts = sum(each["procedure"] == run["procedure"] for each in unit["runs"])
    head = unit_head(barcode, life, unit, clock, datetime.now(UTC))
    return {
        "head": {**head, "line": run["line"], "machine": run["machine_id"]},
        "lanes": journey(unit, run["run_id"], telling_measurements(database, runs), clock),
        "run": {**run_head(details, run, attempts, clock), "id": run["run_id"]},
        "rows": shown,
        "left_out": left_out,
        "way": way(details, part.size_bytes, clock),
        "message": {
            "lines": [line._asdict() for line in part.lines],
            "size": f"{thousands(part.size_bytes)} bytes",
            "whole": part.is_whole,
            "hash": details["details"]["content_hash"],
        },
    }

"""Read what the unit page shows, for the page and for what it asks while it is open."""

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from broker.settings import Settings
from service.store.database import Database
from service.store.queries.checks import with_permissions
from service.store.queries.pages_search import (
    nearest_barcodes,
    rejections_with,
    telling_measurements,
)
from service.store.queries.panels import panel_units
from service.store.queries.run_details import raw_message, run_details
from service.store.queries.units import unit_life
from ui.measurement_view import rows
from ui.message_view import excerpt
from ui.unit_journey import CARDS_MAX, journey
from ui.unit_view import Clock, Facts, mark_of, pick_unit, run_head, step_index, unit_head, way
from ui.wording import thousands

_LANES_MAX: Final = 10  # of a journey whose every card is explained


class Wish(NamedTuple):
    """What of a unit shall be shown."""

    run_id: int | None = None
    """None: its newest."""
    everything: bool = False
    """All measurements, however many."""
    step: str | None = None
    """The measurement to mark in the message; None: the one that explains the verdict."""
    nth: int = 0
    """Which one of that name, from 0: names may repeat in a run."""
    zone: ZoneInfo | None = None
    """By whose clock times are said; None: the plant's."""


def read_unit(
    database: Database, settings: Settings, barcode: str, wish: Wish
) -> dict[str, Any] | None:
    """Return all that the page shows; None: nobody has tested this barcode.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble.
    """
    life = unit_life(database, barcode)
    if life is None:
        return None
    life = with_permissions(life, settings)
    clock = Clock(wish.zone or ZoneInfo(settings.plant.time_zone))
    unit, run = pick_unit(life, wish.run_id)
    details = run_details(database, run["run_id"])
    if details is None:
        return None
    step, nth = _marked(details["measurements"], wish)
    message = read_message(database, run["run_id"], barcode, step, nth)
    if message is None:
        return None
    runs = [each["run_id"] for each in unit["runs"][-CARDS_MAX * _LANES_MAX :]]
    shown, left_out = rows(
        details["measurements"], details["details"]["measurements"], everything=wish.everything
    )
    attempts = sum(each["procedure"] == run["procedure"] for each in unit["runs"])
    head = unit_head(barcode, life, unit, clock, datetime.now(UTC))
    where = {"line": run["line"], "machine": run["machine_id"]}
    return {
        "head": {**head, **where, "panel": _panel(database, details)},
        "lanes": journey(unit, run["run_id"], telling_measurements(database, runs), clock),
        "run": {**run_head(details, run, attempts, clock), "id": run["run_id"]},
        "rows": shown,
        "left_out": left_out,
        "way": way(details, message["size_bytes"], clock),
        "message": {**message, "hash": details["details"]["content_hash"]},
        "chosen": {"step": step, "nth": nth},
        "newest": max(each["run_id"] for part in life["units"] for each in part["runs"]),
    }


def read_message(
    database: Database, run_id: int, barcode: str, step: str | None, nth: int
) -> dict[str, Any] | None:
    """Return a run's message in lines with one measurement marked; None: no such run."""
    message = raw_message(database, run_id)
    if message is None:
        return None
    part = excerpt(message.payload, barcode, step, nth)
    return {
        "lines": [line._asdict() for line in part.lines],
        "size": f"{thousands(part.size_bytes)} bytes",
        "size_bytes": part.size_bytes,
        "whole": part.is_whole,
    }


def read_near(database: Database, barcode: str) -> dict[str, Any]:
    """Return what is like a barcode that nobody has tested."""
    return {
        "near": nearest_barcodes(database, barcode),
        "rejections": [each._asdict() for each in rejections_with(database, barcode)],
        "trouble": "",
    }


def _marked(measurements: list[Facts], wish: Wish) -> tuple[str | None, int]:
    """Return the measurement to mark: the one asked for, else the telling one."""
    names = [each["test_step"] for each in measurements]
    if wish.step is not None and names.count(wish.step) > wish.nth:
        return wish.step, wish.nth
    index = step_index(measurements)
    if index is None:
        return None, 0
    return names[index], names[:index].count(names[index])


def _panel(database: Database, details: Facts) -> dict[str, Any] | None:
    """Return the run's panel and the units on it; None: it was on none."""
    panel = details["details"]["panel"] or {}
    if panel.get("id") is None:
        return None
    units = [
        {
            "barcode": each.barcode,
            "position": each.position,
            "mark": mark_of(each.outcome, marginal=False),
            "run": each.run_id,
        }
        for each in panel_units(database, details["run_id"])
    ]
    return {"id": panel["id"], "position": panel.get("position"), "units": units}

"""What a rebuilt floor does not count yet: added up by the database while it is live, then counted.

Of the units those are remembered that are likeliest to come again; a retest of any other changes no
yield.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from broker.errors import StoreRefused, StoreUnavailable
from broker.outage import Outage
from service.store.database import Database
from service.store.queries.pages_earlier import (
    EarlierFailure,
    EarlierUnit,
    RunSum,
    UnitSum,
    reading_earlier,
)
from ui.failing_steps import Failure
from ui.floor_model import FAILURES_MAX, FloorModel
from ui.seen import mark_of
from ui.shift_units import UnitRuns

_UNITS_AT_ONCE: Final = 2_000
_LOOK_S: Final = 0.25
_AGAIN_S: Final = 2.0


class _Earlier(NamedTuple):
    """All that is to be counted."""

    runs: list[RunSum]
    failed_steps: list[tuple[str, str, int]]
    failures: list[EarlierFailure]
    unit_count: int
    line_units: list[tuple[str, int]]
    units: list[UnitSum]
    remembered: list[tuple[tuple[str, str], list[UnitRuns]]]
    """By barcode and product, the likeliest to come again first."""


async def keep_whole(database: Database, model: Callable[[], FloorModel], away: Outage) -> None:
    """Count what the model of the moment does not count yet, until cancelled."""
    while True:
        try:
            await count_earlier(database, model())
        except (StoreUnavailable, StoreRefused) as error:
            away.note(str(error))
            await asyncio.sleep(_AGAIN_S)
        await asyncio.sleep(_LOOK_S)


async def count_earlier(database: Database, model: FloorModel) -> None:
    """Count what the model does not count yet, unless another shift begins meanwhile.

    It takes seconds for each million runs, in a thread: the model goes on taking in results.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble; nothing was counted.
    """
    uncounted = model.uncounted
    if uncounted is None:
        return
    found = await asyncio.to_thread(_read, database, model.shift.start, uncounted.newest_id)
    if model.uncounted is not uncounted:
        return
    _add_runs(model, found)
    _add_units(model, found)
    for start in range(0, len(found.remembered), _UNITS_AT_ONCE):
        for unit, runs in found.remembered[start : start + _UNITS_AT_ONCE]:
            _remember(model, unit, runs)
        await asyncio.sleep(0)  # a frame may go out
        if model.uncounted is not uncounted:
            return
    model.uncounted = None
    for seen in uncounted.came_again:
        model.count_unit(seen)
    model.dirty |= model.machines.keys()


def _read(database: Database, since: datetime, newest_id: int) -> _Earlier:
    """Blocks. In two parts: while one is read, SQLite cannot make its log shorter."""
    with reading_earlier(database, since, newest_id) as earlier:
        runs, failed_steps = list(earlier.run_sums()), list(earlier.failed_steps())
        failures = list(earlier.failures())
        unit_count, line_units = earlier.unit_count(), list(earlier.line_units())
    remembered: dict[tuple[str, str], list[UnitRuns]] = {}
    with reading_earlier(database, since, newest_id) as earlier:
        units = list(earlier.unit_sums())
        for unit in earlier.units():
            remembered.setdefault((unit.barcode, unit.product_id), []).append(_as_runs(unit))
    by_unit = list(remembered.items())
    return _Earlier(runs, failed_steps, failures, unit_count, line_units, units, by_unit)


def _as_runs(unit: EarlierUnit) -> UnitRuns:
    (first_at, first_id), (last_at, last_id) = unit.first, unit.last
    return UnitRuns(
        unit.procedure,
        unit.line,
        unit.machine_id,
        (first_at.timestamp(), first_id),
        (last_at.timestamp(), last_id),
        unit.first_passed,
        unit.last_passed,
    )


def _add_runs(model: FloorModel, found: _Earlier) -> None:
    for sums in found.runs:
        if machine := model.machines.get(sums.machine_id):
            bucket = model.run_bucket(sums.line, sums.slot_at.timestamp())
            retests = sums.runs if sums.is_retest else 0
            model.add_runs(machine, bucket, mark_of(sums.outcome), sums.runs, retests)
            model.note_product(machine, sums.product_id)
    for machine_id, step, count in found.failed_steps:
        if machine := model.machines.get(machine_id):
            model.add_failures(machine, step, count)
    for failed in found.failures[: FAILURES_MAX - len(model.failures)]:
        place = failed.machine_id, failed.barcode, failed.line
        model.failures.appendleft(Failure(failed.began_at.timestamp(), failed.step, *place))


def _add_units(model: FloorModel, found: _Earlier) -> None:
    for sums in found.units:
        at_s = sums.slot_at.timestamp()
        for tally in model.tallies(sums.line, sums.machine_id, sums.procedure, at_s):
            tally.units += sums.units
            tally.first_passed += sums.first_passed
            tally.last_passed += sums.last_passed
    model.line_units.update(dict(found.line_units))
    model.units.count += found.unit_count


def _remember(model: FloorModel, unit: tuple[str, str], runs: Sequence[UnitRuns]) -> None:
    known = model.units.remember(unit, runs)
    if known:  # it came to its next procedure before anybody knew it, and was counted as new
        model.units.count -= 1
        model.line_units.subtract({each.line for each in known} & {each.line for each in runs})

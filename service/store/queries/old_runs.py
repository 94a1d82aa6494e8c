"""The runs that are older than what is to be kept: how many, and in which portions they go."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, func, select

from service.store.codes import HOUR_US
from service.store.database import Database
from service.store.queries.base import RUN, connected, hour_of

_DAY_US: Final = 24 * HOUR_US
_RUNS_MAX: Final = 1_000
_MEASUREMENTS_MAX: Final = 30_000
"""A portion of so many is deleted in a tenth of a second: results that arrive meanwhile wait."""


class Slot(NamedTuple):
    """The runs that one row of `run_hour` adds up, and its rows of `step_hour`."""

    hour: int
    machine: int
    line: int
    product: int
    procedure: int


class Portion(NamedTuple):
    """Runs that are deleted in one transaction."""

    run_ids: list[int]
    slots: list[Slot]
    """Those whose roll-ups go with it: all of whose runs are in it, or in it and the next ones."""


class OldRuns(NamedTuple):
    """How much is older than what is to be kept."""

    runs: int
    measurements: int


class _Entry(NamedTuple):
    """One run of an hour."""

    slot: Slot
    run_id: int
    measurements: int
    received_us: int


def horizon_us(now_us: int, days: int, *, is_full_day: bool = False) -> int:
    """Return the full hour, or day, in microseconds, before which runs must have begun and come.

    Both, so that a machine whose clock stands in 1970, or the import of an old log, does not bring
    results that are gone again within the hour.
    """
    whole = _DAY_US if is_full_day else HOUR_US
    return (now_us - days * _DAY_US) // whole * whole


def count_old_runs(database: Database, horizon: int) -> OldRuns:
    """Return how many runs and measurements `old_portions` would give."""
    slots = (
        select(func.count().label("runs"), func.sum(_measurements()).label("measurements"))
        .where(RUN.c.started_us < horizon)
        .group_by(hour_of(RUN.c.started_us), *_slot_columns())
        .having(func.max(RUN.c.received_us) < horizon)
        .subquery()
    )
    with connected(database) as connection:
        query = select(func.sum(slots.c.runs), func.sum(slots.c.measurements))
        runs, measurements = connection.execute(query).one()
    return OldRuns(int(runs or 0), int(measurements or 0))


def old_portions(database: Database, horizon: int) -> Iterator[Portion]:
    """Yield what to delete, the oldest hour first; reads an hour at a time.

    A slot is left out until the last of its runs has arrived before the horizon.
    """
    after_us: int | None = None
    while True:
        with connected(database) as connection:
            hour = _next_hour(connection, after_us, horizon)
            if hour is None:
                return
            entries = [_entry(hour, row) for row in _runs_of(connection, hour)]
        yield from _portions(entries, horizon)
        after_us = (hour + 1) * HOUR_US


def _next_hour(connection: Connection, after_us: int | None, horizon: int) -> int | None:
    query = select(func.min(RUN.c.started_us)).where(RUN.c.started_us < horizon)
    if after_us is not None:
        query = query.where(RUN.c.started_us >= after_us)
    oldest_us: int | None = connection.execute(query).scalar()
    return None if oldest_us is None else oldest_us // HOUR_US


def _runs_of(connection: Connection, hour: int) -> Iterable[Row[Any]]:
    slot = _slot_columns()
    query = (
        select(*slot, RUN.c.id, _measurements(), RUN.c.received_us)
        .where(RUN.c.started_us >= hour * HOUR_US, RUN.c.started_us < (hour + 1) * HOUR_US)
        .order_by(*slot, RUN.c.id)
    )
    return connection.execute(query)


def _slot_columns() -> list[ColumnElement[int]]:
    return [RUN.c[name] for name in Slot._fields[1:]]


def _measurements() -> ColumnElement[int]:
    return RUN.c.passed + RUN.c.failed + RUN.c.errors + RUN.c.unjudged


def _entry(hour: int, row: Row[Any]) -> _Entry:
    machine, line, product, procedure, run_id, measurements, received_us = tuple(row)
    return _Entry(Slot(hour, machine, line, product, procedure), run_id, measurements, received_us)


def _portions(entries: Iterable[_Entry], horizon: int) -> Iterator[Portion]:
    """Pack whole slots together; only one that is too large for a portion is cut."""
    packed, measurements = Portion([], []), 0
    for slot, of_slot in groupby(entries, lambda entry: entry.slot):
        runs = list(of_slot)
        if any(run.received_us >= horizon for run in runs):
            continue
        sizes = [run.measurements for run in runs]
        if packed.run_ids and _is_too_much(
            len(packed.run_ids) + len(runs), measurements + sum(sizes)
        ):
            yield packed
            packed, measurements = Portion([], []), 0
        packed.slots.append(slot)
        for run in runs:
            measurements += run.measurements
            if packed.run_ids and _is_too_much(len(packed.run_ids) + 1, measurements):
                yield packed
                packed, measurements = Portion([], []), run.measurements
            packed.run_ids.append(run.run_id)
    if packed.run_ids:
        yield packed


def _is_too_much(runs: int, measurements: int) -> bool:
    return runs > _RUNS_MAX or measurements > _MEASUREMENTS_MAX

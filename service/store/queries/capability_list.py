"""Ppk of every step of a product, the worst first, from the roll-ups.

Moments come from the roll-up, limits from the newest runs of each procedure. The roll-up is read
back from the newest hour until it holds as many measurements as an answer should look at.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Select, and_, case, func, select

from service.core.capability import Bounds, capability_of_moments
from service.core.moments import Moments, merge_moments
from service.core.series import LimitUse, Series, series_of
from service.core.units import Factor, conversion
from service.store.codes import HOUR_US
from service.store.database import Database
from service.store.queries.base import (
    RUN,
    RUN_HOUR,
    STEP_HOUR,
    Facts,
    as_time,
    connected,
    names_of,
    unordered,
)
from service.store.queries.capabilities import bounds_facts, capability_facts
from service.store.queries.filters import Filters, name_conditions, run_conditions
from service.store.queries.step_values import hours_of, numbers_of, step_value

MEASUREMENTS_MAX: Final = 200_000
"""A roll-up of them has as many rows at most."""
_RUNS_FOR_LIMITS = 5
_TINY = 1e-150  # below it PostgreSQL refuses the square (`value out of range: underflow`)
_PER_STEP = (STEP_HOUR.c.procedure, STEP_HOUR.c.step, STEP_HOUR.c.measure_unit)
_Step = tuple[int, int]
"""Procedure and step."""


class _Measured(NamedTuple):
    """The moments of one step in one unit of measure."""

    unit: str | None
    moments: Moments


def capability_list(database: Database, filters: Filters, limit: int = 100) -> Facts:
    """Return Pp and Ppk of every step of a product, the least Ppk first.

    Each entry has the fields of `service.store.queries.capabilities.capabilities`; what needs the
    values one by one is None. Steps without limits stand at the end, by name.

    Args:
        database: Where from.
        filters: The product, and what else roll-ups know: see `spans.ROLLED_UP`. An hour counts as
            a whole where the range touches it.
        limit: At most so many steps.
    """
    with connected(database) as connection:
        oldest, newest, is_complete = _span(connection, filters)
        moments = _moments(connection, filters, (oldest, newest))
        samples = _samples(connection, filters, {procedure for procedure, _ in moments})
        ids = {each for key in (*moments, *samples) for each in key}
        ids |= {unit for units in moments.values() for unit in units}
        ids |= {row.measure_unit for rows in samples.values() for row, _ in rows}
        names = names_of(database, connection, ids - {0})
    entries = [
        {
            "product_id": filters.product_id,
            "procedure": names[step[0]],
            "test_step": names[step[1]],
            **entry,
            "is_complete": is_complete,
        }
        for step, units in moments.items()
        for entry in _entries(
            [_Measured(names.get(unit), each) for unit, each in units.items()],
            series_of(
                step_value(row, started_us, names.get(row.measure_unit))
                for row, started_us in samples.get(step, ())
            ),
        )
    ]
    entries.sort(key=_worst_first)
    return {
        "items": entries[:limit],
        "reason": None if entries else f"No number of {filters.product_id!r} matches.",
        "counted_since": as_time(oldest * HOUR_US) if entries else None,
    }


def _span(connection: Connection, filters: Filters) -> tuple[int, int, bool]:
    """Return the first and last hour to add up, and whether that is all that was asked for."""
    first, last = hours_of(filters)
    measured = func.sum(RUN_HOUR.c.measured_passed + RUN_HOUR.c.measured_failed)
    query = (
        select(RUN_HOUR.c.hour, measured)
        .where(
            RUN_HOUR.c.hour.between(first, last), *name_conditions(connection, filters, RUN_HOUR)
        )
        .group_by(RUN_HOUR.c.hour)
        .order_by(RUN_HOUR.c.hour.desc())
    )
    oldest, count = last, 0
    for hour, measurements in connection.execute(query):
        count += int(measurements)
        if count > MEASUREMENTS_MAX and oldest != last:
            return oldest, last, False
        oldest = hour
    return oldest, last, True


def _moments(
    connection: Connection, filters: Filters, hours: tuple[int, int]
) -> dict[_Step, dict[int, Moments]]:
    """Return the moments of each step by unit of measure (0: none was sent)."""
    found: dict[_Step, dict[int, Moments]] = defaultdict(dict)
    for row in connection.execute(_merged_moments(connection, filters, hours)):
        procedure, step, unit, count, mean, squares, least, greatest = row
        found[procedure, step][unit] = Moments(int(count), mean, squares, least, greatest)
    return found


def _merged_moments(
    connection: Connection, filters: Filters, hours: tuple[int, int]
) -> Select[Any]:
    """Return the query of moments merged over hours and machines.

    Twice through the rows: first the mean, then the deviations from it, which keeps their digits.
    """
    count, mean = STEP_HOUR.c.value_count, STEP_HOUR.c.mean
    chosen = (
        *name_conditions(connection, filters, STEP_HOUR),
        STEP_HOUR.c.hour.between(*hours),
        count > 0,
    )
    centre = (
        select(*_PER_STEP, func.sum(count).label("total"))
        .add_columns((func.sum(count * mean) / func.sum(count)).label("mean"))
        .where(*chosen)
        .group_by(*_PER_STEP)
        .cte("centre")
    )
    apart = mean - centre.c.mean
    square = case((func.abs(apart) < _TINY, 0.0), else_=apart * apart * count)
    same = [unordered(column) == centre.c[column.name] for column in _PER_STEP]
    per_step = (*_PER_STEP, centre.c.total, centre.c.mean)
    return (
        select(
            *per_step,
            func.sum(STEP_HOUR.c.squares + square),
            func.min(STEP_HOUR.c.least),
            func.max(STEP_HOUR.c.greatest),
        )
        .select_from(STEP_HOUR)
        .join(centre, and_(*same))
        .where(*chosen)
        .group_by(*per_step)
    )


def _samples(
    connection: Connection, filters: Filters, procedures: Collection[int]
) -> dict[_Step, list[tuple[Row[Any], int]]]:
    """Return what the newest runs of each procedure measured, with their start, in time order."""
    conditions = run_conditions(connection, filters.counting)
    starts: dict[int, tuple[int, int]] = {}
    for procedure in sorted(procedures):
        query = (
            select(RUN.c.id, RUN.c.started_us)
            .where(*conditions, RUN.c.procedure == procedure)
            .order_by(RUN.c.started_us.desc(), RUN.c.id.desc())
            .limit(_RUNS_FOR_LIMITS)
        )
        starts.update((row.id, (row.started_us, procedure)) for row in connection.execute(query))
    rows = connection.execute(numbers_of(starts)).all()
    found: dict[_Step, list[tuple[Row[Any], int]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (starts[row.run_id][0], row.run_id, row.position)):
        started_us, procedure = starts[row.run_id]
        found[procedure, row.step].append((row, started_us))
    return found


def _entries(measured: Iterable[_Measured], series: Iterable[Series]) -> Iterator[Facts]:
    """Yield the capability of each unit of measure that does not convert to another."""
    rest = list(measured)
    for each in series:
        alike, rest = _part(rest, each.unit)
        if alike:
            yield _entry(each.unit, alike, each.bounds, each.limits)
    while rest:
        unit = next((each.unit for each in rest if each.unit), None)
        alike, rest = _part(rest, unit)
        yield _entry(unit, alike, Bounds(), ())


def _part(measured: Sequence[_Measured], unit: str | None) -> tuple[list[Moments], list[_Measured]]:
    """Return the moments that convert to a unit, converted, and the others."""
    factors = [conversion(each.unit, unit) for each in measured]
    pairs = list(zip(measured, factors, strict=True))
    return (
        [_converted(each.moments, factor) for each, factor in pairs if factor is not None],
        [each for each, factor in pairs if factor is None],
    )


def _converted(moments: Moments, factor: Factor) -> Moments:
    if factor == _SAME:
        return moments
    least, greatest = (
        None if each is None else factor.convert(each) for each in (moments.least, moments.greatest)
    )
    mean, squares = factor.convert(moments.mean), moments.squares * factor.scale**2
    return Moments(moments.value_count, mean, squares, least, greatest)


def _entry(
    unit: str | None, moments: Sequence[Moments], bounds: Bounds, limits: Sequence[LimitUse]
) -> Facts:
    return {
        "unit": unit,
        **bounds_facts(bounds, limits),
        "limits_changed": None,
        "limits": None,
        **capability_facts(capability_of_moments(merge_moments(moments), bounds)),
        "first_at": None,
        "last_at": None,
    }


def _worst_first(entry: Facts) -> tuple[bool, float, str, str]:
    ppk = entry["ppk"]
    return ppk is None, ppk or 0.0, entry["test_step"], entry["procedure"]


_SAME: Final = Factor(1.0)

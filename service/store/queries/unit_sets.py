"""Which units a question counts, and how they are counted.

A unit counts at a procedure where its FIRST run of that procedure matches the filters: its time,
machine, line, fixture … Across procedures it is good at first pass when the first run of every
procedure counted was PASS, and good in the end when the last run of each was.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Subquery, case, func, or_, select

from broker.messages import Outcome
from service.core.yields import YieldCounts
from service.store.codes import OUTCOME_CODE
from service.store.queries.base import (
    RUN,
    SLOTS,
    UNIT,
    UNIT_HOUR,
    UNIT_STATE,
    Facts,
    microseconds,
    slot_of,
    unordered,
)
from service.store.queries.filters import Condition, Filters, name_conditions, run_conditions
from service.store.queries.periods import Period, PeriodAt
from service.store.queries.sums import Counts, Source, clipped, sums_by

_OF_STATE = frozenset(
    {
        "machine_id",
        "line",
        "product_id",
        "procedure",
        "fixture",
        "operator",
        "barcode",
        "since",
        "until",
        "golden",
    }
)
_PASS = OUTCOME_CODE[Outcome.PASS]
_FEW = 4
"""An index finds a row so many times slower than a look through all of them in order."""

first_passed = case((UNIT_STATE.c.first_outcome == _PASS, 1), else_=0)
last_passed = case((UNIT_STATE.c.last_outcome == _PASS, 1), else_=0)
_second_passed = case(
    (or_(UNIT_STATE.c.first_outcome == _PASS, UNIT_STATE.c.second_outcome == _PASS), 1), else_=0
)
_retested = case((UNIT_STATE.c.runs > 1, 1), else_=0)


def unit_states(
    connection: Connection, filters: Filters, *columns: ColumnElement[Any]
) -> Select[Any]:
    """Return the query of one row a unit and procedure that counts, with these columns.

    A column of `run` is that of the unit's first run.
    """
    filters = filters.counting
    query = select(*columns).select_from(UNIT_STATE)
    if filters.given <= _OF_STATE and not any(_is_of_run(each) for each in columns):
        return query.where(*_state_conditions(connection, filters))
    joined = query.join(RUN, RUN.c.id == UNIT_STATE.c.first_run_id)
    of_states = replace(filters, barcode=None)  # the run's own index finds a barcode
    return joined.where(
        *_state_conditions(connection, of_states), *run_conditions(connection, filters)
    )


def _is_of_run(column: ColumnElement[Any]) -> bool:
    return getattr(getattr(column, "element", column), "table", None) is RUN  # also of a label


def _state_conditions(connection: Connection, filters: Filters) -> list[Condition]:
    conditions = name_conditions(connection, filters, UNIT_STATE)
    if filters.barcode is not None:
        units = select(UNIT.c.id).where(UNIT.c.barcode == filters.barcode)
        conditions.append(UNIT_STATE.c.unit_id.in_(connection.execute(units).scalars().all()))
    if filters.since is not None:
        conditions.append(UNIT_STATE.c.first_started_us >= microseconds(filters.since))
    if filters.until is not None:
        conditions.append(UNIT_STATE.c.first_started_us < microseconds(filters.until))
    return conditions


def _rows(
    connection: Connection, filters: Filters, columns: Sequence[ColumnElement[Any]]
) -> Select[Any]:
    return unit_states(connection, filters, *columns)


def _add(one: Counts, other: Counts) -> Counts:
    return [old + new for old, new in zip(one, other, strict=True)]


def state_column(key: str) -> ColumnElement[Any]:
    """Return what of a unit's state, or of its first run, is grouped by."""
    column: ColumnElement[Any] = (UNIT_STATE if key in UNIT_STATE.c else RUN).c[key]
    return column


UNITS: Final = Source(
    hours=UNIT_HOUR,
    of_hours=[func.sum(UNIT_HOUR.c[name]) for name in YieldCounts._fields],
    of_rows=(
        func.count(),
        func.sum(first_passed),
        func.sum(_second_passed),
        func.sum(last_passed),
        func.sum(_retested),
        func.sum(UNIT_STATE.c.runs),
    ),
    at=UNIT_STATE.c.first_started_us,
    column=state_column,
    rows=_rows,
    add=_add,
)
"""Units at procedures, as `YieldCounts`."""


def count_by_procedure(
    connection: Connection, filters: Filters, key: str, period_at: PeriodAt | None = None
) -> dict[Any, dict[int, YieldCounts]]:
    """Return, for each value of a key, the units at each procedure.

    Args:
        connection: To read with.
        filters: What the first run of a unit must match.
        key: A column of `unit_state` or `run`, `hour`, or `quarter` of one.
        period_at: Turns hours into shifts or days; then the keys are `Period`.
    """
    sums = sums_by(connection, filters, UNITS, (key, "procedure"), period_at)
    found: dict[Any, dict[int, YieldCounts]] = defaultdict(dict)
    for (value, procedure), counts in sums.items():
        if counts[0]:  # an hour that lost its units to an earlier one stays behind, with nothing
            found[value][procedure] = YieldCounts(*counts)
    return dict(found)


def count_units(connection: Connection, filters: Filters) -> YieldCounts:
    """Return the units that count, each once, by what became of it at all procedures counted."""
    sums = sums_by(connection, filters, UNITS, ("procedure",))
    procedures = [YieldCounts(*counts) for counts in sums.values() if counts[0]]
    if len(procedures) > 1:
        return _count_each(connection, filters, procedures)
    return procedures[0] if procedures else YieldCounts()


def units_by(
    connection: Connection,
    filters: Filters,
    key: str,
    of_procedures: Mapping[Any, Mapping[int, YieldCounts]] | None = None,
) -> dict[Any, YieldCounts]:
    """Return the units of each value of a key, each unit once a value.

    Where a value has one procedure they are counted already. Only what several procedures have in
    common has to be looked at unit by unit.

    Args:
        connection: To read with.
        filters: What the first run of a unit must match.
        key: A column of `unit_state` or `run`, `hour`, or `quarter` of one.
        of_procedures: What `count_by_procedure` says of it; its keys may be `Period`.
    """
    if of_procedures is None:
        of_procedures = count_by_procedure(connection, filters, key)
    found = {}
    rest = {}
    for value, procedures in of_procedures.items():
        if len(procedures) == 1:
            found[value] = next(iter(procedures.values()))
        else:
            rest[value] = list(procedures.values())
    if any(isinstance(value, Period) for value in rest):
        for period, counts in rest.items():
            within = clipped(filters, (period.start_us, period.end_us))
            found[period] = _count_each(connection, within, counts)
    elif rest:
        every = [each for counts in rest.values() for each in counts]
        found |= _count_each_by(connection, filters, key, rest.keys(), every)
    return found


def _count_each(
    connection: Connection, filters: Filters, counts: Sequence[YieldCounts]
) -> YieldCounts:
    units = _per_unit(connection, filters, is_few=_is_few(connection, filters, counts))
    row = connection.execute(select(*_unit_sums(units))).one()
    return YieldCounts(*(int(each or 0) for each in row))


def _count_each_by(
    connection: Connection,
    filters: Filters,
    key: str,
    values: Collection[Any],
    counts: Sequence[YieldCounts],
) -> dict[Any, YieldCounts]:
    column: ColumnElement[Any] = (
        slot_of(UNIT_STATE.c.first_started_us, SLOTS[key]) if key in SLOTS else state_column(key)
    )
    is_few = _is_few(connection, filters, counts)
    units = _per_unit(connection, filters, column.label("key"), is_few=is_few)
    query = select(units.c.key, *_unit_sums(units)).group_by(units.c.key)
    return {
        value: YieldCounts(*map(int, sums))
        for value, *sums in connection.execute(query)
        if value in values
    }


def _is_few(connection: Connection, filters: Filters, counts: Sequence[YieldCounts]) -> bool:
    """Tell whether a range holds so few of all units that an index finds them sooner."""
    if filters.since is None and filters.until is None:
        return False
    all_units = connection.execute(select(func.max(UNIT.c.id))).scalar() or 0
    return sum(each.units for each in counts) * _FEW < all_units


def _per_unit(
    connection: Connection, filters: Filters, *groups: ColumnElement[Any], is_few: bool = False
) -> Subquery:
    """Return a subquery of one row a unit (and group): what became of it at all procedures.

    Good at first pass, at the second, in the end; whether one of them was repeated; all its runs.
    `is_few`: the filters leave few of all units, so they are not read in the order of their ids.
    """
    query = unit_states(
        connection,
        filters,
        *groups,
        func.min(first_passed).label("first"),
        func.min(_second_passed).label("second"),
        func.min(last_passed).label("last"),
        func.max(_retested).label("retested"),
        func.sum(UNIT_STATE.c.runs).label("runs"),
    )
    unit = unordered(UNIT_STATE.c.unit_id) if is_few else UNIT_STATE.c.unit_id
    return query.group_by(unit, *groups).subquery()


def _unit_sums(units: Subquery) -> list[ColumnElement[Any]]:
    """Return the columns that add `_per_unit` up to `YieldCounts`."""
    names = ("first", "second", "last", "retested", "runs")
    return [func.count(), *(func.sum(units.c[name]) for name in names)]


def unit_figures(total: int, first: int, last: int) -> Facts:
    """Return units and yields as the API says them; a yield of no units is null."""
    return {
        "units": total,
        "first_pass_yield": first / total if total else None,
        "final_yield": last / total if total else None,
    }

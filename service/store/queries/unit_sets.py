"""Which units a question counts at each procedure, and how they are counted.

A unit counts at a procedure where its FIRST run of that procedure matches the filters: its time,
machine, line, fixture … `unit_totals` counts units across procedures.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, case, func, or_, select

from broker.messages import Outcome
from service.core.yields import YieldCounts
from service.store.codes import OUTCOME_CODE
from service.store.queries.base import RUN, UNIT, UNIT_HOUR, UNIT_HOUR_DETAIL, UNIT_STATE
from service.store.queries.filters import Condition, Filters, name_conditions, run_conditions
from service.store.queries.periods import PeriodAt
from service.store.queries.sums import Counts, Source, sums_by
from service.store.times import microseconds

_OF_STATE = frozenset(
    {
        "machine_id",
        "line",
        "product_id",
        "procedure",
        "fixture",
        "operator",
        "barcode",
        "outcome",
        "since",
        "until",
        "golden",
    }
)
_PASS = OUTCOME_CODE[Outcome.PASS]

first_passed = case((UNIT_STATE.c.first_outcome == _PASS, 1), else_=0)
last_passed = case((UNIT_STATE.c.last_outcome == _PASS, 1), else_=0)
second_passed = case(
    (or_(UNIT_STATE.c.first_outcome == _PASS, UNIT_STATE.c.second_outcome == _PASS), 1), else_=0
)
retested = case((UNIT_STATE.c.runs > 1, 1), else_=0)


def unit_states(
    connection: Connection, filters: Filters, *columns: ColumnElement[Any]
) -> Select[Any]:
    """Return the query of one row a unit and procedure that counts, with these columns.

    A column of `run` is that of the unit's first run.
    """
    filters = filters.counting
    query = select(*columns).select_from(UNIT_STATE)
    if filters.given <= _OF_STATE and not any(_is_of_run(each) for each in columns):
        return query.where(*state_conditions(connection, filters))
    joined = query.join(RUN, RUN.c.id == UNIT_STATE.c.first_run_id)
    of_states = replace(filters, barcode=None)  # the run's own index finds a barcode
    return joined.where(
        *state_conditions(connection, of_states), *run_conditions(connection, filters)
    )


def _is_of_run(column: ColumnElement[Any]) -> bool:
    return getattr(getattr(column, "element", column), "table", None) is RUN  # also of a label


def state_conditions(connection: Connection, filters: Filters) -> list[Condition]:
    """Return what a row of `unit_state` must hold, of what it says itself."""
    conditions = name_conditions(connection, filters, UNIT_STATE)
    if filters.barcode is not None:
        units = select(UNIT.c.id).where(UNIT.c.barcode == filters.barcode)
        conditions.append(UNIT_STATE.c.unit_id.in_(connection.execute(units).scalars().all()))
    if filters.outcome is not None:
        conditions.append(UNIT_STATE.c.first_outcome == OUTCOME_CODE[filters.outcome])
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


def _without(one: Counts, other: Counts, _: Counts) -> Counts:
    return [old - new for old, new in zip(one, other, strict=True)]


def state_column(key: str) -> ColumnElement[Any]:
    """Return what of a unit's state, or of its first run, is grouped by."""
    column: ColumnElement[Any] = (UNIT_STATE if key in UNIT_STATE.c else RUN).c[key]
    return column


UNITS: Final = Source(
    hours=UNIT_HOUR,
    details=UNIT_HOUR_DETAIL,
    of_hours=lambda hours: [func.sum(hours.c[name]) for name in YieldCounts._fields],
    of_rows=(
        func.count(),
        func.sum(first_passed),
        func.sum(second_passed),
        func.sum(last_passed),
        func.sum(retested),
        func.sum(UNIT_STATE.c.runs),
    ),
    at=UNIT_STATE.c.first_started_us,
    column=state_column,
    rows=_rows,
    add=_add,
    without=_without,
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

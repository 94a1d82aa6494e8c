"""Which units a question counts, and how they are counted.

A unit counts at a procedure where its FIRST run of that procedure matches the filters: its time,
machine, line, fixture … Across procedures it is good at first pass when the first run of every
procedure counted was PASS, and good in the end when the last run of each was.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from broker.messages import Outcome
from service.store.codes import OUTCOME_CODE
from service.store.queries.base import RUN, UNIT, UNIT_STATE, Facts, microseconds
from service.store.queries.filters import Condition, Filters, name_conditions, run_conditions

_OF_STATE = frozenset(
    {"machine_id", "line", "product_id", "procedure", "barcode", "since", "until", "golden"}
)
_PASS = OUTCOME_CODE[Outcome.PASS]

first_passed = case((UNIT_STATE.c.first_outcome == _PASS, 1), else_=0)
last_passed = case((UNIT_STATE.c.last_outcome == _PASS, 1), else_=0)


def unit_states(
    connection: Connection, filters: Filters, *columns: ColumnElement[Any]
) -> Select[Any]:
    """Return the query of one row a unit and procedure that counts, with these columns."""
    filters = filters.counting
    query = select(*columns).select_from(UNIT_STATE)
    if filters.given <= _OF_STATE:
        return query.where(*_state_conditions(connection, filters))
    joined = query.join(RUN, RUN.c.id == UNIT_STATE.c.first_run_id)
    return joined.where(*run_conditions(connection, filters))


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


def count_units(connection: Connection, filters: Filters) -> tuple[int, int, int]:
    """Return how many units count, were good at first pass, and are good in the end."""
    if filters.procedure is not None:  # one row a unit: no need to bring rows together
        query = unit_states(
            connection, filters, func.count(), func.sum(first_passed), func.sum(last_passed)
        )
    else:
        units = per_unit(connection, filters)
        query = select(func.count(), func.sum(units.c.first), func.sum(units.c.last))
    total, first, last = connection.execute(query).one()
    return int(total), int(first or 0), int(last or 0)


def per_unit(connection: Connection, filters: Filters, *groups: ColumnElement[Any]) -> Any:  # noqa: ANN401 - a subquery; its columns are known by name only
    """Return a subquery of one row a unit (and group): good at first pass, good in the end."""
    query = unit_states(
        connection,
        filters,
        *groups,
        func.min(first_passed).label("first"),
        func.min(last_passed).label("last"),
    )
    return query.group_by(UNIT_STATE.c.unit_id, *groups).subquery()


def unit_figures(total: int, first: int, last: int) -> Facts:
    """Return units and yields as the API says them; a yield of no units is null."""
    return {
        "units": total,
        "first_pass_yield": first / total if total else None,
        "final_yield": last / total if total else None,
    }

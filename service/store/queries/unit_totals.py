"""Units at all procedures together: each unit once, whatever procedures it was at.

The procedures are added up, which roll-ups do. Only a unit that was at several of them is then
counted too often: only such units have to be looked at one by one, and an index has them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    bindparam,
    case,
    func,
    select,
)

from service.core.yields import YieldCounts, add_counts
from service.store.queries.base import SLOTS, UNIT_STATE, Facts, slot_of
from service.store.queries.filters import Condition, Filters
from service.store.queries.periods import Period
from service.store.queries.unit_sets import (
    count_by_procedure,
    first_passed,
    last_passed,
    retested,
    second_passed,
    state_column,
    state_conditions,
    unit_states,
)
from service.store.times import microseconds

_NO_SURPLUS: Final = YieldCounts()


def count_units(connection: Connection, filters: Filters) -> YieldCounts:
    """Return the units that count, each once, by what became of it at all procedures counted."""
    by_procedure = count_by_procedure(connection, filters, "procedure")
    procedures = [counts for each in by_procedure.values() for counts in each.values()]
    if not procedures:
        return YieldCounts()
    total = add_counts(procedures)
    return total if len(procedures) == 1 else _without(total, _surplus(connection, filters))


def units_by(
    connection: Connection,
    filters: Filters,
    key: str,
    of_procedures: Mapping[Any, Mapping[int, YieldCounts]] | None = None,
) -> dict[Any, YieldCounts]:
    """Return the units of each value of a key, each unit once a value.

    Args:
        connection: To read with.
        filters: What the first run of a unit must match.
        key: A column of `unit_state` or `run`, `hour`, or `quarter` of one.
        of_procedures: What `count_by_procedure` says of it; its keys may be `Period`.
    """
    if of_procedures is None:
        of_procedures = count_by_procedure(connection, filters, key)
    totals = {value: add_counts(each.values()) for value, each in of_procedures.items()}
    several = [value for value, each in of_procedures.items() if len(each) > 1]
    if not several:
        return totals
    is_of_periods = isinstance(several[0], Period)
    surplus = (
        _surplus_in(connection, filters, several)
        if is_of_periods
        else _surplus_by(connection, filters, key)
    )
    return {
        value: _without(total, surplus.get(value, _NO_SURPLUS)) for value, total in totals.items()
    }


def _without(total: YieldCounts, surplus: YieldCounts) -> YieldCounts:
    return YieldCounts(*(one - other for one, other in zip(total, surplus, strict=True)))


def _surplus(connection: Connection, filters: Filters) -> YieldCounts:
    """Return what the sum of all procedures counts too often."""
    return _counts(*connection.execute(_surpluses(connection, filters)).one())


def _surplus_by(connection: Connection, filters: Filters, key: str) -> dict[Any, YieldCounts]:
    """Return, for each value of a key, what the sum of its procedures counts too often."""
    if key in SLOTS:
        column = slot_of(UNIT_STATE.c.first_started_us, SLOTS[key])
    else:
        column = state_column(key)
    further: Sequence[Condition] = ()
    if key in UNIT_STATE.c and connection.dialect.name == "sqlite":
        # It looks them up one by one in any case, and has less to sort. PostgreSQL would hash all
        # units once more.
        further = [_is_there_again(key)]
    query = _surpluses(connection, filters, groups=(column.label("key"),), further=further)
    return {value: _counts(*sums) for value, *sums in connection.execute(query)}


def _is_there_again(key: str) -> Condition:
    """Return what a unit's state holds if another of its states has the same key."""
    other = UNIT_STATE.alias("other")
    again = select(other.c.unit_id).where(
        other.c.unit_id == UNIT_STATE.c.unit_id,
        other.c.procedure != UNIT_STATE.c.procedure,
        other.c[key].is_not_distinct_from(UNIT_STATE.c[key]),
    )
    return again.correlate(UNIT_STATE).exists()


def _surplus_in(
    connection: Connection, filters: Filters, periods: Iterable[Period]
) -> dict[Period, YieldCounts]:
    """Return what the sum of all procedures counts too often in each period.

    One statement is told each of them: to write one anew costs as much time as its answer.
    """
    start, end = bindparam("start_us", type_=BigInteger), bindparam("end_us", type_=BigInteger)
    at = UNIT_STATE.c.first_started_us
    is_within = (at >= start, at < end)
    always = replace(filters, since=None, until=None)
    query = _surpluses(connection, always, states=is_within, further=is_within)
    since, until = (each and microseconds(each) for each in (filters.since, filters.until))
    found = {}
    for period in periods:
        within = {
            "start_us": period.start_us if since is None else max(period.start_us, since),
            "end_us": period.end_us if until is None else min(period.end_us, until),
        }
        found[period] = _counts(*connection.execute(query, within).one())
    return found


def _counts(*sums: int | None) -> YieldCounts:
    """Return sums as counts, without runs: those of two procedures are different ones."""
    return YieldCounts(*(int(each or 0) for each in sums))


def _surpluses(
    connection: Connection,
    filters: Filters,
    *,
    groups: Sequence[ColumnElement[Any]] = (),
    states: Sequence[Condition] = (),
    further: Sequence[Condition] = (),
) -> Select[Any]:
    """Return the query of all surpluses, of each group where there is one.

    A unit is good at first pass, at the second or in the end where it is so at every procedure; it
    is retested where it is so at one of them.

    Args:
        connection: To look names up with.
        filters: What the first run of a unit must match.
        groups: One column, labelled `key`, or none.
        states: What a unit's states must hold as well.
        further: What holds of one of a unit's further states, if it is counted too often.
    """
    counted = filters.counting
    several = (
        select(UNIT_STATE.c.unit_id)
        .where(UNIT_STATE.c.is_further.is_(True), *state_conditions(connection, counted), *further)
        .correlate(None)
    )
    columns = (
        func.count().label("procedures"),
        func.sum(first_passed).label("first"),
        func.sum(second_passed).label("second"),
        func.sum(last_passed).label("last"),
        func.sum(retested).label("retested"),
    )
    units = (
        unit_states(connection, filters, *groups, *columns)
        .where(UNIT_STATE.c.unit_id.in_(several), *states)
        .group_by(UNIT_STATE.c.unit_id, *groups)
        .having(func.count() > 1)
        .subquery()
    )
    count, *passed, again = (units.c[each.name] for each in columns)
    too_often = (
        count - 1,
        *(each - case((each == count, 1), else_=0) for each in passed),
        again - case((again > 0, 1), else_=0),
    )
    keys = [units.c.key for _ in groups]
    return select(*keys, *map(func.sum, too_often)).group_by(*keys)


def unit_figures(total: int, first: int, last: int) -> Facts:
    """Return units and yields as the API says them; a yield of no units is null."""
    return {
        "units": total,
        "first_pass_yield": first / total if total else None,
        "final_yield": last / total if total else None,
    }

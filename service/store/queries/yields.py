"""Yields per group, with their doubt: what /api/v1/yield says."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from service.core.intervals import wilson_interval
from service.core.yields import YieldCounts, rolled_throughput_yield
from service.store.codes import HOUR_US
from service.store.database import Database
from service.store.queries.base import UNIT_STATE, Facts, as_time, connected, hour_of, names_of
from service.store.queries.figures import count_runs_by, run_figures
from service.store.queries.filters import Filters
from service.store.queries.unit_sets import (
    first_passed,
    last_passed,
    per_unit,
    unit_figures,
    unit_states,
)

GROUPS: Final[Mapping[str, str]] = {
    "procedure": "procedure",
    "line": "line",
    "machine": "machine",
    "product": "product",
    "hour": "hour",
}
"""What yields can be grouped by, and the column of it. `hour`: of the unit's first run."""


def yields(database: Database, filters: Filters, group: str = "procedure") -> list[Facts]:
    """Return one entry a group, sorted by its name or hour; empty where no unit counts.

    Each has the group's name, units, first_pass_yield with its 95 % Wilson interval, final_yield,
    retests (runs beyond the first of a unit at a procedure), rolled_throughput_yield (the product
    of its procedures' first pass yields), and the runs by outcome.

    Raises:
        KeyError: `group` is none of GROUPS.
    """
    column = GROUPS[group]
    with connected(database) as connection:
        of_procedures = _by_procedure(connection, filters, _state_column(column))
        of_units = _by_unit(connection, filters, column)
        runs = count_runs_by(connection, filters, column)
        names = _names(database, connection, column, of_units)
    entries = [
        {
            "group": names[key],
            **_unit_entry(*of_units[key]),
            **_procedure_entry(of_procedures[key]),
            **run_figures(runs.get(key, [0, 0, 0, 0])),
        }
        for key in of_units
    ]
    return sorted(entries, key=lambda entry: str(entry["group"]))


def rolled_throughput(database: Database, filters: Filters) -> float | None:
    """Return the product of the first pass yields of all procedures; None without any unit."""
    with connected(database) as connection:
        of_procedures = _by_procedure(connection, filters, UNIT_STATE.c.procedure)
    return _rolled(row for each in of_procedures.values() for row in each)


def _state_column(column: str) -> ColumnElement[Any]:
    if column == "hour":
        return hour_of(UNIT_STATE.c.first_started_us)
    return UNIT_STATE.c[column]


def _by_procedure(
    connection: Connection, filters: Filters, group: ColumnElement[Any]
) -> dict[Any, list[Row[Any]]]:
    """Return per group its procedures: units, good at first pass, runs."""
    query = unit_states(
        connection,
        filters,
        group.label("key"),
        func.count().label("units"),
        func.sum(first_passed).label("first"),
        func.sum(UNIT_STATE.c.runs).label("runs"),
    ).group_by(group, UNIT_STATE.c.procedure)
    found: dict[Any, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.key].append(row)
    return found


def _by_unit(
    connection: Connection, filters: Filters, column: str
) -> dict[Any, tuple[int, int, int]]:
    """Return per group its units, those good at first pass, those good in the end."""
    group = _state_column(column)
    query: Select[Any]
    if column == "procedure" or filters.procedure is not None:
        # A unit has one row a group: no need to bring rows together, which is most of the work.
        sums = (func.count(), func.sum(first_passed), func.sum(last_passed))
        query = unit_states(connection, filters, group, *sums).group_by(group)
    else:
        units = per_unit(connection, filters, group.label("key"))
        query = select(units.c.key, func.count(), func.sum(units.c.first), func.sum(units.c.last))
        query = query.group_by(units.c.key)
    rows = connection.execute(query)
    return {key: (int(total), int(first), int(last)) for key, total, first, last in rows}


def _unit_entry(total: int, first: int, last: int) -> Facts:
    interval = wilson_interval(first, total)
    return unit_figures(total, first, last) | {
        "first_passed": first,
        "finally_passed": last,
        "first_pass_yield_low": interval and interval[0],
        "first_pass_yield_high": interval and interval[1],
    }


def _procedure_entry(rows: list[Row[Any]]) -> Facts:
    return {
        "retests": sum(int(row.runs) - int(row.units) for row in rows),
        "rolled_throughput_yield": _rolled(rows),
    }


def _rolled(rows: Iterable[Row[Any]]) -> float | None:
    return rolled_throughput_yield(YieldCounts(int(row.units), int(row.first)) for row in rows)


def _names(
    database: Database, connection: Connection, column: str, groups: Mapping[Any, object]
) -> Mapping[Any, str]:
    if column == "hour":
        return {hour: str(as_time(int(hour) * HOUR_US)) for hour in groups}
    return names_of(database, connection, groups)

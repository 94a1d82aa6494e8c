"""Totals over runs and yields over units: what /api/v1/metrics and the pages' figures say."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from broker.messages import Outcome
from service.store.codes import OUTCOME_CODE
from service.store.database import Database
from service.store.queries.base import RUN, RUN_HOUR, Facts, connected, hour_of
from service.store.queries.filters import Condition, Filters, name_conditions, run_conditions
from service.store.queries.spans import is_rolled_up, span_of
from service.store.queries.unit_sets import count_units, unit_figures

Totals = list[int]
"""Runs with PASS, FAIL, ERROR, UNJUDGED."""

_CODES = [OUTCOME_CODE[each] for each in Outcome]
_ROLLED_UP = (RUN_HOUR.c.passed, RUN_HOUR.c.failed, RUN_HOUR.c.errors, RUN_HOUR.c.unjudged)


def figures(database: Database, filters: Filters) -> Facts:
    """Return total_tests, the four counts, pass_rate, units, first_pass_yield and final_yield.

    Shares are 0 to 1, null where nothing was counted. `service.store.queries.unit_sets` says which
    units count.
    """
    with connected(database) as connection:
        totals = count_runs(connection, filters)
        units = count_units(connection, filters)
    return run_figures(totals) | unit_figures(*units)


def run_figures(totals: Totals) -> Facts:
    """Return the counts of runs as the API says them."""
    passed, failed, errors, unjudged = totals
    total = sum(totals)
    return {
        "total_tests": total,
        "pass_count": passed,
        "fail_count": failed,
        "error_count": errors,
        "unjudged_count": unjudged,
        "pass_rate": passed / total if total else None,
    }


def count_runs(connection: Connection, filters: Filters) -> Totals:
    """Return the runs by outcome; whole hours come from the roll-up where it knows enough."""
    counted = count_runs_by(connection, filters, None)
    return counted.get(None, [0, 0, 0, 0])


def count_runs_by(
    connection: Connection, filters: Filters, column: str | None
) -> dict[Any, Totals]:
    """Return the runs by outcome for each value of a column of `run_hour`; None: in all."""
    filters = filters.counting
    if not is_rolled_up(filters):
        return _scan(connection, run_conditions(connection, filters), column)
    span = span_of(filters)
    names = name_conditions(connection, filters, RUN_HOUR)
    group = () if column is None else (RUN_HOUR.c[column],)
    query = select(*group, *(func.sum(each) for each in _ROLLED_UP)).group_by(*group)
    rows = connection.execute(query.where(*names, *span.of_hours(RUN_HOUR)))
    totals = _by_group(rows, column)
    runs = name_conditions(connection, filters, RUN)
    for end in span.of_ends(RUN.c.started_us):
        for key, counts in _scan(connection, [*runs, end], column).items():
            before = totals.get(key, [0, 0, 0, 0])
            totals[key] = [old + new for old, new in zip(before, counts, strict=True)]
    return totals


def _scan(
    connection: Connection, conditions: list[Condition], column: str | None
) -> dict[Any, Totals]:
    group = () if column is None else (_column_of_run(column),)
    counted = (func.sum(case((RUN.c.outcome == code, 1), else_=0)) for code in _CODES)
    query = select(*group, *counted).where(*conditions).group_by(*group)
    return _by_group(connection.execute(query), column)


def _column_of_run(column: str) -> ColumnElement[int]:
    return hour_of(RUN.c.started_us) if column == "hour" else RUN.c[column]


def _by_group(rows: Iterable[Any], column: str | None) -> dict[Any, Totals]:
    """Read rows of an optional group and four sums; sums of nothing are null."""
    width = 0 if column is None else 1
    return {row[0] if width else None: [int(each or 0) for each in row[width:]] for row in rows}

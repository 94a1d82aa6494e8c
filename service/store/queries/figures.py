"""Totals over runs and yields over units: what /api/v1/metrics and the pages' figures say."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, case, func, select

from broker.messages import Outcome
from service.store.codes import OUTCOME_CODE
from service.store.database import Database
from service.store.queries.base import RUN, RUN_HOUR, RUN_HOUR_DETAIL, Facts, connected, hour_of
from service.store.queries.filters import Filters, run_conditions
from service.store.queries.sums import Counts, Source, sums_by
from service.store.queries.unit_totals import count_units, unit_figures

Totals = list[int]
"""Runs with PASS, FAIL, ERROR, UNJUDGED."""

_CODES = [OUTCOME_CODE[each] for each in Outcome]
_IS_LATE = hour_of(RUN.c.started_us) < hour_of(RUN.c.received_us) - 1
"""It came more than an hour after its hour was over, as `service.store.rollups` counts it."""


def _rows(
    connection: Connection, filters: Filters, columns: Sequence[ColumnElement[Any]]
) -> Select[Any]:
    return select(*columns).select_from(RUN).where(*run_conditions(connection, filters))


def _of_hours(hours: Table) -> list[ColumnElement[Any]]:
    outcomes = ("passed", "failed", "errors", "unjudged")
    return [
        *(func.sum(hours.c[name]) for name in (*outcomes, "late")),
        func.max(hours.c.last_late_us),
        *(func.sum(hours.c[name]) for name in ("measured_passed", "measured_failed")),
    ]


def _add(one: Counts, other: Counts) -> Counts:
    sums = [old + new for old, new in zip(one, other, strict=True)]
    sums[LAST_LATE] = max(one[LAST_LATE], other[LAST_LATE])
    return sums


def _without(one: Counts, other: Counts, late: Counts) -> Counts:
    sums = [old - new for old, new in zip(one, other, strict=True)]
    sums[LAST_LATE] = late[LAST_LATE]  # every late run is in the details
    return sums


RUNS: Final = Source(
    hours=RUN_HOUR,
    details=RUN_HOUR_DETAIL,
    of_hours=_of_hours,
    of_rows=(
        *(func.sum(case((RUN.c.outcome == code, 1), else_=0)) for code in _CODES),
        func.sum(case((_IS_LATE, 1), else_=0)),
        func.max(case((_IS_LATE, RUN.c.received_us))),
        func.sum(RUN.c.passed),
        func.sum(RUN.c.failed),
    ),
    at=RUN.c.started_us,
    column=lambda key: RUN.c[key],
    rows=_rows,
    add=_add,
    without=_without,
)
"""Runs by outcome; late ones, and when the last of them came; measurements passed and failed."""
LATE: Final = 4
LAST_LATE: Final = 5
MEASURED_PASSED: Final = 6
MEASURED_FAILED: Final = 7
NO_RUNS: Final = (0,) * len(RUNS.of_rows)
_OUTCOMES: Final = slice(0, 4)


def figures(database: Database, filters: Filters) -> Facts:
    """Return total_tests, the four counts, pass_rate, units, first_pass_yield and final_yield.

    Shares are 0 to 1, null where nothing was counted. `service.store.queries.unit_sets` says which
    units count.
    """
    with connected(database) as connection:
        totals = count_runs(connection, filters)
        units = count_units(connection, filters)
    return run_figures(totals) | unit_figures(units.units, units.first_passed, units.last_passed)


def run_figures(totals: Sequence[int]) -> Facts:
    """Return the counts of runs as the API says them."""
    passed, failed, errors, unjudged = totals[_OUTCOMES]
    total = passed + failed + errors + unjudged
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
    of_all = replace(filters, outcome=None)  # the roll-up knows each outcome apart
    totals = sums_by(connection, of_all, RUNS, ()).get((), [*NO_RUNS])[_OUTCOMES]
    if filters.outcome is None:
        return totals
    return [
        total if code == OUTCOME_CODE[filters.outcome] else 0
        for total, code in zip(totals, _CODES, strict=True)
    ]


def count_runs_by(connection: Connection, filters: Filters, column: str) -> dict[Any, Totals]:
    """Return the runs by outcome for each value of a column of `run`, or each `hour`."""
    sums = sums_by(connection, filters, RUNS, (column,))
    return {key: counts[_OUTCOMES] for (key,), counts in sums.items()}

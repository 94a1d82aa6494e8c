"""Which steps fail most, and where: what /api/v1/pareto and the Floor page say."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal_column, select

from broker.messages import Outcome
from service.store.codes import OUTCOME_CODE, NameKind
from service.store.database import Database
from service.store.queries.base import (
    MEASUREMENT,
    RUN,
    STEP_HOUR,
    Facts,
    connected,
    id_of,
    names_of,
)
from service.store.queries.filters import Condition, Filters, name_conditions, run_conditions
from service.store.queries.spans import ROLLED_UP, span_of

_NONE: ColumnElement[int] = literal_column("0")
_Counts = dict[tuple[int, int], list[int]]
"""By (step, machine): measurements that failed, first failures of a run."""


def failing_steps(database: Database, filters: Filters, limit: int = 20) -> list[Facts]:
    """Return the steps with failures, most first failures first, then most failures, then by name.

    Each has test_step, first_failures (runs whose first failed step it was), failures
    (measurements judged FAIL) and `machines`: the same two figures per machine, worst first.
    `filters.step` keeps that step only.
    """
    with connected(database) as connection:
        counts = _count(connection, filters.counting)
        ids = {each for key in counts for each in key}
        names = names_of(database, connection, ids)
    by_step: dict[int, list[Facts]] = defaultdict(list)
    for (step, machine), (failures, first_failures) in counts.items():
        by_step[step].append(
            {
                "machine_id": names[machine],
                "first_failures": first_failures,
                "failures": failures,
            }
        )
    entries = [_entry(names[step], machines) for step, machines in by_step.items()]
    return sorted(entries, key=lambda entry: _worst_first(entry, "test_step"))[:limit]


def _entry(step: str, machines: list[Facts]) -> Facts:
    return {
        "test_step": step,
        "first_failures": sum(each["first_failures"] for each in machines),
        "failures": sum(each["failures"] for each in machines),
        "machines": sorted(machines, key=lambda entry: _worst_first(entry, "machine_id")),
    }


def _worst_first(entry: Mapping[str, Any], name: str) -> tuple[int, int, str]:
    return -entry["first_failures"], -entry["failures"], entry[name]


def _count(connection: Connection, filters: Filters) -> _Counts:
    counts: _Counts = defaultdict(lambda: [0, 0])
    if filters.golden or not filters.given <= ROLLED_UP | {"step"}:
        _scan(connection, filters, run_conditions(connection, filters), counts)
        return counts
    span = span_of(filters)
    names = name_conditions(connection, filters, STEP_HOUR)
    query = (
        select(
            STEP_HOUR.c.step,
            STEP_HOUR.c.machine,
            func.sum(STEP_HOUR.c.failed),
            func.sum(STEP_HOUR.c.first_failures),
        )
        .where(*names, *span.of_hours(STEP_HOUR), *_of_step(connection, filters, STEP_HOUR.c.step))
        .where((STEP_HOUR.c.failed > 0) | (STEP_HOUR.c.first_failures > 0))
        .group_by(STEP_HOUR.c.step, STEP_HOUR.c.machine)
    )
    _add(connection, query, counts)
    of_runs = name_conditions(connection, filters, RUN)
    for end in span.of_ends(RUN.c.started_us):
        _scan(connection, filters, [*of_runs, end], counts)
    return counts


def _scan(
    connection: Connection, filters: Filters, conditions: list[Condition], counts: _Counts
) -> None:
    """Add what runs that hold `conditions` have failed, from their measurements."""
    is_failed = MEASUREMENT.c.outcome == OUTCOME_CODE[Outcome.FAIL]
    failed = (
        select(MEASUREMENT.c.step, RUN.c.machine, func.count(), _NONE)
        .join(RUN, RUN.c.id == MEASUREMENT.c.run_id)
        .where(is_failed, *conditions, *_of_step(connection, filters, MEASUREMENT.c.step))
        .group_by(MEASUREMENT.c.step, RUN.c.machine)
    )
    first = (
        select(RUN.c.first_failure, RUN.c.machine, _NONE, func.count())
        .where(RUN.c.first_failure.is_not(None), *conditions)
        .where(*_of_step(connection, filters, RUN.c.first_failure))
        .group_by(RUN.c.first_failure, RUN.c.machine)
    )
    _add(connection, failed, counts)
    _add(connection, first, counts)


def _of_step(connection: Connection, filters: Filters, column: Any) -> list[Condition]:  # noqa: ANN401 - any column
    if filters.step is None:
        return []
    return [column == id_of(connection, NameKind.STEP, filters.step)]


def _add(connection: Connection, query: Select[Any], counts: _Counts) -> None:
    for step, machine, failures, first_failures in connection.execute(query):
        counts[step, machine][0] += int(failures)
        counts[step, machine][1] += int(first_failures)

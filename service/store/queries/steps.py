"""Which steps fail most, and where: what /api/v1/pareto and the Floor page say."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, func, literal_column, select

from broker.messages import Outcome
from service.core.pareto import ParetoOrder, StepFailures, rank_steps
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
    unordered,
)
from service.store.queries.filters import Condition, Filters, name_conditions, run_conditions
from service.store.queries.spans import ROLLED_UP, span_of

_NONE: ColumnElement[int] = literal_column("0")
# Word for word as the index says it, or it is not used: no parameters.
_IS_FAILING = (STEP_HOUR.c.failed > _NONE) | (STEP_HOUR.c.first_failures > _NONE)
_Counts = dict[tuple[int, int], list[int]]
"""By (step, machine): measurements that failed, first failures of a run."""


class _Ranked(NamedTuple):
    step: StepFailures
    share: float | None
    cumulative_share: float | None


def failing_steps(database: Database, filters: Filters, limit: int = 20) -> list[Facts]:
    """Return the steps with failures, most first failures first, then most failures, then by name.

    Each has test_step, first_failures (runs whose first failed step it was), failures
    (measurements judged FAIL) and `machines`: the same two figures per machine, worst first.
    `filters.step` keeps that step only.
    """
    items: list[Facts] = pareto_of_steps(database, filters, limit)["items"]
    return items


def pareto_of_steps(
    database: Database,
    filters: Filters,
    limit: int = 20,
    order: str = ParetoOrder.FIRST_FAILURES,
) -> Facts:
    """Return `items` as `failing_steps` does, with their shares, and what those are shares of.

    `share` and `cumulative_share` are of all that `order` counts, None where it counts nothing. A
    step of which it counts nothing stands at the end. `others` is all that is not listed, as one;
    None: nothing is.

    Raises:
        ValueError: `order` is no ParetoOrder.
    """
    ranking = ParetoOrder(order)
    with connected(database) as connection:
        counts = _count(connection, filters.counting)
        names = names_of(database, connection, {each for key in counts for each in key})
    steps = [
        StepFailures(names[step], first_failures, failures)
        for (step, _), (failures, first_failures) in counts.items()
    ]
    ranked = _ranked(steps, ranking)
    machines = _by_machine(counts, names)
    return {
        "order": ranking.value,
        "items": [
            _entry(each) | {"machines": machines[each.step.test_step]} for each in ranked[:limit]
        ],
        "others": _others(ranked[limit:]),
        "total_first_failures": sum(step.first_failures for step in steps),
        "total_failures": sum(step.failures for step in steps),
    }


def _ranked(steps: Sequence[StepFailures], order: ParetoOrder) -> list[_Ranked]:
    """Rank the steps that the order counts, then the others by what the other order counts."""
    if not steps:
        return []
    counted = rank_steps(steps, order, len(steps)).entries
    known = {each.step.test_step for each in counted}
    other = next(each for each in ParetoOrder if each is not order)
    rest = rank_steps(
        [step for step in steps if step.test_step not in known], other, len(steps)
    ).entries
    is_last = (0.0, 1.0) if counted else (None, None)
    return [
        *(_Ranked(*each) for each in counted),
        *(_Ranked(each.step, *is_last) for each in rest),
    ]


def _entry(ranked: _Ranked) -> Facts:
    return {
        **ranked.step._asdict(),
        "share": ranked.share,
        "cumulative_share": ranked.cumulative_share,
    }


def _others(ranked: Sequence[_Ranked]) -> Facts | None:
    if not ranked:
        return None
    shares = [each.share for each in ranked if each.share is not None]
    return {
        "steps": len(ranked),
        "first_failures": sum(each.step.first_failures for each in ranked),
        "failures": sum(each.step.failures for each in ranked),
        "share": sum(shares) if shares else None,
    }


def _by_machine(counts: _Counts, names: Mapping[int | None, str]) -> dict[str, list[Facts]]:
    machines: dict[str, list[Facts]] = defaultdict(list)
    for (step, machine), (failures, first_failures) in counts.items():
        facts = {"first_failures": first_failures, "failures": failures}
        machines[names[step]].append({"machine_id": names[machine], **facts})
    for each in machines.values():
        each.sort(key=_worst_first)
    return machines


def _worst_first(entry: Mapping[str, Any]) -> tuple[int, int, str]:
    return -entry["first_failures"], -entry["failures"], entry["machine_id"]


def _count(connection: Connection, filters: Filters) -> _Counts:
    counts: _Counts = defaultdict(lambda: [0, 0])
    if filters.golden or not filters.given <= ROLLED_UP | {"step"}:
        # The step is looked for below: a run in which a required one is missing does not hold it.
        of_runs = run_conditions(connection, replace(filters, step=None))
        _scan(connection, filters, of_runs, counts)
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
        .where(_IS_FAILING)
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
    """Add what runs that hold `conditions` have failed, from their measurements.

    Run by run, and only of those in which anything failed: without statistics SQLite would rather
    look through all measurements.
    """
    is_failed = (RUN.c.failed > 0) & (MEASUREMENT.c.outcome == OUTCOME_CODE[Outcome.FAIL])
    failed = (
        select(MEASUREMENT.c.step, RUN.c.machine, func.count(), _NONE)
        .select_from(RUN)
        .join(MEASUREMENT, unordered(RUN.c.id) == MEASUREMENT.c.run_id)
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

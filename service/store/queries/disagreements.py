"""Where a machine and our own arithmetic differ: runs, and how often by step and machine."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal_column, or_, select

from broker.messages import ReportedOutcome
from service.core.disagreement import (
    DisagreeingMeasurement,
    DisagreementKind,
    ValueShape,
    kind_of,
    kind_of_run,
)
from service.store.codes import (
    COMPARATOR_OF,
    OUTCOME_OF,
    REPORTED_OF,
    NameKind,
    ValueKind,
)
from service.store.database import Database
from service.store.queries.base import (
    MEASUREMENT,
    RUN,
    UNIT,
    Facts,
    as_time,
    connected,
    id_of,
    names_of,
    unordered,
)
from service.store.queries.filters import Condition, Filters, before, encode_cursor, run_conditions
from service.store.queries.results import value_of

LIMIT_MAX: Final = 200
_SHOWN_MAX = 50
"""Measurements of one run."""
_SHAPE: Final = {
    ValueKind.NUMBER.value: ValueShape.NUMBER,
    ValueKind.TEXT.value: ValueShape.TEXT,
    ValueKind.TRUTH.value: ValueShape.TRUTH,
    ValueKind.NONE.value: ValueShape.NONE,
}
_NOMINAL_SHAPE: Final = {
    None: ValueShape.NONE,
    "[": ValueShape.NONE,
    '"': ValueShape.TEXT,
    "t": ValueShape.TRUTH,
    "f": ValueShape.TRUTH,
}
"""By the first character of its JSON; else it is a number."""
_ONE: ColumnElement[int] = literal_column("1")
"""No parameter: PostgreSQL would not see that what is selected is what is grouped by."""
_DISAGREES: Final = MEASUREMENT.c.agrees.is_(False)
_SHARED = (
    MEASUREMENT.c.reported,
    MEASUREMENT.c.outcome,
    MEASUREMENT.c.value_kind,
    MEASUREMENT.c.comparator,
    MEASUREMENT.c.rule.is_not(None).label("is_by_rule"),
    MEASUREMENT.c.low.is_not(None).label("has_low"),
    MEASUREMENT.c.high.is_not(None).label("has_high"),
    func.substr(MEASUREMENT.c.nominal, _ONE, _ONE).label("begins"),
)
"""What tells which way a measurement differs."""
_EXTRA = _SHARED[4:]
"""What of it is no column of the table."""
_COUNTED: Final = {kind: f"{kind.value}s" for kind in DisagreementKind}
_SAID: Final = {
    ReportedOutcome.PASS: "reported_pass",
    ReportedOutcome.FAIL: "reported_fail",
}


def count_disagreements(database: Database, filters: Filters) -> Facts:
    """Return how often machine and arithmetic differ.

    `steps`: measurements by step and machine; `machines`: runs by machine and the machine's word.
    Both with the most first.
    """
    filters = filters.counting
    with connected(database) as connection:
        of_steps = _count_steps(connection, filters)
        of_machines = _count_machines(connection, filters)
        ids = {each for key in of_steps for each in key} | of_machines.keys()
        names = names_of(database, connection, ids)
    steps = [
        {"test_step": names[step], "machine_id": names[machine], **counts}
        for (step, machine), counts in of_steps.items()
    ]
    machines = [{"machine_id": names[key], **counts} for key, counts in of_machines.items()]
    return {
        "steps": sorted(steps, key=lambda entry: _most_first(entry, "measurements")),
        "machines": sorted(machines, key=lambda entry: _most_first(entry, "runs")),
    }


def _most_first(entry: Mapping[str, Any], counted: str) -> tuple[int, str, str]:
    return -entry[counted], entry.get("test_step", ""), entry["machine_id"]


def _count_steps(connection: Connection, filters: Filters) -> dict[tuple[int, int], dict[str, int]]:
    keys = (MEASUREMENT.c.step, RUN.c.machine)
    query = (
        select(*keys, func.count().label("measurements"), *_SHARED)
        .join(RUN, RUN.c.id == MEASUREMENT.c.run_id)
        .where(_DISAGREES, *run_conditions(connection, replace(filters, step=None)))
        .where(*_of_step(connection, filters))
        .group_by(*keys, *_SHARED)
    )
    counts: dict[tuple[int, int], dict[str, int]] = defaultdict(
        lambda: dict.fromkeys(("measurements", *_COUNTED.values()), 0)
    )
    for row in connection.execute(query):
        entry = counts[row.step, row.machine]
        entry["measurements"] += row.measurements
        entry[_COUNTED[_kind_of(row)]] += row.measurements
    return counts


def _count_machines(connection: Connection, filters: Filters) -> dict[int, dict[str, int]]:
    query = (
        select(unordered(RUN.c.machine), RUN.c.reported, func.count())
        .where(RUN.c.agrees.is_(False), *_of_runs(connection, filters))
        .group_by(unordered(RUN.c.machine), RUN.c.reported)
    )
    counts: dict[int, dict[str, int]] = defaultdict(
        lambda: dict.fromkeys(("runs", "reported_pass", "reported_fail", "reported_other"), 0)
    )
    for machine, reported, runs in connection.execute(query):
        counts[machine]["runs"] += runs
        counts[machine][_SAID.get(REPORTED_OF[reported], "reported_other")] += runs
    return counts


def list_disagreements(
    database: Database, filters: Filters, limit: int = 100, cursor: str | None = None
) -> tuple[list[Facts], str | None]:
    """Return runs that disagree or hold a measurement that does, newest start first.

    With the cursor of what follows; None at the end. `kind` is None where the run itself agrees.
    With a step, runs in which that step disagrees.

    Raises:
        ValueError: The cursor is none of ours.
    """
    limit = min(limit, LIMIT_MAX)
    after = before(RUN, "started_us", cursor)
    with connected(database) as connection:
        conditions = [*after, *_of_runs(connection, filters.counting)]
        runs = _newest(connection, conditions, limit + 1)
        shown = runs[:limit]
        rows = _measurements(connection, filters, [run.id for run in shown])
        ids = {each for run in shown for each in _names_in(run)}
        ids |= {each for row in rows for each in (row.step, row.measure_unit, row.rule)}
        names = names_of(database, connection, ids)
    of_run: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        of_run[row.run_id].append(row)
    items = [_item(run, of_run[run.id], names) for run in shown]
    has_more = len(runs) > limit
    return items, encode_cursor(shown[-1].started_us, shown[-1].id) if has_more else None


def _of_runs(connection: Connection, filters: Filters) -> list[Condition]:
    conditions = run_conditions(connection, replace(filters, step=None))
    if filters.step is not None:
        conditions.append(RUN.c.id.in_(_run_ids(*_of_step(connection, filters))))
    return conditions


def _run_ids(*conditions: Condition) -> Select[Any]:
    return select(MEASUREMENT.c.run_id).where(_DISAGREES, *conditions)


def _of_step(connection: Connection, filters: Filters) -> list[Condition]:
    if filters.step is None:
        return []
    return [MEASUREMENT.c.step == id_of(connection, NameKind.STEP, filters.step)]


def _newest(connection: Connection, conditions: Sequence[Condition], limit: int) -> list[Row[Any]]:
    """Return the newest runs of both kinds, each found by an index of its own.

    Those that disagree themselves, and those that do not but hold a measurement that does.
    """
    runs = select(RUN, UNIT.c.barcode).join(UNIT, UNIT.c.id == RUN.c.unit_id).where(*conditions)
    newest_first = runs.order_by(RUN.c.started_us.desc(), RUN.c.id.desc()).limit(limit)
    holding = or_(RUN.c.agrees.is_(None), RUN.c.agrees.is_(True)) & RUN.c.id.in_(_run_ids())
    found = [
        *connection.execute(newest_first.where(RUN.c.agrees.is_(False))),
        *connection.execute(newest_first.where(holding)),
    ]
    return sorted(found, key=lambda run: (run.started_us, run.id), reverse=True)[:limit]


def _measurements(
    connection: Connection, filters: Filters, run_ids: Sequence[int]
) -> Sequence[Row[Any]]:
    query = (
        select(MEASUREMENT, *_EXTRA)
        .where(_DISAGREES, MEASUREMENT.c.run_id.in_(run_ids), *_of_step(connection, filters))
        .order_by(MEASUREMENT.c.run_id, MEASUREMENT.c.position)
    )
    return connection.execute(query).all()


def _names_in(run: Row[Any]) -> tuple[int | None, ...]:
    return run.machine, run.line, run.product, run.procedure, run.first_failure


def _item(run: Row[Any], rows: Sequence[Row[Any]], names: Mapping[int | None, str]) -> Facts:
    reported = REPORTED_OF.get(run.reported)
    return {
        "run_id": run.id,
        "barcode": run.barcode,
        "machine_id": names[run.machine],
        "line": names[run.line],
        "product_id": names[run.product],
        "procedure": names[run.procedure],
        "timestamp": as_time(run.started_us),
        "outcome": OUTCOME_OF[run.outcome].value,
        "reported_outcome": reported and reported.value,
        "agrees": run.agrees,
        "first_failure": names.get(run.first_failure),
        "kind": _kind_of_run(run, reported, rows),
        "measurement_count": len(rows),
        "measurements": [_measurement(row, names) for row in rows[:_SHOWN_MAX]],
    }


def _measurement(row: Row[Any], names: Mapping[int | None, str]) -> Facts:
    comparator = COMPARATOR_OF.get(row.comparator)
    return {
        "test_step": names[row.step],
        "measured_value": value_of(row),
        "unit": names.get(row.measure_unit),
        "comparator": comparator and comparator.value,
        "low": row.low,
        "high": row.high,
        "rule_id": names.get(row.rule),
        "outcome": OUTCOME_OF[row.outcome].value,
        "reported_outcome": REPORTED_OF[row.reported].value,
        "kind": _kind_of(row).value,
        "reason": row.reason,
    }


def _kind_of(row: Row[Any]) -> DisagreementKind:
    return kind_of(
        DisagreeingMeasurement(
            reported=REPORTED_OF[row.reported],
            outcome=OUTCOME_OF[row.outcome],
            is_by_rule=bool(row.is_by_rule),
            shape=_SHAPE[row.value_kind],
            comparator=COMPARATOR_OF.get(row.comparator),
            has_low=bool(row.has_low),
            has_high=bool(row.has_high),
            nominal=_NOMINAL_SHAPE.get(row.begins, ValueShape.NUMBER),
        )
    )


def _kind_of_run(
    run: Row[Any], reported: ReportedOutcome | None, rows: Sequence[Row[Any]]
) -> str | None:
    if run.agrees is not False or reported is None:
        return None
    kinds = [_kind_of(row) for row in rows]
    return kind_of_run(
        reported,
        has_failure=run.failed > 0
        or run.first_failure is not None
        or DisagreementKind.FALSE_ACCEPT in kinds,
        has_error=run.errors > 0 or DisagreementKind.OTHER in kinds,
    ).value

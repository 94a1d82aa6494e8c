"""Judged runs as Results: by their ids, and as a list that goes on from a cursor."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Select, func, select

from broker.messages import Outcome
from service.store.codes import COMPARATOR_OF, OUTCOME_CODE, OUTCOME_OF, REPORTED_OF, ValueKind
from service.store.database import Database
from service.store.queries.base import MEASUREMENT, RUN, UNIT, Facts, as_time, connected, names_of
from service.store.queries.filters import (
    Filters,
    before,
    behind,
    encode_cursor,
    run_conditions,
)

LISTED_WHOLE_MAX: Final = 50
"""With more measurements only those that are not PASS are listed ..."""
LISTED_MAX: Final = 200
"""... and of those so many."""
LIMIT_MAX: Final = 1_000
COUNT_MAX: Final = 100_000
"""A count goes no further: who lists so many does not read them one by one."""
_RUNS_A_QUERY = 500


class ListView(NamedTuple):
    """How a list of Results is shown."""

    is_oldest_first: bool = False
    has_measurements: bool = True
    """Without them a page of a long list is a tenth as large."""


NEWEST_FIRST: Final = ListView()


@dataclass(frozen=True, slots=True)
class ResultCount:
    """How many runs a list holds."""

    count: int
    is_complete: bool
    """False: there are more than `COUNT_MAX`."""
    newest_run_id: int
    """Of all runs, whatever the filters; 0: none. Ask later what came after it."""


def results_by_ids(database: Database, run_ids: Collection[int]) -> dict[int, Facts]:
    """Return Results with all their measurements by run id; ids that are not stored are left out.

    Each has exactly the fields of `broker.answers.Result`, ready for JSON. `as_message` cuts one
    to what the result topic carries.
    """
    found: dict[int, Facts] = {}
    wanted = sorted(set(run_ids))
    with connected(database) as connection:
        for start in range(0, len(wanted), _RUNS_A_QUERY):
            some = wanted[start : start + _RUNS_A_QUERY]
            runs = connection.execute(_runs().where(RUN.c.id.in_(some))).all()
            results = _as_results(database, connection, runs, cut=False)
            found.update((result["run_id"], result) for result in results)
    return found


def list_results(
    database: Database,
    filters: Filters,
    limit: int = 100,
    cursor: str | None = None,
    view: ListView = NEWEST_FIRST,
) -> tuple[list[Facts], str | None]:
    """Return Results, newest start first, and the cursor of what follows (None at the end).

    Long ones are cut as on the result topic, see `as_message`. A cursor belongs to its order.

    Raises:
        ValueError: The cursor is none of ours.
    """
    at, number = RUN.c.started_us, RUN.c.id
    order = (at.asc(), number.asc()) if view.is_oldest_first else (at.desc(), number.desc())
    after = (behind if view.is_oldest_first else before)(RUN, "started_us", cursor)
    with connected(database) as connection:
        query = _runs().where(*run_conditions(connection, filters), *after).order_by(*order)
        runs = connection.execute(query.limit(min(limit, LIMIT_MAX) + 1)).all()
        shown = runs[: min(limit, LIMIT_MAX)]
        results = _as_results(database, connection, shown, cut=True, bare=not view.has_measurements)
    has_more = len(runs) > len(shown)
    return results, encode_cursor(shown[-1].started_us, shown[-1].id) if has_more else None


def count_results(database: Database, filters: Filters, after: int = 0) -> ResultCount:
    """Count the runs of a list, up to `COUNT_MAX`; `after`: only those stored after this run id."""
    with connected(database) as connection:
        newest = connection.execute(select(func.max(RUN.c.id))).scalar() or 0
        conditions = run_conditions(connection, filters)
        if after:
            conditions.append(RUN.c.id > after)
        some = select(RUN.c.id).where(*conditions).limit(COUNT_MAX + 1).subquery()
        count = connection.execute(select(func.count()).select_from(some)).scalar_one()
    return ResultCount(min(count, COUNT_MAX), count <= COUNT_MAX, newest)


def as_message(result: Mapping[str, Any]) -> Facts:
    """Return a whole Result as the result topic carries it (contract.md section 5).

    More than 50 measurements: only those that are not PASS, at most 200. Pure: no I/O.
    """
    measurements = result["measurements"]
    if len(measurements) <= LISTED_WHOLE_MAX:
        return dict(result)
    kept = [each for each in measurements if each["outcome"] != Outcome.PASS][:LISTED_MAX]
    return {**result, "measurements": kept, "measurements_complete": False}


def _runs() -> Select[Any]:
    return select(RUN, UNIT.c.barcode).join(UNIT, UNIT.c.id == RUN.c.unit_id)


def _as_results(
    database: Database,
    connection: Connection,
    runs: Sequence[Row[Any]],
    *,
    cut: bool,
    bare: bool = False,
) -> list[Facts]:
    """Turn rows into Results; `cut` those that the result topic would cut, `bare` of values."""
    long = {run.id for run in runs if cut and _count(run) > LISTED_WHOLE_MAX}
    short = {run.id for run in runs} - long
    if bare:
        long, short = set(), set()
    values = [*_measurements_of(connection, short), *_not_passed(connection, long)]
    names = names_of(database, connection, _name_ids(runs, values))
    measurements: dict[int, list[Facts]] = defaultdict(list)
    for value in values:
        measurements[value.run_id].append(_measurement(value, names))
    return [
        _result(run, names)
        | {
            "measurements": measurements[run.id],
            "measurements_complete": run.id in short or not cut,
        }
        for run in runs
    ]


def _count(run: Row[Any]) -> int:
    return int(run.passed + run.failed + run.errors + run.unjudged)


def _measurements_of(connection: Connection, run_ids: Collection[int]) -> Sequence[Row[Any]]:
    if not run_ids:
        return ()
    query = select(MEASUREMENT).where(MEASUREMENT.c.run_id.in_(run_ids))
    return connection.execute(query.order_by(MEASUREMENT.c.run_id, MEASUREMENT.c.position)).all()


def _not_passed(connection: Connection, run_ids: Collection[int]) -> Sequence[Row[Any]]:
    """Return the first 200 measurements of each run that are not PASS."""
    if not run_ids:
        return ()
    place = func.row_number().over(
        partition_by=MEASUREMENT.c.run_id, order_by=MEASUREMENT.c.position
    )
    numbered = (
        select(MEASUREMENT, place.label("place"))
        .where(MEASUREMENT.c.run_id.in_(run_ids))
        .where(MEASUREMENT.c.outcome != OUTCOME_CODE[Outcome.PASS])
        .subquery()
    )
    query = select(numbered).where(numbered.c.place <= LISTED_MAX)
    return connection.execute(query.order_by(numbered.c.run_id, numbered.c.position)).all()


def _name_ids(runs: Iterable[Row[Any]], values: Iterable[Row[Any]]) -> set[int | None]:
    ids: set[int | None] = set()
    for run in runs:
        ids.update((run.machine, run.line, run.product, run.procedure, run.first_failure))
    for value in values:
        ids.update((value.step, value.measure_unit, value.rule))
    return ids


def _result(run: Row[Any], names: Mapping[int | None, str]) -> Facts:
    return {
        "message_id": run.message_id,
        "run_id": run.id,
        "barcode": run.barcode,
        "machine_id": names[run.machine],
        "line": names[run.line],
        "product_id": names[run.product],
        "procedure": names[run.procedure],
        "outcome": OUTCOME_OF[run.outcome].value,
        "reported_outcome": reported_of(run.reported),
        "agrees": run.agrees,
        "timestamp": as_time(run.started_us),
        "received_at": as_time(run.received_us),
        "attempt": run.attempt,
        "first_failure": names.get(run.first_failure),
        "rulebook_version": run.rulebook_version,
        "clock_suspect": run.clock_suspect,
        "counts": {
            "PASS": run.passed,
            "FAIL": run.failed,
            "ERROR": run.errors,
            "UNJUDGED": run.unjudged,
        },
    }


def _measurement(row: Row[Any], names: Mapping[int | None, str]) -> Facts:
    comparator = COMPARATOR_OF.get(row.comparator)
    return {
        "test_step": names[row.step],
        "measured_value": value_of(row),
        "unit": names.get(row.measure_unit),
        "outcome": OUTCOME_OF[row.outcome].value,
        "comparator": comparator and comparator.value,
        "low": row.low,
        "high": row.high,
        "rule_id": names.get(row.rule),
        "reason": row.reason,
        "reported_outcome": reported_of(row.reported),
        "marginal": row.marginal,
    }


def value_of(row: Row[Any]) -> float | str | bool | None:
    """Return the value that a row of `measurement` holds."""
    match ValueKind(row.value_kind):
        case ValueKind.NUMBER:
            return float(row.number)
        case ValueKind.TRUTH:
            return bool(row.number)
        case ValueKind.TEXT:
            return str(row.text)
        case ValueKind.NONE:
            return None


def reported_of(code: int | None) -> str | None:
    """Return what the machine said, from its code."""
    return None if code is None else REPORTED_OF[code].value

"""The newest values of a step: found by the roll-up, read from the rows, within bounds.

There is no index of measurements by step: it would cost every measurement that is written, for what
few people look at. The roll-up knows the hours in which the step was measured, so the newest runs
of those hours are looked through, up to a bound that keeps an answer quick. What then is missing is
older, and the answer says so.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Select, false, func, select, tuple_

from broker.messages import Outcome
from service.core.series import StepValue
from service.store.codes import COMPARATOR_OF, HOUR_US, OUTCOME_CODE, NameKind, ValueKind
from service.store.database import Database
from service.store.queries.base import MEASUREMENT, RUN, STEP_HOUR, connected, id_of, names_of
from service.store.queries.filters import Condition, Filters, name_conditions, run_conditions
from service.store.queries.spans import is_rolled_up
from service.store.times import microseconds

VALUES_MAX: Final = 5_000
"""Values of one answer."""
ROWS_MAX: Final = 400_000
"""Measurements looked through for them, of whatever step ..."""
RUNS_MAX: Final = 40_000
"""... and runs."""
_RUNS_A_QUERY = 1_000
_ROWS_A_QUERY = 50_000
_PROCEDURES_MAX = 500
_FAR = 1_000_000_000
"""Hours beyond every time that a calendar has."""
_JUDGED = frozenset({OUTCOME_CODE[Outcome.PASS], OUTCOME_CODE[Outcome.FAIL]})


_Runs = Sequence[Any]
"""Rows of `run`: id, started_us, product, procedure, and size, the number of its measurements."""
_Place = tuple[str, str]
"""Product and procedure."""


class FoundValues(NamedTuple):
    """The newest values of a step, by where they were measured."""

    of: Mapping[_Place, Sequence[StepValue]]
    """By product and procedure, that of the newest value first; each in time order."""
    is_complete: bool
    """Whether no older ones match."""
    reason: str | None
    """Why there is none, in a sentence; None: there are some."""


def newest_values(database: Database, filters: Filters, limit: int = VALUES_MAX) -> FoundValues:
    """Return the newest numbers that were measured in a step.

    Args:
        database: Where from.
        filters: Which runs, and the step, which must be given; golden samples only where they are
            asked for.
        limit: At most so many values, all products and procedures together.
    """
    with connected(database) as connection:
        step = id_of(connection, NameKind.STEP, filters.step or "")
        if step is None:
            return FoundValues(
                {}, is_complete=True, reason=f"No test_step {filters.step!r} was ever measured."
            )
        found = _look_through(connection, step, filters.counting, limit)
        ids = {each for run in found.runs.values() for each in (run.product, run.procedure)}
        ids |= {row.measure_unit for row in found.rows}
        names = names_of(database, connection, ids)
    found.rows.sort(key=lambda row: (found.runs[row.run_id].started_us, row.run_id, row.position))
    values: dict[_Place, list[StepValue]] = defaultdict(list)
    for row in found.rows[-limit:]:
        run = found.runs[row.run_id]
        place = (names[run.product], names[run.procedure])
        values[place].append(step_value(row, run.started_us, names.get(row.measure_unit)))
    newest_first = sorted(values, key=lambda place: values[place][-1].started_us, reverse=True)
    return FoundValues(
        {place: values[place] for place in newest_first},
        found.is_complete and len(found.rows) <= limit,
        None if values else f"No run that matches measured a number in {filters.step!r}.",
    )


def step_value(row: Row[Any], started_us: int, unit: str | None) -> StepValue:
    """Return a row of `measurement` that holds a number; `unit` is its unit of measure."""
    # Where a value could not be compared, the limits are not in its unit.
    comparator = COMPARATOR_OF.get(row.comparator) if row.outcome in _JUDGED else None
    return StepValue(row.number, unit, row.run_id, started_us, comparator, row.low, row.high)


class _Found(NamedTuple):
    runs: dict[int, Row[Any]]
    rows: list[Row[Any]]
    is_complete: bool


def _look_through(connection: Connection, step: int, filters: Filters, limit: int) -> _Found:
    """Look through runs, the newest first, until there are more values than asked for."""
    conditions, has_older = _narrowed(connection, step, filters, limit)
    conditions += run_conditions(connection, replace(filters, step=None))
    found = _Found({}, [], not has_older)
    runs_looked_at = rows_looked_at = 0
    for runs in _pages(connection, conditions):
        for some in _chunks(runs):
            found.rows.extend(connection.execute(_values_of(some, step)))
            found.runs.update((run.id, run) for run in some)
            runs_looked_at += len(some)
            rows_looked_at += sum(run.size for run in some)
            is_much = runs_looked_at >= RUNS_MAX or rows_looked_at >= ROWS_MAX
            if is_much or len(found.rows) > limit:
                return found._replace(is_complete=False)
    return found


def _narrowed(
    connection: Connection, step: int, filters: Filters, limit: int
) -> tuple[list[Condition], bool]:
    """Return what runs with this step must hold, by the roll-up, and whether older ones match.

    Where the roll-up knows enough to count them it is as many hours as hold more than `limit`
    values. It holds no golden samples, so of those it knows nothing.
    """
    if filters.golden:
        return [], False
    others = replace(filters, step=None)
    known = replace(others, fixture=None, operator=None)
    first, last = hours_of(filters)
    query = (
        select(STEP_HOUR.c.hour, STEP_HOUR.c.procedure, func.sum(STEP_HOUR.c.value_count))
        .where(STEP_HOUR.c.step == step, STEP_HOUR.c.value_count > 0)
        .where(STEP_HOUR.c.hour.between(first, last))
        .where(*name_conditions(connection, known, STEP_HOUR))
        .group_by(STEP_HOUR.c.hour, STEP_HOUR.c.procedure)
        .order_by(STEP_HOUR.c.hour.desc())
    )
    hours = connection.execute(query).all()
    counted = 0
    procedures: set[int] = set()
    oldest = last
    for hour, procedure, count in hours:
        if hour != oldest and counted > limit and is_rolled_up(others):
            return _in_hours(oldest, procedures), True
        oldest = hour
        procedures.add(procedure)
        counted += count if hour < last else 0  # of the last hour a part may be outside
    return (_in_hours(oldest, procedures) if hours else [false()]), False


def hours_of(filters: Filters) -> tuple[int, int]:
    """Return the first and last hour that a range touches."""
    since = -_FAR if filters.since is None else microseconds(filters.since) // HOUR_US
    until = _FAR if filters.until is None else microseconds(filters.until) // HOUR_US
    return since, until


def _in_hours(oldest: int, procedures: Collection[int]) -> list[Condition]:
    conditions: list[Condition] = [RUN.c.started_us >= oldest * HOUR_US]
    if len(procedures) <= _PROCEDURES_MAX:
        conditions.append(RUN.c.procedure.in_(sorted(procedures)))
    return conditions


def _pages(connection: Connection, conditions: Sequence[Condition]) -> Iterator[_Runs]:
    """Yield runs, newest first, as many as a query asks for."""
    size = RUN.c.passed + RUN.c.failed + RUN.c.errors + RUN.c.unjudged
    columns = (RUN.c.id, RUN.c.started_us, RUN.c.product, RUN.c.procedure)
    newest_first = (
        select(*columns, size.label("size"))
        .where(*conditions)
        .order_by(RUN.c.started_us.desc(), RUN.c.id.desc())
        .limit(_RUNS_A_QUERY)
    )
    query = newest_first
    while runs := connection.execute(query).all():
        yield runs
        after = (runs[-1].started_us, runs[-1].id)
        query = newest_first.where(tuple_(RUN.c.started_us, RUN.c.id) < tuple_(*after))


def _chunks(runs: _Runs) -> Iterator[_Runs]:
    """Part runs so that no part has many more measurements than one query should read."""
    part: list[Row[Any]] = []
    size = 0
    for run in runs:
        part.append(run)
        size += run.size
        if size >= _ROWS_A_QUERY:
            yield part
            part, size = [], 0
    if part:
        yield part


def _values_of(runs: _Runs, step: int) -> Select[Any]:
    return numbers_of(run.id for run in runs).where(MEASUREMENT.c.step == step)


def numbers_of(run_ids: Iterable[int]) -> Select[Any]:
    """Return the query of the numbers that runs measured, as `step_value` takes them."""
    columns = (
        *("run_id", "position", "step", "number", "measure_unit"),
        *("outcome", "comparator", "low", "high"),
    )
    return select(*(MEASUREMENT.c[name] for name in columns)).where(
        MEASUREMENT.c.run_id.in_(list(run_ids)), MEASUREMENT.c.value_kind == ValueKind.NUMBER.value
    )

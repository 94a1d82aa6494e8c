"""What the live floor is rebuilt from when the web app starts: the shift's runs, and the last ones.

Bounded: the newest runs, and the newest of each machine whatever their age. What came earlier in
the shift is for `pages_earlier`, which takes the longer the busier it was.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Select, and_, func, or_, select, tuple_

from broker.messages import Comparator, Outcome, ReportedOutcome, Value
from service.store.codes import COMPARATOR_OF, OUTCOME_CODE, OUTCOME_OF, REPORTED_OF, ValueKind
from service.store.database import Database
from service.store.queries.base import (
    MACHINE,
    MEASUREMENT,
    RUN,
    UNIT,
    connected,
    names_of,
    unordered,
)
from service.store.times import microseconds, moment

RUNS_MAX: Final = 100_000
"""So many of the newest runs are looked at, whichever shift they are of."""
MACHINE_RUNS_MAX: Final = 200
_RUNS_A_QUERY: Final = 2_000
_RUN_COLUMNS: Final = (
    *("id", "machine", "line", "product", "procedure", "outcome", "reported", "agrees"),
    *("started_us", "received_us", "attempt", "first_failure"),
)
_TROUBLED: Final = (OUTCOME_CODE[Outcome.FAIL], OUTCOME_CODE[Outcome.ERROR])


class TellingMeasurement(NamedTuple):
    """The measurement that explains a run: its first failure or error, or a marginal one."""

    test_step: str
    measured_value: Value
    unit: str | None
    outcome: Outcome
    comparator: Comparator | None
    low: float | None
    high: float | None
    reason: str | None


class StoredRun(NamedTuple):
    """One run as the floor needs it."""

    run_id: int
    machine_id: str
    line: str
    barcode: str
    product_id: str
    procedure: str
    outcome: Outcome
    reported_outcome: ReportedOutcome | None
    agrees: bool | None
    started_at: datetime
    received_at: datetime
    attempt: int
    first_failure: str | None
    marginal: bool
    telling: TellingMeasurement | None


class LeftOut(NamedTuple):
    """Runs of the shift that are not in the seed, but for the newest of each machine."""

    newest_id: int
    """All of them have ids up to this one."""
    until: datetime
    """When that one was received."""


class Seed(NamedTuple):
    """All that the floor begins with."""

    machines: list[tuple[str, str]]
    """(machine_id, line) of every machine that was ever heard, also of those without a run."""
    runs: Iterator[StoredRun]
    """By arrival, oldest first, none twice. Once: what was given is held no longer."""
    left_out: LeftOut | None
    """None: all runs of the shift are there."""


def read_seed(database: Database, since: datetime) -> Seed:
    """Return every machine, the newest runs since `since`, and each machine's newest runs.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble.
    """
    since_us = microseconds(since)
    with connected(database) as connection:
        machines = connection.execute(select(MACHINE.c.machine, MACHINE.c.line)).all()
        left_out = _left_out(connection, since_us)
        newest_id = left_out.newest_id if left_out else 0
        newest = _runs().where(RUN.c.started_us >= since_us, RUN.c.id > newest_id)
        rows = {row.id: row for row in connection.execute(newest)}
        shown = set()
        for machine in machines:
            for row in _newest_of(connection, machine.machine):
                rows[row.id] = row
                shown.add(row.id)
        telling = telling_by_run(database, connection, sorted(shown))
        names = names_of(database, connection, [*_names_in(rows.values()), *_ids(machines)])
    newest_first = sorted(rows.values(), key=lambda row: row.id, reverse=True)
    return Seed(
        [(names[machine.machine], names[machine.line]) for machine in machines],
        _used_up(newest_first, names, telling),
        left_out,
    )


def _left_out(connection: Connection, since_us: int) -> LeftOut | None:
    run = RUN.c
    newest = select(run.id, run.received_us).order_by(run.id.desc()).offset(RUNS_MAX).limit(1)
    row = connection.execute(newest).first()
    if row is None:
        return None
    of_shift = select(run.id).where(run.started_us >= since_us, unordered(run.id) <= row.id)
    is_any = connection.execute(of_shift.limit(1)).first() is not None
    return LeftOut(row.id, moment(row.received_us)) if is_any else None


def _used_up(
    newest_first: list[Row[Any]],
    names: Mapping[int | None, str],
    telling: Mapping[int, tuple[bool, TellingMeasurement | None]],
) -> Iterator[StoredRun]:
    """Yield the rows as runs, from the end of the list, which is empty then.

    A busy shift has so many that rows, runs and what is made of them should not be held at once.
    """
    while newest_first:
        row = newest_first.pop()
        yield _as_run(row, names, telling.get(row.id))


def _runs() -> Select[Any]:
    columns = [RUN.c[name] for name in _RUN_COLUMNS]
    return select(*columns, UNIT.c.barcode).join(UNIT, UNIT.c.id == RUN.c.unit_id)


def _newest_of(connection: Connection, machine: int) -> Sequence[Row[Any]]:
    query = _runs().where(RUN.c.machine == machine).order_by(RUN.c.started_us.desc())
    return connection.execute(query.limit(MACHINE_RUNS_MAX)).all()


def telling_by_run(
    database: Database, connection: Connection, run_ids: Sequence[int]
) -> dict[int, tuple[bool, TellingMeasurement | None]]:
    """Return by run: is one of its values marginal, and the measurement that explains it."""
    found: dict[int, tuple[bool, TellingMeasurement | None]] = {}
    for start in range(0, len(run_ids), _RUNS_A_QUERY):
        rows = list(_first_rows(connection, run_ids[start : start + _RUNS_A_QUERY]))
        ids = [each for row in rows for each in (row.step, row.measure_unit)]
        names = names_of(database, connection, ids)
        for row in sorted(rows, key=lambda row: (row.run_id, _rank(row), row.position)):
            marginal, telling = found.get(row.run_id, (False, None))
            found[row.run_id] = (
                marginal or bool(row.marginal),
                telling or _as_telling(row, names),
            )
    return found


def _first_rows(connection: Connection, run_ids: Sequence[int]) -> Iterator[Row[Any]]:
    """Yield the first failure, the first error and the first marginal value of each run."""
    m = MEASUREMENT.c
    wanted = or_(m.outcome.in_(_TROUBLED), m.marginal.is_(True))
    firsts = (
        select(m.run_id, func.min(m.position).label("position"))
        .where(and_(m.run_id.in_(run_ids), wanted))
        .group_by(m.run_id, m.outcome)
    )
    keys = [(row.run_id, row.position) for row in connection.execute(firsts)]
    for start in range(0, len(keys), _RUNS_A_QUERY):
        some = keys[start : start + _RUNS_A_QUERY]
        yield from connection.execute(
            select(MEASUREMENT).where(tuple_(m.run_id, m.position).in_(some))
        )


def _rank(row: Row[Any]) -> int:
    """Return the order in which outcomes explain a run: FAIL, ERROR, a marginal PASS."""
    return (*_TROUBLED, row.outcome).index(row.outcome)


def _as_telling(row: Row[Any], names: Mapping[int | None, str]) -> TellingMeasurement:
    return TellingMeasurement(
        test_step=names[row.step],
        measured_value=stored_value(row),
        unit=names.get(row.measure_unit),
        outcome=OUTCOME_OF[row.outcome],
        comparator=COMPARATOR_OF.get(row.comparator),
        low=row.low,
        high=row.high,
        reason=row.reason,
    )


def stored_value(row: Row[Any]) -> Value:
    """Return a row's value as it was sent."""
    if row.value_kind == ValueKind.NONE:
        return None
    if row.value_kind == ValueKind.TEXT:
        return str(row.text)
    return bool(row.number) if row.value_kind == ValueKind.TRUTH else float(row.number)


def _as_run(
    row: Row[Any],
    names: Mapping[int | None, str],
    telling: tuple[bool, TellingMeasurement | None] | None,
) -> StoredRun:
    marginal, measurement = telling or (False, None)
    return StoredRun(
        run_id=row.id,
        machine_id=names[row.machine],
        line=names[row.line],
        barcode=row.barcode,
        product_id=names[row.product],
        procedure=names[row.procedure],
        outcome=OUTCOME_OF[row.outcome],
        reported_outcome=REPORTED_OF.get(row.reported),
        agrees=row.agrees,
        started_at=moment(row.started_us),
        received_at=moment(row.received_us),
        attempt=row.attempt,
        first_failure=names.get(row.first_failure),
        marginal=marginal,
        telling=measurement,
    )


def _names_in(rows: Iterable[Row[Any]]) -> Iterator[int | None]:
    for row in rows:
        yield from (row.machine, row.line, row.product, row.procedure, row.first_failure)


def _ids(machines: Iterable[Any]) -> Iterator[int]:
    for row in machines:
        yield from (row.machine, row.line)

"""What a shift holds beyond the runs that the live floor takes in one by one: sums, and units.

Earlier is by arrival: up to a run id. A unit is earlier when one of its runs is.
"""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    distinct,
    func,
    literal_column,
    or_,
    select,
)

from broker.messages import Outcome
from service.store.codes import OUTCOME_CODE, OUTCOME_OF
from service.store.database import Database
from service.store.queries.base import RUN, UNIT, UNIT_STATE, at_one_moment, names_of, slot_of
from service.store.queries.unit_sets import first_passed, last_passed
from service.store.times import microseconds, moment

SLOT_US: Final = 900_000_000
"""Sums are by this much time, from the start of the shift on."""
UNITS_MAX: Final = 100_000
"""Units that are told one by one."""
FAILURES_MAX: Final = 20_000
_FETCHED: Final = 2_000
_FAIL: Final = OUTCOME_CODE[Outcome.FAIL]


class RunSum(NamedTuple):
    """Runs of one machine and product with one outcome, begun in one slot of time."""

    machine_id: str
    line: str
    product_id: str
    slot_at: datetime
    outcome: Outcome
    is_retest: bool
    runs: int


class UnitSum(NamedTuple):
    """Units whose first run of a procedure was at one machine, in one slot of time."""

    machine_id: str
    line: str
    procedure: str
    slot_at: datetime
    units: int
    first_passed: int
    last_passed: int


class EarlierUnit(NamedTuple):
    """A unit at one procedure, which a sum counts already."""

    barcode: str
    product_id: str
    procedure: str
    machine_id: str
    """Where its first run was, like `line`."""
    line: str
    first: tuple[datetime, int]
    """Start and id of its first run."""
    last: tuple[datetime, int]
    first_passed: bool
    last_passed: bool


class EarlierFailure(NamedTuple):
    """A run that failed."""

    began_at: datetime
    """By its machine's clock, but not after it arrived."""
    step: str
    machine_id: str
    line: str
    barcode: str


class Earlier:
    """The earlier part of a shift. Each call asks the database, while the connection lasts.

    Golden samples are left out.
    """

    def __init__(
        self, database: Database, connection: Connection, since_us: int, newest_id: int
    ) -> None:
        """Tell the shift by its start, and the newest run that is earlier by its id."""
        self._newest_id = newest_id
        self._database = database
        self._connection = connection
        self._since_us = since_us

    def run_sums(self) -> Iterator[RunSum]:
        """Yield how many runs there were."""
        key = (RUN.c.machine, RUN.c.line, RUN.c.product, self._slot(RUN.c.started_us))
        more = (RUN.c.outcome, (RUN.c.attempt > 1).label("is_retest"))
        query = self._runs(*key, *more, func.count().label("runs")).group_by(*key, *more)
        for row, names in self._named(query, "machine", "line", "product"):
            yield RunSum(
                machine_id=names[row.machine],
                line=names[row.line],
                product_id=names[row.product],
                slot_at=self._moment(row.slot),
                outcome=OUTCOME_OF[row.outcome],
                is_retest=bool(row.is_retest),
                runs=row.runs,
            )

    def failed_steps(self) -> Iterator[tuple[str, str, int]]:
        """Yield machine_id, step, and how many runs failed there first."""
        key = (RUN.c.machine, RUN.c.first_failure)
        query = self._failures(*key, func.count().label("runs")).group_by(*key)
        for row, names in self._named(query, "machine", "first_failure"):
            yield names[row.machine], names[row.first_failure], row.runs

    def failures(self) -> Iterator[EarlierFailure]:
        """Yield the newest runs that failed, the newest first."""
        named = ("machine", "line", "first_failure")
        columns = [RUN.c[name] for name in (*named, "id", "started_us", "received_us")]
        found = self._failures(*columns, UNIT.c.barcode)
        found = found.join(UNIT, UNIT.c.id == RUN.c.unit_id)
        query = found.order_by(RUN.c.started_us.desc(), RUN.c.id.desc()).limit(FAILURES_MAX)
        for row, names in self._named(query, *named):
            yield EarlierFailure(
                began_at=moment(min(row.started_us, row.received_us)),
                step=names[row.first_failure],
                machine_id=names[row.machine],
                line=names[row.line],
                barcode=row.barcode,
            )

    def unit_sums(self) -> Iterator[UnitSum]:
        """Yield what became of the units."""
        state = UNIT_STATE.c
        key = (state.machine, state.line, state.procedure, self._slot(state.first_started_us))
        sums = (
            func.count().label("units"),
            func.sum(first_passed).label("first_passed"),
            func.sum(last_passed).label("last_passed"),
        )
        query = self._units(*key, *sums).group_by(*key)
        for row, names in self._named(query, "machine", "line", "procedure"):
            yield UnitSum(
                machine_id=names[row.machine],
                line=names[row.line],
                procedure=names[row.procedure],
                slot_at=self._moment(row.slot),
                units=row.units,
                first_passed=int(row.first_passed),
                last_passed=int(row.last_passed),
            )

    def unit_count(self) -> int:
        """Return how many units there are, whatever procedures they were at."""
        query = self._units(func.count(distinct(UNIT_STATE.c.unit_id)))
        return int(self._connection.execute(query).scalar_one())

    def line_units(self) -> Iterator[tuple[str, int]]:
        """Yield each line, and how many units were there."""
        line = UNIT_STATE.c.line
        units = func.count(distinct(UNIT_STATE.c.unit_id)).label("units")
        for row, names in self._named(self._units(line, units).group_by(line), "line"):
            yield names[row.line], row.units

    def units(self) -> Iterator[EarlierUnit]:
        """Yield units, the likeliest to come again first: that did not pass, then the newest."""
        state = UNIT_STATE.c
        named = ("product", "procedure", "machine", "line")
        columns: list[ColumnElement[Any]] = [state[name] for name in named]
        columns += [state.first_started_us, state.first_run_id]
        columns += [state.last_started_us, state.last_run_id]
        passed = first_passed.label("first_passed"), last_passed.label("last_passed")
        found = self._units(*columns, *passed, UNIT.c.barcode)
        found = found.join(UNIT, UNIT.c.id == state.unit_id)
        query = found.order_by(last_passed, state.first_run_id.desc()).limit(UNITS_MAX)
        for row, names in self._named(query, *named):
            yield EarlierUnit(
                barcode=row.barcode,
                product_id=names[row.product],
                procedure=names[row.procedure],
                machine_id=names[row.machine],
                line=names[row.line],
                first=(moment(row.first_started_us), row.first_run_id),
                last=(moment(row.last_started_us), row.last_run_id),
                first_passed=bool(row.first_passed),
                last_passed=bool(row.last_passed),
            )

    def _runs(self, *columns: ColumnElement[Any]) -> Select[Any]:
        run = RUN.c
        within = (run.started_us >= self._since_us, run.id <= self._newest_id)
        return select(*columns).where(*within, run.is_golden.is_(False))

    def _failures(self, *columns: ColumnElement[Any]) -> Select[Any]:
        failed = (RUN.c.first_failure.is_not(None), RUN.c.outcome == _FAIL)
        return self._runs(*columns).where(*failed)

    def _units(self, *columns: ColumnElement[Any]) -> Select[Any]:
        state = UNIT_STATE.c
        arrived_first = (
            select(func.min(RUN.c.id))
            .where(RUN.c.unit_id == state.unit_id, RUN.c.procedure == state.procedure)
            .correlate(UNIT_STATE)
            .scalar_subquery()
        )
        # Their first run by start is nearly always the one that arrived first.
        is_earlier = or_(
            state.first_run_id <= self._newest_id,
            and_(state.runs > 1, arrived_first <= self._newest_id),
        )
        within = (state.first_started_us >= self._since_us, is_earlier)
        return select(*columns).where(*within, state.is_golden.is_(False))

    def _slot(self, column: ColumnElement[int]) -> ColumnElement[int]:
        since = literal_column(str(self._since_us), BigInteger)  # a literal: see slot_of
        return slot_of(column - since, SLOT_US).label("slot")

    def _moment(self, slot: int) -> datetime:
        return moment(self._since_us + slot * SLOT_US)

    def _named(
        self, query: Select[Any], *columns: str
    ) -> Iterator[tuple[Row[Any], Mapping[int | None, str]]]:
        """Yield each row, and the names behind some of its columns."""
        found = self._connection.execution_options(yield_per=_FETCHED).execute(query)
        for rows in found.partitions():
            ids = {getattr(row, name) for row in rows for name in columns}
            names = names_of(self._database, self._connection, ids)
            for row in rows:
                yield row, names


@contextlib.contextmanager
def reading_earlier(database: Database, since: datetime, newest_id: int) -> Iterator[Earlier]:
    """Give the earlier part of the shift that began at `since`, as it is at one moment.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble.
    """
    with at_one_moment(database) as connection:
        yield Earlier(database, connection, microseconds(since), newest_id)

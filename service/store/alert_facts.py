"""The facts behind alerts, read from what is committed, with bounded work a look.

Nothing is read "since last time": rows become visible in another order than their numbers, so that
a reader with a position would pass over a row that commits late. Each look asks what is true now.
Only the newest runs of a machine are kept between two looks, until the count of its stored runs,
which is committed with them, says that there are others. These are read alone where they are the
newest, as they nearly always are: to read fifty of each machine takes a look's whole time, and
who stores waits for it. For the same reason all that is done machine by machine is done in turns.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Integer, Row, Select, bindparam, func, select, true

from broker.topics import Channel, TopicTemplate
from service.core.alert_facts import (
    RUNS_READ,
    MachineFacts,
    RunFact,
    ShiftYield,
    usual_interval_s,
)
from service.store.batches import UNKNOWN_MACHINE
from service.store.codes import HOUR_US, OUTCOME_OF
from service.store.database import Database
from service.store.queries.base import (
    MACHINE,
    RAW_MESSAGE,
    REJECTION,
    RUN,
    UNIT,
    UNIT_HOUR,
    names_of,
)
from service.store.times import microseconds, moment
from service.store.turns import in_turns

_REREAD_MAX: Final = 100
"""Machines whose runs are read at one look; with more that changed each waits its turn."""
_REJECTIONS_MAX: Final = 10_000


class _Found(NamedTuple):
    run: RunFact
    is_golden: bool


class _Kept(NamedTuple):
    stored: int
    newest: int | None
    """The number of the newest run, golden or not."""
    runs: tuple[RunFact, ...]
    interval_s: float | None


class FactReader:
    """Reads the facts, look after look. One thread at a time."""

    def __init__(self, database: Database, template: TopicTemplate) -> None:
        self._database = database
        self._template = template
        self._kept: dict[int, _Kept] = {}

    def machines(self, connection: Connection) -> dict[str, MachineFacts]:
        """Return every machine that ever sent something, by name."""
        rows = connection.execute(_MACHINES).all()
        names = self._names(connection, rows, ("machine", "line", "topic"))
        rows = [row for row in rows if names[row.machine] != UNKNOWN_MACHINE]
        self._reread(connection, rows)
        return {names[row.machine]: self._facts(row, names) for row in in_turns(rows)}

    def yields(self, connection: Connection, since: datetime) -> dict[tuple[str, str], ShiftYield]:
        """Return units and units good at first pass by machine and procedure, and their products.

        Of whole hours: where a shift begins within one, its first minutes are left out.
        """
        hours = UNIT_HOUR.c.hour >= -(-microseconds(since) // HOUR_US)
        group = (UNIT_HOUR.c.machine, UNIT_HOUR.c.procedure, UNIT_HOUR.c.product)
        sums = (
            func.sum(UNIT_HOUR.c.units).label("units"),
            func.sum(UNIT_HOUR.c.first_passed).label("passed"),
        )
        query: Select[Any] = select(*group, *sums).where(hours).group_by(*group)
        rows = connection.execute(query).all()
        names = self._names(connection, rows, ("machine", "procedure", "product"))
        found: dict[tuple[str, str], ShiftYield] = {}
        for row in rows:
            key = names[row.machine], names[row.procedure]
            units, passed, products = found.get(key, ShiftYield(0, 0))
            known = products | {names[row.product]}
            found[key] = ShiftYield(units + int(row.units), passed + int(row.passed), known)
        return found

    def rejections(
        self, connection: Connection, now: datetime, within: timedelta
    ) -> dict[str, int]:
        """Return how many messages of each machine were not understood of late; repeats are one."""
        newest = (
            select(REJECTION.c.machine)
            .where(REJECTION.c.received_us >= microseconds(now - within))
            .order_by(REJECTION.c.received_us.desc(), REJECTION.c.id.desc())
            .limit(_REJECTIONS_MAX)
            .subquery()
        )
        query: Select[Any] = select(newest.c.machine, func.count().label("messages"))
        rows = connection.execute(query.group_by(newest.c.machine)).all()
        names = self._names(connection, rows, ("machine",))
        return {names[row.machine]: row.messages for row in rows if row.machine is not None}

    def _reread(self, connection: Connection, rows: Sequence[Row[Any]]) -> None:
        """Read the runs of machines with new ones; all the first time, then in turns."""
        changed = [
            row
            for row in rows
            if row.machine not in self._kept or self._kept[row.machine].stored != row.stored
        ]
        new = [row for row in changed if row.machine not in self._kept]
        old = [row for row in changed if row.machine in self._kept][:_REREAD_MAX]
        runs_of = self._followed(connection, old)
        unclear = [row.machine for row in (*new, *old) if row.machine not in runs_of]
        for machine, found in self._newest(connection, unclear, RUNS_READ).items():
            runs_of[machine] = found, ()
        for row in in_turns((*new, *old)):
            found, before = runs_of[row.machine]
            counting = [each.run for each in found if not each.is_golden]
            runs = (*counting, *before)[:RUNS_READ]
            interval_s = usual_interval_s(run.started_at for run in runs)
            newest = found[0].run.run_id if found else None
            self._kept.pop(row.machine, None)
            self._kept[row.machine] = _Kept(row.stored, newest, runs, interval_s)

    def _followed(
        self, connection: Connection, rows: Sequence[Row[Any]]
    ) -> dict[int, tuple[list[_Found], tuple[RunFact, ...]]]:
        """Return the new runs of machines with those from before, where it is clear how they join.

        It is where below as many as were stored since comes the run that was the newest before: a
        run that came late stands further down, and the machine is then left out.
        """
        counts = {row.machine: row.stored - self._kept[row.machine].stored for row in rows}
        few = {machine: count for machine, count in counts.items() if 0 < count < RUNS_READ}
        if not few:
            return {}
        joined = {}
        for machine, found in self._newest(connection, list(few), max(few.values()) + 1).items():
            kept, count = self._kept[machine], few[machine]
            if count < len(found) and found[count].run.run_id == kept.newest:
                joined[machine] = found[:count], kept.runs
        return joined

    def _newest(
        self, connection: Connection, machines: Sequence[int], limit: int
    ) -> dict[int, list[_Found]]:
        """Return the newest runs of each machine, newest first, golden samples among them."""
        if not machines:
            return {}
        if self._database.is_sqlite:  # it knows no LATERAL, and is in this process
            wanted = ({"of_machine": machine, "limit": limit} for machine in machines)
            rows = [row for each in in_turns(wanted) for row in connection.execute(_RUNS, each)]
        else:
            rows = list(connection.execute(_RUNS_OF_ALL, {"machines": machines, "limit": limit}))
        names = self._names(connection, rows, ("product", "procedure", "first_failure"))
        runs_of: dict[int, list[_Found]] = {machine: [] for machine in machines}
        for row in in_turns(rows):
            runs_of[row.machine].append(_Found(_run_fact(row, names), row.is_golden))
        return runs_of

    def _facts(self, row: Row[Any], names: Mapping[int | None, str]) -> MachineFacts:
        machine_id, line = names[row.machine], names[row.line]
        kept = self._kept[row.machine]
        last = None if row.received_us is None else moment(row.received_us)
        topic = alert_topic(self._template, machine_id, line, names.get(row.topic))
        return MachineFacts(
            machine_id,
            line,
            topic,
            last,
            kept.runs,
            kept.interval_s,
            row.stored,
            row.received,
        )

    def _names(
        self, connection: Connection, rows: Iterable[Row[Any]], columns: Sequence[str]
    ) -> Mapping[int | None, str]:
        ids = {getattr(row, column) for row in rows for column in columns}
        return names_of(self._database, connection, ids)


def _run_fact(row: Row[Any], names: Mapping[int | None, str]) -> RunFact:
    return RunFact(
        row.id,
        moment(row.started_us),
        moment(row.received_us),
        names[row.product],
        names[row.procedure],
        row.barcode,
        OUTCOME_OF[row.outcome],
        names.get(row.first_failure),
        row.attempt,
    )


def alert_topic(template: TopicTemplate, machine_id: str, line: str, test_topic: str | None) -> str:
    """Return where a machine's alerts are published.

    Args:
        template: The plant's.
        machine_id: Which machine.
        line: Where it stands.
        test_topic: Where its newest result came from; a template may have levels beside the line.
    """
    if test_topic is not None and template.parse(test_topic) is not None:
        return f"{test_topic.rpartition('/')[0]}/{Channel.ALERT.value}"
    return template.format(machine_id, Channel.ALERT, line=line)


_MACHINES: Final[Select[Any]] = (
    select(
        MACHINE.c.machine,
        MACHINE.c.line,
        MACHINE.c.stored,
        MACHINE.c.received,
        RUN.c.received_us,
        RAW_MESSAGE.c.topic,
    )
    .select_from(MACHINE)
    .outerjoin(RUN, RUN.c.id == MACHINE.c.last_run_id)
    .outerjoin(RAW_MESSAGE, RAW_MESSAGE.c.id == RUN.c.raw_id)
)
_NEWEST: Final[Select[Any]] = (
    select(
        RUN.c.machine,
        RUN.c.id,
        RUN.c.started_us,
        RUN.c.received_us,
        RUN.c.product,
        RUN.c.procedure,
        RUN.c.outcome,
        RUN.c.first_failure,
        RUN.c.attempt,
        RUN.c.is_golden,
        UNIT.c.barcode,
    )
    .join(UNIT, UNIT.c.id == RUN.c.unit_id)
    .order_by(RUN.c.started_us.desc(), RUN.c.id.desc())
    .limit(bindparam("limit", type_=Integer))
)
_RUNS: Final = _NEWEST.where(RUN.c.machine == bindparam("of_machine", type_=Integer))
_OF_EACH: Final = _NEWEST.where(RUN.c.machine == MACHINE.c.machine).lateral()
_RUNS_OF_ALL: Final[Select[Any]] = (
    select(_OF_EACH)
    .select_from(MACHINE)
    .join(_OF_EACH, true())
    .where(MACHINE.c.machine.in_(bindparam("machines", expanding=True)))
    .order_by(_OF_EACH.c.machine, _OF_EACH.c.started_us.desc(), _OF_EACH.c.id.desc())
)
"""One question for all machines: a hundred would take a fifth of a second from who stores."""

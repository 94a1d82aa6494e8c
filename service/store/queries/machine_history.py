"""What a machine did through a period: when it was silent, offline or in trouble, and its set-up.

States are not stored. Silence is made of the gaps between the results that arrived, offline of the
alerts that its last will raised, and set-up of what the runs named.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select

from service.core.alerts import AlertKind
from service.core.breaks import breaks_of, breaks_within
from service.store.alerts import as_record
from service.store.codes import NameKind
from service.store.database import Database
from service.store.queries.alerts import alert_facts
from service.store.queries.base import ALERT, RUN, Facts, as_time, connected, id_of, names_of
from service.store.times import microseconds, moment

ENTRIES_MAX: Final = 500
"""Of each list; the newest are kept."""
CHANGES_MAX: Final = 20
"""Of the changes of all machines."""
LATE: Final = timedelta(days=1)
"""A result that arrives longer than this after its start is not looked for."""
_PROGRAM: Final = (RUN.c.program, RUN.c.program_version)


class Period(NamedTuple):
    """What to look at."""

    since: datetime
    """Aware."""
    until: datetime
    """Aware; later than `since`."""
    silent_after_s: float
    """A longer time between two results is a silence."""


class PlantBreaks(NamedTuple):
    """When silence is planned."""

    breaks: Sequence[str]
    """As the settings have them."""
    zone: ZoneInfo


class _Span(NamedTuple):
    since_us: int
    until_us: int


def machine_history(
    database: Database, machine_id: str, period: Period, plant: PlantBreaks
) -> Facts | None:
    """Return a machine's silences, times offline, alerts and programs, each oldest first.

    Args:
        database: Where from.
        machine_id: Which machine.
        period: From when to when; what reaches beyond it is cut off.
        plant: Its planned breaks.

    Returns:
        None where the machine never sent anything. `is_complete` is False where older entries than
        `ENTRIES_MAX` were left out.
    """
    with connected(database) as connection:
        machine = id_of(connection, NameKind.MACHINE, machine_id)
        if machine is None:
            return None
        span = _Span(microseconds(period.since), microseconds(period.until))
        first_us = _first_heard(connection, machine)
        silences = _silences(connection, machine, span, round(period.silent_after_s * 1e6))
        alerts = [as_record(row) for row in _alerts(connection, machine_id, span)]
        programs = _programs(database, connection, machine, span)
        set_up = _set_up(database, connection, machine, span)
    offline = [each for each in alerts if each.kind is AlertKind.OFFLINE]
    planned = breaks_within(period.since, period.until, plant.zone, breaks_of(plant.breaks))
    lists = (silences, alerts, programs)
    return {
        "first_at": as_time(first_us),
        "silences": silences[-ENTRIES_MAX:],
        "offline": [
            _within(microseconds(each.opened_at), _us(each.closed_at), span) for each in offline
        ],
        "alerts": [alert_facts(each) for each in alerts[-ENTRIES_MAX:]],
        "programs": programs[-ENTRIES_MAX:],
        "set_up": set_up,
        "breaks": [_within(microseconds(a), microseconds(b), span) for a, b in planned],
        "is_complete": all(len(each) <= ENTRIES_MAX for each in lists),
    }


class ProgramChange(NamedTuple):
    """A machine tests with another program from here on."""

    at: datetime
    machine_id: str
    program: str | None
    program_version: str | None


def program_changes(database: Database, since: datetime) -> list[ProgramChange]:
    """Return where runs name another program than the run before at their machine, oldest first.

    The first run of a machine since then is no change. At most `CHANGES_MAX`, the newest.
    """
    of, order = RUN.c.machine, (RUN.c.started_us, RUN.c.id)
    columns = (RUN.c.started_us, RUN.c.machine, *_PROGRAM)
    before = [
        func.lag(each).over(partition_by=of, order_by=order).label(f"old_{each.name}")
        for each in _PROGRAM
    ]
    place = func.row_number().over(partition_by=of, order_by=order).label("place")
    began = RUN.c.started_us >= microseconds(since)
    runs = select(*columns, place, *before).where(began).subquery()
    is_other = (runs.c[each.name].is_distinct_from(runs.c[f"old_{each.name}"]) for each in _PROGRAM)
    changes = select(runs).where(runs.c.place > 1, or_(*is_other))
    with connected(database) as connection:
        newest = changes.order_by(runs.c.started_us.desc()).limit(CHANGES_MAX)
        rows = connection.execute(newest).all()
        ids = [each for row in rows for each in (row.machine, row.program)]
        names = names_of(database, connection, ids)
    return [
        ProgramChange(
            moment(row.started_us), names[row.machine], names.get(row.program), row.program_version
        )
        for row in reversed(rows)
    ]


def _us(at: datetime | None) -> int | None:
    return None if at is None else microseconds(at)


def _within(since_us: int, until_us: int | None, span: _Span) -> Facts:
    """Return a stretch of time cut to the period; `until` is None where it reached its end."""
    ends = until_us is not None and until_us < span.until_us
    return {
        "since": as_time(max(since_us, span.since_us)),
        "until": as_time(until_us) if ends else None,
    }


def _arrivals(machine: int, span: _Span) -> tuple[ColumnElement[bool], ...]:
    """Return what the machine's results that arrived in the period hold; an index finds them."""
    first_us = span.since_us - LATE // timedelta(microseconds=1)
    return (
        RUN.c.machine == machine,
        RUN.c.started_us >= first_us,
        RUN.c.received_us >= span.since_us,
        RUN.c.received_us < span.until_us,
    )


def _silences(connection: Connection, machine: int, span: _Span, silent_us: int) -> list[Facts]:
    """Return the gaps between arrivals, with those at both ends of the period."""
    before = func.lag(RUN.c.received_us).over(order_by=RUN.c.received_us).label("before")
    arrived = select(RUN.c.received_us, before).where(*_arrivals(machine, span)).subquery()
    gaps = (
        select(arrived.c.before, arrived.c.received_us)
        .where(arrived.c.received_us - arrived.c.before > silent_us)
        .order_by(arrived.c.received_us.desc())
        .limit(ENTRIES_MAX + 1)
    )
    ends = select(func.min(RUN.c.received_us), func.max(RUN.c.received_us))
    first, last = connection.execute(ends.where(*_arrivals(machine, span))).one()
    found = [(row.before, row.received_us) for row in reversed(connection.execute(gaps).all())]
    heard = _last_before(connection, machine, span.since_us)
    if heard is not None:  # before its very first result nobody waited for one
        found.insert(0, (heard, first or span.until_us))
    if last is not None:
        found.append((last, span.until_us))
    return [_within(a, b, span) for a, b in found if b - a > silent_us and b > span.since_us]


def _last_before(connection: Connection, machine: int, at_us: int) -> int | None:
    """Return when the last run before a moment arrived: one that both began and came before it."""
    earlier = select(RUN.c.received_us).where(
        RUN.c.machine == machine, RUN.c.started_us < at_us, RUN.c.received_us < at_us
    )
    found = connection.execute(earlier.order_by(RUN.c.started_us.desc()).limit(1)).scalar()
    return None if found is None else int(found)


def _first_heard(connection: Connection, machine: int) -> int | None:
    """Return when the machine's first run arrived; None: all that it sent was rejected."""
    arrived = select(RUN.c.received_us).where(RUN.c.machine == machine)
    first = connection.execute(arrived.order_by(RUN.c.started_us).limit(1)).scalar()
    return None if first is None else int(first)


def _alerts(connection: Connection, machine_id: str, span: _Span) -> list[Row[Any]]:
    """Return the machine's alerts that lived in the period."""
    query = (
        select(ALERT)
        .where(ALERT.c.machine == machine_id, ALERT.c.opened_us < span.until_us)
        .where(or_(ALERT.c.closed_us.is_(None), ALERT.c.closed_us > span.since_us))
        .order_by(ALERT.c.opened_us.desc(), ALERT.c.id.desc())
        .limit(ENTRIES_MAX + 1)
    )
    return list(reversed(connection.execute(query).all()))


def _programs(database: Database, connection: Connection, machine: int, span: _Span) -> list[Facts]:
    """Return with which program runs began, an entry a change; the first is the first run's."""
    order = (RUN.c.started_us, RUN.c.id)
    before = [func.lag(each).over(order_by=order).label(f"old_{each.name}") for each in _PROGRAM]
    place = func.row_number().over(order_by=order).label("place")
    runs = select(*order, place, *_PROGRAM, *before).where(*_began(machine, span)).subquery()
    is_other = (runs.c[each.name].is_distinct_from(runs.c[f"old_{each.name}"]) for each in _PROGRAM)
    changes = (
        select(runs)
        .where(or_(runs.c.place == 1, *is_other))
        .order_by(runs.c.started_us.desc(), runs.c.id.desc())
        .limit(ENTRIES_MAX + 1)
    )
    rows = connection.execute(changes).all()
    names = names_of(database, connection, [row.program for row in rows])
    return [
        {
            "since": as_time(row.started_us),
            "program": names.get(row.program),
            "program_version": row.program_version,
        }
        for row in reversed(rows)
    ]


def _set_up(database: Database, connection: Connection, machine: int, span: _Span) -> Facts | None:
    """Return what the newest run of the period was set up with; None: there is none."""
    newest = select(*_PROGRAM, RUN.c.fixture, RUN.c.operator).where(*_began(machine, span))
    order = (RUN.c.started_us.desc(), RUN.c.id.desc())
    row = connection.execute(newest.order_by(*order).limit(1)).one_or_none()
    if row is None:
        return None
    names = names_of(database, connection, [row.program, row.fixture, row.operator])
    return {
        "program": names.get(row.program),
        "program_version": row.program_version,
        "fixture": names.get(row.fixture),
        "operator": names.get(row.operator),
    }


def _began(machine: int, span: _Span) -> tuple[ColumnElement[bool], ...]:
    return (
        RUN.c.machine == machine,
        RUN.c.started_us >= span.since_us,
        RUN.c.started_us < span.until_us,
    )

"""Alerts: as a list, one by one with their history, and how often they ring."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from broker.messages import AlertState, Severity, format_time
from service.core.alerts import AlertRecord
from service.store.alerts import as_record, history_of
from service.store.codes import OUTCOME_OF
from service.store.database import Database
from service.store.queries.base import (
    ALERT,
    ALERT_EVENT,
    RUN,
    UNIT,
    Facts,
    as_time,
    connected,
    names_of,
)
from service.store.queries.filters import Condition, before, encode_cursor
from service.store.queries.results import LIMIT_MAX
from service.store.times import microseconds

_RINGING_MAX = 3
_LIVING = (AlertState.OPEN, AlertState.ACKNOWLEDGED, AlertState.SHELVED)


class AlertFilters(NamedTuple):
    """Which alerts; what is None does not matter."""

    state: AlertState | None = None
    severity: Severity | None = None
    kind: str | None = None
    machine_id: str | None = None
    line: str | None = None
    since: datetime | None = None
    """Opened then or later."""
    until: datetime | None = None
    """Opened before it."""


def list_alerts(
    database: Database, filters: AlertFilters, limit: int = 100, cursor: str | None = None
) -> tuple[list[Facts], str | None]:
    """Return alerts, the newest opened first, and the cursor of what follows (None at the end).

    See `alert_facts` for what each has.

    Raises:
        ValueError: The cursor is none of ours.
    """
    shown_max = min(limit, LIMIT_MAX)
    query = select(ALERT).where(*_conditions(filters), *before(ALERT, "opened_us", cursor))
    newest_first = query.order_by(ALERT.c.opened_us.desc(), ALERT.c.id.desc())
    with connected(database) as connection:
        rows = connection.execute(newest_first.limit(shown_max + 1)).all()
    shown = rows[:shown_max]
    has_more = len(rows) > len(shown)
    following = encode_cursor(shown[-1].opened_us, shown[-1].id) if has_more else None
    return [alert_facts(as_record(row)) for row in shown], following


def alert(database: Database, alert_id: int) -> Facts | None:
    """Return one alert with its `history` and the `runs` of its evidence; None: there is none."""
    with connected(database) as connection:
        row = connection.execute(select(ALERT).where(ALERT.c.id == alert_id)).one_or_none()
        if row is None:
            return None
        record = as_record(row)
        history = [
            {
                "at": format_time(event.at),
                "action": event.action.value,
                "actor": event.actor,
                "note": event.note,
            }
            for event in history_of(connection, alert_id)
        ]
        runs = _evidence(database, connection, record.evidence)
    return alert_facts(record) | {"history": history, "runs": runs}


def list_living(database: Database) -> list[Facts]:
    """Return every alert that is not closed, however many there are, in no order.

    None is left out: the oldest may be the worst. A trouble has one, so in a bad hour there are as
    many as machines; 10,000 take 17 MB and a third of a second.
    """
    # Not sorted: SQLite would read all that ever rang, to have it in order, and not what lives.
    query = select(ALERT).where(ALERT.c.closed_us.is_(None))
    with connected(database) as connection:
        rows = connection.execute(query.execution_options(yield_per=LIMIT_MAX))
        return [alert_facts(as_record(row)) for row in rows]


class AlertPulse(NamedTuple):
    """What of all alerts is worth knowing all the time."""

    counts: dict[str, int]
    """How many are open, acknowledged and shelved."""
    newest_event: int
    """Rises with every change of any alert; 0: there never was one."""


def alert_pulse(database: Database) -> AlertPulse:
    """Return how many alerts live, and whether anything changed since another pulse."""
    query: Select[Any] = select(ALERT.c.state, func.count()).where(ALERT.c.closed_us.is_(None))
    query = query.group_by(ALERT.c.state)
    with connected(database) as connection:
        newest = connection.execute(select(func.max(ALERT_EVENT.c.id))).scalar()
        counts = {state: int(count) for state, count in connection.execute(query)}
    return AlertPulse({each.value: counts.get(each.value, 0) for each in _LIVING}, newest or 0)


def count_living(database: Database) -> list[tuple[str, str, str, int]]:
    """Return kind, severity, state and how many, of alerts that are not closed."""
    group = (ALERT.c.kind, ALERT.c.severity, ALERT.c.state)
    query: Select[Any] = select(*group, func.count()).where(ALERT.c.closed_us.is_(None))
    with connected(database) as connection:
        rows = connection.execute(query.group_by(*group).order_by(*group)).all()
    return [(kind, severity, state, int(count)) for kind, severity, state, count in rows]


def alert_load(database: Database, now: datetime, hours: int) -> Facts:
    """Return how much alerts ask of people: `per_hour` over the last hours, and what rings most.

    `ringing` has up to three entries: kind, machine_id, procedure, step, barcode and how often such
    an alert was `opened`, most first. What rang once is not in it.
    """
    since = ALERT.c.opened_us >= microseconds(now - timedelta(hours=hours))
    opened = func.count().label("opened")
    subject = [ALERT.c[name] for name in ("kind", "machine", "procedure", "step", "barcode")]
    most: Select[Any] = (
        select(*subject, opened)
        .where(since)
        .group_by(*subject)
        .having(func.count() > 1)
        .order_by(opened.desc(), *subject)
        .limit(_RINGING_MAX)
    )
    with connected(database) as connection:
        total = int(connection.execute(select(func.count()).where(since)).scalar_one())
        rows = connection.execute(most).all()
    ringing = [
        {
            "kind": row.kind,
            "machine_id": row.machine,
            "procedure": row.procedure,
            "step": row.step,
            "barcode": row.barcode,
            "opened": row.opened,
        }
        for row in rows
    ]
    return {"hours": hours, "opened": total, "per_hour": total / hours, "ringing": ringing}


def alert_facts(record: AlertRecord) -> Facts:
    """Return an alert as the API says it: the contract's fields, and who did what."""
    subject = record.subject
    return {
        "alert_id": record.alert_id,
        "kind": record.kind.value,
        "severity": record.severity.value,
        "subject": {
            "machine": subject.machine_id,
            "product": subject.product_id,
            "procedure": subject.procedure,
            "step": subject.step,
        },
        "opened_at": format_time(record.opened_at),
        "message": record.message,
        "evidence": list(record.evidence),
        "state": record.state.value,
        "line": record.line,
        "barcode": subject.barcode,
        "acknowledged_at": _text(record.acknowledged_at),
        "acknowledged_by": record.acknowledged_by,
        "shelved_until": _text(record.shelved_until),
        "closed_at": _text(record.closed_at),
    }


def _conditions(filters: AlertFilters) -> list[Condition]:
    equal = {
        "state": filters.state and filters.state.value,
        "severity": filters.severity and filters.severity.value,
        "kind": filters.kind,
        "machine": filters.machine_id,
        "line": filters.line,
    }
    conditions = [ALERT.c[name] == value for name, value in equal.items() if value is not None]
    if filters.state in _LIVING:
        conditions.append(ALERT.c.closed_us.is_(None))  # few rows, and an index knows them
    if filters.since is not None:
        conditions.append(ALERT.c.opened_us >= microseconds(filters.since))
    if filters.until is not None:
        conditions.append(ALERT.c.opened_us < microseconds(filters.until))
    return conditions


def _evidence(database: Database, connection: Connection, run_ids: tuple[int, ...]) -> list[Facts]:
    """Return those of the runs that are still stored, in the order of the evidence."""
    columns = (RUN.c.id, RUN.c.machine, RUN.c.procedure, RUN.c.started_us, RUN.c.outcome)
    query: Select[Any] = (
        select(*columns, RUN.c.first_failure, UNIT.c.barcode)
        .join(UNIT, UNIT.c.id == RUN.c.unit_id)
        .where(RUN.c.id.in_(run_ids))
    )
    rows = {row.id: row for row in connection.execute(query)}
    ids = [n for row in rows.values() for n in (row.machine, row.procedure, row.first_failure)]
    names = names_of(database, connection, ids)
    return [
        {
            "run_id": run_id,
            "barcode": row.barcode,
            "machine_id": names[row.machine],
            "procedure": names[row.procedure],
            "timestamp": as_time(row.started_us),
            "outcome": OUTCOME_OF[row.outcome].value,
            "first_failure": names.get(row.first_failure),
        }
        for run_id in run_ids
        if (row := rows.get(run_id)) is not None
    ]


def _text(at: datetime | None) -> str | None:
    return None if at is None else format_time(at)

"""Alerts in the database: what lives, what changes, and what is still to be told.

An alert, its history and the fact that it must be published are one transaction. `version` counts
its changes; as long as `published_version` is behind, the watcher publishes it, whoever changed it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, insert, select, update

from broker.messages import AlertState, Severity
from service.core.alerts import (
    AlertAction,
    AlertEvent,
    AlertKind,
    AlertRecord,
    Change,
    Finding,
    Subject,
)
from service.store.queries.base import ALERT, ALERT_EVENT
from service.store.times import microseconds, moment

_ROWS_MAX: Final = 500
_IDS_MAX: Final = 10_000


def living_alerts(connection: Connection, topics: Sequence[str] | None = None) -> list[AlertRecord]:
    """Return every alert that is not closed, by id; of some topics where they are given."""
    query = select(ALERT).where(ALERT.c.closed_us.is_(None)).order_by(ALERT.c.id)
    if topics is not None:
        query = query.where(ALERT.c.topic.in_(topics))
    return _records(connection, query)


def alerts_by_ids(connection: Connection, alert_ids: Sequence[int]) -> list[AlertRecord]:
    """Return those of the alerts that exist, by id."""
    wanted = ALERT.c.id.in_(alert_ids[:_IDS_MAX])
    return _records(connection, select(ALERT).where(wanted).order_by(ALERT.c.id))


def open_alert(
    connection: Connection, finding: Finding, topic: str, now: datetime, *, notify: bool
) -> AlertRecord:
    """Store new trouble as an open alert.

    Args:
        connection: In a transaction of its own kind: nobody else opens or changes alerts meanwhile.
        finding: The trouble.
        topic: Where it is published.
        now: When it began, aware.
        notify: Somebody is to be notified of it.
    """
    now_us = microseconds(now)
    subject = finding.subject
    values = {
        "key": finding.key,
        "kind": finding.kind.value,
        "severity": finding.severity.value,
        "machine": subject.machine_id,
        "line": finding.line,
        "product": subject.product_id,
        "procedure": subject.procedure,
        "step": subject.step,
        "barcode": subject.barcode,
        "topic": topic,
        "message": finding.message,
        "evidence": json.dumps(finding.evidence),
        "state": AlertState.OPEN.value,
        "opened_us": now_us,
        "version": 1,
        "published_version": 0,
        "notify_at_us": now_us if notify else None,
        "notify_attempts": 0,
    }
    alert_id = connection.execute(insert(ALERT).values(values).returning(ALERT.c.id)).scalar_one()
    add_event(connection, alert_id, AlertEvent(AlertAction.OPENED, now))
    return alerts_by_ids(connection, [alert_id])[0]


def save_change(connection: Connection, change: Change) -> None:
    """Store what became of an alert; read it in the same transaction."""
    alert = change.alert
    is_closed = alert.closed_at is not None
    connection.execute(
        update(ALERT)
        .where(ALERT.c.id == alert.alert_id)
        .values(
            notify_at_us=None if is_closed else ALERT.c.notify_at_us,  # nobody needs to come
            state=alert.state.value,
            acknowledged_us=_us(alert.acknowledged_at),
            acknowledged_by=alert.acknowledged_by,
            shelved_until_us=_us(alert.shelved_until),
            closed_us=_us(alert.closed_at),
            version=ALERT.c.version + 1,
        )
    )
    add_event(connection, alert.alert_id, change.event)


def add_event(connection: Connection, alert_id: int, event: AlertEvent) -> None:
    """Add a line to an alert's history."""
    connection.execute(
        insert(ALERT_EVENT).values(
            alert_id=alert_id,
            at_us=microseconds(event.at),
            action=event.action.value,
            actor=event.actor,
            note=event.note,
        )
    )


def history_of(connection: Connection, alert_id: int) -> list[AlertEvent]:
    """Return what happened to an alert, oldest first."""
    query = select(ALERT_EVENT).where(ALERT_EVENT.c.alert_id == alert_id)
    return [
        AlertEvent(AlertAction(row.action), moment(row.at_us), row.actor, row.note)
        for row in connection.execute(query.order_by(ALERT_EVENT.c.id))
    ]


# -- what is still to be told ----------------------------------------------------------------------


def unpublished_alerts(connection: Connection) -> dict[int, tuple[int, AlertRecord]]:
    """Return (version, alert) by id of the oldest that the broker has not confirmed as they are."""
    behind = ALERT.c.published_version < ALERT.c.version
    rows = connection.execute(select(ALERT).where(behind).order_by(ALERT.c.id).limit(_ROWS_MAX))
    return {row.id: (row.version, as_record(row)) for row in rows}


def mark_published(connection: Connection, versions: Mapping[int, int]) -> None:
    """Note which version of each alert the broker has confirmed."""
    for alert_id, version in versions.items():
        connection.execute(
            update(ALERT).where(ALERT.c.id == alert_id).values(published_version=version)
        )


def alert_topics(connection: Connection) -> list[str]:
    """Return every topic on which there ever was an alert."""
    return list(connection.execute(select(ALERT.c.topic).distinct()).scalars())


def unnotified_alerts(connection: Connection, now: datetime) -> list[tuple[AlertRecord, int]]:
    """Return living alerts whose notification is due, and how often it was tried, by id."""
    due = ALERT.c.notify_at_us <= microseconds(now)
    rows = connection.execute(select(ALERT).where(due).order_by(ALERT.c.id).limit(_ROWS_MAX))
    return [(as_record(row), row.notify_attempts) for row in rows]


def note_notification(
    connection: Connection, alert_id: int, *, again_at: datetime | None, event: AlertEvent | None
) -> None:
    """Note an attempt to notify; `again_at` None: it was the last. `event` goes to the history."""
    connection.execute(
        update(ALERT)
        .where(ALERT.c.id == alert_id)
        .values(notify_at_us=_us(again_at), notify_attempts=ALERT.c.notify_attempts + 1)
    )
    if event is not None:
        add_event(connection, alert_id, event)


def as_record(row: Row[Any]) -> AlertRecord:
    """Return a row as what the core knows."""
    return AlertRecord(
        row.id,
        row.key,
        AlertKind(row.kind),
        Severity(row.severity),
        Subject(row.machine, row.product, row.procedure, row.step, row.barcode),
        row.line,
        row.topic,
        row.message,
        tuple(json.loads(row.evidence)),
        AlertState(row.state),
        moment(row.opened_us),
        _moment(row.acknowledged_us),
        row.acknowledged_by,
        _moment(row.shelved_until_us),
        _moment(row.closed_us),
    )


def _records(connection: Connection, query: Select[Any]) -> list[AlertRecord]:
    return [as_record(row) for row in connection.execute(query)]


def _us(at: datetime | None) -> int | None:
    return None if at is None else microseconds(at)


def _moment(at_us: int | None) -> datetime | None:
    return None if at_us is None else moment(at_us)

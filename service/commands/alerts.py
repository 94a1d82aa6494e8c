"""What people do with alerts: see them, and shelve them for a while."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from broker.errors import AlertError
from service.core.alerts import AlertRecord, Change, acknowledge, shelve
from service.store import audit
from service.store.alerts import alerts_by_ids, save_change
from service.store.database import Database

ACTOR_CHARS_MAX: Final = 128
NOTE_CHARS_MAX: Final = 500
ALERTS_MAX: Final = 500
"""Alerts of one call."""


def acknowledge_alerts(
    database: Database, alert_ids: Sequence[int], *, actor: str, note: str = "", now: datetime
) -> list[AlertRecord]:
    """Say that somebody has seen alerts and acts on them.

    Returns:
        Each as it is now, by id. One that was acknowledged or closed already is left as it is.

    Raises:
        AlertError: One does not exist, there are too many, or nobody says who.
        StoreUnavailable: The database is away; nothing was changed.
    """
    note = _words("note", note, NOTE_CHARS_MAX)
    who = _needed("author", _words("author", actor, ACTOR_CHARS_MAX))
    return _change(database, alert_ids, lambda alert: acknowledge(alert, who, now, note))


def shelve_alerts(  # noqa: PLR0913 - each is a part of what is said
    database: Database,
    alert_ids: Sequence[int],
    *,
    until: datetime,
    reason: str,
    actor: str,
    now: datetime,
) -> list[AlertRecord]:
    """Let alerts rest until a moment within the next 12 hours; they return by themselves.

    Returns:
        Each as it is now, by id. One that is closed is left as it is.

    Raises:
        AlertError: One does not exist, there are too many, the end is too far or past, or nobody
            says who and why.
        StoreUnavailable: The database is away; nothing was changed.
    """
    why = _needed("reason", _words("reason", reason, NOTE_CHARS_MAX))
    who = _needed("author", _words("author", actor, ACTOR_CHARS_MAX))
    try:
        return _change(database, alert_ids, lambda alert: shelve(alert, until, who, now, why))
    except ValueError as error:
        raise AlertError(f"{error} Choose another end.") from error


def _change(
    database: Database,
    alert_ids: Sequence[int],
    step: Callable[[AlertRecord], Change | None],
) -> list[AlertRecord]:
    """Take one step with each alert, each with its row in the audit trail."""
    wanted = sorted(set(alert_ids))
    if not 0 < len(wanted) <= ALERTS_MAX:
        raise AlertError(f"{len(wanted)} alerts: name 1 to {ALERTS_MAX} at once.")
    with database.changing() as connection:
        alerts = alerts_by_ids(connection, wanted)
        missing = set(wanted) - {each.alert_id for each in alerts}
        if missing:
            raise AlertError(f"there is no alert {min(missing)}. GET /api/v1/alerts lists them.")
        after = []
        for alert in alerts:
            change = step(alert)
            if change is not None:
                save_change(connection, change)
                audit.record(connection, _trail(alert, change), change.event.at)
            after.append(alert if change is None else change.alert)
    return after


def _trail(before: AlertRecord, change: Change) -> audit.Change:
    alert, event = change
    until = alert.shelved_until
    return audit.Change(
        actor=event.actor,
        action={"acknowledged": "acknowledge", "shelved": "shelve"}[event.action.value],
        subject=f"alert {alert.alert_id}",
        reason=event.note,
        details={
            "before": before.state.value,
            "message": alert.message,
            **({"until": until.astimezone(UTC).isoformat()} if until else {}),
        },
    )


def _words(name: str, text: str, chars_max: int) -> str:
    text = " ".join(text.split())
    if len(text) > chars_max:
        raise AlertError(f"{name} has {len(text)} characters; at most {chars_max} are kept.")
    return text


def _needed(name: str, text: str) -> str:
    if not text:
        raise AlertError(f"{name} is missing. Say it in a few words.")
    return text

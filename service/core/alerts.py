"""What becomes of an alert: open, acknowledged, shelved, closed. Pure: no I/O.

    found ─► open ─► acknowledged ─┐
               ▲ └──────┬──────────┴─► closed, when the trouble is over
               │        ▼
               └───── shelved   (until a moment, at most 12 h; returns by itself)

At most one alert lives (is not closed) for a key: a kind of trouble and what it is about. A closed
one never changes; trouble that comes again is a new alert. A shelved one rests until its end,
whatever its trouble does meanwhile, so that what comes and goes does not ring.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from broker.messages import AlertState, Severity

SHELVED_MAX: Final = timedelta(hours=12)
EVIDENCE_MAX: Final = 20
WATCHER: Final = "yieldline"
"""Who did what no person did."""


class AlertKind(StrEnum):
    """What kind of trouble."""

    SILENT = "silent"
    OFFLINE = "offline"
    OFFLINE_MANY = "offline_many"
    YIELD_LOW = "yield_low"
    STEP_REPEATS = "step_repeats"
    RETESTS = "retests"
    REJECTIONS = "rejections"
    FLOOD = "flood"


class AlertAction(StrEnum):
    """What happened to an alert."""

    OPENED = "opened"
    ACKNOWLEDGED = "acknowledged"
    SHELVED = "shelved"
    RETURNED = "returned"
    CLOSED = "closed"
    NOTIFIED = "notified"
    NOT_NOTIFIED = "not_notified"


class Subject(NamedTuple):
    """What an alert is about; None: does not matter to it."""

    machine_id: str | None = None
    product_id: str | None = None
    procedure: str | None = None
    step: str | None = None
    barcode: str | None = None


class Finding(NamedTuple):
    """Trouble that holds now."""

    kind: AlertKind
    key: str
    subject: Subject
    line: str | None
    severity: Severity
    message: str
    """One sentence that stays true: it is written once, when the alert opens."""
    evidence: tuple[int, ...] = ()
    """Run ids, newest first, at most EVIDENCE_MAX."""
    topic: str | None = None
    """Where its machine's alerts are published; None: on the plant's own topic."""


class AlertRecord(NamedTuple):
    """One alert as it is known; all times aware."""

    alert_id: int
    key: str
    kind: AlertKind
    severity: Severity
    subject: Subject
    line: str | None
    topic: str
    message: str
    evidence: tuple[int, ...]
    state: AlertState
    opened_at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    shelved_until: datetime | None = None
    closed_at: datetime | None = None


class AlertEvent(NamedTuple):
    """One line of an alert's history."""

    action: AlertAction
    at: datetime
    actor: str = WATCHER
    note: str = ""


class Assessment(NamedTuple):
    """What the rules say of this moment. A key in neither is undecided: its alert stays."""

    found: Mapping[str, Finding]
    cleared: AbstractSet[str]


class Change(NamedTuple):
    """An alert as it is from now on, and why."""

    alert: AlertRecord
    event: AlertEvent


class Announcement(NamedTuple):
    """One message to publish."""

    topic: str
    alert: AlertRecord | None
    """None: an empty body, which clears what the broker keeps."""
    retain: bool


class Conclusions(NamedTuple):
    """What one look at the facts changes."""

    opened: Sequence[Finding]
    changed: Sequence[Change]


def key_of(kind: AlertKind, *parts: str | None) -> str:
    """Return the key of the trouble that is the same trouble."""
    return json.dumps([kind, *parts], ensure_ascii=False, separators=(",", ":"))


def conclude(
    alerts: Iterable[AlertRecord], assessment: Assessment, now: datetime, opened_max: int
) -> Conclusions:
    """Compare what lives with what is found.

    Args:
        alerts: Every alert that is not closed.
        assessment: What the rules say.
        now: When, aware.
        opened_max: At most so many are opened at once; the next look opens more.

    Returns:
        What is to be opened, worst first, and what changes by itself.
    """
    living = {each.key: each for each in alerts}
    new = [finding for key, finding in assessment.found.items() if key not in living]
    new.sort(key=lambda finding: (SEVERITY_RANK[finding.severity], finding.key))
    steps = (_by_itself(each, each.key in assessment.cleared, now) for each in living.values())
    return Conclusions(new[:opened_max], [step for step in steps if step is not None])


def acknowledge(alert: AlertRecord, actor: str, now: datetime, note: str = "") -> Change | None:
    """Return the alert as one that a person has seen; None: closed, or acknowledged already.

    One that is shelved comes out of its shelf.
    """
    if alert.state not in {AlertState.OPEN, AlertState.SHELVED}:
        return None
    changed = alert._replace(
        state=AlertState.ACKNOWLEDGED,
        acknowledged_at=now,
        acknowledged_by=actor,
        shelved_until=None,
    )
    return Change(changed, AlertEvent(AlertAction.ACKNOWLEDGED, now, actor, note))


def shelve(
    alert: AlertRecord, until: datetime, actor: str, now: datetime, reason: str
) -> Change | None:
    """Return the alert as one that rests until a moment; None: it is closed.

    Raises:
        ValueError: The moment is not within the next 12 hours.
    """
    if not now < until <= now + SHELVED_MAX:
        raise ValueError("an alert is shelved until a moment within the next 12 hours.")
    if alert.state is AlertState.CLOSED:
        return None
    changed = alert._replace(state=AlertState.SHELVED, shelved_until=until)
    return Change(changed, AlertEvent(AlertAction.SHELVED, now, actor, reason))


SEVERITY_RANK: Final = {Severity.CRITICAL: 0, Severity.MAJOR: 1, Severity.MINOR: 2}
_STATE_RANK: Final = {AlertState.OPEN: 0, AlertState.ACKNOWLEDGED: 1, AlertState.SHELVED: 2}


def urgency(alert: AlertRecord) -> tuple[int, int, datetime, int]:
    """Return the order in which living alerts matter: not seen by anybody, the worst, the first."""
    rank = _STATE_RANK.get(alert.state, len(_STATE_RANK))
    return rank, SEVERITY_RANK[alert.severity], alert.opened_at, alert.alert_id


def announce(
    changed: Iterable[AlertRecord], living: Iterable[AlertRecord], topics: Iterable[str]
) -> list[Announcement]:
    """Return what to publish so that everybody hears of each change, and late comers of the worst.

    A broker keeps one message a topic, and a machine may have several alerts: kept is the most
    urgent one that lives, or nothing.

    Args:
        changed: Alerts to be heard of, by id; they may live or be closed.
        living: Every living alert of these topics and of those of `changed`.
        topics: Other topics whose kept message is to be right again.
    """
    changed = list(changed)
    kept: dict[str, AlertRecord | None] = dict.fromkeys((*topics, *(c.topic for c in changed)))
    for alert in sorted(living, key=urgency, reverse=True):
        kept[alert.topic] = alert  # the most urgent comes last
    heard = [
        Announcement(each.topic, each, retain=False)
        for each in changed
        if (chosen := kept[each.topic]) is None or chosen.alert_id != each.alert_id
    ]
    return [*heard, *(Announcement(topic, alert, retain=True) for topic, alert in kept.items())]


def _by_itself(alert: AlertRecord, is_over: bool, now: datetime) -> Change | None:  # noqa: FBT001 - the one fact it turns on
    if alert.state is AlertState.SHELVED:
        if alert.shelved_until is not None and now < alert.shelved_until:
            return None
        if not is_over:
            returned = alert._replace(state=AlertState.OPEN, shelved_until=None)
            return Change(returned, AlertEvent(AlertAction.RETURNED, now))
    elif not is_over:
        return None
    closed = alert._replace(state=AlertState.CLOSED, closed_at=now, shelved_until=None)
    return Change(closed, AlertEvent(AlertAction.CLOSED, now))

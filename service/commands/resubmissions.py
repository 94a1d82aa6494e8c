"""Send what was refused once more, or close it: what would become of it, and who did it.

The bytes of a rejection never change. A corrected copy is a new message; the audit trail names the
rejection it was made from. Publishing is the web app's, between `foresee` and `record_sent`: first
the broker has the message, then it is recorded. A crash between the two leaves the rejection open,
and sending it again is a duplicate; the other order could lose it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from broker.errors import ResubmitError
from broker.messages import RejectionCode
from broker.settings import Settings
from broker.topics import Channel, TopicTemplate
from service.commands.drafts import rules_of
from service.core.decode import DecodeSettings, decode
from service.core.judge import judge
from service.core.lookup import NO_RULES, Rulebook
from service.core.records import DecodedRun, JudgedRun, Refused
from service.store.audit import Change, record
from service.store.batches import Arrival, sort_out
from service.store.database import Database
from service.store.queries.base import Facts
from service.store.queries.known_runs import known_runs
from service.store.queries.rejections import RefusedMessage, refused_message
from service.store.queries.settlements import CLOSE, RESUBMIT, subject_of
from service.store.rulebooks import active_rulebook

ACTOR_CHARS_MAX: Final = 128
REASON_CHARS_MAX: Final = 500
REJECTIONS_MAX: Final = 500
"""Rejections of one call."""
_NAMED_MAX: Final = 100  # message ids of one row of the trail; a corrected array may hold 5,000
_Key = tuple[str, str]


class Fate(StrEnum):
    """What the service would do with a message now."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class Correction(NamedTuple):
    """What is other than it came; None: as it came."""

    topic: str | None = None
    payload: bytes | None = None


class Foreseen(NamedTuple):
    """What would become of one rejection, were it sent now."""

    rejection_id: int
    topic: str
    """Where it would be sent."""
    is_addressed: bool
    """The topic is one that services listen to."""
    is_corrected: bool
    """Its bytes are not those that came."""
    payload_size: int
    """Bytes."""
    parts: list[Facts]
    """One for each run or refusal in it, at least one; see `foresee`."""

    @property
    def fate(self) -> Fate:
        """The best of its parts: of an array, one that is accepted is worth sending."""
        fates = {each["fate"] for each in self.parts}
        return next(each for each in Fate if each in fates)


def foresee(
    database: Database,
    settings: Settings,
    rejection_ids: Sequence[int],
    correction: Correction,
    now: datetime,
) -> list[Foreseen]:
    """Say what the service would do with rejections now, by the rulebook in force. Changes nothing.

    Through the same decoding, judging and sorting out as in the service. Rejections of one call are
    taken as sent one after the other: the second with the same message_id is a duplicate.

    Args:
        database: Whose rejections.
        settings: The topics, the size limit and the machines' time zones.
        rejection_ids: Which; 1 to 500, in this order.
        correction: Another topic for all of them, or another payload, for one.
        now: When, aware UTC.

    Returns:
        One each. Its parts have fate, element, machine_id, message_id, barcode, product_id,
        procedure, outcome, first_failure (accepted: as it would be judged), run_id (duplicate: the
        run that is stored), code and reason (rejected).

    Raises:
        ResubmitError: One does not exist, there are too many, or the topic is no test topic.
        RulebookError: This program cannot read the rulebook in force.
        StoreUnavailable: The database is away.
    """
    _check_count(rejection_ids)
    template = settings.template()
    if correction.topic is not None and not _is_test_topic(template, correction.topic):
        raise ResubmitError(
            f"topic {correction.topic!r} is not a test topic of {template.text!r}. Send it to one."
        )
    oracle = _Oracle(database, settings, template, now)
    return [oracle.foresee(each, _message(database, each), correction) for each in rejection_ids]


def record_sent(
    database: Database, sent: Sequence[Foreseen], *, actor: str, reason: str, now: datetime
) -> None:
    """Note that rejections were resubmitted: the broker has them. One row in the trail each.

    Raises:
        StoreUnavailable: The database is away; nothing is noted, and they stay open.
    """
    with database.changing() as connection:
        for each in sent:
            details = {
                "topic": each.topic,
                "corrected": each.is_corrected,
                "foreseen": each.fate,
                "message_ids": [part["message_id"] for part in each.parts[:_NAMED_MAX]],
            }
            change = Change(actor, RESUBMIT, subject_of(each.rejection_id), reason, details)
            record(connection, change, now)


def close_rejections(
    database: Database, rejection_ids: Sequence[int], *, actor: str, reason: str, now: datetime
) -> None:
    """Say that nothing more will be done with rejections. Their bytes stay.

    Raises:
        ResubmitError: One does not exist, there are too many, or nobody says who and why.
        StoreUnavailable: The database is away; nothing was changed.
    """
    _check_count(rejection_ids)
    who, why = checked_words("author", actor), checked_words("reason", reason)
    details = {}
    for each in rejection_ids:
        message = _message(database, each)
        details[each] = {"topic": message.topic, "code": message.code}
    with database.changing() as connection:
        for each, facts in details.items():
            record(connection, Change(who, CLOSE, subject_of(each), why, facts), now)


def checked_words(name: str, text: str) -> str:
    """Return what a person said, without line breaks.

    Raises:
        ResubmitError: Nothing.
    """
    text = " ".join(text.split())
    if not text:
        raise ResubmitError(f"{name} is missing. Say it in a few words.")
    return text


class _Oracle:
    """What the service would do, in one call."""

    def __init__(
        self, database: Database, settings: Settings, template: TopicTemplate, now: datetime
    ) -> None:
        self._database = database
        self._settings = DecodeSettings(
            template, settings.service.payload_bytes_max, lambda each: _zone_of(settings, each)
        )
        self._now = now
        stored = active_rulebook(database)
        self._rulebook = NO_RULES if stored is None else Rulebook(stored.version, rules_of(stored))
        self._sent: dict[_Key, tuple[int, bytes]] = {}
        """What this call would have stored so far; run id 0: it has none yet."""

    def foresee(
        self, rejection_id: int, message: RefusedMessage, correction: Correction
    ) -> Foreseen:
        topic = correction.topic or message.topic
        payload = message.payload if correction.payload is None else correction.payload
        is_corrected = payload != message.payload
        parts = self._parts(topic, payload)
        if message.code is RejectionCode.NOT_STORABLE and not is_corrected:
            parts = [_unstorable(each, message.reason) for each in parts]
        is_addressed = _is_test_topic(self._settings.template, topic)
        return Foreseen(rejection_id, topic, is_addressed, is_corrected, len(payload), parts)

    def _parts(self, topic: str, payload: bytes) -> list[Facts]:
        decoded = decode(topic, payload, self._settings, self._now)
        contents: list[JudgedRun | Refused] = [
            judge(each, self._rulebook) if isinstance(each, DecodedRun) else each
            for each in decoded
        ]
        known = self._known([each for each in decoded if isinstance(each, DecodedRun)])
        arrival = Arrival(topic, "", payload, contents)
        new, repeated, refused = sort_out([arrival], known)
        for judged, _ in new:
            key = (judged.run.machine_id, judged.run.message_id)
            self._sent[key] = (0, judged.run.content_hash)
        parts = [
            *(_part(Fate.ACCEPTED, judged) for judged, _ in new),
            *(_part(Fate.DUPLICATE, judged, run_id=number) for number, judged, _ in repeated),
            *(_refusal(each) for each in refused),
        ]
        return sorted(parts, key=lambda each: each["element"] or 0)

    def _known(self, runs: Sequence[DecodedRun]) -> dict[_Key, tuple[int, bytes]]:
        if not runs:
            return {}
        machine_id = runs[0].machine_id  # the topic's, so it is the same for all
        found = known_runs(self._database, machine_id, [each.message_id for each in runs])
        return self._sent | found


def _part(fate: Fate, judged: JudgedRun, run_id: int | None = None) -> Facts:
    run = judged.run
    return {
        "fate": fate,
        "element": run.element,
        "machine_id": run.machine_id,
        "message_id": run.message_id,
        "barcode": run.message.barcode,
        "product_id": run.message.product_id,
        "procedure": run.procedure,
        "outcome": judged.outcome,
        "first_failure": judged.first_failure,
        "run_id": run_id or None,
        "code": None,
        "reason": None,
    }


def _refusal(refused: Refused) -> Facts:
    nothing: dict[str, Any] = dict.fromkeys(
        ("barcode", "product_id", "procedure", "outcome", "first_failure", "run_id")
    )
    return {
        **nothing,
        "fate": Fate.REJECTED,
        "element": refused.element,
        "machine_id": refused.machine_id,
        "message_id": refused.message_id,
        "code": refused.code,
        "reason": refused.reason,
    }


def _unstorable(part: Facts, reason: str) -> Facts:
    """Expect of a run that the database could not hold that it still cannot."""
    if part["fate"] is not Fate.ACCEPTED:
        return part
    return {**part, "fate": Fate.REJECTED, "code": RejectionCode.NOT_STORABLE, "reason": reason}


def _check_count(rejection_ids: Sequence[int]) -> None:
    if not 0 < len(rejection_ids) <= REJECTIONS_MAX:
        raise ResubmitError(f"{len(rejection_ids)} rejections: name 1 to {REJECTIONS_MAX} at once.")


def _message(database: Database, rejection_id: int) -> RefusedMessage:
    message = refused_message(database, rejection_id)
    if message is None:
        raise ResubmitError(
            f"there is no rejection {rejection_id}. GET /api/v1/rejections lists them."
        )
    return message


def _is_test_topic(template: TopicTemplate, topic: str) -> bool:
    place = template.parse(topic)
    return place is not None and place.channel is Channel.TEST


def _zone_of(settings: Settings, machine_id: str) -> tzinfo:
    machine = settings.machines.get(machine_id)
    return ZoneInfo(machine.time_zone) if machine and machine.time_zone else UTC

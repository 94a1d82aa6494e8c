"""One batch on its way: decode, judge, store, and the messages that answer it.

    deliveries -decode-> runs, refusals -judge-> verdicts -save-> rows + answers

Publishing and acknowledging are the subscriber's: it owns the connections.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import structlog

from broker.envelopes import Delivery, Outgoing
from broker.messages import RejectionCode
from broker.settings import Settings
from broker.topics import NO_ID, UNASSIGNED_LINE, Channel, TopicTemplate
from service import failpoints
from service.core.decode import DecodeSettings, decode
from service.core.judge import judge
from service.core.lookup import Rulebook
from service.core.payload import read_message_id
from service.core.records import DecodedRun, JudgedRun, Refused
from service.core.results import (
    encode_receipt,
    encode_rejection,
    encode_result,
    encode_stored,
)
from service.core.shadow import Shadow, Shadowed, shadow_runs
from service.store.batches import Arrival, Committed, Saved
from service.store.database import Database
from service.store.queries.results import as_message, results_by_ids
from service.store.writer import Writer

log = structlog.get_logger()

_RECEIPT_IDS_MAX = 1_000  # at 128 characters of six bytes each it still fits a packet
_REPEATED_MAX = 5_000  # results read at once; a batch of arrays can repeat tens of thousands
_RETAINED_WARNINGS_MAX = 10  # a machine that retains does it always; its name once is enough


class Understood(NamedTuple):
    """One batch, decoded and judged, not yet stored."""

    deliveries: Sequence[Delivery]
    """All of them, for the acknowledgement; also those that nothing is stored of."""
    arrivals: list[Arrival]
    received_at: datetime
    shadowed: Shadowed | None
    """What the shadow rulebook says of it, where one runs."""


class Pipeline:
    """Decode, judge and store batches with one rulebook."""

    def __init__(self, settings: Settings, database: Database, rulebook: Rulebook) -> None:
        self._settings = settings
        self.database = database
        self.template = TopicTemplate(settings.topics.template)
        topics, *former = settings.filters(Channel.TEST)
        self.filter = topics
        """What all service processes subscribe to: each message goes to one of them, where they
        share (`service.share`)."""
        self.is_alone = topics == self.template.subscription(Channel.TEST)
        """Nobody shares with us: what the broker has for us, it gives to nobody else."""
        self.former_filters = former
        """What they may have subscribed to before; a session remembers it."""
        self._decode_settings = DecodeSettings(
            self.template, settings.service.payload_bytes_max, self._zone_of
        )
        self._has_golden = bool(settings.plant.golden_barcodes)
        self._zones: dict[str, tzinfo] = {}
        self._warned: set[str] = set()
        self.rulebook = rulebook
        """Replaced between batches, never within one."""
        self.shadow: Shadow | None = None
        """Likewise."""
        self.writer = Writer(database, self._answers)

    def understand(self, deliveries: Sequence[Delivery]) -> Understood:
        """Decode and judge what arrived, with the rulebook of this moment. Never raises."""
        failpoints.hit("before_judging", deliveries)
        received_at = datetime.now(UTC)
        arrivals = [
            self._understand(delivery, received_at)
            for delivery in deliveries
            if self._is_wanted(delivery)
        ]
        shadowed = None
        if self.shadow is not None:
            runs = (each for arrival in arrivals for each in arrival.contents)
            shadowed = shadow_runs(
                self.shadow, (each for each in runs if isinstance(each, JudgedRun))
            )
        return Understood(deliveries, arrivals, received_at, shadowed)

    def commit(self, understood: Understood) -> Committed:
        """Store what was understood; return what to publish before it is acknowledged.

        In the one thread that owns the writer.

        Raises:
            StoreUnavailable: The database is away; nothing is stored, call again with the same.
        """
        committed = self.writer.save(
            understood.arrivals, understood.received_at, understood.shadowed
        )
        failpoints.hit("after_commit", understood)
        if committed.saved.duplicates:
            repeats = self._repeated_results(committed.saved)
            return committed._replace(answers=[*repeats, *committed.answers])
        return committed

    def refuse(self, delivery: Delivery, error: Exception) -> Understood:
        """Return a message that a bug of ours cannot get past as a rejection, bytes and all."""
        topic = self.template.parse(delivery.topic)
        refused = Refused(
            delivery.topic,
            topic.machine_id if topic else None,
            read_message_id(delivery.payload),
            RejectionCode.NOT_STORABLE,
            f"{delivery.topic}: this message ended the service again and again"
            f" ({type(error).__name__}). Not stored; bytes kept. Report it, and resubmit it"
            " after an update.",
            delivery.payload,
            None,
        )
        arrival = Arrival(
            delivery.topic, self._line_of(delivery.topic), delivery.payload, [refused]
        )
        return Understood([delivery], [arrival], datetime.now(UTC), None)

    def probe_topic(self, client_id: str) -> str:
        """Return a test topic that no machine can have, for a service to prove its rights with."""
        return self.template.check_topic(client_id)

    def _understand(self, delivery: Delivery, received_at: datetime) -> Arrival:
        rulebook = self.rulebook
        contents: list[JudgedRun | Refused] = []
        line = UNASSIGNED_LINE
        for each in decode(delivery.topic, delivery.payload, self._decode_settings, received_at):
            if isinstance(each, DecodedRun):
                run = each if each.line != UNASSIGNED_LINE else self._placed(each)
                if self._has_golden and self._settings.plant.is_golden(run.message.barcode):
                    run = run._replace(is_golden=True)
                line = run.line
                contents.append(judge(run, rulebook))
            else:
                contents.append(each)
                line = self._line_of(delivery.topic)
        return Arrival(delivery.topic, line, delivery.payload, contents)

    def _is_wanted(self, delivery: Delivery) -> bool:
        """Leave out retained messages and the services' own probes; both are still acknowledged."""
        if delivery.retained:
            if delivery.topic not in self._warned and len(self._warned) < _RETAINED_WARNINGS_MAX:
                self._warned.add(delivery.topic)
                log.warning(
                    "retained_ignored",
                    topic=delivery.topic,
                    remedy="publish test results without the retain flag",
                )
            return False
        topic = delivery.topic
        return NO_ID not in topic or not any(each.startswith(NO_ID) for each in topic.split("/"))

    def _answers(self, saved: Saved) -> list[Outgoing]:
        """Return results, rejections and receipts of what was stored; called before the commit."""
        failpoints.hit("before_commit", saved)
        answers = [
            Outgoing(
                _on(run.topic, Channel.RESULT),
                encode_result(
                    run.judged,
                    run_id=run.run_id,
                    attempt=run.attempt,
                    received_at=saved.received_at,
                ),
            )
            for run in saved.runs
        ]
        for rejection in saved.rejections:
            if (topic := self._rejected_topic(rejection.refused)) is not None:
                payload = encode_rejection(
                    rejection.refused,
                    rejection_id=rejection.rejection_id,
                    received_at=saved.received_at,
                )
                answers.append(Outgoing(topic, payload))
        return answers + self._receipts(saved)

    def _receipts(self, saved: Saved) -> list[Outgoing]:
        """Return one receipt a topic for all messages that carried a message_id of their own."""
        ids: dict[str, list[str]] = {}
        known = [(each.topic, each.judged.run) for each in saved.runs]
        known += [(each.topic, each.judged.run) for each in saved.duplicates]
        for topic, run in known:
            if run.wants_receipt:
                ids.setdefault(topic, []).append(run.message_id)
        for rejection in saved.rejections:
            refused = rejection.refused
            if refused.message_id is not None and self.template.parse(refused.topic):
                ids.setdefault(refused.topic, []).append(refused.message_id)
        return [
            Outgoing(
                _on(topic, Channel.RECEIPT),
                encode_receipt(some[start : start + _RECEIPT_IDS_MAX], saved.received_at),
            )
            for topic, some in ids.items()
            for start in range(0, len(some), _RECEIPT_IDS_MAX)
        ]

    def _repeated_results(self, saved: Saved) -> list[Outgoing]:
        """Answer duplicates with what is stored: nothing is ever judged twice."""
        topics = {each.run_id: each.topic for each in saved.duplicates}
        run_ids = list(topics)
        return [
            Outgoing(_on(topics[run_id], Channel.RESULT), encode_stored(as_message(result)))
            for start in range(0, len(run_ids), _REPEATED_MAX)
            for run_id, result in results_by_ids(
                self.database, run_ids[start : start + _REPEATED_MAX]
            ).items()
        ]

    def _rejected_topic(self, refused: Refused) -> str | None:
        """Return where a rejection is published; None where the topic names no machine."""
        if self.template.parse(refused.topic) is None:
            return None
        return _on(refused.topic, Channel.REJECTED)

    def _line_of(self, topic: str) -> str:
        parsed = self.template.parse(topic)
        return parsed.line if parsed else UNASSIGNED_LINE

    def _placed(self, run: DecodedRun) -> DecodedRun:
        """Give a run whose topic says no line the one that the settings know for its machine."""
        machine = self._settings.machines.get(run.machine_id)
        return run._replace(line=machine.line) if machine and machine.line else run

    def _zone_of(self, machine_id: str) -> tzinfo:
        zone = self._zones.get(machine_id)
        if zone is None:
            machine = self._settings.machines.get(machine_id)
            name = machine.time_zone if machine else None
            zone = ZoneInfo(name) if name else UTC
            self._zones[machine_id] = zone
        return zone


@lru_cache(maxsize=16_384)  # a plant has few topics, and each is asked for with every result
def _on(test_topic: str, channel: Channel) -> str:
    """Return the sibling of a test topic: `{channel}` is always a template's last level."""
    return f"{test_topic[: -len(Channel.TEST.value)]}{channel.value}"

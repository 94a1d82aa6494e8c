"""Publishes `summary`: each machine's live figures, retained, when they change.

A part of the watcher, so that one process of all does it. It has a thread of its own, and takes a
tenth of that thread at most: the more there is to count, the less often.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from broker.answers import MachineStatus
from broker.envelopes import Outgoing
from broker.errors import BrokerUnavailable, StoreRefused, StoreUnavailable
from broker.outage import Refusals
from broker.settings import Settings
from broker.topics import Channel
from service.core.alert_facts import MachineFacts, still_offline
from service.core.alert_rules import Rules
from service.core.shifts import day_at
from service.core.summaries import status_of, summarise
from service.store.database import Database
from service.store.queries.machines import machines as figures_of_all
from service.store.queries.machines import topics_heard
from service.watcher_link import Hearing

_REST_FACTOR: Final = 10.0


class _Mark(NamedTuple):
    """What must differ for a machine's summary to be published again."""

    stored: int
    topic: str
    line: str
    status: MachineStatus
    since: datetime


class Summaries:
    """Knows what it has told of each machine; one connection to the broker after the other."""

    def __init__(self, settings: Settings, database: Database, rules: Rules) -> None:
        """Prepare.

        Args:
            settings: How often, and the plant's clock.
            database: Where the figures are.
            rules: Say when a machine is silent.
        """
        self._pause_s = settings.service.summary_s
        self._template = settings.template()
        self._zone = ZoneInfo(settings.plant.time_zone)
        self._database = database
        self._rules = rules
        self._seen: tuple[Mapping[str, MachineFacts], Hearing] | None = None
        self._refusals = Refusals("summaries_refused")
        self._told: dict[str, _Mark] = {}
        self._told_to: object = None
        self._topics: dict[str, set[str]] | None = None
        """By machine: where the broker may keep a summary of it. None: not looked up yet."""

    def note(self, machines: Mapping[str, MachineFacts], hearing: Hearing | None) -> None:
        """Take over what the watcher has just seen; None: the broker is away."""
        self._seen = None if hearing is None else (machines, hearing)

    async def keep(self) -> None:
        """Publish what has changed, every few seconds, until cancelled."""
        wait_s = self._pause_s
        with ThreadPoolExecutor(1, "summaries") as worker:
            while self._pause_s:
                await asyncio.sleep(wait_s)
                began_s = time.monotonic()
                # Others say so; what is not confirmed is told the next time.
                with contextlib.suppress(StoreUnavailable, StoreRefused, BrokerUnavailable):
                    await self._publish_changes(worker)
                wait_s = max(self._pause_s, _REST_FACTOR * (time.monotonic() - began_s))

    async def _publish_changes(self, worker: ThreadPoolExecutor) -> None:
        if self._seen is None:
            return
        machines, hearing = self._seen
        if hearing.connection is not self._told_to:
            self._told, self._told_to = {}, hearing.connection  # the broker may have forgotten
        now = datetime.now(UTC)
        marks = self._marks(machines, hearing, now)
        changed = {each: mark for each, mark in marks.items() if self._told.get(each) != mark}
        if not changed:
            return
        loop = asyncio.get_running_loop()
        messages = await loop.run_in_executor(worker, self._messages, changed, now)
        refused = await hearing.publish(messages)
        self._refusals.note(refused)
        self._told |= changed
        self._topics = (self._topics or {}) | {each: {mark.topic} for each, mark in changed.items()}

    def _marks(
        self, machines: Mapping[str, MachineFacts], hearing: Hearing, now: datetime
    ) -> dict[str, _Mark]:
        offline = still_offline(hearing.offline, machines, now, timedelta.max)
        since = day_at(now, self._zone).start
        marks = {}
        for machine_id, machine in machines.items():
            is_offline = machine_id in offline
            silence = self._rules.silence(machine)
            status = status_of(machine, silence, now, is_offline=is_offline)
            topic = _summary_topic(machine.topic)
            marks[machine_id] = _Mark(machine.stored, topic, machine.line, status, since)
        return marks

    def _messages(self, changed: Mapping[str, _Mark], now: datetime) -> list[Outgoing]:
        """Read the figures of all: adding up the hours of one costs as much.

        What a machine that has moved left on its former topics is cleared.
        """
        since = next(iter(changed.values())).since
        kept = self._topics = self._former_topics() if self._topics is None else self._topics
        messages = []
        for entry in figures_of_all(self._database, since):
            mark = changed.get(entry["machine_id"])
            if mark is not None:
                summary = summarise(entry, mark.status, since, now)
                topics = kept.setdefault(entry["machine_id"], set())
                topics.add(mark.topic)
                messages.append(_retained(mark.topic, summary.model_dump_json().encode()))
                messages += [_retained(each, b"") for each in sorted(topics - {mark.topic})]
        return messages

    def _former_topics(self) -> dict[str, set[str]]:
        """Return by machine where a summary of it may have been told before we came."""
        found: dict[str, set[str]] = {}
        for topic in topics_heard(self._database):
            parsed = self._template.parse(topic)
            if parsed is not None:
                found.setdefault(parsed.machine_id, set()).add(_summary_topic(topic))
        return found


def _summary_topic(topic: str) -> str:
    """Return the summary's topic beside another one of the same machine."""
    return f"{topic.rpartition('/')[0]}/{Channel.SUMMARY.value}"


def _retained(topic: str, payload: bytes) -> Outgoing:
    return Outgoing(topic, payload, retain=True)

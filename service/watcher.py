"""The watcher: committed results -> alerts, summaries. One of all service processes.

Every other second it looks at what is true now, concludes, and commits what changes. Only then is
it published, and what is not confirmed stays marked in the database: whoever watches next
publishes it. People act on alerts through the database too, so the watcher tells of that as well.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, NamedTuple, TypeVar

import structlog

from broker.answers import Alert, AlertSubject
from broker.envelopes import Outgoing
from broker.errors import BrokerUnavailable, StoreRefused, StoreUnavailable
from broker.outage import Outage, Refusals
from broker.settings import Settings
from broker.targets import targets_of
from broker.topics import Channel
from service.core.alert_facts import Facts, MachineFacts, still_offline
from service.core.alert_rules import Rules
from service.core.alerts import AlertRecord, announce, conclude
from service.core.floods import Bucket, fill
from service.notify import Notifier, after_attempt
from service.pulse import Pulse
from service.store.alert_facts import FactReader
from service.store.alerts import (
    alert_topics,
    living_alerts,
    mark_published,
    note_notification,
    open_alert,
    save_change,
    unnotified_alerts,
    unpublished_alerts,
)
from service.store.database import Database
from service.store.election import Mandate, stand
from service.store.queries.base import connected
from service.summaries import Summaries
from service.watcher_link import Hearing, WatcherLink

log = structlog.get_logger()

Answer = TypeVar("Answer")
PLANT: Final = "plant"
"""Stands for the machine in the topic of alerts that are about no single one."""
_OPENED_MAX: Final = 200


class _Pending(NamedTuple):
    versions: dict[int, int]
    """By alert: what is confirmed when all is published."""
    messages: list[Outgoing]


class Watcher:
    """The part of a service process that raises alerts and sums up, while it is elected."""

    def __init__(self, settings: Settings, database: Database, pulse: Pulse) -> None:
        self._settings = settings
        self._pulse = pulse
        self._database = database
        self._template = settings.template()
        targets = targets_of(settings)
        self._rules = Rules(settings.alerts, settings.plant, settings.machines, targets=targets)
        self._notifier = Notifier(settings)
        self._buckets: dict[str, Bucket] = {}
        self._refusals = Refusals("alerts_refused")
        self._away = Outage("watcher_held_up", "watcher_goes_on")
        self._plant_topic = self._template.format(PLANT, Channel.ALERT)

    async def run(self) -> None:
        """Stand for election, and watch while elected, until cancelled."""
        with ThreadPoolExecutor(1, "watcher") as worker:
            while True:
                try:
                    await self._stand(worker)
                except* (StoreUnavailable, StoreRefused) as group:
                    self._away.note(_first(group))
                await asyncio.sleep(self._settings.alerts.check_s)

    async def _stand(self, worker: ThreadPoolExecutor) -> None:
        work = _In(worker)
        mandate = await work(stand, self._database)
        self._away.over()
        if mandate is None:
            return
        log.info("watching")
        try:
            link = WatcherLink(self._settings.broker, self._template)
            async with asyncio.TaskGroup() as group:
                group.create_task(link.run(), name="watcher link")
                if self._settings.alerts.enabled:
                    group.create_task(self._keep_notifying(mandate, work), name="notify")
                summaries = Summaries(self._settings, self._database, self._rules)
                group.create_task(summaries.keep(), name="summaries")
                await self._keep_watching(mandate, link, work, summaries)
        finally:
            self._pulse.looked_at = None
            await work(mandate.end)
            log.info("watching_ended")

    async def _keep_watching(
        self, mandate: Mandate, link: WatcherLink, work: "_In", summaries: Summaries
    ) -> None:
        reader = FactReader(self._database, self._template)
        greeted: object = None
        while True:
            hearing = link.hearing
            machines = await work(self._look, mandate, reader, hearing)
            self._pulse.looked_at = datetime.now(UTC)
            summaries.note(machines, hearing)
            if hearing is not None and self._settings.alerts.enabled:
                is_new = hearing.connection is not greeted
                if await self._tell(mandate, hearing, work, is_new=is_new):
                    greeted = hearing.connection
            await asyncio.sleep(self._settings.alerts.check_s)

    # -- conclude ------------------------------------------------------------------------------

    def _look(
        self, mandate: Mandate, reader: FactReader, hearing: Hearing | None
    ) -> Mapping[str, MachineFacts]:
        """Read the facts, conclude, commit what changes; return what is known of machines."""
        now = datetime.now(UTC)
        facts, living = self._read(reader, hearing, now)
        if self._settings.alerts.enabled:
            self._conclude(mandate, facts, living, now)
        return facts.machines

    def _conclude(
        self, mandate: Mandate, facts: Facts, living: list[AlertRecord], now: datetime
    ) -> None:
        assessment = self._rules.assess(facts, living, now)
        if not any(conclude(living, assessment, now, _OPENED_MAX)):
            return
        with mandate.changing() as connection:  # again: somebody may have acted meanwhile
            living = living_alerts(connection)
            opened, changed = conclude(living, assessment, now, _OPENED_MAX)
            for finding in opened:
                topic = finding.topic or self._plant_topic
                notify = self._notifier.wants(finding.severity)
                open_alert(connection, finding, topic, now, notify=notify)
            for change in changed:
                save_change(connection, change)
        for finding in opened:
            log.info("alert_opened", kind=finding.kind.value, message=finding.message)
        for change in changed:
            log.info(
                "alert_changed", alert_id=change.alert.alert_id, action=change.event.action.value
            )

    def _read(
        self, reader: FactReader, hearing: Hearing | None, now: datetime
    ) -> tuple[Facts, list[AlertRecord]]:
        settings = self._rules.alerts
        with connected(self._database) as connection:
            machines = reader.machines(connection)
            received = {each.machine_id: each.received for each in machines.values()}
            self._buckets = fill(self._buckets, received, now, self._rules.allowance)
            within = timedelta(seconds=settings.rejections_within_s)
            forget = timedelta(seconds=settings.silent_forget_s)
            facts = Facts(
                machines,
                reader.yields(connection, self._rules.shift_start(now)),
                reader.rejections(connection, now, within),
                still_offline(hearing.offline if hearing else {}, machines, now, forget),
                hearing.since if hearing else None,
                self._buckets,
            )
            return facts, living_alerts(connection)

    # -- tell ----------------------------------------------------------------------------------

    async def _tell(self, mandate: Mandate, hearing: Hearing, work: "_In", *, is_new: bool) -> bool:
        """Publish what the broker has not confirmed; tells whether it has confirmed all of it.

        A new connection may be to a broker that has forgotten: it is told all it should keep.
        """
        pending = await work(self._pending, is_new)
        try:
            refused = await hearing.publish(pending.messages)
        except BrokerUnavailable:
            return False  # the link says so and comes back; what is not confirmed stays marked
        self._refusals.note(refused)
        await work(self._confirm, mandate, pending)
        return True

    def _pending(self, everything: bool) -> _Pending:  # noqa: FBT001 - handed to a thread
        with connected(self._database) as connection:
            behind = unpublished_alerts(connection)
            changed = [alert for _, alert in behind.values()]
            topics = alert_topics(connection) if everything else []
            wanted = None if everything else sorted({each.topic for each in changed})
            living = living_alerts(connection, wanted)
        messages = [
            Outgoing(topic, b"" if alert is None else encode_alert(alert), retain)
            for topic, alert, retain in announce(changed, living, topics)
        ]
        return _Pending({each: version for each, (version, _) in behind.items()}, messages)

    def _confirm(self, mandate: Mandate, pending: _Pending) -> None:
        if pending.versions:
            with mandate.changing() as connection:
                mark_published(connection, pending.versions)

    async def _keep_notifying(self, mandate: Mandate, work: "_In") -> None:
        while self._notifier.has_somebody:
            await self._notify(mandate, work)
            await asyncio.sleep(self._settings.alerts.check_s)

    async def _notify(self, mandate: Mandate, work: "_In") -> None:
        """Tell of what is due, and note how that went. A crash in between tells twice."""
        alerts = await work(self._due)
        if alerts:
            is_told = await self._notifier.tell([alert for alert, _ in alerts])
            await work(self._note, mandate, alerts, is_told)

    def _due(self) -> list[tuple[AlertRecord, int]]:
        with connected(self._database) as connection:
            return unnotified_alerts(connection, datetime.now(UTC))

    def _note(
        self,
        mandate: Mandate,
        alerts: Sequence[tuple[AlertRecord, int]],
        is_told: bool,  # noqa: FBT001 - handed to a thread
    ) -> None:
        now = datetime.now(UTC)
        with mandate.changing() as connection:
            for alert, attempts in alerts:
                again_at, event = after_attempt(attempts, now, is_told=is_told)
                note_notification(connection, alert.alert_id, again_at=again_at, event=event)


def _first(group: BaseExceptionGroup[StoreUnavailable | StoreRefused]) -> str:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else str(error)


class _In:
    """Runs blocking work in one thread: a mandate is never used by two at once."""

    def __init__(self, worker: ThreadPoolExecutor) -> None:
        self._worker = worker

    async def __call__(self, work: Callable[..., Answer], *arguments: object) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, partial(work, *arguments))


def encode_alert(alert: AlertRecord) -> bytes:
    """Return an alert as it is published."""
    subject = alert.subject
    message = Alert(
        alert_id=alert.alert_id,
        kind=alert.kind.value,
        severity=alert.severity,
        subject=AlertSubject(
            machine=subject.machine_id,
            product=subject.product_id,
            procedure=subject.procedure,
            step=subject.step,
        ),
        opened_at=alert.opened_at,
        message=alert.message,
        evidence=alert.evidence,
        state=alert.state,
    )
    return message.model_dump_json().encode()

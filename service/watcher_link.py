"""The watcher's own connection to the broker: it tells of alerts, and hears who is offline."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import structlog
from pydantic import ValidationError

from broker.backoff import backoff_s
from broker.envelopes import Delivery, Outgoing
from broker.errors import BrokerRefused, BrokerUnavailable
from broker.link import Connection
from broker.messages import State
from broker.outage import Outage
from broker.sections import BrokerSettings
from broker.topics import Channel, TopicTemplate
from service.core.alert_facts import Offline

log = structlog.get_logger()

_CLIENT_ID: Final = "yieldline-watcher"
_MACHINES_MAX: Final = 20_000


class Hearing(NamedTuple):
    """A connection that lives, and what was heard on it."""

    connection: Connection
    since: datetime
    offline: dict[str, Offline]
    """By machine."""
    publishing: asyncio.Lock
    """Alerts and summaries share the connection, one after the other."""

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        """Publish in one's turn; see `Connection.publish`."""
        async with self.publishing:
            return await self.connection.publish(messages)


class WatcherLink:
    """Keeps one connection up while somebody watches."""

    def __init__(self, settings: BrokerSettings, template: TopicTemplate) -> None:
        self._settings = settings
        self._template = template
        self._away = Outage("watcher_unheard", "watcher_heard")
        self.hearing: Hearing | None = None
        """None while the broker is away."""

    async def run(self) -> None:
        """Connect, and connect again after losses, until cancelled."""
        attempt = 0
        while True:
            try:
                await self._one_connection()
                attempt = 0
            except (BrokerUnavailable, BrokerRefused) as error:
                self._away.note(str(error))
            attempt += 1
            low_s, high_s = self._settings.retry_delay_min_s, self._settings.retry_delay_max_s
            await asyncio.sleep(backoff_s(attempt, low_s, high_s))

    async def _one_connection(self) -> None:
        connection = Connection(self._settings, _CLIENT_ID)
        try:
            await connection.open()
            try:
                await connection.subscribe(self._template.subscription(Channel.STATE))
            except BrokerRefused as error:
                log.warning("states_unheard", reason=str(error))  # alerts are told all the same
            self._away.over()
            self.hearing = hearing = Hearing(connection, datetime.now(UTC), {}, asyncio.Lock())
            while batch := await connection.next_batch():
                for delivery in batch:
                    self._hear(delivery, hearing.offline)
                connection.ack(batch)
        finally:
            self.hearing = None
            await connection.close()

    def _hear(self, delivery: Delivery, offline: dict[str, Offline]) -> None:
        topic = self._template.parse(delivery.topic)
        if topic is None:
            return
        now = datetime.now(UTC)
        try:
            state = State.model_validate_json(delivery.payload) if delivery.payload else None
        except ValidationError:
            return  # anyone may publish anything
        if state is None or state.status == "online":
            offline.pop(topic.machine_id, None)
        elif topic.machine_id in offline or len(offline) < _MACHINES_MAX:
            said_at = now
            if delivery.retained and state.at.tzinfo is not None:
                said_at = min(now, state.at.astimezone(UTC))
            alerts_topic = f"{delivery.topic.rpartition('/')[0]}/{Channel.ALERT.value}"
            known = Offline(now, said_at, topic.line, alerts_topic)
            offline.setdefault(topic.machine_id, known)

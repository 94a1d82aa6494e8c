"""The results for screens: as `broker.live`, over the express lane of `broker.link`.

Results come by thousands a second where states and rejections come by the handful. Through aiomqtt
a result costs a screen's process about 50 µs, over the lane about 5; the rest of the machine's
processor belongs to storing (docs/decisions/007-results-reach-screens-by-the-lane.md).
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import structlog

from broker.errors import BrokerRefused, BrokerUnavailable
from broker.link import Connection, Delivery, backoff_s
from broker.live import LiveMessage
from broker.settings import Settings
from broker.topics import Channel, Topic, TopicTemplate

log = structlog.get_logger()

_BATCH_MAX = 1_000  # some ten milliseconds of the loop, then a viewer's turn
_KNOWN_TOPICS_MAX = 20_000
_STEADY_AFTER_S = 10


class ResultFeed:
    """One subscription to all results, kept up for as long as somebody iterates `batches`."""

    def __init__(self, settings: Settings, template: TopicTemplate) -> None:
        self._settings = settings.broker
        self._template = template
        self._topics: dict[str, Topic | None] = {}
        self.connected = False
        """The broker has confirmed the subscription, and the connection lives."""
        self.changed_at = datetime.now(UTC)
        """Since when `connected` is what it is."""
        self.trouble: str | None = "not connected yet"
        """Why it is not connected, in words; None while it is."""

    async def batches(self) -> AsyncIterator[list[LiveMessage]]:
        """Yield what arrives, in order, in batches of at least one; for ever, across losses.

        What is said while the broker is away is not repeated: rebuild from the database then.
        """
        attempt = 0
        while True:
            begun_s = asyncio.get_running_loop().time()
            try:
                async for batch in self._one_connection():
                    yield batch
            except (BrokerUnavailable, BrokerRefused) as error:
                self._set(str(error))
            if asyncio.get_running_loop().time() - begun_s > _STEADY_AFTER_S:
                attempt = 0
            wait_s = backoff_s(
                attempt, self._settings.retry_delay_min_s, self._settings.retry_delay_max_s
            )
            log.warning("result_feed_lost", trouble=self.trouble, retry_in_s=round(wait_s, 1))
            await asyncio.sleep(wait_s)
            attempt += 1

    async def _one_connection(self) -> AsyncIterator[list[LiveMessage]]:
        link = Connection(self._settings, f"yieldline-ui-{uuid.uuid4().hex[:12]}-results")
        try:
            await link.open()
            await link.subscribe(self._template.subscription(Channel.RESULT))
            self._set(None)
            while batch := await link.next_batch(_BATCH_MAX):
                # On arrival: a screen that dies reads the database when it starts again.
                link.ack(batch)
                yield self._shown(batch)
                await asyncio.sleep(0)
            raise BrokerUnavailable("the connection was lost")
        finally:
            self._set(self.trouble or "the connection was lost")
            await link.close()

    def _shown(self, batch: list[Delivery]) -> list[LiveMessage]:
        shown = []
        for delivery in batch:
            topic = self._topic(delivery.topic)
            if topic is not None:
                shown.append(LiveMessage(topic, delivery.payload, delivery.retained))
        return shown

    def _topic(self, text: str) -> Topic | None:
        if text not in self._topics:
            if len(self._topics) >= _KNOWN_TOPICS_MAX:
                self._topics.clear()
            self._topics[text] = self._template.parse(text)
        return self._topics[text]

    def _set(self, trouble: str | None) -> None:
        connected = trouble is None
        if connected != self.connected:
            self.connected, self.changed_at = connected, datetime.now(UTC)
        self.trouble = trouble

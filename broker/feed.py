"""What the feeds for screens share: kept up across losses, topics parsed once, state known."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import ClassVar, NamedTuple

from broker.backoff import backoff_s
from broker.outage import Outage
from broker.sections import BrokerSettings
from broker.settings import Settings
from broker.topics import Topic, TopicTemplate

LOST = "the connection was lost"
_KNOWN_TOPICS_MAX = 20_000
_STEADY_AFTER_S = 10  # a connection that lasted this long was no failed attempt


class LiveMessage(NamedTuple):
    """One message as it arrived."""

    topic: Topic
    payload: bytes
    retained: bool
    """It was said before we subscribed."""


class Feed(ABC):
    """One subscription to what is shown, kept up for as long as somebody iterates `batches`."""

    losses: ClassVar[tuple[type[Exception], ...]]
    """What `_one_connection` raises when the broker is away or says no."""

    def __init__(self, settings: Settings, template: TopicTemplate) -> None:
        self._settings: BrokerSettings = settings.broker
        self._template = template
        self._topics: dict[str, Topic | None] = {}
        self.connected = False
        """The broker has confirmed the subscriptions, and the connection lives."""
        self.changed_at = datetime.now(UTC)
        """Since when `connected` is what it is."""
        self._away = Outage("live_feed_lost", "live_feed_back")
        self.trouble: str | None = "not connected yet"
        """Why it is not connected, in words; None while it is."""

    async def batches(self) -> AsyncIterator[list[LiveMessage]]:
        """Yield what arrives, in order, in batches; for ever, across losses.

        While the broker is away it waits and tries again, 0.1 to 30 s apart (settings); what was
        said meanwhile is not repeated, except retained messages.
        """
        attempt = 0
        while True:
            begun_s = asyncio.get_running_loop().time()
            try:
                async for batch in self._one_connection():
                    yield batch
            except self.losses as error:
                self._set(str(error) or type(error).__name__)
            if asyncio.get_running_loop().time() - begun_s > _STEADY_AFTER_S:
                attempt = 0
            wait_s = backoff_s(
                attempt, self._settings.retry_delay_min_s, self._settings.retry_delay_max_s
            )
            self._away.note(
                str(self.trouble), feed=type(self).__name__, retry_in_s=round(wait_s, 1)
            )
            await asyncio.sleep(wait_s)
            attempt += 1

    @abstractmethod
    def _one_connection(self) -> AsyncIterator[list[LiveMessage]]:
        """Connect, subscribe, call `_set(None)` and yield what arrives until the loss."""

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
        if connected:
            self._away.over(feed=type(self).__name__)

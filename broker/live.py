"""The showing end of an MQTT connection: what machines and the service say, for screens.

The only file that imports aiomqtt. It acknowledges on arrival, which is right for a screen and
wrong for a store: who must not lose a message uses `broker.link`.
"""

import asyncio
import socket
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Any, Final

import aiomqtt

from broker.feed import LOST, Feed, LiveMessage
from broker.sections import BrokerSettings
from broker.settings import Settings
from broker.tls import client_context
from broker.topics import Channel, TopicTemplate

_WAITING_MESSAGES_MAX = 50_000  # a screen that stalls loses the oldest, never the newest
DROPPED: Final = "publish/messages/dropped"
COUNTERS: Final = (
    "version",
    "uptime",
    "clients/connected",
    DROPPED,
    "store/messages/count",
    "heap/current",
    "load/messages/received/1min",
    "load/messages/sent/1min",
)
"""What Mosquitto counts of itself, below `$SYS/broker/`; said anew every ten seconds."""
_COUNTERS_ROOT: Final = "$SYS/broker/"
_COUNTER_BYTES_MAX: Final = 200
_NODELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Batches(asyncio.Queue[Any]):
    """A queue that hands out all it holds at once: one wake-up a burst, not one a message.

    Source: asyncio.Queue's `_init`, `_put` and `_get` are made to be replaced (PriorityQueue does).
    """

    def _init(self, maxsize: int) -> None:
        del maxsize
        self._queue: deque[aiomqtt.Message] = deque(maxlen=_WAITING_MESSAGES_MAX)

    def _put(self, item: aiomqtt.Message) -> None:
        self._queue.append(item)

    def _get(self) -> list[aiomqtt.Message]:
        batch = list(self._queue)
        self._queue.clear()
        return batch


class LiveFeed(Feed):
    """One subscription to the channels that screens show."""

    losses = (aiomqtt.MqttError, OSError, ValueError)

    def __init__(
        self,
        settings: Settings,
        template: TopicTemplate,
        channels: Iterable[Channel],
    ) -> None:
        super().__init__(settings, template)
        self._filters = [(template.subscription(channel), 1) for channel in channels]

    async def _one_connection(self) -> AsyncIterator[list[LiveMessage]]:
        async with _make_client(self._settings) as client:
            codes = await client.subscribe(self._filters)
            if any(_is_refused(code) for code in codes):
                raise aiomqtt.MqttError("the broker denies the subscription; grant it in its ACL")
            self._set(None)
            try:
                async for batch in client.messages:
                    yield self._shown(batch)  # type: ignore[arg-type]  # see _Batches
            except aiomqtt.MqttError as error:
                raise aiomqtt.MqttError(LOST) from error
            finally:
                self._set(LOST)

    def _shown(self, batch: list[aiomqtt.Message]) -> list[LiveMessage]:
        shown = []
        for message in batch:
            topic = self._topic(str(message.topic))
            if topic is not None and isinstance(message.payload, bytes):
                shown.append(LiveMessage(topic, message.payload, message.retain))
        return shown


class CounterFeed(Feed):
    """What the broker counts of itself, as far as it does and lets us read it.

    A connection of its own: a broker that ends connections for such a wish must not take results
    from the screens.
    """

    losses = LiveFeed.losses

    def __init__(self, settings: Settings, template: TopicTemplate) -> None:
        super().__init__(settings, template)
        self.counters: dict[str, str] = {}
        """By name, see COUNTERS; empty while nothing is known."""
        self.dropped_at: datetime | None = None
        """When the count of dropped messages last rose under our eyes; None: it never did."""
        self._dropped: str | None = None

    async def run(self) -> None:
        """Keep the counters up to date until cancelled."""
        async for _ in self.batches():
            pass

    async def _one_connection(self) -> AsyncIterator[list[LiveMessage]]:
        async with _make_client(self._settings) as client:
            await client.subscribe([(f"{_COUNTERS_ROOT}{name}", 0) for name in COUNTERS])
            self._set(None)  # denied: then there are no counters, which is no trouble
            try:
                async for batch in client.messages:
                    self._note(batch)  # type: ignore[arg-type]  # see _Batches
                    yield []
            except aiomqtt.MqttError as error:
                raise aiomqtt.MqttError(LOST) from error
            finally:
                self._set(LOST)
                self.counters.clear()

    def _note(self, batch: list[aiomqtt.Message]) -> None:
        for message in batch:
            name = str(message.topic).removeprefix(_COUNTERS_ROOT)
            if name in COUNTERS and isinstance(message.payload, bytes):
                self.counters[name] = message.payload[:_COUNTER_BYTES_MAX].decode(errors="replace")
        self._note_dropped(self.counters.get(DROPPED))

    def _note_dropped(self, count: str | None) -> None:
        if count is None or count == self._dropped:
            return
        if self._dropped is not None and count != "0":  # what it was at first is of old
            self.dropped_at = datetime.now(UTC)
        self._dropped = count


def _is_refused(code: Any) -> bool:  # noqa: ANN401 - an int, or paho's reason code on MQTT 5
    return int(getattr(code, "value", code)) >= 0x80  # noqa: PLR2004 - MQTT 3.1.1, section 3.9.3


def _make_client(settings: BrokerSettings) -> aiomqtt.Client:
    return aiomqtt.Client(
        settings.host,
        settings.port,
        username=settings.username,
        password=settings.secret(),
        identifier=f"yieldline-ui-{uuid.uuid4().hex[:12]}",
        protocol=aiomqtt.ProtocolVersion.V311,
        clean_session=True,
        queue_type=_Batches,
        timeout=settings.connect_timeout_s,
        keepalive=settings.keepalive_s,
        tls_context=client_context(settings) if settings.tls else None,
        socket_options=[_NODELAY],
    )

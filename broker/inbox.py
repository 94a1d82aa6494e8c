"""What has arrived on a connection and is not acknowledged yet, within bounds. No I/O."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from broker.envelopes import Delivery


class Inbox:
    """Messages in order of arrival. Not thread-safe: one event loop owns it."""

    def __init__(self, count_max: int, bytes_max: int, on_full: Callable[[], None]) -> None:
        """Say how much fits.

        Args:
            count_max: Messages.
            bytes_max: Bytes of their payloads.
            on_full: Called at each message that reaches a bound; it is taken all the same.
        """
        self._count_max, self._bytes_max = count_max, bytes_max
        self._on_full = on_full
        self._arrived: deque[Delivery] = deque()
        self._bytes = 0
        self._something = asyncio.Event()  # a message, or the end
        self._is_closed = False
        self.pending_count = 0
        """How many messages have arrived and are not acknowledged."""
        self.acked_count = 0
        """How many messages were acknowledged, in order of arrival."""

    def take(self, delivery: Delivery) -> None:
        """Keep a message; whoever waits is not woken before `announce`."""
        self._arrived.append(delivery)
        self.pending_count += 1
        self._bytes += len(delivery.payload)
        if self.pending_count >= self._count_max or self._bytes >= self._bytes_max:
            self._on_full()

    def take_packet(self, topic: bytes, payload: bytes, packet_id: int, retained: bool) -> None:  # noqa: FBT001
        """Keep a message of the express lane."""
        self.take(Delivery(topic.decode(errors="replace"), payload, packet_id, retained))

    def announce(self) -> None:
        """Wake whoever waits in `next_batch`, if something has arrived."""
        if self._arrived:
            self._something.set()

    def close(self) -> None:
        """Let `next_batch` return nothing more."""
        self._is_closed = True
        self._something.set()

    async def next_batch(self, count_max: int, bytes_max: int) -> list[Delivery]:
        """Wait for messages and return what has arrived, as `Connection.next_batch` says."""
        while not self._arrived and not self._is_closed:
            self._something.clear()
            await self._something.wait()
        if self._is_closed:
            return []  # what is left cannot be acknowledged here; the broker sends it again
        batch: list[Delivery] = []
        size = 0
        while self._arrived and len(batch) < count_max:
            size += len(self._arrived[0].payload)
            if batch and size > bytes_max:
                break
            batch.append(self._arrived.popleft())
        return batch

    def forget(self, batch: Sequence[Delivery]) -> None:
        """Make room: `batch` is acknowledged."""
        for delivery in batch:
            self._bytes -= len(delivery.payload)
        self.pending_count -= len(batch)
        self.acked_count += len(batch)

    def is_half_empty(self) -> bool:
        """Tell whether there is room enough to read on after `on_full`."""
        return self.pending_count <= self._count_max // 2

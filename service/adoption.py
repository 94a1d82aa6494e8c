"""A service process that does not come back: a survivor stores what waits in its queue and ends it.

The broker goes on giving an absent member of a shared subscription its share. A process that starts
takes the lowest free number, and so the queue; where none starts, a survivor does what follows. It
connects under the absent one's name, unsubscribes, and stores, publishes and acknowledges what
comes. It leaves the session as it is and looks again after a while; only when nothing came does it
end the session. docs/decisions/015-adoption.md says why in these steps.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeAlias

import structlog

from broker.envelopes import Delivery
from broker.errors import BrokerRefused, BrokerUnavailable, StoreRefused, StoreUnavailable
from broker.link import Connection
from broker.outage import Outage
from broker.settings import Settings
from service.caution import Caution
from service.pipeline import Pipeline
from service.store.adoption import Custody, ownerless, take

log = structlog.get_logger()

InWorker: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs work in the one thread that owns the writer."""
_LOOK_S: Final = 5.0
_LOOK_AGAIN_S: Final = 10.0
_QUIET_S: Final = 2.0
"""Nothing came for so long: the queue is empty, or the broker is slow. Hence the second look."""


class Adoption:
    """Watches over the numbers of services, and takes over those that stay free."""

    def __init__(
        self, settings: Settings, pipeline: Pipeline, caution: Caution, in_worker: InWorker
    ) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._caution = caution
        self._in_worker = in_worker
        self._after_s = settings.service.adopt_after_s
        self._free_since: dict[tuple[int, int], float] = {}
        self._put_off = Outage("adoption_put_off", "adoption_goes_on")

    async def run(self) -> None:
        """Look every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(min(_LOOK_S, self._after_s / 6))
            try:
                for number in await self._due():
                    await self._adopt(number)
            except (StoreUnavailable, StoreRefused, BrokerUnavailable, BrokerRefused) as error:
                self._put_off.note(str(error))
            else:
                self._put_off.over()

    async def _due(self) -> list[int]:
        """Return the numbers that have been free for long enough, as we have seen ourselves."""
        now = time.monotonic()
        free = await asyncio.to_thread(ownerless, self._pipeline.database)
        self._free_since = {each: self._free_since.get(each, now) for each in free}
        return [
            number
            for (number, _), since in self._free_since.items()
            if now - since >= self._after_s
        ]

    async def _adopt(self, number: int) -> None:
        custody = await asyncio.to_thread(take, self._pipeline.database, number)
        if custody is None:
            return
        try:
            log.warning("adopting", service=custody.client_id, silent_for_s=self._after_s)
            count = await self._take_over(custody)
            log.warning("adopted", service=custody.client_id, messages=count)
        finally:
            await asyncio.to_thread(custody.end)

    async def _take_over(self, custody: Custody) -> int:
        """Store what waits, end the session; return how many messages that were."""
        protocol = self._settings.service.answer_protocol
        publisher = Connection(self._settings.broker, f"{custody.client_id}-out", protocol=protocol)
        try:
            await publisher.open()
            await self._publish_leftovers(custody, publisher)
            count = await self._visit(custody, publisher)
            while True:
                await asyncio.sleep(min(_LOOK_AGAIN_S, self._after_s / 6))
                came = await self._visit(custody, publisher)
                count += came
                if not came:
                    break
            await self._end_session(custody)
        finally:
            await publisher.close()
        return count

    async def _publish_leftovers(self, custody: Custody, publisher: Connection) -> None:
        for outbox_id, messages in await asyncio.to_thread(custody.unpublished):
            await publisher.publish(messages)
            await asyncio.to_thread(custody.published, [outbox_id])

    async def _visit(self, custody: Custody, publisher: Connection) -> int:
        """Drain the queue once and leave the session as it is; return how much came."""
        await asyncio.to_thread(custody.check)
        service = self._settings.service
        consumer = Connection(
            self._settings.broker,
            custody.client_id,
            clean_session=False,
            pending_count_max=service.pending_count_max,
            pending_bytes_max=service.pending_bytes_max,
        )
        count = 0
        try:
            await consumer.open()
            pipeline = self._pipeline
            consumer.leave(pipeline.filter, *pipeline.former_filters)
            while batch := await self._next_batch(consumer):
                await self._handle(batch, consumer, publisher)
                count += len(batch)
        finally:
            await consumer.close()
        return count

    async def _next_batch(self, consumer: Connection) -> list[Delivery]:
        """Return what comes next; empty once nothing has come for a while.

        Raises:
            BrokerUnavailable: The connection is lost.
        """
        bytes_max = self._settings.service.batch_bytes_max
        try:
            async with asyncio.timeout(min(_QUIET_S, self._after_s / 6)):
                batch = await consumer.next_batch(self._caution.batch_count_max, bytes_max)
        except TimeoutError:
            return []
        if not batch:
            raise BrokerUnavailable(f"the connection of {consumer.client_id} was lost.")
        return batch

    async def _handle(
        self, batch: list[Delivery], consumer: Connection, publisher: Connection
    ) -> None:
        """Store, publish, acknowledge, as the subscriber does with its own."""
        understood = self._caution.understand(batch)
        committed = await self._in_worker(partial(self._caution.commit, understood))
        await publisher.publish(committed.answers)
        self._pipeline.writer.published(committed.outbox_ids)
        consumer.ack(batch)

    async def _end_session(self, custody: Custody) -> None:
        """Let the broker forget it, and then the database."""
        await asyncio.to_thread(custody.check)
        last = Connection(self._settings.broker, custody.client_id, clean_session=True)
        try:
            await last.open()
        finally:
            await last.close()
        await asyncio.to_thread(custody.forget)

"""Consume, store, publish, acknowledge: in this order, whatever dies.

Two connections: one consumes under a stable client id whose queue the broker keeps; the other
publishes. They are apart so that a consumer that stops reading, because its memory is full, still
hears the confirmations it waits for.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias, TypeVar

import orjson
import structlog

from broker.errors import BrokerRefused, BrokerUnavailable, StoreUnavailable
from broker.link import Connection, Outgoing, backoff_s
from broker.settings import Settings
from broker.topics import Channel
from service import failpoints, retention
from service.pipeline import Pipeline, Understood
from service.store.batches import Committed

log = structlog.get_logger()

Answer = TypeVar("Answer")
Leftovers: TypeAlias = list[tuple[int, list[Outgoing]]]
SHARED_GROUP = "yieldline"
_RIGHTS_TIMEOUT_S = 5.0
_HEALTHY_AFTER_S = 30.0  # a connection that lasted this long was a good one: back off anew
_LOOK_AGAIN_S = 0.005


class Subscriber:
    """One service process at work, until `stop` is set."""

    def __init__(self, settings: Settings, pipeline: Pipeline, stop: asyncio.Event) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._stop = stop
        self._worker = ThreadPoolExecutor(1, "writer")  # the one thread that owns the writer
        self._consumer: Connection | None = None
        self._trouble = "starting"
        self._counts = {"runs": 0, "duplicates": 0, "rejections": 0, "batches": 0}

    async def run(self) -> None:
        """Serve until stopped.

        Raises:
            BrokerRefused: Login or rights are wrong; only a person can help.
            StoreRefused: So says the database.
        """
        beside = [asyncio.create_task(self._heartbeat(), name="heartbeat")]
        if (days := self._settings.retention.days) is not None:
            pipeline = self._pipeline
            keeping = retention.keep(
                days,
                pipeline.database,
                pipeline.writer,
                self._in_worker,
                archive=self._settings.retention.archive,
            )
            beside.append(asyncio.create_task(keeping, name="retention"))
        try:
            await self._connect_again_and_again()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
            await self._in_worker(self._pipeline.writer.close)
            self._worker.shutdown()

    async def caught_up(self) -> None:
        """Wait until all results that have arrived by now are stored. Give it a timeout.

        It looks again and again, so that no result ever has a waiter to wake.
        """
        while True:
            while (consumer := self._consumer) is None:
                await asyncio.sleep(_LOOK_AGAIN_S)
            arrived = consumer.acked_count + consumer.pending_count
            while consumer.acked_count < arrived and not consumer.is_over:
                await asyncio.sleep(_LOOK_AGAIN_S)
            if consumer.acked_count >= arrived:
                return

    async def _connect_again_and_again(self) -> None:
        attempt = 0
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                await self._serve_one_connection()
            except BrokerUnavailable as error:
                self._trouble = str(error)
                attempt = 0 if time.monotonic() - started > _HEALTHY_AFTER_S else attempt + 1
                broker = self._settings.broker
                wait_s = backoff_s(attempt, broker.retry_delay_min_s, broker.retry_delay_max_s)
                log.warning("broker_lost", reason=str(error), retry_in_s=round(wait_s, 1))
                await self._sleep(wait_s)

    async def _serve_one_connection(self) -> None:
        """Consume over one pair of connections until either is lost or we stop.

        The database first: while it is away there is nothing to connect for, and only a number
        that is still ours keeps two services from throwing each other out.
        """
        service = self._settings.service
        leftovers = await self._held(self._open_writer)
        client_id = f"yieldline-service-{self._pipeline.writer.number}"
        publisher = Connection(self._settings.broker, f"{client_id}-out")
        consumer = Connection(
            self._settings.broker,
            client_id,
            clean_session=False,
            pending_count_max=service.pending_count_max,
            pending_bytes_max=service.pending_bytes_max,
        )
        try:
            await publisher.open()
            await self._publish_leftovers(leftovers, publisher)
            await self._prove_rights(publisher, client_id)
            session_present = await consumer.open()
            template = self._pipeline.template
            await consumer.subscribe(f"$share/{SHARED_GROUP}/{template.subscription(Channel.TEST)}")
            log.info("connected", client_id=client_id, session_present=session_present)
            self._consumer, self._trouble = consumer, ""
            await self._consume(consumer, publisher)
        finally:
            self._consumer = None
            await consumer.close()
            await publisher.close()
        if not self._stop.is_set():
            raise BrokerUnavailable("the connection to the broker was lost.")

    async def _prove_rights(self, publisher: Connection, client_id: str) -> None:
        """Publish to a topic no machine can have and read it back.

        A broker whose ACL denies us says Granted and Success all the same, and a shared
        subscription would swallow its share of the results (measured). On the publisher, because
        the consumer may have a day's backlog in front of it.

        Raises:
            BrokerRefused: Nothing came back.
        """
        topic = self._pipeline.probe_topic(client_id)
        await publisher.subscribe(topic)
        await publisher.publish([Outgoing(topic, b"{}")])
        try:
            async with asyncio.timeout(_RIGHTS_TIMEOUT_S):
                publisher.ack(await publisher.next_batch())
        except TimeoutError as error:
            user = self._settings.broker.username or "anonymous"
            raise BrokerRefused(
                f"the broker lets {user!r} not both write and read {topic}: results would be lost."
                " Grant the service's rights in the broker's ACL (docs/deploy/mosquitto.acl)."
            ) from error

    def _open_writer(self) -> Leftovers:
        """Claim our number, and return what was committed under it but never confirmed."""
        self._pipeline.writer.open()
        return list(self._pipeline.writer.unpublished())

    async def _publish_leftovers(self, leftovers: Leftovers, publisher: Connection) -> None:
        for outbox_id, messages in leftovers:
            await publisher.publish(messages)
            self._pipeline.writer.published([outbox_id])
        if leftovers:
            log.info("published_leftovers", batches=len(leftovers))

    async def _consume(self, consumer: Connection, publisher: Connection) -> None:
        """Run three stages side by side, a batch in each, in order of arrival.

        While one batch is published the next is stored and the one after it is judged: the
        database's time and ours overlap.
        """
        understood: asyncio.Queue[Understood | None] = asyncio.Queue(1)
        stored: asyncio.Queue[tuple[Understood, Committed] | None] = asyncio.Queue(1)
        async with asyncio.TaskGroup() as group:  # if one stage dies of a bug, so do the others
            stopper = group.create_task(self._finish_at_stop(consumer), name="stop")
            group.create_task(self._understand(consumer, understood), name="decode and judge")
            group.create_task(self._store(understood, stored, consumer), name="store")
            await self._answer(stored, consumer, publisher)
            stopper.cancel()

    async def _understand(
        self, consumer: Connection, understood: asyncio.Queue[Understood | None]
    ) -> None:
        service = self._settings.service
        while batch := await consumer.next_batch(service.batch_count_max, service.batch_bytes_max):
            await understood.put(self._pipeline.understand(batch))
        await understood.put(None)

    async def _store(
        self,
        understood: asyncio.Queue[Understood | None],
        stored: asyncio.Queue[tuple[Understood, Committed] | None],
        consumer: Connection,
    ) -> None:
        while (batch := await understood.get()) is not None:
            committed = await self._stored(batch, consumer)
            if committed is not None:
                await stored.put((batch, committed))
        await stored.put(None)

    async def _answer(
        self,
        stored: asyncio.Queue[tuple[Understood, Committed] | None],
        consumer: Connection,
        publisher: Connection,
    ) -> None:
        """Publish each batch's answers, then acknowledge it. After a loss, only empty the queue."""
        while (item := await stored.get()) is not None:
            batch, committed = item
            if consumer.is_over:
                continue  # its answers are in the outbox, its messages at the broker
            failpoints.hit("before_publish", batch)
            try:
                refused = await publisher.publish(committed.answers)
            except BrokerUnavailable:
                consumer.abort()
                continue
            failpoints.hit("after_publish", batch)
            if refused:
                log.error("answers_refused", reasons=sorted(set(refused)), count=len(refused))
            self._pipeline.writer.published(committed.outbox_ids)
            failpoints.hit("before_acknowledge", batch)
            consumer.ack(batch.deliveries)  # last of all: a crash above only repeats the batch
            failpoints.hit("after_acknowledge", batch)
            self._count(committed)

    async def _stored(self, batch: Understood, consumer: Connection) -> Committed | None:
        """Store one batch, however long the database is away; None when the broker left first."""
        attempt = 0
        while not consumer.is_over:
            try:
                committed = await self._in_worker(lambda: self._pipeline.commit(batch))
            except StoreUnavailable as error:
                if self._stop.is_set():
                    consumer.abort()  # we cannot finish it; the broker keeps it for the next start
                    return None
                self._trouble = str(error)
                attempt += 1
                wait_s = backoff_s(attempt, 0.1, self._settings.service.retry_delay_max_s)
                log.warning("database_lost", reason=str(error), retry_in_s=round(wait_s, 1))
                await self._sleep(wait_s)
            else:
                if attempt:
                    log.info("database_back", held_messages=len(batch.deliveries))
                self._trouble = ""
                return committed
        return None

    async def _held(self, work: Callable[[], Answer]) -> Answer:
        """Do database work in the writer's thread, again and again while the database is away.

        Raises:
            BrokerUnavailable: We were told to stop meanwhile; nothing else to wait for.
        """
        attempt = 0
        while True:
            try:
                return await self._in_worker(work)
            except StoreUnavailable as error:
                if self._stop.is_set():
                    raise BrokerUnavailable("stopped while the database was away.") from error
                self._trouble = str(error)
                attempt += 1
                wait_s = backoff_s(attempt, 0.1, self._settings.service.retry_delay_max_s)
                log.warning("database_lost", reason=str(error), retry_in_s=round(wait_s, 1))
                await self._sleep(wait_s)

    async def _heartbeat(self) -> None:
        """Leave a line on our health in the database, for the web app's /readyz."""
        while True:
            facts = {
                "connected": self._consumer is not None and not self._trouble,
                "trouble": self._trouble,
                "pending": self._consumer.pending_count if self._consumer else 0,
                "rulebook_version": self._pipeline.rulebook.version,
                **self._counts,
            }
            report = partial(
                self._pipeline.writer.report, orjson.dumps(facts).decode(), datetime.now(UTC)
            )
            with contextlib.suppress(StoreUnavailable):  # the batches say so already
                await self._in_worker(report)
            healthy = bool(facts["connected"])
            await asyncio.sleep(self._settings.service.heartbeat_s if healthy else 0.2)

    async def _finish_at_stop(self, consumer: Connection) -> None:
        await self._stop.wait()
        consumer.finish()
        await asyncio.sleep(self._settings.service.shutdown_timeout_s)
        consumer.abort()

    async def _in_worker(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    def _count(self, committed: Committed) -> None:
        saved = committed.saved
        self._counts["batches"] += 1
        self._counts["runs"] += len(saved.runs)
        self._counts["duplicates"] += len(saved.duplicates)
        self._counts["rejections"] += len(saved.rejections)

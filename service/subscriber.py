"""Consume, store, publish, acknowledge: in this order, whatever dies.

Two connections: one consumes under a stable client id whose queue the broker keeps; the other
publishes. They are apart so that a consumer that stops reading, because its memory is full, still
hears the confirmations it waits for.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias, TypeVar

import structlog

from broker.backoff import backoff_s
from broker.envelopes import Outgoing
from broker.errors import BrokerUnavailable, StoreUnavailable, YieldlineError
from broker.link import Connection
from broker.outage import Outage, Refusals
from broker.settings import Settings
from service import failpoints, retention
from service.adoption import Adoption
from service.broker_session import BrokerSession
from service.caution import CRASHES_MAX, Caution
from service.echoes import Echoes
from service.pipeline import Pipeline, Understood
from service.pulse import Pulse
from service.store.batches import Committed
from service.store.lease import SERVICE_NAME
from service.vitals import Backlog, Vitals

log = structlog.get_logger()

Answer = TypeVar("Answer")
Leftovers: TypeAlias = list[tuple[int, list[Outgoing]]]
_HEALTHY_AFTER_S = 30.0  # a connection that lasted this long was a good one: back off anew
_LOOK_AGAIN_S = 0.005
_SOON_S = 0.2


class Subscriber:
    """One service process at work, until `stop` is set."""

    def __init__(
        self, settings: Settings, pipeline: Pipeline, stop: asyncio.Event, pulse: Pulse
    ) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._stop = stop
        self._worker = ThreadPoolExecutor(1, "writer")  # the one thread that owns the writer
        self._consumer: Connection | None = None
        self._backlog = Backlog()
        self._echoes = Echoes()
        self._broker_away = Outage("broker_lost", "broker_back")
        self._refusals = Refusals("answers_refused")
        self._database_away = Outage("database_lost", "database_back")
        self._report_away = Outage("database_lost", "database_back")
        self._caution = Caution(pipeline, settings.service.batch_count_max)
        self._vitals = Vitals()
        self._pulse = pulse
        self._claim: tuple[int | None, int] | None = None
        """Of which number we remember the past."""

    async def run(self) -> None:
        """Serve until stopped.

        Raises:
            BrokerRefused: Login or rights are wrong; only a person can help.
            StoreRefused: So says the database.
        """
        pipeline = self._pipeline
        try:
            async with asyncio.TaskGroup() as group:  # a side task that dies ends the process
                beside = [group.create_task(self._heartbeat(), name="heartbeat")]
                if (days := self._settings.retention.days) is not None:
                    keeping = retention.keep(
                        days,
                        pipeline.database,
                        pipeline.writer,
                        self._in_worker,
                        archive=self._settings.retention.archive,
                    )
                    beside.append(group.create_task(keeping, name="retention"))
                if not pipeline.database.is_sqlite:
                    adopting = Adoption(self._settings, pipeline, self._caution, self._in_worker)
                    beside.append(group.create_task(adopting.run(), name="adoption"))
                await self._connect_again_and_again()
                for task in beside:
                    task.cancel()
        except Exception as error:
            await self._count_crash(error)
            raise
        finally:
            await self._in_worker(pipeline.writer.close)
            self._worker.shutdown()

    async def _count_crash(self, error: Exception) -> None:
        """Note in the database that a bug ends us: after three in a row we go on with caution."""
        group = error if isinstance(error, ExceptionGroup) else ExceptionGroup("", [error])
        if group.split(YieldlineError)[1] is None:
            return  # ours to explain, no bug
        self._caution.crashes = min(self._caution.crashes + 1, CRASHES_MAX)
        with contextlib.suppress(YieldlineError):
            await self._in_worker(self._report)

    async def caught_up(self, asking: Connection) -> None:
        """Wait until what the broker had for us by now is stored. Give it a timeout.

        A service that shares knows of no more than has arrived here: what the broker still has,
        it may give to another one.

        Args:
            asking: A connection that nothing else publishes on meanwhile.

        Raises:
            BrokerUnavailable: That connection is lost.
        """
        while (consumer := self._consumer) is None:  # noqa: ASYNC110 - no result has a waiter to wake
            await asyncio.sleep(_LOOK_AGAIN_S)
        if self._pipeline.is_alone:
            topic = self._pipeline.probe_topic(consumer.client_id)
            await self._echoes.come_back(topic, asking)
        else:
            await self._stored_what_arrived()

    async def _stored_what_arrived(self) -> None:
        """Look again and again, so that no result ever has a waiter to wake."""
        while True:
            if (consumer := self._consumer) is not None:
                arrived = consumer.acked_count + consumer.pending_count
                while consumer.acked_count < arrived and not consumer.is_over:  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_AGAIN_S)
                if consumer.acked_count >= arrived:
                    return
            # Also after a connection that ended with messages on it: others must have their turn.
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _connect_again_and_again(self) -> None:
        attempt = 0
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                await self._serve_one_connection()
            except BrokerUnavailable as error:
                self._vitals.trouble = str(error)
                attempt = 0 if time.monotonic() - started > _HEALTHY_AFTER_S else attempt + 1
                broker = self._settings.broker
                wait_s = backoff_s(attempt, broker.retry_delay_min_s, broker.retry_delay_max_s)
                self._broker_away.note(str(error), retry_in_s=round(wait_s, 1))
                await self._sleep(wait_s)

    async def _serve_one_connection(self) -> None:
        """Consume over one pair of connections until either is lost or we stop.

        The database first: while it is away there is nothing to connect for, and only a number
        that is still ours keeps two services from throwing each other out.
        """
        service = self._settings.service
        leftovers = await self._held(self._open_writer)
        client_id = f"{SERVICE_NAME}{self._pipeline.writer.number}"
        session = BrokerSession(self._settings, self._pipeline, self._vitals, client_id)
        publisher = Connection(
            self._settings.broker, f"{client_id}-out", protocol=service.answer_protocol
        )
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
            await session.prove_rights(publisher)
            session.look(is_present=(is_present := await consumer.open()))
            await consumer.subscribe(self._pipeline.filter)
            consumer.leave(*self._pipeline.former_filters)
            # Not before: whoever reads it may send, and nobody keeps that without a subscription.
            log.info("connected", client_id=client_id, session_present=is_present)
            self._consumer, self._backlog = consumer, Backlog()
            self._vitals.trouble, self._vitals.has_session = "", True
            self._broker_away.over()
            await self._consume(consumer, publisher)
            if not self._stop.is_set():
                await session.note_theft(consumer, publisher)
        finally:
            self._consumer = None
            await consumer.close()
            await publisher.close()
        if not self._stop.is_set():
            raise BrokerUnavailable(self._loss)

    @property
    def _loss(self) -> str:
        if self._pipeline.writer.is_number_taken:
            return (
                "another service holds our number in the database: disconnected until it is ours."
            )
        return "the connection to the broker was lost."

    def _open_writer(self) -> Leftovers:
        """Claim our number, and return what was committed under it but never confirmed.

        The number's row says that the broker may keep a queue under it, so it comes before that.
        """
        writer = self._pipeline.writer
        writer.open()
        if (claim := (writer.number, writer.claim_count)) != self._claim:
            self._claim = claim
            past = json.loads(writer.last_report() or "{}")
            self._vitals.remember(past)
            self._caution.crashes = int(past.get("crashes") or 0)
        self._report()
        return list(writer.unpublished())

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
        caution, bytes_max = self._caution, self._settings.service.batch_bytes_max
        while batch := await consumer.next_batch(caution.batch_count_max, bytes_max):
            with self._pulse.timed("judge"):
                judged = caution.understand(batch)
            await understood.put(judged)
        await understood.put(None)

    async def _store(
        self,
        understood: asyncio.Queue[Understood | None],
        stored: asyncio.Queue[tuple[Understood, Committed] | None],
        consumer: Connection,
    ) -> None:
        while (batch := await understood.get()) is not None:
            with self._pulse.timed("store"):
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
                with self._pulse.timed("publish"):
                    refused = await publisher.publish(committed.answers)
            except BrokerUnavailable:
                consumer.abort()
                continue
            failpoints.hit("after_publish", batch)
            self._vitals.refused_count += len(refused)
            self._refusals.note(refused)
            self._pipeline.writer.published(committed.outbox_ids)
            failpoints.hit("before_acknowledge", batch)
            consumer.ack(batch.deliveries)  # last of all: a crash above only repeats the batch
            self._echoes.acknowledged(batch.deliveries)
            failpoints.hit("after_acknowledge", batch)
            self._vitals.count(committed.saved)
            self._pulse.acknowledged(batch.received_at)

    async def _stored(self, batch: Understood, consumer: Connection) -> Committed | None:
        """Store one batch, however long the database is away; None when the broker left first."""
        attempt = 0
        while not consumer.is_over:
            try:
                committed = await self._in_worker(partial(self._caution.commit, batch))
            except StoreUnavailable as error:
                if self._stop.is_set() or self._pipeline.writer.is_number_taken:
                    consumer.abort()  # we cannot finish it; the broker keeps it for who can
                    return None
                attempt += 1
                await self._wait_for_database(error, attempt)
            else:
                self._database_away.over(held_messages=len(batch.deliveries))
                self._vitals.trouble = ""
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
                answer = await self._in_worker(work)
            except StoreUnavailable as error:
                if self._stop.is_set():
                    raise BrokerUnavailable("stopped while the database was away.") from error
                attempt += 1
                await self._wait_for_database(error, attempt)
            else:
                self._database_away.over()
                return answer

    async def _wait_for_database(self, error: StoreUnavailable, attempt: int) -> None:
        self._vitals.trouble = str(error)
        wait_s = backoff_s(attempt, 0.1, self._settings.service.retry_delay_max_s)
        self._database_away.note(str(error), retry_in_s=round(wait_s, 1))
        await self._sleep(wait_s)

    async def _heartbeat(self) -> None:
        """Leave a line on our health in the database, for the web app's /readyz."""
        failed_count = 0
        while True:
            is_well = self._consumer is not None and not self._vitals.trouble
            wait_s = self._settings.service.heartbeat_s if is_well else _SOON_S
            try:
                await self._in_worker(self._report)
            except StoreUnavailable as error:
                failed_count += 1
                wait_s = self._unreported(error, failed_count)
            else:
                failed_count = 0
                self._report_away.over()
            await asyncio.sleep(wait_s)

    def _unreported(self, error: StoreUnavailable, failed_count: int) -> float:
        """Say that the database is away, if no batch does; return when to try again, in seconds."""
        consumer = self._consumer
        if consumer is not None and self._pipeline.writer.is_number_taken:
            consumer.abort()  # else two of us would throw each other out
        if failed_count == 1:
            return _SOON_S  # mostly it is only the session that is lost, and our number with it
        wait_s = backoff_s(failed_count, _SOON_S, self._settings.service.heartbeat_s)
        if consumer is not None and not consumer.pending_count:
            self._report_away.note(str(error), retry_in_s=round(wait_s, 1))
        return wait_s

    def _report(self) -> None:
        """Write it; in the writer's thread."""
        consumer = self._consumer
        now = time.monotonic()
        facts = self._vitals.facts(
            pending=consumer.pending_count if consumer else None,
            lag_s=self._backlog.age_s(consumer.acked_count, consumer.pending_count, now)
            if consumer
            else 0.0,
            rulebook_version=self._pipeline.rulebook.version,
            crashes=self._caution.crashes,
            beside=self._pulse.facts(),
        )
        self._pipeline.writer.report(facts, datetime.now(UTC))

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

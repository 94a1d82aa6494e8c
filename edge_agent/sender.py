"""From the spool to the broker, and out of the spool when the service has said it is stored.

One connection a machine: it has one last will and one identity. A PUBACK only says that the broker
has a message in memory; the copy here is deleted on the receipt, unless the settings say otherwise.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Final

import structlog

from broker.backoff import backoff_s
from broker.envelopes import Delivery, Outgoing
from broker.errors import BrokerRefused, BrokerUnavailable, SpoolFull
from broker.link import Connection
from broker.topics import Channel
from edge_agent.config import Config, SourceSettings
from edge_agent.receipts import Answer, answer_of, message_ids_of
from edge_agent.spool import Spool, Waiting
from edge_agent.state import Reading, facts, state_body
from edge_agent.window import Window

_PUBLISH_BYTES_MAX: Final = 8_388_608
_IDLE_WAIT_S: Final = 1.0
_PUBLISH_CHUNK: Final = 100

log = structlog.get_logger()


class Sender:
    """Sends one machine's messages until they are settled; reconnects for ever.

    Args:
        config: Broker, topics, heartbeat.
        source: The machine and its place in the topics.
        spool: Where the messages wait.
        reading: Who reads the machine's files. None: nobody, and it says nothing of the machine's
            state, which is somebody else's to say.
        role: Part of its client id; another one for each sender of a machine.
    """

    def __init__(
        self,
        config: Config,
        source: SourceSettings,
        spool: Spool,
        reading: Reading | None,
        role: str = "agent",
    ) -> None:
        self._config, self._source, self._spool = config, source, spool
        self._reading = reading
        self._client_id = f"yieldline-{role}-{source.machine_id}"
        self._template = config.template()
        self._session = secrets.token_hex(8)
        self._window = Window(count_max=config.agent.in_flight_max)
        self._last_id = 0  # the newest message that was read from the spool
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._heartbeat_at = 0.0
        self._attempt = 0
        self.is_connected = False
        self.connection_count = self.rejection_count = 0
        self.last_error: str | None = None

    @property
    def machine_id(self) -> str:
        """Whose messages it sends."""
        return self._source.machine_id

    @property
    def session(self) -> str:
        """Another one for each start; part of its state."""
        return self._session

    @property
    def in_flight_count(self) -> int:
        """Messages under way without an answer."""
        return len(self._window)

    def wake(self) -> None:
        """Say that the spool has something new. From the loop's thread only."""
        self._wake.set()

    def stop(self) -> None:
        """Let `run` say goodbye and return."""
        self._stop.set()
        self._wake.set()

    async def run(self) -> None:
        """Send until `stop`.

        Raises:
            BrokerRefused: On the first connection the broker says no: only a person can help.
        """
        while not self._stop.is_set():
            try:
                await self._connect_and_serve()
            except BrokerUnavailable as error:
                self._note("broker_lost", error)
            except BrokerRefused as error:
                if not self.connection_count:
                    raise
                self._note("broker_refused", error)
            if not self._stop.is_set():
                await self._pause()

    async def _connect_and_serve(self) -> None:
        connection = self._connection()
        try:
            await self._open(connection)
            self.is_connected, self._attempt = True, 0
            self.connection_count += 1
            await self._serve(connection)
        finally:
            self.is_connected = False
            await connection.close()

    async def _open(self, connection: Connection) -> None:
        await connection.open()
        if self._waits_for_receipts:
            channels = (Channel.RECEIPT, Channel.REJECTED)
            await connection.subscribe(
                *(self._template.subscription(each, self.machine_id) for each in channels)
            )
        log.info("broker_connected", machine_id=self.machine_id)
        self.last_error = None
        self._window.reconnected(self._now())
        self._heartbeat_at = 0.0  # the birth is due

    def _connection(self) -> Connection:
        return Connection(
            self._config.broker,
            self._client_id,
            clean_session=True,  # a receipt lost with it is earned again
            will=self._state("offline") if self._reading else None,
        )

    async def _serve(self, connection: Connection) -> None:
        """Send and listen until the connection is lost (BrokerUnavailable) or `stop`."""
        listening = asyncio.create_task(
            self._listen(connection), name=f"receipts {self.machine_id}"
        )
        sending = asyncio.create_task(self._send(connection), name=f"sending {self.machine_id}")
        try:
            await asyncio.wait({listening, sending}, return_when=asyncio.FIRST_COMPLETED)
            for task in (listening, sending):
                if task.done():
                    task.result()
        finally:
            for task in (listening, sending):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, BrokerUnavailable):
                    await task

    # -- sending -------------------------------------------------------------------------------

    async def _send(self, connection: Connection) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            messages: list[Waiting] = []
            with self._noting_full_spool():
                await self._say_state(connection)
            with self._noting_full_spool():
                messages = await self._next_messages()
            if messages:
                await self._publish(connection, messages)
            elif not self._stop.is_set():
                await self._wait_for_work()
        if self._reading:  # the last will cannot say how the books closed; a goodbye can
            with self._noting_full_spool():
                await connection.publish([self._state("offline", await self._facts(self._reading))])

    async def _publish(self, connection: Connection, messages: list[Waiting]) -> None:
        topic = self._config.topic(self._source, Channel.TEST)
        for start in range(0, len(messages), _PUBLISH_CHUNK):
            some = messages[start : start + _PUBLISH_CHUNK]
            ids = [message.id for message in some]
            self._window.sending(ids)
            await connection.publish([Outgoing(topic, message.payload) for message in some])
            self._window.confirmed(ids, self._now())
            if not self._waits_for_receipts:
                await self._settle([one for each in some for one in message_ids_of(each.payload)])

    async def _next_messages(self) -> list[Waiting]:
        """Return what to send now: repeats that are due, else new ones as far as there is room."""
        found: list[Waiting] = []
        size = 0
        for message_id in self._window.due(self._now()):
            message = await asyncio.to_thread(self._spool.message, message_id)
            if message is None:
                self._window.receipted([message_id], self._now())
                continue
            size += len(message.payload)
            if found and size > _PUBLISH_BYTES_MAX:
                break
            found.append(message)
        if not found and self._window.room > 0:
            found = await asyncio.to_thread(
                self._spool.messages_after,
                self.machine_id,
                self._last_id,
                self._window.room,
                _PUBLISH_BYTES_MAX,
            )
            if found:
                self._last_id = found[-1].id
                self._window.sending(message.id for message in found)
        return found

    async def _wait_for_work(self) -> None:
        due_at = self._window.next_due_at()
        wait_s = _IDLE_WAIT_S if due_at is None else min(_IDLE_WAIT_S, due_at - self._now())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.05, wait_s)):
                await self._wake.wait()

    # -- listening -----------------------------------------------------------------------------

    async def _listen(self, connection: Connection) -> None:
        while batch := await connection.next_batch():
            answers = [self._answer(delivery) for delivery in batch]
            if settled := [each for answer in answers for each in answer.settled_ids]:
                await self._settle(settled)
            connection.ack(batch)
        raise BrokerUnavailable(f"the connection of {self.machine_id} was lost.")

    async def _settle(self, message_ids: Sequence[str]) -> None:
        with self._noting_full_spool():  # then it stays, is repeated and receipted again
            done = await asyncio.to_thread(self._spool.receipted, self.machine_id, message_ids)
            self._window.receipted(done, self._now())
            self._wake.set()

    def _answer(self, delivery: Delivery) -> Answer:
        topic = self._template.parse(delivery.topic)
        if topic is None or topic.machine_id != self.machine_id:
            return Answer()
        answer = answer_of(topic.channel, delivery.payload)
        if answer.rejection is not None:
            self._note_rejection(answer.rejection)
        return answer

    def _note_rejection(self, body: dict[str, Any]) -> None:
        self.rejection_count += 1
        self.last_error = f"the service rejected a message: {body.get('reason')}"
        log.warning(
            "message_rejected",
            machine_id=self.machine_id,
            message_id=body.get("message_id"),
            rejection_id=body.get("rejection_id"),
            reason=body.get("reason"),
        )

    # -- its own state -------------------------------------------------------------------------

    async def _say_state(self, connection: Connection) -> None:
        if self._reading is None or self._now() < self._heartbeat_at:
            return
        await connection.publish([self._state("online", await self._facts(self._reading))])
        self._heartbeat_at = self._now() + self._config.agent.heartbeat_s

    async def _facts(self, reading: Reading) -> dict[str, Any]:
        return await asyncio.to_thread(
            facts, self._spool, reading, self.machine_id, self.last_error
        )

    def _state(self, status: str, agent: dict[str, Any] | None = None) -> Outgoing:
        topic = self._config.topic(self._source, Channel.STATE)
        return Outgoing(topic, state_body(status, self._session, agent), retain=True)

    @contextlib.contextmanager
    def _noting_full_spool(self) -> Iterator[None]:
        """Stay connected where the spool's disk fails: only a receipt gives it room again."""
        try:
            yield
        except SpoolFull as error:
            self._note("spool_full", error)

    def _note(self, event: str, error: Exception) -> None:
        if self.last_error != str(error):
            log.warning(event, machine_id=self.machine_id, reason=str(error))
        self.last_error = str(error)

    async def _pause(self) -> None:
        broker = self._config.broker
        wait_s = backoff_s(self._attempt, broker.retry_delay_min_s, broker.retry_delay_max_s)
        self._attempt += 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._stop.wait()

    @property
    def _waits_for_receipts(self) -> bool:
        return self._config.agent.delete_on == "receipt"

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

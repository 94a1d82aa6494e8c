"""One simulated machine's own connection to the broker: birth, heartbeat, results, last will."""

import asyncio
import contextlib
import time
from collections import deque
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import Final

import orjson
import structlog

from broker.backoff import backoff_s
from broker.envelopes import Outgoing
from broker.errors import BrokerUnavailable
from broker.link import Connection
from broker.messages import format_time
from broker.settings import Settings
from broker.topics import Channel
from service.simulator.asking import Asking
from service.simulator.life import Event, Life

HEARTBEAT_S: Final = 10.0
KEPT_COUNT_MAX: Final = 1_000
"""Messages that a machine keeps while the broker is away; then the oldest go."""
_BATCH_COUNT_MAX: Final = 100

log = structlog.get_logger(__name__)


class MachineLink:
    """A machine that sends what it is handed, in order, whether the broker is there or not."""

    def __init__(  # noqa: PLR0913 - each is a fact of the machine
        self,
        settings: Settings,
        line: str,
        machine_id: str,
        life: Life,
        away: set[str],
        *,
        asks: bool = False,
    ) -> None:
        """Prepare the link; `run` opens it.

        Args:
            settings: Broker and topics.
            line: Where the machine stands.
            machine_id: Its name, in topic and client id.
            life: Names the session.
            away: The machines that cannot reach the broker, shared by all of them: one line in the
                log says it for the floor.
            asks: It asks before each run, and sends none that is refused.
        """
        template = settings.template()
        self._machine_id = machine_id
        self._settings, self._life, self._away = settings.broker, life, away
        self._client_id = f"{machine_id}-{life.epoch}"
        self._test_topic = template.format(machine_id, Channel.TEST, line=line)
        self._state_topic = template.format(machine_id, Channel.STATE, line=line)
        self._asking = Asking(template, line, machine_id) if asks else None
        self._outbox: deque[Event] = deque()
        self._arrived, self._moved = asyncio.Event(), asyncio.Event()
        self._connection: Connection | None = None
        self._beat_at_s = 0.0
        self._is_ending = False
        self.dropped = 0
        """Messages lost because the broker was away for too long."""

    async def hand(self, event: Event) -> None:
        """Take over one event. Waits while the broker is there but slow."""
        while len(self._outbox) >= KEPT_COUNT_MAX and self._connection is not None:
            await self._next_move()
        if len(self._outbox) >= KEPT_COUNT_MAX:
            self._outbox.popleft()
            self.dropped += 1
        self._outbox.append(event)
        self._arrived.set()

    async def emptied(self) -> None:
        """Wait until the broker has everything handed over so far."""
        while self._outbox:
            await self._next_move()

    def finish(self) -> None:
        """Let `run` end once the broker has everything."""
        self._is_ending = True
        self._arrived.set()

    async def run(self) -> None:
        """Send until `finish`, over as many connections as it takes.

        Raises:
            BrokerRefused: The broker refuses the login.
        """
        failures = 0
        while not (self._is_ending and not self._outbox):
            try:
                await self._open()
                failures = 0
                await self._serve()
            except BrokerUnavailable as error:
                self._lose(error)
                low_s, high_s = (
                    self._settings.retry_delay_min_s,
                    self._settings.retry_delay_max_s,
                )
                await asyncio.sleep(backoff_s(failures, low_s, high_s))
                failures += 1

    async def say_goodbye(self) -> None:
        """Say `offline` and close, so that no last will is needed. A lost broker is let be."""
        connection, self._connection = self._connection, None
        if self._asking is not None:
            self._asking.end()
        if connection is None:
            return
        try:
            with contextlib.suppress(BrokerUnavailable):
                await connection.publish([self._state("offline")])
        finally:
            await connection.close()

    async def _open(self) -> None:
        connection = Connection(self._settings, self._client_id, will=self._state("offline"))
        try:
            await connection.open()
            if self._asking is not None:
                await self._asking.listen(connection)
        except BaseException:
            connection.abort()
            raise
        self._connection = connection
        self._beat_at_s = 0.0  # the birth is the first heartbeat
        if self._machine_id in self._away:
            self._away.remove(self._machine_id)
            if not self._away:
                log.info("broker_back")
        if self.dropped:
            log.warning("messages_dropped", machine_id=self._machine_id, count=self.dropped)
            self.dropped = 0

    def _lose(self, error: BrokerUnavailable) -> None:
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
        self._moved.set()
        if not self._away:
            log.warning("broker_lost", reason=str(error))
        self._away.add(self._machine_id)

    async def _serve(self) -> None:
        """Send over one connection until the end, or until the machine is to be cut off."""
        while connection := self._connection:
            if time.monotonic() >= self._beat_at_s:
                await connection.publish([self._state("online")])
                self._beat_at_s = time.monotonic() + HEARTBEAT_S
            batch = self._batch()
            if batch:
                await self._send(connection, batch)
                self._forget(len(batch))
            elif self._outbox:
                await self._follow(self._outbox[0])
            elif self._is_ending:
                return
            else:
                await self._rest()

    def _batch(self) -> list[Event]:
        results = takewhile(lambda event: event.channel is Channel.TEST, self._outbox)
        return list(islice(results, _BATCH_COUNT_MAX))

    async def _send(self, connection: Connection, batch: list[Event]) -> None:
        if self._asking is not None:
            batch = await self._asking.allowed(connection, batch)
        await connection.publish([Outgoing(self._test_topic, each.payload()) for each in batch])

    async def _follow(self, event: Event) -> None:
        """Go offline without a word, and stay so until the floor sends something else."""
        self._forget(1)
        if not event.goes_offline or self._connection is None:
            return
        self._connection.abort()
        self._connection = None
        while not self._outbox and not self._is_ending:
            self._arrived.clear()
            await self._arrived.wait()

    async def _rest(self) -> None:
        self._arrived.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._beat_at_s - time.monotonic()):
                await self._arrived.wait()

    async def _next_move(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def _forget(self, count: int) -> None:
        for _ in range(count):
            self._outbox.popleft()
        self._moved.set()

    def _state(self, status: str) -> Outgoing:
        message = self._life.state(status, format_time(datetime.now(UTC)))
        return Outgoing(self._state_topic, orjson.dumps(message), retain=True)

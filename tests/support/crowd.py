"""Very many machines on one broker: raw sockets in one event loop, each as its agent would be.

Each keeps what it sent until the receipt, repeats it, and when its connection is lost comes back
with full jitter. Nothing of our code: what they sent is a list of their own.
"""

import asyncio
import contextlib
import json
import random
import resource
import threading
from datetime import UTC, datetime
from typing import Final, Self

from tests.support.keeper import Key, key_of
from tests.support.raw_mqtt import (
    CONNACK,
    DISCONNECT,
    KEEPALIVE_S,
    PINGREQ,
    PUBLISH,
    SUBACK,
    Packets,
    connect_packet,
    publish_packet,
    published,
    subscribe_packet,
)
from tests.support.waiting import eventually_sync

Message = tuple[str, bytes]
RETRY_MIN_S, RETRY_MAX_S = 0.1, 30.0  # as the agent's settings are
_READ_BYTES: Final = 1 << 16
_ANSWER_S: Final = 30
_OTHER_FILES: Final = 500  # of the process itself, and of the database


def take_file_handles(count: int) -> None:
    """Let this process, and those it starts from now on, open so many sockets and some files.

    Raises:
        AssertionError: The machine does not let us; it says which limit to raise.
    """
    needed = count + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard >= needed, (
        f"{count:,} sockets need {needed:,} file handles, and this machine allows {hard:,}."
        f" Raise the hard limit (ulimit -Hn {needed}), or take fewer machines."
    )
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


class Crowd:
    """So many machines, from now on connected or trying to be, until `close`.

    Args:
        port: Of the broker.
        count: How many; they are named CROWD-00000 and so on.
        root: Of their topics; a message is published on its `test`.
        answer: The channel on which the word comes that a message has arrived. With `test` each
            machine hears itself, and nobody else is needed.
        repeat_s: After so long without that word a message is sent again.
    """

    def __init__(
        self,
        port: int,
        count: int,
        *,
        root: str = "factory/v1/L1",
        answer: str = "receipt",
        repeat_s: float = 10,
    ) -> None:
        self.sent: dict[Key, Message] = {}
        """Its own list: all that it was given."""
        self._given = 0
        self._root = root
        topics = [f"{root}/CROWD-{number:05}" for number in range(count)]
        self._machines = [_Machine(port, topic, answer, repeat_s) for topic in topics]
        self._loop = asyncio.new_event_loop()
        self._is_over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="crowd", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def connected(self) -> int:
        """How many hear what is said to them at this moment."""
        return sum(each.is_there for each in self._machines)

    @property
    def waiting(self) -> int:
        """How many messages have not been answered."""
        return sum(len(each.waiting) for each in self._machines)

    @property
    def life(self) -> str:
        """What it does, for who waits in vain."""
        return f"{self.connected} of {len(self._machines)} connected, {self.waiting} unanswered"

    def give(self) -> None:
        """Have each machine test one more unit, and send it as soon as it is connected."""
        self._given += 1
        given = [_flat(each.topic, self._given) for each in self._machines]
        self.sent |= {key_of(message): message for message in given}
        self._loop.call_soon_threadsafe(self._hand_out, given)

    def wait_until_all_are_there(self, timeout_s: float) -> None:
        """Wait until every machine is connected, has subscribed, and has all its answers."""
        count = len(self._machines)
        eventually_sync(
            lambda: self.connected == count and not self.waiting, timeout_s, saw=lambda: self.life
        )

    def close(self) -> None:
        """Say goodbye and end the thread."""
        self._loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join(_ANSWER_S)
        assert not self._thread.is_alive(), "the crowd hangs"

    # -- in the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        tasks = [asyncio.create_task(each.live()) for each in self._machines]
        await self._is_over.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _hand_out(self, given: list[Message]) -> None:
        for machine, message in zip(self._machines, given, strict=True):
            machine.take(message)


class _Machine:
    """One machine and its agent."""

    def __init__(self, port: int, topic: str, answer: str, repeat_s: float) -> None:
        self.topic = topic
        self.waiting: dict[str, Message] = {}
        """What has no answer yet, by message_id."""
        self.is_there = False
        """It is connected and subscribed."""
        self._port, self._answer, self._repeat_s = port, answer, repeat_s
        self._packet_id = 0
        self._packets = Packets()
        self._writer: asyncio.StreamWriter | None = None

    def take(self, message: Message) -> None:
        """Keep a message, and send it if there is a connection."""
        self.waiting[key_of(message)[1]] = message
        if self.is_there:
            self._publish(message)

    async def live(self) -> None:
        """Be connected, or try to be, until cancelled."""
        attempt = 0
        while True:
            with contextlib.suppress(OSError, EOFError, TimeoutError):
                await self._connect()
                attempt = 0
                await self._listen()
            self.is_there = False
            await asyncio.sleep(random.uniform(0, min(RETRY_MAX_S, RETRY_MIN_S * 2**attempt)))
            attempt += 1

    async def _connect(self) -> None:
        async with asyncio.timeout(_ANSWER_S):
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._packets = Packets()
        self._writer.write(connect_packet(self.topic.rpartition("/")[2]))

    async def _listen(self) -> None:
        assert self._writer
        try:
            while True:
                try:
                    async with asyncio.timeout(self._patience_s):
                        data = await self._reader.read(_READ_BYTES)
                except TimeoutError:
                    self._say_again()
                    continue
                if not data:
                    raise EOFError
                for first, body in self._packets.feed(data):
                    self._hear(first, body)
        finally:
            if self.is_there:
                self._writer.write(DISCONNECT)
            self._writer.close()

    @property
    def _patience_s(self) -> float:
        if not self.is_there:
            return _ANSWER_S
        return self._repeat_s if self.waiting else KEEPALIVE_S / 2

    def _say_again(self) -> None:
        assert self._writer
        if not self.is_there:
            raise TimeoutError  # neither CONNACK nor SUBACK: another connection
        for message in self.waiting.values():
            self._publish(message)
        self._writer.write(PINGREQ)

    def _hear(self, first: int, body: bytes) -> None:
        assert self._writer
        match first >> 4:
            case kind if kind == CONNACK:
                if body[1]:
                    raise EOFError
                self._writer.write(subscribe_packet(f"{self.topic}/{self._answer}"))
            case kind if kind == SUBACK:
                self.is_there = True
                for message in self.waiting.values():
                    self._publish(message)
            case kind if kind == PUBLISH:
                _, payload, ack = published(first, body)
                self._writer.write(ack)
                said = json.loads(payload)
                for message_id in said.get("message_ids") or [said["message_id"]]:
                    self.waiting.pop(message_id, None)

    def _publish(self, message: Message) -> None:
        assert self._writer
        self._packet_id = self._packet_id % 65_535 + 1
        self._writer.write(publish_packet(*message, self._packet_id))


def _flat(topic: str, number: int) -> Message:
    machine_id = topic.rpartition("/")[2]
    body = {
        "barcode": f"{machine_id}-{number}",
        "product_id": "PROD-A",
        "test_step": "voltage_test",
        "measured_value": 85.5,
        "low": 80.0,
        "timestamp": datetime.now(UTC).isoformat(),
        "message_id": f"unit-{number}",
    }
    return f"{topic}/test", json.dumps(body).encode()

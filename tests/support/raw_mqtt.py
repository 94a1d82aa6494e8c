"""A small MQTT 3.1.1 client for load and for oracles: the standard library and none of our code.

It shares nothing with `broker/link.py`, so a mistake there cannot hide itself here. It speaks to a
broker on this machine, without login.

Source: MQTT 3.1.1 (OASIS, 2014), chapters 2 and 3.
"""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self

CONNACK, PUBLISH, _PUBACK, SUBACK = 2, 3, 4, 9
PINGREQ, DISCONNECT = b"\xc0\x00", b"\xe0\x00"
KEEPALIVE_S = 60
_PACKET_IDS = 65_535
_TOGETHER = 50  # packets a write: fewer system calls, still a stream
_READ_BYTES = 1 << 18


class Heard(NamedTuple):
    """One message that arrived."""

    topic: str
    payload: bytes
    at: float
    """`time.monotonic()` at which it was read, the same clock in every process."""

    @property
    def channel(self) -> str:
        """The last level of the topic."""
        return self.topic.rpartition("/")[2]


class Packets:
    """Whole packets out of a stream of bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield (first byte, body) of every packet that is complete."""
        data = self._rest + data
        at = 0
        while (found := _length(data, at + 1)) is not None:
            body, length = found
            if len(data) < body + length:
                break
            yield data[at], data[body : body + length]
            at = body + length
        self._rest = data[at:]


class Sender:
    """Publishes at QoS 1 with a window, and remembers nothing: the caller has the list.

    Closing it says goodbye; use it as a context manager.

    Args:
        port: Of the broker.
        client_id: Its name there.
        timeout_s: How long the broker may be silent while a PUBACK is missing; None: for ever.
    """

    def __init__(self, port: int, client_id: str, timeout_s: float | None = None) -> None:
        self._link = connect(port, client_id)
        self._link.settimeout(timeout_s)
        self._timeout_s = timeout_s
        self._packets = Packets()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _leave(self._link)

    def send(
        self,
        messages: Sequence[tuple[str, bytes]],
        *,
        window: int = 1_000,
        per_second: float | None = None,
    ) -> list[float]:
        """Publish in order until every PUBACK is here.

        Args:
            messages: Topic and payload.
            window: At most so many without their PUBACK.
            per_second: An even pace; None: as fast as the window lets them.

        Returns:
            For each message the `time.monotonic()` at which it was handed to the kernel.

        Raises:
            ConnectionError: The broker closed the connection, or is silent.
        """
        ids = itertools.cycle(range(1, _PACKET_IDS + 1))
        packets = [publish_packet(*each, next(ids)) for each in messages]
        together = _TOGETHER
        if per_second is not None:  # a pace is even only if few leave together
            together = max(1, min(_TOGETHER, int(per_second / 500)))
        times: list[float] = []
        confirmed, start = 0, time.monotonic()
        while confirmed < len(packets):
            while len(times) < min(len(packets), confirmed + window):
                if per_second is not None:
                    confirmed += self._until(start + len(times) / per_second)
                some = packets[len(times) : min(len(times) + together, confirmed + window)]
                self._link.sendall(b"".join(some))
                times += [time.monotonic()] * len(some)
            confirmed += self._pubacks(None)
        return times

    def _until(self, moment: float) -> int:
        """Wait for a moment; return the PUBACKs that came meanwhile."""
        count = 0
        while (left := moment - time.monotonic()) > 0:
            count += self._pubacks(left)
        return count

    def _pubacks(self, timeout_s: float | None) -> int:
        self._link.settimeout(self._timeout_s if timeout_s is None else timeout_s)
        try:
            data = self._link.recv(_READ_BYTES)
        except TimeoutError as error:
            if timeout_s is None:
                raise ConnectionError("the broker is silent") from error
            return 0
        finally:
            self._link.settimeout(self._timeout_s)
        if not data:
            raise ConnectionError("the broker closed the sender's connection")
        return sum(first >> 4 == _PUBACK for first, _ in self._packets.feed(data))


class Listener:
    """Subscribes, acknowledges and keeps all that it hears, on a thread of its own."""

    def __init__(self, port: int, client_id: str, *filters: str, qos: int = 1) -> None:
        self.heard: list[Heard] = []
        """In order of arrival; only ever appended to."""
        self._link = connect(port, client_id)
        self._packets = Packets()
        self._is_subscribed = threading.Event()
        self._thread = threading.Thread(target=self._listen, name=client_id, daemon=True)
        self._thread.start()
        self._link.sendall(subscribe_packet(*filters, qos=qos))
        assert self._is_subscribed.wait(10), "no SUBACK"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._thread.join(10)
        self._link.close()

    @property
    def is_connected(self) -> bool:
        """Whether it still listens."""
        return self._thread.is_alive()

    def _listen(self) -> None:
        self._link.settimeout(KEEPALIVE_S / 3)
        with contextlib.suppress(OSError):
            while True:
                try:
                    data = self._link.recv(_READ_BYTES)
                except TimeoutError:
                    self._link.sendall(PINGREQ)
                    continue
                if not data:
                    return
                if acks := b"".join(self._take(data)):
                    self._link.sendall(acks)

    def _take(self, data: bytes) -> Iterator[bytes]:
        """Keep what arrived; yield the acknowledgements."""
        now = time.monotonic()
        for first, body in self._packets.feed(data):
            if first >> 4 == SUBACK:
                assert 0x80 not in body[2:], "the broker denies a filter"
                self._is_subscribed.set()
            elif first >> 4 == PUBLISH:
                topic, payload, ack = published(first, body)
                self.heard.append(Heard(topic, payload, now))
                yield ack


def connect(
    port: int, client_id: str, *, clean_session: bool = True, will: tuple[str, bytes] | None = None
) -> socket.socket:
    """Log in; return the socket, blocking and without Nagle.

    Args:
        port: Of the broker.
        client_id: Its name there.
        clean_session: Whether the broker is to forget what it had for that name.
        will: Topic and payload of what the broker says, retained, when the connection is lost.

    Raises:
        ConnectionError: The broker refuses.
    """
    link = socket.create_connection(("127.0.0.1", port), timeout=10)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.sendall(connect_packet(client_id, clean_session=clean_session, will=will))
    answer = link.recv(4)  # nothing follows it before we subscribe
    if len(answer) != 4 or answer[0] >> 4 != CONNACK or answer[3]:
        link.close()
        raise ConnectionError(f"the broker refused {client_id}: {answer!r}")
    link.settimeout(None)
    return link


def connect_packet(
    client_id: str, *, clean_session: bool = True, will: tuple[str, bytes] | None = None
) -> bytes:
    """Return a CONNECT packet without login, keepalive `KEEPALIVE_S`; a will is for QoS 1."""
    flags = bytes([(0x02 if clean_session else 0) | (0x2C if will else 0)])
    body = b"".join((b"\x00\x04MQTT\x04", flags, KEEPALIVE_S.to_bytes(2), _text(client_id)))
    if will:
        topic, payload = will
        body += _text(topic) + len(payload).to_bytes(2) + payload
    return b"\x10" + _as_length(len(body)) + body


def subscribe_packet(*filters: str, qos: int = 1) -> bytes:
    """Return a SUBSCRIBE packet, its packet id 1."""
    wanted = b"".join(_text(each) + bytes([qos]) for each in filters)
    return b"\x82" + _as_length(2 + len(wanted)) + b"\x00\x01" + wanted


def publish_packet(topic: str, payload: bytes, packet_id: int) -> bytes:
    """Return a PUBLISH packet at QoS 1, not retained."""
    body = b"".join((_text(topic), packet_id.to_bytes(2), payload))
    return b"".join((b"\x32", _as_length(len(body)), body))


def published(first: int, body: bytes) -> tuple[str, bytes, bytes]:
    """Return a PUBLISH packet's topic and payload, and its PUBACK; that is empty at QoS 0."""
    topic_end = payload_at = 2 + int.from_bytes(body[:2])
    ack = b""
    if first & 0x06:
        payload_at += 2
        ack = b"\x40\x02" + body[topic_end:payload_at]
    return body[2:topic_end].decode(), body[payload_at:], ack


def heard_on(heard: Iterable[Heard], channel: str) -> list[Heard]:
    """Return those of one channel."""
    return [each for each in heard if each.channel == channel]


def _leave(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.sendall(DISCONNECT)
    link.close()


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2) + encoded


def _as_length(count: int) -> bytes:
    encoded = bytearray()
    while True:
        count, seven = divmod(count, 128)
        encoded.append(seven | (0x80 if count else 0))
        if not count:
            return bytes(encoded)


def _length(data: bytes, at: int) -> tuple[int, int] | None:
    """Return (start of the body, its length); None while more bytes are needed."""
    length = 0
    for number, byte in enumerate(data[at : at + 4]):
        length |= (byte & 0x7F) << 7 * number
        if byte < 0x80:
            return at + number + 1, length
    return None

"""An express lane for the two packets that a lossless end handles by the thousand: PUBLISH, PUBACK.

Pure: bytes in, bytes out. MQTT 3.1.1 only. paho still does all the rest (connecting, login, TLS,
will, subscriptions, pings, protocol errors); it never sees these two. Through paho a result costs
about 50 µs (a condition variable for each message, a reason-code object for each PUBACK), through
here about 5: docs/decisions/001-paho-with-an-express-lane.md has the measurements.

Source: MQTT 3.1.1 (OASIS, 2014), sections 2.2 (fixed header), 3.3 (PUBLISH), 3.4 (PUBACK).
"""

import struct
from collections.abc import Callable

_PUBLISH, _PUBACK = 0x30, 0x40
_QOS_1, _RETAIN = 0x02, 0x01
_LENGTH_BYTES_MAX = 4
_PACKET_ID_MAX = 0xFFFF
_two = struct.Struct("!H")


def publish_packet(topic: bytes, payload: bytes, packet_id: int, *, retain: bool) -> bytes:
    """Return a PUBLISH packet at QoS 1."""
    length = 4 + len(topic) + len(payload)
    head = bytearray([_PUBLISH | _QOS_1 | retain])
    while length > 0x7F:  # noqa: PLR2004 - seven bits a byte
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return b"".join((head, _two.pack(len(topic)), topic, _two.pack(packet_id), payload))


def puback_packet(packet_id: int) -> bytes:
    """Return a PUBACK packet."""
    return b"\x40\x02" + _two.pack(packet_id)


class PacketIds:
    """Packet ids for our PUBLISHes: the upper half, so that they never meet paho's SUBSCRIBEs."""

    def __init__(self) -> None:
        self._last = _PACKET_ID_MAX // 2

    def next(self) -> int:
        """Return the next id; they come round after 32,768."""
        self._last = self._last + 1 if self._last < _PACKET_ID_MAX else _PACKET_ID_MAX // 2 + 1
        return self._last


class ExpressLane:
    """Takes whole PUBLISH and PUBACK packets out of what arrives, in order."""

    def __init__(
        self,
        on_publish: Callable[[bytes, bytes, int, bool], None],
        on_puback: Callable[[int], None],
    ) -> None:
        """Say who gets them.

        Args:
            on_publish: Called with topic, payload, packet id (0 at QoS 0) and the retain flag.
            on_puback: Called with the packet id.
        """
        self._on_publish = on_publish
        self._on_puback = on_puback
        self._kept: list[bytes] = []  # the start of a packet, in the pieces it came in
        self._missing = 0  # at least so many bytes of it are still to come

    def take(self, arrived: bytes) -> bytes:
        """Handle the express packets in `arrived` and return the others, whole.

        The start of a packet that is not complete yet is kept for the next call.

        Raises:
            ConnectionError: What arrives is not MQTT; the connection is of no more use.
        """
        if self._kept:  # joined once, not at every piece: a long packet comes in thousands
            self._kept.append(arrived)
            self._missing -= len(arrived)
            if self._missing > 0:
                return b""
            arrived = b"".join(self._kept)
            self._kept.clear()
        try:
            return self._take_whole(arrived)
        except struct.error as error:
            raise ConnectionError("a PUBLISH packet that ends before its topic does") from error

    def _take_whole(self, data: bytes) -> bytes:
        others: list[bytes] = []
        missing = 1
        at, end = 0, len(data)
        while end - at >= 2:  # noqa: PLR2004 - the shortest packet
            body, length = at + 2, data[at + 1]
            if length > 0x7F:  # noqa: PLR2004 - the length goes on in the next byte
                found = _long_length(data, at + 1)
                if found is None:
                    break
                body, length = found
            if end - body < length:
                missing = length - (end - body)
                break
            kind = data[at] & 0xF0
            if kind == _PUBLISH:
                self._publish(data, at, body, body + length)
            elif kind == _PUBACK and length == 2:  # noqa: PLR2004 - a packet id
                self._on_puback(_two.unpack_from(data, body)[0])
            else:
                others.append(data[at : body + length])
            at = body + length
        if at < end:
            self._kept.append(data[at:])
            self._missing = missing
        return b"".join(others)

    def _publish(self, data: bytes, at: int, body: int, end: int) -> None:
        flags = data[at]
        topic_end = body + 2 + _two.unpack_from(data, body)[0]
        payload_at, packet_id = topic_end, 0
        if flags & 0x06:
            packet_id = _two.unpack_from(data, topic_end)[0]
            payload_at += 2
        if payload_at > end:
            raise ConnectionError("a PUBLISH packet that ends before its topic does")
        retained = bool(flags & _RETAIN)
        self._on_publish(data[body + 2 : topic_end], data[payload_at:end], packet_id, retained)


def _long_length(data: bytes, at: int) -> tuple[int, int] | None:
    """Return (start of the body, remaining length); None while more bytes are needed."""
    length = 0
    for number in range(_LENGTH_BYTES_MAX):
        if at + number >= len(data):
            return None
        byte = data[at + number]
        length |= (byte & 0x7F) << 7 * number
        if byte <= 0x7F:  # noqa: PLR2004
            return at + number + 1, length
    raise ConnectionError("a packet with a length of more than four bytes")

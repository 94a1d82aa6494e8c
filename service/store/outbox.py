"""The outbox: the answers of a committed batch, kept until the broker has confirmed them.

Without it a crash between commit and publish would leave a stored result unpublished whenever the
broker has lost our session too, and with it the message that would make us answer again.
"""

import struct
from collections.abc import Iterable, Iterator

from broker.envelopes import Outgoing
from service.store.drivers import table

OUTBOX = table("outbox", id="int8", service="text", body="bytea")
_HEAD = struct.Struct("!HI")  # bytes of the topic, bytes of the payload


def pack(messages: Iterable[Outgoing]) -> bytes:
    """Return messages one behind the other; no answer is retained or has a correlation."""
    parts: list[bytes] = []
    for message in messages:
        topic = message.topic.encode()
        parts += (_HEAD.pack(len(topic), len(message.payload)), topic, message.payload)
    return b"".join(parts)


def unpack(body: bytes) -> Iterator[Outgoing]:
    """Yield what `pack` was given."""
    at = 0
    while at < len(body):
        topic_bytes, payload_bytes = _HEAD.unpack_from(body, at)
        at += _HEAD.size
        topic = body[at : at + topic_bytes].decode()
        at += topic_bytes
        yield Outgoing(topic, body[at : at + payload_bytes])
        at += payload_bytes

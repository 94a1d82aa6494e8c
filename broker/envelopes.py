"""One message on its way: to be published, or arrived. Pure: no I/O."""

from typing import NamedTuple


class Outgoing(NamedTuple):
    """One message to publish, at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False
    correlation: bytes | None = None
    """Correlation data of the question that it answers (MQTT 5 only)."""


class Delivery(NamedTuple):
    """One message that arrived and waits for `Connection.ack`."""

    topic: str
    payload: bytes
    packet_id: int
    retained: bool
    response_topic: str | None = None
    """Where the sender wants its answer (MQTT 5 only)."""
    correlation: bytes | None = None
    """What the answer is to carry (MQTT 5 only)."""

"""What one transaction adds to the spool: messages, and records that are not sent. Pure: no I/O."""

from dataclasses import dataclass, field
from typing import NamedTuple

from edge_agent.payload import Numbering, Payload


class Refusal(NamedTuple):
    """A record that is not sent: it was not understood, or is too large."""

    byte_start: int
    byte_end: int
    reason: str
    content: bytes
    """Its bytes, of a very long one the first."""


@dataclass
class Batch:
    """What one transaction adds: up to 200 records of one file."""

    machine_id: str
    numbering: Numbering
    messages: list[Payload] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    read_count: int = 0
    payload_bytes: int = 0
    refused_bytes: int = 0

    def add(self, payload: Payload) -> None:
        """Take a message and the sequence numbers it used."""
        self.messages.append(payload)
        self.payload_bytes += len(payload.body)
        epoch, seq = self.numbering
        self.numbering = Numbering(epoch, seq + payload.numbers_used)

    def refuse(self, refusal: Refusal) -> None:
        """Take a record that is not sent."""
        self.read_count += 1
        self.refusals.append(refusal)
        self.refused_bytes += len(refusal.content)

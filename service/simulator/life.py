"""What the simulated floor hands over: events, and the life that makes their ids and times its own.

Pure: no I/O, no clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias
from zlib import crc32

import orjson

from broker.messages import format_time
from broker.topics import Channel

SERIALS: Final = 1_000_000
"""Barcodes end in six digits."""

Message: TypeAlias = dict[str, Any]


class Event(NamedTuple):
    """One message, and when it is due."""

    due_s: float
    """Offset from the start; below zero it is history."""
    line: str
    machine_id: str
    channel: Channel
    message: Message | list[Message] | bytes
    """Bytes are sent as they are: no JSON at all."""

    @property
    def runs(self) -> int:
        """How many results the service should make of it."""
        if self.channel is not Channel.TEST or isinstance(self.message, bytes):
            return 0
        messages = self.message if isinstance(self.message, list) else [self.message]
        return sum(1 for each in messages if each["barcode"])

    @property
    def goes_offline(self) -> bool:
        """Tell whether the machine is cut off here: the broker is to say so, not the machine."""
        return isinstance(self.message, dict) and self.message.get("status") == "offline"

    def payload(self) -> bytes:
        """Return the bytes on the wire."""
        return self.message if isinstance(self.message, bytes) else orjson.dumps(self.message)


@dataclass(frozen=True, slots=True)
class Life:
    """One start of the simulator."""

    seed: int
    started_at: datetime
    """Aware, UTC: the moment of offset 0."""
    speed: float = 1.0
    """Seconds of the floor in one second of the clock."""

    @property
    def epoch(self) -> str:
        """The name of this life, in every message_id: another start never repeats it."""
        return f"{self.seed:x}.{round(self.started_at.timestamp() * 1000):x}"

    def moment(self, at_s: float) -> str:
        """Return the time that the machines' clocks show at an offset, to the millisecond."""
        passed = timedelta(milliseconds=round(at_s / self.speed * 1000))
        return format_time(self.started_at + passed)

    def first_serial(self, prefix: str) -> int:
        """Return where this life starts to count the units of one product."""
        return crc32(f"{self.epoch}/{prefix}".encode()) % SERIALS

    def barcode(self, prefix: str, serial: int) -> str:
        """Return a unit's barcode: product, year and week, serial, such as EC41-2647-018832."""
        year, week, _ = self.started_at.isocalendar()
        return f"{prefix}-{year % 100:02}{week:02}-{serial % SERIALS:06}"

    def state(self, status: str, moment: str) -> Message:
        """Return a machine's word on itself, `online` or `offline`."""
        return {"status": status, "at": moment, "session": self.epoch}


def first_runs(events: Iterator[Event], runs: int) -> Iterator[Event]:
    """Yield events until they hold `runs` results; a panel that is too large is cut."""
    left = runs
    for event in events:
        if isinstance(event.message, list) and event.runs > left:
            yield event._replace(message=event.message[:left])
        else:
            yield event
        left -= event.runs
        if left <= 0:
            return

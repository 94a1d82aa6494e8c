"""One machine of the live floor, and the order that machines stand in. Pure: no I/O.

Times are seconds since 1970 UTC. Memory is bounded: see the limits below.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from ui.figures import Tally
from ui.seen import Seen

TAPE_RUNS_MAX: Final = 200
RUNS_MAX: Final = 50
HOUR_S: Final = 3600
_MINUTE_S: Final = 60
_MINUTES_MAX: Final = 120


@dataclass(slots=True)
class Machine:
    """One machine: its last runs, its own word on itself, and its figures of the shift."""

    machine_id: str
    line: str
    tape: deque[str] = field(default_factory=lambda: deque(maxlen=TAPE_RUNS_MAX))
    runs: deque[Seen] = field(default_factory=lambda: deque(maxlen=RUNS_MAX))
    """Oldest first."""
    last_s: float | None = None
    """When its last result was received."""
    online_s: float | None = None
    """Since when it is online by its own word; 0: since before anybody here listened."""
    offline_s: float | None = None
    """Since when it is offline by its own last will; None: it is not."""
    agent: dict[str, object] | None = None
    agent_s: float | None = None
    """When its agent said so."""
    skew_s: float | None = None
    """How far its clock was ahead of ours at its newest live heartbeat; None: it sent none."""
    tally: Tally = field(default_factory=Tally)
    outcomes: Counter[str] = field(default_factory=Counter)
    """Runs of the shift by tape mark."""
    retests: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    """Failed runs of the shift by first failure."""
    products: set[str] = field(default_factory=set)
    """What it tested in the shift."""
    minutes: dict[int, int] = field(default_factory=dict)
    """Runs by the minute in which they began, of about the last hour."""

    @property
    def last(self) -> Seen | None:
        """Its newest run."""
        return self.runs[-1] if self.runs else None

    def trailing(self, marks: str) -> int:
        """Return how many of the newest runs in a row bear one of `marks`."""
        count = 0
        for mark in reversed(self.tape):
            if mark not in marks:
                break
            count += 1
        return count

    def rate_per_hour(self, now_s: float) -> float | None:
        """Return runs an hour over the last hour, or since its first run when that is less."""
        floor = _floor(now_s)
        newest = {minute: runs for minute, runs in self.minutes.items() if minute >= floor}
        if not newest:
            return None
        span_s = min(HOUR_S, max(_MINUTE_S, now_s - min(newest) * _MINUTE_S))
        return sum(newest.values()) * HOUR_S / span_s

    def count_minute(self, began_s: float) -> None:
        """Count a run for the rate."""
        minute = int(began_s // _MINUTE_S)
        self.minutes[minute] = self.minutes.get(minute, 0) + 1
        if len(self.minutes) > _MINUTES_MAX:
            floor = _floor(max(self.minutes) * _MINUTE_S)
            self.minutes = {at: runs for at, runs in self.minutes.items() if at >= floor}


def _floor(now_s: float) -> float:
    """Return the first minute of the last hour."""
    return (now_s - HOUR_S) // _MINUTE_S


def natural(name: str) -> list[tuple[bool, int, str]]:
    """Return a sort key that puts FCT-2 before FCT-12."""
    parts: list[tuple[bool, int, str]] = []
    digits = ""
    for letter in f"{name}\0":
        if letter.isascii() and letter.isdigit():
            digits += letter
            continue
        if digits:
            parts.append((False, int(digits), ""))
            digits = ""
        parts.append((True, 0, letter.casefold()))
    return parts

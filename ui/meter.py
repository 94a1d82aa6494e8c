"""How the live feed of a web process does: what its frames take, and who could not keep up.

Pure: no I/O, no clock.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import ceil
from typing import Final, NamedTuple

KEPT: Final = 300
"""Measured values of each kind that are kept: of frames the last minutes, of pings ten."""


class AgentWord(NamedTuple):
    """What a machine's agent last said of itself."""

    machine_id: str
    line: str
    status: str
    """live, stale, offline or never, of the machine."""
    facts: Mapping[str, object]
    said_s: float | None
    """When, in seconds since 1970."""
    is_offline: bool
    """Its last will was heard, and nothing since."""
    skew_s: float | None = None
    """How far its clock is ahead of ours; None: it cannot be told."""


class FeedFacts(NamedTuple):
    """What the feed knows of itself; all of it is empty in a process without pages."""

    viewers: int = 0
    """Open pages."""
    frames: int = 0
    """Frames sent since the start, one a viewer."""
    frames_skipped: int = 0
    """Frames a viewer went without: slow, or its tab hidden."""
    frame_ms: Sequence[float] = ()
    """What the newest ticks took to encode and hand over, oldest first."""
    late_ms: Sequence[float] = ()
    """How much later than wanted the newest ticks came."""
    pings_ms: Sequence[float] = ()
    """What the database took to answer the newest small questions."""
    agents: Sequence[AgentWord] = ()


def _newest() -> deque[float]:
    return deque(maxlen=KEPT)


@dataclass(slots=True)
class Meter:
    """Counts and times of one process."""

    frames: int = 0
    skipped: int = 0
    frame_ms: deque[float] = field(default_factory=_newest)
    late_ms: deque[float] = field(default_factory=_newest)
    pings_ms: deque[float] = field(default_factory=_newest)


def quantile_of_classes(
    bounds: Sequence[float], counts: Sequence[int], share: float
) -> float | None:
    """Return the upper end of the class that `share` of all does not exceed; None of nothing.

    Args:
        bounds: Upper ends of the classes, rising; the last class has none, and the last one's end
            stands for it too.
        counts: How many are in each class.
        share: From 0 to 1.
    """
    total = sum(counts)
    if not total:
        return None
    place = bisect_left(list(accumulate(counts)), max(1, ceil(share * total)))
    return bounds[min(place, len(bounds) - 1)]


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the least value that `share` of the values do not exceed; None of no values."""
    if not values:
        return None
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]

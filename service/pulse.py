"""What the parts of a service process say of themselves, for the web app to show and to measure.

All of it adds up since the start of the process. It goes into the database with the heartbeat.
"""

import contextlib
import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from broker.messages import format_time

STAGES: Final = ("judge", "store", "publish", "whole")
"""What happens to a batch: decoded and judged, committed, published; and from first to last."""
BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the classes that times are counted in; the last class has none."""
_ANSWERS: Final = ("allowed", "refused", "invalid", "late")


@dataclass(slots=True)
class Times:
    """Times counted in classes."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one; below 0, where a clock was set back, it is 0."""
        at_least_s = max(0.0, seconds)
        self.counts[bisect_left(BOUNDS_S, at_least_s)] += 1
        self.sum_s += at_least_s


def _no_answers() -> dict[str, int]:
    return dict.fromkeys(_ANSWERS, 0)


def _no_times() -> dict[str, Times]:
    return {stage: Times() for stage in STAGES}


@dataclass(slots=True)
class Pulse:
    """One process; each part writes its own figures, on the event loop."""

    checks: dict[str, int] = field(default_factory=_no_answers)
    """Checks by what became of them: answered (allowed, refused), not understood, too old."""
    stages: dict[str, Times] = field(default_factory=_no_times)
    """How long a batch took, by stage."""
    looked_at: datetime | None = None
    """When this process last looked for alerts; None: another one watches, or none."""
    rules_trouble: str | None = None
    """Why the newest rules are not in force, in a sentence; None: they are."""

    @contextlib.contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count how long the block takes, unless it fails. Once a batch: it costs a microsecond."""
        began_s = time.perf_counter()
        yield
        self.stages[stage].add(time.perf_counter() - began_s)

    def acknowledged(self, received_at: datetime) -> None:
        """Count how long a batch took from its arrival on."""
        self.stages["whole"].add((datetime.now(UTC) - received_at).total_seconds())

    def facts(self) -> dict[str, object]:
        """Return all of it as JSON knows it."""
        return {
            "checks": dict(self.checks),
            "stages": {
                stage: {
                    "bounds_s": BOUNDS_S,
                    "counts": list(times.counts),
                    "sum_s": round(times.sum_s, 6),
                }
                for stage, times in self.stages.items()
            },
            "rules_trouble": self.rules_trouble,
            "looked_at": self.looked_at and format_time(self.looked_at),
        }

"""Yields of what is live, and freshness: the arithmetic of the pages. Pure: no I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

from service.store.queries.arithmetic import (
    Estimate,
    Shift,
    YieldCounts,
    estimate_rolled_throughput,
)


def shift_label(shift: Shift, zone: ZoneInfo) -> str:
    """Return a shift's local times, such as `06:00 - 14:00`."""
    return f"{shift.start.astimezone(zone):%H:%M} \u2013 {shift.end.astimezone(zone):%H:%M}"


@dataclass(slots=True)
class Tally:
    """Units at one procedure: how many, and how many passed in their first and last run."""

    units: int = 0
    first_passed: int = 0
    last_passed: int = 0

    @property
    def first_pass_yield(self) -> float | None:
        """Share of units whose first run passed, 0 to 1; None without units."""
        return self.first_passed / self.units if self.units else None

    @property
    def final_yield(self) -> float | None:
        """Share of units whose last run passed, 0 to 1; None without units."""
        return self.last_passed / self.units if self.units else None


def rolled_yield(tallies: Iterable[Tally]) -> Estimate | None:
    """Return the product of the first pass yields of procedures with its 95 % interval, 0 to 1.

    None where none of them has units.
    """
    return estimate_rolled_throughput(
        YieldCounts(units=each.units, first_passed=each.first_passed) for each in tallies
    )


def usual_interval_s(moments_s: Sequence[float]) -> float | None:
    """Return the median time between results, in seconds; None of fewer than three.

    Results that arrived at the same moment, such as a panel's, count as one.
    """
    times = sorted(set(moments_s))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return median(gaps) if len(gaps) > 1 else None


def stale_after_s(interval_s: float | None, *, least_s: float, factor: float) -> float:
    """Return after how many seconds of silence a machine is stale."""
    return max(least_s, factor * interval_s) if interval_s else least_s

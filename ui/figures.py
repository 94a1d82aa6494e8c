"""Shifts, yields with their doubt, and freshness: the arithmetic of the pages. Pure: no I/O."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

_Z95: Final = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""


class Shift(NamedTuple):
    """One shift, from `start` up to but not including `end`; aware, in the plant's zone."""

    start: datetime
    end: datetime

    @property
    def label(self) -> str:
        """The local times, such as `06:00 - 14:00`."""
        return f"{self.start:%H:%M} \u2013 {self.end:%H:%M}"


def shift_at(moment: datetime, zone: ZoneInfo, starts: Sequence[str]) -> Shift:
    """Return the shift that holds `moment`.

    Args:
        moment: Aware.
        zone: The plant's zone; a shift has 7 or 9 hours where its clock changes.
        starts: Local times such as `06:00`, rising, at least one.
    """
    local = moment.astimezone(zone)
    clocks = [time.fromisoformat(f"{start:0>5}") for start in starts]
    begins = [
        datetime.combine(local.date() + timedelta(days=day), clock, zone)
        for day in (-1, 0, 1)
        for clock in clocks
    ]
    at = moment.astimezone(UTC)  # instants are compared in UTC: wall clocks may repeat an hour
    index = max(i for i, begin in enumerate(begins) if begin.astimezone(UTC) <= at)
    return Shift(begins[index], begins[index + 1])


def wilson(passed: int, count: int) -> tuple[float, float] | None:
    """Return the 95 % interval of a share as (low, high), 0 to 1; None of nothing.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22 (1927).
    """
    if count <= 0:
        return None
    share = passed / count
    z2 = _Z95 * _Z95
    middle = share + z2 / (2 * count)
    half = _Z95 * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    scale = 1 + z2 / count
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


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


def rolled_yield(tallies: Iterable[Tally]) -> float | None:
    """Return the product of the first pass yields of procedures; None where none has units."""
    yields = [tally.first_pass_yield for tally in tallies if tally.units]
    return math.prod(each for each in yields if each is not None) if yields else None


def rolled_interval(tallies: Iterable[Tally]) -> tuple[float, float] | None:
    """Return the 95 % interval of their rolled yield as (low, high), 0 to 1; None without units.

    Where no unit of a procedure passed, no more is claimed than that the product is below every
    procedure's own upper end.

    Source: G. Y. Zou and A. Donner, Construction of confidence limits about effect measures,
    Statistics in Medicine 27 (2008); the HTTP API has the same.
    """
    known = [each for each in tallies if each.units]
    if not known:
        return None
    shares = [each.first_passed / each.units for each in known]
    intervals = [wilson(each.first_passed, each.units) or (0.0, 1.0) for each in known]
    product, highest = math.prod(shares), min(high for _, high in intervals)
    if not product:
        return 0.0, highest
    pairs = list(zip(shares, intervals, strict=True))
    below = math.hypot(*(math.log(share / low) for share, (low, _) in pairs))
    above = math.hypot(*(math.log(high / share) for share, (_, high) in pairs))
    return product * math.exp(-below), min(product * math.exp(above), highest)


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

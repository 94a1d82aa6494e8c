"""Shifts and days of a plant, by its own clock. Pure: no I/O.

A shift begins at a local time. Where the clock changes it is an hour longer or shorter, and so is
the day. A start that the clock skips counts by the offset of before, as Python reads it; of one
that comes twice the first counts.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

_FIRST: Final = datetime(1, 1, 4, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 28, tzinfo=UTC)
"""Calendars end; what a wrong clock puts beyond them counts in the first or the last shift."""
_DAY: Final = timedelta(days=1)


class Shift(NamedTuple):
    """One shift, or one day."""

    name: str
    """Local date and time of its start, such as `2026-11-23 06:00`; of a day `2026-11-23`."""
    start: datetime
    """Aware, UTC."""
    end: datetime
    """Aware, UTC; the first moment that is not in it."""


def shift_at(moment: datetime, zone: ZoneInfo, starts: Sequence[str]) -> Shift:
    """Return the shift that holds a moment.

    Args:
        moment: Aware.
        zone: The plant's.
        starts: Local times such as `06:00`, at least one.
    """
    at = min(max(moment, _FIRST), _LAST).astimezone(UTC)
    today = at.astimezone(zone).date()
    begins = sorted(
        begin
        for day in (today - _DAY, today, today + _DAY)
        for begin in _begins_of(day, zone, tuple(starts))
    )
    return next(
        Shift(name, start, end) for (start, name), (end, _) in pairwise(begins) if start <= at < end
    )


def day_at(moment: datetime, zone: ZoneInfo) -> Shift:
    """Return the plant's day that holds a moment; aware."""
    name, start, end = shift_at(moment, zone, ("00:00",))
    return Shift(name.partition(" ")[0], start, end)


@lru_cache(maxsize=4096)
def _begins_of(
    day: date, zone: ZoneInfo, starts: tuple[str, ...]
) -> tuple[tuple[datetime, str], ...]:
    """Return when the shifts of a local day begin, and their names."""
    clocks = (time.fromisoformat(start.zfill(5)) for start in starts)
    local = [datetime.combine(day, clock) for clock in clocks]
    return tuple(
        (each.replace(tzinfo=zone).astimezone(UTC), each.isoformat(" ", "minutes"))
        for each in local
    )

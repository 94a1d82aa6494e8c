"""Planned breaks by the plant's own clock: when silence is no trouble. Pure: no I/O.

A break is written `12:00-12:30`, or with its days: `sat-sun 00:00-24:00`, `fri 14:00-22:00`. One
whose end is not after its start ends on the next day.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from broker.plant_sections import WEEKDAYS, parse_break

_DAY = timedelta(days=1)


class Break(NamedTuple):
    """One planned break."""

    days: frozenset[int]
    """Days on which it begins, 0 is Monday."""
    start: time
    length: timedelta
    """By the clock on the wall."""


def breaks_of(texts: Iterable[str]) -> tuple[Break, ...]:
    """Return the breaks that the settings name.

    Raises:
        ValueError: One is not written as a break.
    """
    found = []
    for text in texts:
        first, last, start_minute, end_minute = parse_break(text)
        span = (last - first) % len(WEEKDAYS)
        days = frozenset((first + offset) % len(WEEKDAYS) for offset in range(span + 1))
        minutes = end_minute - start_minute
        length = timedelta(minutes=minutes if minutes > 0 else minutes + 24 * 60)
        found.append(Break(days, time(*divmod(start_minute, 60)), length))
    return tuple(found)


def last_break_end(now: datetime, zone: ZoneInfo, breaks: Sequence[Break]) -> datetime | None:
    """Return when the break that ended last, or goes on, ends; aware, UTC. None: none of late.

    A moment after `now`: there is a break now. Breaks that touch or overlap are one.

    Args:
        now: Aware.
        zone: The plant's.
        breaks: In any order.
    """
    today = now.astimezone(zone).date()
    spans = sorted(
        _span(each, day, zone)
        for each in breaks
        for day in (today - _DAY, today, today + _DAY)
        if day.weekday() in each.days
    )
    end: datetime | None = None
    for start, stop in spans:
        if start <= now or (end is not None and start <= end):
            end = stop if end is None else max(end, stop)
    return end


def _span(each: Break, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    start = datetime.combine(day, each.start)
    stop = start + each.length
    return start.replace(tzinfo=zone).astimezone(UTC), stop.replace(tzinfo=zone).astimezone(UTC)


def breaks_within(
    since: datetime, until: datetime, zone: ZoneInfo, breaks: Sequence[Break]
) -> list[tuple[datetime, datetime]]:
    """Return the breaks of a period as (start, end), cut to it, in order; those that touch are one.

    Args:
        since: Aware.
        until: Aware.
        zone: The plant's.
        breaks: In any order.

    Returns:
        Aware, UTC; none of them overlap.
    """
    first, last = since.astimezone(zone).date() - _DAY, until.astimezone(zone).date()
    days = [first + _DAY * offset for offset in range((last - first).days + 1)]
    spans = sorted(
        _span(each, day, zone) for each in breaks for day in days if day.weekday() in each.days
    )
    found: list[tuple[datetime, datetime]] = []
    for start, stop in spans:
        begin, end = max(start, since), min(stop, until)
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        elif begin < end:
            found.append((begin, end))
    return found

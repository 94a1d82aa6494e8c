"""Shifts and days of the plant as ranges of stored times, and hours that two of them share."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from zoneinfo import ZoneInfo

from broker.plant_sections import PlantSettings
from service.core.shifts import Shift, day_at, shift_at
from service.store.codes import HOUR_US
from service.store.times import microseconds, moment


class Period(NamedTuple):
    """One shift or day; microseconds, the end not included."""

    name: str
    start_us: int
    end_us: int


PeriodAt = Callable[[int], Period]
"""The period that holds a time."""


class Piece(NamedTuple):
    """A range of time within one period."""

    period: Period
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class PartedHours:
    """Hours by the period they lie in."""

    whole: dict[int, Period] = field(default_factory=dict)
    pieces: list[Piece] = field(default_factory=list)
    """Of the hours in which a period ends: where it does not begin on the hour."""


def shifts_of(plant: PlantSettings) -> PeriodAt:
    """Return what tells the plant's shift of a time."""
    zone, starts = ZoneInfo(plant.time_zone), plant.shift_starts
    return lambda at_us: _period(shift_at(moment(at_us), zone, starts))


def days_of(plant: PlantSettings) -> PeriodAt:
    """Return what tells the plant's day of a time."""
    zone = ZoneInfo(plant.time_zone)
    return lambda at_us: _period(day_at(moment(at_us), zone))


def part_hours(hours: Iterable[int], period_at: PeriodAt) -> PartedHours:
    """Find the period of each hour; an hour that two share is taken apart."""
    parted = PartedHours()
    period: Period | None = None
    for hour in sorted(hours):
        start_us = hour * HOUR_US
        if period is None or start_us >= period.end_us:
            period = period_at(start_us)
        if start_us + HOUR_US <= period.end_us:
            parted.whole[hour] = period
        else:
            parted.pieces.extend(pieces_of(start_us, start_us + HOUR_US, period_at))
    return parted


def pieces_of(start_us: int, end_us: int, period_at: PeriodAt) -> Iterator[Piece]:
    """Yield a range of time period by period, in order; nothing of an empty range."""
    while start_us < end_us:
        period = period_at(start_us)
        stop_us = min(end_us, period.end_us)
        if stop_us <= start_us:  # beyond the calendar, where the last period takes all
            stop_us = end_us
        yield Piece(period, start_us, stop_us)
        start_us = stop_us


def _period(shift: Shift) -> Period:
    return Period(shift.name, microseconds(shift.start), microseconds(shift.end))

"""Shifts and days by the plant's clock, on days when it changes too."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.shifts import Shift, day_at, shift_at

BERLIN = ZoneInfo("Europe/Berlin")
THREE = ("06:00", "14:00", "22:00")
ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "Asia/Kolkata", "America/Sao_Paulo", "UTC")]
SOME_STARTS = [THREE, ("00:00",), ("05:30", "17:45"), ("02:30", "03:00", "23:59")]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def hours(shift: Shift) -> float:
    return (shift.end - shift.start) / timedelta(hours=1)


@pytest.mark.parametrize(
    ("moment", "name", "long"),
    [
        ("2026-11-23T06:00:00+01:00", "2026-11-23 06:00", 8),
        ("2026-11-23T05:59:59+01:00", "2026-11-22 22:00", 8),
        ("2026-11-23T22:00:00+01:00", "2026-11-23 22:00", 8),
        # The clock goes from 02:00 to 03:00 on 29 March, and from 03:00 to 02:00 on 25 October.
        ("2026-03-29T01:59:59+01:00", "2026-03-28 22:00", 7),
        ("2026-03-29T03:00:00+02:00", "2026-03-28 22:00", 7),
        ("2026-03-29T06:00:00+02:00", "2026-03-29 06:00", 8),
        ("2026-10-25T02:30:00+02:00", "2026-10-24 22:00", 9),
        ("2026-10-25T02:30:00+01:00", "2026-10-24 22:00", 9),
        ("2026-10-25T06:00:00+01:00", "2026-10-25 06:00", 8),
    ],
)
def test_a_night_shift_is_longer_or_shorter_when_the_clock_changes(
    moment: str, name: str, long: float
) -> None:
    found = shift_at(at(moment), BERLIN, THREE)
    assert (found.name, hours(found)) == (name, long)


@pytest.mark.parametrize(
    ("moment", "name", "long"),
    [
        ("2026-11-23T23:59:59+01:00", "2026-11-23", 24),
        ("2026-03-29T12:00:00+02:00", "2026-03-29", 23),
        ("2026-10-25T23:30:00+01:00", "2026-10-25", 25),
    ],
)
def test_a_day_has_as_many_hours_as_the_clock_gives_it(moment: str, name: str, long: float) -> None:
    found = day_at(at(moment), BERLIN)
    assert (found.name, hours(found)) == (name, long)


def test_the_hour_that_comes_twice_belongs_to_one_shift_each_time() -> None:
    starts = ("02:30", "14:00")
    first = shift_at(at("2026-10-25T02:30:00+02:00"), BERLIN, starts)
    again = shift_at(at("2026-10-25T02:30:00+01:00"), BERLIN, starts)
    assert first == again
    assert first.start == at("2026-10-25T02:30:00+02:00")
    assert hours(first) == 12.5


def test_a_start_that_the_clock_skips_counts_by_the_offset_of_before() -> None:
    found = shift_at(at("2026-03-29T12:00:00+02:00"), BERLIN, ("02:30",))
    assert (found.name, found.start) == ("2026-03-29 02:30", at("2026-03-29T03:30:00+02:00"))


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_the_ends_of_the_calendar_have_a_shift_too(moment: str, zone: ZoneInfo) -> None:
    assert shift_at(at(moment), zone, THREE).name
    assert day_at(at(moment), zone).name


_moments = st.datetimes(datetime(1950, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants them so


@given(_moments, st.sampled_from(ZONES), st.sampled_from(SOME_STARTS))
def test_every_moment_is_in_one_shift_and_the_next_follows_at_once(
    moment: datetime, zone: ZoneInfo, starts: tuple[str, ...]
) -> None:
    periods: list[Callable[[datetime], Shift]] = [
        lambda each: shift_at(each, zone, starts),
        lambda each: day_at(each, zone),
    ]
    for period_at in periods:
        found = period_at(moment)
        assert found.start <= moment < found.end
        assert period_at(found.start) == period_at(found.end - timedelta(microseconds=1)) == found
        assert period_at(found.end).start == found.end


@given(_moments)
def test_a_shift_is_named_by_the_local_time_of_its_start(moment: datetime) -> None:
    found = shift_at(moment, BERLIN, THREE)
    assert found.start.astimezone(BERLIN).strftime("%Y-%m-%d %H:%M") == found.name

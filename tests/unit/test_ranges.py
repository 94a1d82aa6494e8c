"""What the names of time ranges mean, by the plant's clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ui.ranges import RANGES, Plant, TimeRange, range_at, ranges_at

BERLIN = Plant(ZoneInfo("Europe/Berlin"), ("06:00", "14:00", "22:00"))
TEN = datetime(2026, 11, 24, 9, 42, 17, tzinfo=UTC)  # 10:42:17 in Berlin


def at(name: str, now: datetime = TEN) -> TimeRange:
    return range_at(name, now, BERLIN)


def utc(day: int, hour: int, minute: int = 0, *, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def test_this_shift_begins_by_the_plants_clock_and_goes_on() -> None:
    assert at("shift") == TimeRange("shift", "This shift", "06:00 \u2013 14:00", utc(24, 5), None)


def test_the_last_shift_ends_where_this_one_begins() -> None:
    last = at("last-shift")
    assert (last.since, last.until) == (utc(23, 21), utc(24, 5))
    assert last.until == at("shift").since


def test_a_last_shift_that_began_yesterday_names_its_day() -> None:
    assert at("last-shift").label == "23 Nov 22:00 \u2013 06:00"
    assert at("last-shift", utc(24, 14)).label == "06:00 \u2013 14:00"


def test_at_the_very_start_of_a_shift_the_last_one_is_the_one_before() -> None:
    last = at("last-shift", utc(24, 5))
    assert (last.since, last.until) == (utc(23, 21), utc(24, 5))


@pytest.mark.parametrize(
    ("name", "span"),
    [
        ("15min", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("24h", timedelta(hours=24)),
    ],
)
def test_hours_are_as_long_as_they_say(name: str, span: timedelta) -> None:
    assert TEN - at(name).since == span
    night_of_the_change = utc(25, 6, month=10)
    assert night_of_the_change - at(name, night_of_the_change).since == span


def test_a_night_shift_has_nine_hours_in_autumn_and_seven_in_spring() -> None:
    autumn = at("last-shift", utc(25, 8, month=10))
    spring = at("last-shift", utc(29, 8, month=3))
    assert autumn.until
    assert spring.until
    assert autumn.until - autumn.since == timedelta(hours=9)
    assert spring.until - spring.since == timedelta(hours=7)


def test_days_begin_at_the_same_time_by_the_plants_clock() -> None:
    after_the_change = datetime(2026, 10, 27, 9, tzinfo=UTC)  # 10:00 in winter time
    assert at("7d", after_the_change).since == utc(20, 8, month=10)  # 10:00 in summer time


def test_labels_name_the_day_only_where_it_is_another() -> None:
    assert at("1h").label == "since 09:42"
    assert at("24h").label == "since 23 Nov 10:42"
    assert at("7d").label == "17 Nov \u2013 24 Nov"
    assert at("30d").label == "25 Oct \u2013 24 Nov"


def test_a_plant_with_one_shift_a_day_has_a_last_one_too() -> None:
    plant = Plant(ZoneInfo("Europe/Berlin"), ("07:30",))
    last = range_at("last-shift", TEN, plant)
    assert (last.since, last.until) == (utc(23, 6, 30), utc(24, 6, 30))


def test_every_range_is_told_in_the_words_of_the_api() -> None:
    told = ranges_at(TEN, BERLIN)
    assert [each["name"] for each in told] == list(RANGES)
    assert told[0]["since"] == "2026-11-24T05:00:00Z"
    assert [each["name"] for each in told if each["until"]] == ["last-shift"]


def test_an_unknown_name_is_none_of_them() -> None:
    with pytest.raises(KeyError):
        at("fortnight")

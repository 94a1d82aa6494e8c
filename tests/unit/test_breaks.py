"""The planned breaks of a plant: when they end, what of a period they take, and what is none."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from broker.plant_sections import PlantSettings
from service.core.breaks import breaks_of, breaks_within, last_break_end

BERLIN = ZoneInfo("Europe/Berlin")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("text", "now", "end"),
    [
        ("12:00-12:30", "2026-11-23T12:10", "2026-11-23T12:30"),
        ("12:00-12:30", "2026-11-23T13:00", "2026-11-23T12:30"),
        ("12:00-12:30", "2026-11-23T11:59", "2026-11-22T12:30"),
        ("22:00-06:00", "2026-11-24T03:00", "2026-11-24T06:00"),
        ("sat-sun 00:00-24:00", "2026-11-28T23:59", "2026-11-30T00:00"),
        ("sat-sun 00:00-24:00", "2026-11-30T08:00", "2026-11-30T00:00"),
        ("fri-mon 14:00-06:00", "2026-11-30T15:00", "2026-12-01T06:00"),
        ("sun 02:00-04:00", "2026-10-25T03:30", "2026-10-25T04:00"),
    ],
)
def test_a_break_ends_by_the_clock_on_the_wall(text: str, now: str, end: str) -> None:
    assert last_break_end(local(now), BERLIN, breaks_of([text])) == local(end)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ((), []),
        (("05:00-05:30", "15:00-15:30"), []),
        (("12:00-12:30", "09:00-09:15"), [("09:00", "09:15"), ("12:00", "12:30")]),
        (("05:30-06:30", "13:30-14:30"), [("06:00", "06:30"), ("13:30", "14:00")]),
        (("12:00-12:30", "12:15-12:45", "12:45-13:00"), [("12:00", "13:00")]),
        (("sat-sun 00:00-24:00",), []),
        (("22:00-08:00",), [("06:00", "08:00")]),
        (("mon 00:00-24:00",), [("06:00", "14:00")]),
    ],
)
def test_the_breaks_of_a_period_are_cut_to_it_and_never_overlap(
    texts: tuple[str, ...], found: list[tuple[str, str]]
) -> None:
    monday = [local(f"2026-11-23T{clock}") for clock in ("06:00", "14:00")]
    assert breaks_within(monday[0], monday[1], BERLIN, breaks_of(texts)) == [
        (local(f"2026-11-23T{start}"), local(f"2026-11-23T{end}")) for start, end in found
    ]


def test_outside_its_days_there_is_no_break() -> None:
    weekend = breaks_of(["sat-sun 00:00-24:00"])
    assert last_break_end(local("2026-11-26T12:00"), BERLIN, weekend) is None


@pytest.mark.parametrize(
    "text", ["12:00", "12:00-25:00", "24:00-01:00", "someday 12:00-13:00", "12.00-13.00", ""]
)
def test_what_is_no_break_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a break such as 12:00-12:30"):
        PlantSettings(breaks=(text,))

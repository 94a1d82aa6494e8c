"""Which half read units are kept from look to look."""

import pytest

from edge_agent.formats import open_parser, read_options
from edge_agent.intake import Live
from edge_agent.live import COUNT_MAX, LiveUnits
from edge_agent.tail import Mark


def live(number: int) -> Live:
    return Live(open_parser("jsonl", read_options("jsonl", {}), "x"), Mark.nothing(), number)


def holding(*shares: float) -> LiveUnits:
    made = LiveUnits()
    for number, share in enumerate(shares):
        made.hold(("M1", f"{number}"), live(number), share)
    return made


def kept(units: LiveUnits, count: int) -> list[int]:
    found = [units.take(("M1", f"{number}"), 0) for number in range(count)]
    return [number for number, each in enumerate(found) if each and each.file_id == number]


@pytest.mark.parametrize(
    ("coming", "left"), [(0, [0, 1, 2]), (0.25, [0, 1, 2]), (0.3, [1, 2]), (0.6, [2]), (9, [])]
)
def test_who_waits_longest_makes_room_for_what_is_fed(coming: float, left: list[int]) -> None:
    units = holding(0.25, 0.25, 0.25)
    assert units.take(("M1", "new"), coming) is None
    assert kept(units, 3) == left


def test_a_units_own_bytes_need_no_room_twice() -> None:
    units = holding(0.5, 0.5)
    found = units.take(("M1", "0"), 0.5)
    assert found is not None
    assert found.file_id == 0
    assert kept(units, 2) == [1]


def test_who_is_fed_again_is_the_last_to_go() -> None:
    units = holding(0.4, 0.4)
    fed = units.take(("M1", "0"), 0.4)
    assert fed is not None
    units.hold(("M1", "0"), fed, 0.4)
    units.take(("M1", "new"), 0.5)
    assert kept(units, 2) == [0]


def test_a_unit_that_is_too_large_is_read_on_and_takes_no_room_but_for_what_is_new() -> None:
    units = holding(7, 0.5, 0.5)
    units.take(("M1", "new"), 0.5)
    found = units.take(("M1", "0"), 7.5)
    assert found is not None
    assert kept(units, 3) == [2]


def test_never_more_than_64_are_kept() -> None:
    count = COUNT_MAX + 2
    assert kept(holding(*[0.0] * count), count) == list(range(2, count))

"""The measurements of a run on the unit page: the bar of a value in its limits, and the table."""

from typing import Any

import pytest

from broker.messages import Value
from tests.support.shown_measurements import measured
from ui.measurement_view import PASSED_ROWS, bar, rows

# -- bars ------------------------------------------------------------------------------------------


def test_a_value_between_its_limits_stands_between_them() -> None:
    placed = bar(5.0, "GELE", 4.0, 6.0, holds=True)
    assert placed is not None
    assert placed.low is not None
    assert placed.high is not None
    assert placed.value == pytest.approx((placed.low + placed.high) / 2)


@pytest.mark.parametrize(("comparator", "value"), [("LE", 61.8), ("GE", 48.0)])
def test_a_broken_limit_stands_between_the_value_and_the_good_side(
    comparator: str, value: float
) -> None:
    placed = bar(value, comparator, 55.0, None, holds=False)
    assert placed is not None
    if comparator == "LE":
        assert placed.low is None
        assert placed.high is not None
        assert placed.value > placed.high
    else:
        assert placed.high is None
        assert placed.low is not None
        assert placed.value < placed.low


def test_a_value_far_away_stays_in_the_picture() -> None:
    for value in (1e300, -1e300):
        placed = bar(value, "GELE", 4.0, 6.0, holds=False)
        assert placed is not None
        assert 0 < placed.value < 210


@pytest.mark.parametrize(
    ("value", "comparator", "low", "high", "holds"),
    [
        (28300.0, "GELE", 28.0, 28.4, True),  # the limits are in another unit
        ("ok", "EQ", None, None, True),
        (True, "EQ", None, None, True),
        (None, "GELE", 1.0, 2.0, False),
        (5.0, "LTGT", 1.0, 2.0, True),
        (5.0, "", None, None, True),
        (5.0, "EQ", 5.0, None, True),
    ],
)
def test_no_picture_where_it_would_lie_or_say_nothing(
    value: Value, comparator: str, low: float | None, high: float | None, *, holds: bool
) -> None:
    assert bar(value, comparator, low, high, holds=holds) is None


# -- the table -------------------------------------------------------------------------------------


def more(*, agrees: bool | None = None) -> dict[str, Any]:
    return {"nominal": None, "agrees": agrees, "attributes": None}


def table(*measurements: dict[str, Any], everything: bool = False) -> list[dict[str, Any]]:
    made, _ = rows(measurements, [more()] * len(measurements), everything=everything)
    return [dict(each) for each in made]


def test_a_row_knows_which_of_its_name_it_is() -> None:
    made = table(measured("a", "FAIL"), measured("b"), measured("a"))
    assert [(row["step"], row["nth"]) for row in made] == [("a", 0), ("b", 0), ("a", 1)]


def test_what_is_not_pass_comes_first_and_then_the_order_of_the_test() -> None:
    names = [
        row["step"]
        for row in table(
            measured("a"),
            measured("b", "UNJUDGED"),
            measured("c", marginal=True),
            measured("d", "ERROR"),
            measured("e", "FAIL", measured_value=9.0),
            measured("f"),
        )
    ]
    assert names == ["e", "d", "c", "b", "a", "f"]


def test_of_thousands_that_passed_the_first_are_shown() -> None:
    many = [measured(f"s{i}", "FAIL" if i == 2000 else "PASS") for i in range(2410)]
    made, left_out = rows(many, [more()] * len(many), everything=False)
    assert len(made) == PASSED_ROWS + 1
    assert left_out == 2409 - PASSED_ROWS
    made, left_out = rows(many, [more()] * len(many), everything=True)
    assert (len(made), left_out) == (2410, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rule_id": "ecu-vbat", "reported_outcome": "PASS"}, "ecu-vbat"),
        ({"reported_outcome": "PASS"}, "tester"),
        ({}, "limits in the message"),
        ({"comparator": None, "low": None, "high": None}, "nobody"),
    ],
)
def test_the_table_says_who_decided(changes: dict[str, Any], said: str) -> None:
    assert table(measured("a", **changes))[0]["by"] == said


def test_a_tester_that_passes_what_its_own_limits_fail_is_drawn_as_it_is() -> None:
    odd = measured("a", measured_value=9.0, reported_outcome="PASS")
    made, _ = rows([odd], [more(agrees=False)], everything=False)
    assert made[0]["differs"] is True
    assert made[0]["bar"]["value"] > made[0]["bar"]["high"]

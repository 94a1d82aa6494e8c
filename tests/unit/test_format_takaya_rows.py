"""Rows of Takaya boards: the names, values, units, limits and outcomes of their steps."""

import pytest

from tests.support.logs.takaya import HEAD, board, row
from tests.support.takaya_panels import END, measured, one_run


def test_a_row_becomes_a_measurement() -> None:
    run = one_run(HEAD + board("1", row()) + END)
    (measurement,) = run.measurements
    assert measurement.model_dump(exclude_none=True) == {
        "test_step": "R7 10KO GND-NVG",
        "measured_value": 9970.0,
        "unit": "Ohm",
        "low": 9800.0,
        "high": 10100.0,
        "reported_outcome": "PASS",
        "attributes": {
            "step": "000002",
            "comment": "P2036764",
            "function": "**",
            "mode": "DC-CC",
        },
    }


def test_a_row_of_dots_is_no_measurement() -> None:
    run = one_run(HEAD + board("1", row(c16="......") + row()) + END)
    assert len(run.measurements) == 1


@pytest.mark.parametrize("verdict", ["LOW-NG", "OPEN", "HIGH-NG", "FAIL"])
def test_what_is_not_pass_failed_and_its_word_is_kept(verdict: str) -> None:
    measurement = measured(c16=verdict)
    assert measurement.reported_outcome == "FAIL"
    assert (measurement.attributes or {})["verdict"] == verdict


def test_a_step_without_verdict_has_no_reported_outcome() -> None:
    assert measured(c16=" ").reported_outcome is None


def test_the_last_reading_counts() -> None:
    measurement = measured(c22="9500", c23="9.5", c26="9.9E3", c27="9.90", c28="KO")
    assert measurement.measured_value == 9900
    assert (measurement.attributes or {})["first_value"] == 9500


def test_without_a_reading_there_is_no_value_but_limits() -> None:
    measurement = measured(c16="OPEN", c21="*", c22="0", c23="........", c24="")
    assert (measurement.measured_value, measurement.unit) == (None, "Ohm")
    assert (measurement.low, measurement.high) == (9800, 10100)
    assert measurement.reported_outcome == "FAIL"


@pytest.mark.parametrize(("kind", "unit"), [("R", "Ohm"), ("C", "F"), ("L", "H"), ("D", "V")])
def test_the_kind_says_the_unit_of_the_number_in_base_units(kind: str, unit: str) -> None:
    measurement = measured(c17=f"{kind} ", c21=f"{kind} ", c22="5.3E-6", c23="5.30", c24="UH")
    assert (measurement.measured_value, measurement.unit) == (5.3e-6, unit)


def test_an_unknown_kind_has_no_unit_and_an_option_maps_one() -> None:
    assert measured(c17="Z", c21="Z").unit is None
    run = one_run(HEAD + board("1", row()) + END, units={"Ohm": "ohms"})
    assert run.measurements[0].unit == "ohms"


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [
        ("**", 9800, 10100),
        ("E", None, 10000),
        ("E ", None, 10000),
        ("F", 10000, None),
        ("OP", None, None),
        ("SH", None, None),
        ("ZZ", None, None),
    ],
)
def test_the_function_says_the_limits(function: str, low: float | None, high: float | None) -> None:
    measurement = measured(c56=function)
    assert (measurement.low, measurement.high) == (low, high)
    assert measurement.comparator is None


@pytest.mark.parametrize(
    ("plus", "minus", "low", "high"),
    [
        ("+80%", "-20%", 10000 * (1 - 20 / 100), 18000),
        ("+0.5%", "........", None, 10000 * (1 + 0.5 / 100)),
        ("", "-1%", 9900, None),
        ("+1e99%", "-1%", 9900, None),
    ],
)
def test_a_tolerance_that_is_absent_or_beyond_all_bounds_is_no_limit(
    plus: str, minus: str, low: float | None, high: float | None
) -> None:
    measurement = measured(c34=plus, c35=minus)
    assert (measurement.low, measurement.high) == (low, high)


def test_the_limits_of_a_negative_reference_are_in_order() -> None:
    measurement = measured(c18="-5", c34="+10%", c35="-20%")
    assert (measurement.low, measurement.high) == (-5 * (1 + 10 / 100), -5 * (1 - 20 / 100))


def test_without_a_reference_there_are_no_limits() -> None:
    measurement = measured(c18="0", c19="........")
    assert (measurement.low, measurement.high) == (None, None)


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        ({"c4": "P-Auto", "c5": ""}, "R7 P-Auto GND-NVG"),
        ({"c4": "", "c5": ""}, "R7 GND-NVG"),
        ({"c3": "C1*(NM)", "c4": "*", "c5": ""}, "C1*(NM) * GND-NVG"),
        ({"c9": "", "c11": ""}, "R7 10KO"),
        ({"c3": "a\x01b"}, "a b 10KO GND-NVG"),
    ],
)
def test_a_step_is_named_by_part_value_and_nets(cells: dict[str, str], name: str) -> None:
    assert measured(**cells).test_step == name


def test_the_step_number_is_no_part_of_the_name() -> None:
    assert measured(c2="000057").test_step == measured(c2="000002").test_step

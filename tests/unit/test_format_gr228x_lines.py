"""Lines of GR228X units: values, limits, units of measure, outcomes, and lists of nodes."""

import pytest

from broker.messages import Comparator
from tests.support.gr228x_units import END, PROGRAM, ROW, START, measured, one_run


def test_a_line_becomes_a_measurement() -> None:
    assert measured("R508=100.20007K(92.919K,105.131K)R ").model_dump(exclude_none=True) == {
        "test_step": "R508",
        "measured_value": 100200.07,
        "unit": "Ohm",
        "low": 92919.0,
        "high": 105131.0,
        "reported_outcome": "PASS",
        "attributes": {"type": "R"},
    }


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("12", 12.0),
        ("1.5P", 1.5e-12),
        ("10.212763N", 10.212763e-9),
        ("4.7U", 4.7e-6),
        ("520.747483M", 0.520747483),
        ("92.919K", 92919.0),
        ("45.131532MEG", 45131532.0),
        ("-500M", -0.5),
        ("+.5k", 500.0),
        ("1.5E-3", 0.0015),
        ("2e3K", 2e6),
        ("NAN", None),
        ("-INF", None),
        ("1E400", None),
    ],
)
def test_the_suffix_scales_the_number(printed: str, value: float | None) -> None:
    measurement = measured(f"X1={printed}(,)V")
    assert measurement.measured_value == value
    assert measurement.reported_outcome == "PASS"


@pytest.mark.parametrize(
    ("limits", "low", "high"),
    [
        ("(500K,)", 5e5, None),
        ("(,1MEG)", None, 1e6),
        ("(,)", None, None),
        ("(-500M,500M)", -0.5, 0.5),
        ("( 1 , 2 )", 1, 2),
        ("(0,1e100)", 0, None),
        ("(-9.91e99,1)", None, 1),
        ("(INF,1)", None, 1),
        ("", None, None),
    ],
)
def test_a_limit_that_is_absent_or_beyond_all_bounds_is_left_out(
    limits: str, low: float | None, high: float | None
) -> None:
    measurement = measured(f"X1=1{limits}")
    assert (measurement.low, measurement.high) == (low, high)
    assert measurement.comparator is None


@pytest.mark.parametrize(
    ("mark", "outcome"), [("=", "PASS"), ("<", "FAIL"), (">", "FAIL"), ("%", "FAIL")]
)
def test_the_mark_says_whether_a_step_failed(mark: str, outcome: str) -> None:
    assert measured(f"X1{mark}5(1,2)V").reported_outcome == outcome
    without_value = measured(f"D108{mark}")
    assert without_value.measured_value is (outcome == "PASS")
    assert without_value.reported_outcome == outcome
    assert (without_value.comparator, without_value.nominal) == (Comparator.EQ, True)


def test_without_a_value_a_step_is_pass_or_fail_and_has_no_limits() -> None:
    measurement = measured("PS_OFF=(1.6,5.5)V ")
    assert measurement.measured_value is True
    assert (measurement.low, measurement.high, measurement.unit) == (None, None, None)


def test_what_was_recorded_has_a_value_and_no_outcome() -> None:
    measurement = measured("R211#10.636159(,)R ")
    assert (measurement.measured_value, measurement.unit) == (10.636159, "Ohm")
    assert (measurement.comparator, measurement.reported_outcome) == (Comparator.LOG, None)


def test_what_was_recorded_without_a_value_carries_nothing() -> None:
    run = one_run(PROGRAM + START + "SETCR#(,)IS\nX#\n" + ROW + END)
    assert [m.test_step for m in run.measurements] == ["R508"]


@pytest.mark.parametrize(
    ("kind", "unit"),
    [
        ("R", "Ohm"),
        ("CP", "F"),
        ("CS", "F"),
        ("V", "V"),
        ("AC", "V"),
        ("DC", "V"),
        ("AR", None),
        ("VS", None),
        ("", None),
    ],
)
def test_the_type_says_the_unit(kind: str, unit: str | None) -> None:
    assert measured(f"X1=5(1,9){kind} ").unit == unit


def test_an_option_maps_types_and_units() -> None:
    assert measured("X1=5(1,9)AR", units={"AR": "Ohm"}).unit == "Ohm"
    assert measured("X1=5(1,9)R", units={"Ohm": "ohms"}).unit == "ohms"


@pytest.mark.parametrize(
    ("letter", "test_step"),
    [("F", "contact"), ("O", "opens"), ("S", "shorts"), ("B", "bus"), ("C", "probing")],
)
def test_a_list_is_a_step_that_failed(letter: str, test_step: str) -> None:
    measurement = measured(f"({letter} 397,398,")
    assert measurement.model_dump(exclude_none=True) == {
        "test_step": test_step,
        "measured_value": False,
        "comparator": Comparator.EQ,
        "nominal": True,
        "reported_outcome": "FAIL",
        "attributes": {"nodes": "397,398"},
    }


def test_a_list_without_nodes_is_one_too() -> None:
    assert measured("(S").attributes is None


def test_a_list_goes_on_in_the_next_line() -> None:
    run = one_run(PROGRAM + START + "(F 1,2 +\n3,4, +\r\n  5\n" + ROW + END)
    contact, resistor = run.measurements
    assert contact.attributes == {"nodes": "1,2,3,4,5"}
    assert resistor.test_step == "R508"


@pytest.mark.parametrize("line", ["(S 7\n", ROW, "D108%\n", "X#(,)IS\n" + ROW])
def test_a_list_that_was_cut_swallows_no_other_step(line: str) -> None:
    cut, other = one_run(PROGRAM + START + "(O 6 +\n" + line + END).measurements
    assert cut.attributes == {"nodes": "6"}
    assert other.test_step in {"shorts", "R508", "D108"}


@pytest.mark.parametrize("event", ["?", "/", "!"])
def test_an_event_ends_a_list_that_would_go_on(event: str) -> None:
    run = one_run(PROGRAM + START + "(F 1,2 +\n" + END.replace('"', event))
    assert [(m.attributes or {})["nodes"] for m in run.measurements] == ["1,2"]


def test_what_is_said_behind_the_type_is_kept() -> None:
    measurement = measured("V404<6.9(7,20)RP =too low")
    assert measurement.attributes == {"type": "RP", "message": "too low"}


def test_a_long_list_costs_the_attributes_but_not_the_unit() -> None:
    nodes = "".join(f"{number}, +\n" for number in range(2000))
    content = PROGRAM + START + "(O " + nodes + "7\n" + ROW + END
    run = one_run(content, payload_bytes_max=4096)
    assert [m.attributes for m in run.measurements] == [None, None]
    kept = one_run(content).measurements[0].attributes or {}
    assert kept["nodes"].endswith("1998,1999,7")

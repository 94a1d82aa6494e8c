"""Steps of TestStand XML reports: names, values, limits, outcomes, and those that are a hole."""

import pytest

from broker.messages import Comparator
from edge_agent.formats import Parsed
from tests.support.logs.teststand import call, group, number, prop, report, step
from tests.support.teststand_reports import ON, measured, one_run, parse, refusal


def test_steps_stand_behind_their_sequence_calls_without_the_outermost() -> None:
    run = one_run(report(call("CPU", "Passed", call("Cores", "Passed", ON), ON), ON))
    assert [each.test_step for each in run.measurements] == ["CPU/Cores/On", "CPU/On", "On"]


def test_a_failed_sequence_call_comes_behind_the_step_that_failed_it() -> None:
    bad = step("Cache", "Failed", prop("PassFail", "False"))
    run = one_run(report(call("CPU", "Failed", bad), outcome="Failed"))
    assert [(each.test_step, each.reported_outcome) for each in run.measurements] == [
        ("CPU/Cache", "FAIL"),
        ("CPU", "FAIL"),
    ]
    assert run.reported_outcome == "FAIL"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("Passed", "PASS"),
        ("Done", "PASS"),
        ("Failed", "FAIL"),
        ("Error", "ERROR"),
        ("Terminated", "ABORTED"),
        ("Running", "FAIL"),
        ("", None),
    ],
)
def test_the_status_of_a_step_is_its_outcome(status: str, outcome: str | None) -> None:
    assert measured(number("Vcc", status, 5, "LOG")).reported_outcome == outcome


@pytest.mark.parametrize(("status", "outcome"), [("Failed", "FAIL"), ("Error", "ERROR")])
def test_another_step_is_a_measurement_only_in_trouble(status: str, outcome: str) -> None:
    broken = step("Switch on", status, group("Error", Msg="no supply"))
    calm = [step("If", each) for each in ("Done", "Passed", "Skipped", "Terminated")]
    (measurement,) = one_run(report(*calm, broken)).measurements
    assert measurement.model_dump(exclude_none=True, mode="json") == {
        "test_step": "Switch on",
        "measured_value": False,
        "comparator": "EQ",
        "nominal": True,
        "reported_outcome": outcome,
        "attributes": {"error": "no supply"},
    }


def test_a_skipped_test_measured_nothing() -> None:
    assert len(one_run(report(number("Vcc", "Skipped", 0, "GELE", Low=4), ON)).measurements) == 1


@pytest.mark.parametrize(
    ("comparison", "limits", "comparator", "low", "high"),
    [
        ("GELE", {"Low": 4, "High": 5.5}, "GELE", 4, 5.5),
        ("LTGT", {"Low": 4, "High": 5.5}, "LTGT", 4, 5.5),
        ("GT", {"Low": 5}, "GT", 5, None),
        ("LT", {"Low": 5}, "LT", 5, None),
        ("LE", {"High": 5}, "LE", 5, None),
        ("EQ", {"Low": 5}, "EQ", 5, None),
        ("GELT", {"Low": 4, "High": "INF"}, "GE", 4, None),
        ("GTLE", {"Low": -1e100, "High": 5}, "LE", 5, None),
        ("GELE", {}, None, None, None),
        ("LOG", {"Low": 0, "High": 0}, "LOG", None, None),
        ("", {"Low": 4}, None, 4, None),
    ],
)
def test_a_number_is_compared_as_the_file_says(
    comparison: str,
    limits: dict[str, object],
    comparator: str | None,
    low: float | None,
    high: float | None,
) -> None:
    measurement = measured(number("Vcc", "Passed", 5.25, comparison, **limits))
    assert measurement.measured_value == 5.25
    assert (measurement.comparator, measurement.low, measurement.high) == (comparator, low, high)


def test_a_comparison_we_do_not_know_is_kept_without_limits() -> None:
    measurement = measured(number("Vcc", "Passed", 5, "NEAR", Low=4, High=6))
    assert (measurement.comparator, measurement.low, measurement.high) == (None, None, None)
    assert measurement.attributes == {"comparison": "NEAR"}


@pytest.mark.parametrize(
    ("kind", "field"),
    [("Percentage", "tolerance_percent"), ("PPM", "tolerance_ppm"), ("Delta", "tolerance")],
)
def test_a_nominal_with_equal_thresholds_has_a_tolerance(kind: str, field: str) -> None:
    raw = group("RawLimits", Nominal=5, Low=10, High=10)
    limits = group("Limits", Low=4.5, High=5.5, ThresholdType=kind)
    parts = (prop("Numeric", "5.1"), prop("Comp", "EQT"), raw, limits)
    measurement = measured(step("Vcc", "Passed", *parts))
    assert (measurement.comparator, measurement.nominal) == (Comparator.EQT, 5)
    assert getattr(measurement, field) == 10
    assert (measurement.low, measurement.high) == (None, None)


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("Percentage", -6.0, -4.0), ("PPM", -5.0001, -4.9999)]
)
def test_a_nominal_with_two_thresholds_has_the_limits_they_mean(
    kind: str, low: float, high: float
) -> None:
    limits = group("Limits", Nominal=-5, Low=20, High=20.0000001, ThresholdType=kind)
    parts = (prop("Numeric", "-5.1"), prop("Comp", "EQT"), limits)
    measurement = measured(step("Vcc", "Passed", *parts))
    assert measurement.comparator == Comparator.GELE
    assert (measurement.low, measurement.high) == (
        pytest.approx(low, rel=1e-8),
        pytest.approx(high, rel=1e-8),
    )


@pytest.mark.parametrize("printed", ["NAN", "-INF", "IND", "", "1e999"])
def test_no_number_is_null_and_keeps_its_limits(printed: str) -> None:
    measurement = measured(number("Vcc", "Failed", printed, "GELE", Low=4, High=5))
    assert measurement.measured_value is None
    assert (measurement.low, measurement.high) == (4, 5)
    assert measurement.reported_outcome == "FAIL"


def test_units_are_as_printed_or_as_the_option_says() -> None:
    volts = step("Vcc", "Passed", prop("Numeric", "5"), prop("Units", "Volts"))
    assert measured(volts).unit == "Volts"
    assert measured(volts, units={"Volts": "V"}).unit == "V"
    assert measured(volts.replace("Volts", "ohm")).unit == "Ohm"


@pytest.mark.parametrize(
    ("comparison", "comparator"),
    [("CaseSensit", Comparator.CASESENSIT), ("IgnoreCase", Comparator.IGNORECASE)],
)
def test_a_text_is_compared_with_what_was_expected(comparison: str, comparator: Comparator) -> None:
    parts = (prop("String", " v1.2 "), prop("Comp", comparison), group("Limits", String="V1.2"))
    measurement = measured(step("Version", "Passed", *parts))
    assert (measurement.measured_value, measurement.nominal) == ("v1.2", "V1.2")
    assert measurement.comparator == comparator


def test_a_text_without_expectation_has_no_comparator() -> None:
    measurement = measured(step("Version", "Done", prop("String", "1.2"), prop("Comp", "LOG")))
    assert (measurement.measured_value, measurement.comparator) == ("1.2", None)


def test_a_step_with_several_measurements_is_several() -> None:
    def part(name: str, *props: str) -> str:
        return f"<Value><Prop Name='{name}' Type='Obj'>{''.join(props)}</Prop></Value>"

    first = part("3V3", prop("Data", "3.31"), prop("Comp", "GE"), group("Limits", Low=3.2))
    other = part("5V", prop("Data", "5.6"), prop("Status", "Failed"), prop("Units", "V"))
    plot = part("curve", prop("Points", "1"))
    both = f"<Prop Name='Measurement' Type='Array'>{first}{plot}{other}</Prop>"
    run = one_run(report(step("Rails", "Failed", both), outcome="Failed"))
    assert [
        (each.test_step, each.measured_value, each.low, each.unit, each.reported_outcome)
        for each in run.measurements
    ] == [("Rails/3V3", 3.31, 3.2, None, None), ("Rails/5V", 5.6, None, "V", "FAIL")]


def test_of_several_measurements_only_the_bad_one_is_a_hole() -> None:
    parts = "".join(
        f"<Value><Prop Name='{name}' Type='Obj'>{prop('Data', name)}</Prop></Value>"
        for name in ("1", "x", "3")
    )
    array = f"<Prop Name='Measurement' Type='Array'>{parts}</Prop>"
    (item,) = parse(report(step("Rails", "Passed", array)))
    assert isinstance(item, Parsed)
    assert [each.test_step for each in item.runs[0].measurements] == ["Rails/1", "Rails/3"]
    (hole,) = item.holes
    assert "'x' is not a number" in hole.reason


def test_a_prototype_is_no_step() -> None:
    prototype = (
        "<ArrayElementPrototype Type='TEResult'><Prop Name='Numeric'><Value>1</Value></Prop>"
        "<Prop Type='TEResult'><Prop Name='Status'><Value>Failed</Value></Prop></Prop>"
        "</ArrayElementPrototype>"
    )
    assert len(one_run(report(prototype, ON)).measurements) == 1


def test_the_first_of_two_values_counts() -> None:
    twice = prop("Numeric", "1").replace("</Value>", "</Value><Value ID='[1]'>2</Value>")
    assert measured(step("Vcc", "Passed", twice)).measured_value == 1


def test_a_step_that_is_not_understood_is_a_hole() -> None:
    bad = number("Vcc", "Passed", "5,1", "GELE", Low=4, High=6)
    content = (report(ON, bad, ON) + "\n").encode()
    item, _ = parse(content)
    assert isinstance(item, Parsed)
    (hole,) = item.holes
    assert "'5,1' is not a number" in hole.reason
    piece = content[hole.byte_start : hole.byte_end]
    assert piece.startswith(b"<Prop Type='TEResult'>")
    assert piece.endswith(b"</Prop>")
    assert b"5,1" in piece
    assert b"On" not in piece
    assert len(item.runs[0].measurements) == 2


def test_a_hole_in_windows_1252_is_found_in_the_files_own_bytes() -> None:
    bad = number("\xb5C", "Passed", "0x5", "GELE")
    content = report(step("\xb5V", "Passed", prop("PassFail", "True")), bad, ON).encode("cp1252")
    (item,) = parse(content)
    assert isinstance(item, Parsed)
    assert [each.test_step for each in item.runs[0].measurements] == ["\xb5V", "On"]
    (hole,) = item.holes
    piece = content[hole.byte_start : hole.byte_end]
    assert piece.startswith(b"<Prop Type='TEResult'>")
    assert b"0x5" in piece


def test_a_step_without_a_name_is_a_hole() -> None:
    (item,) = parse(report(step("", "Passed", prop("PassFail", "True")), ON))
    assert isinstance(item, Parsed)
    assert "TS.StepName" in item.holes[0].reason


def test_only_steps_that_are_not_understood_make_no_run() -> None:
    assert "no step was understood" in refusal(report(number("Vcc", "Passed", "5,1", "GELE")))


def test_long_names_and_controls_follow_the_rules_of_names() -> None:
    name = measured(step("x" * 200, "Passed", prop("PassFail", "True"))).test_step
    assert len(name) == 128
    assert name.startswith("x" * 119 + "~")
    assert measured(step("a&#9;b", "Passed", prop("PassFail", "True"))).test_step == "a b"

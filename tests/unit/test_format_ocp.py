"""OCP diagnostics: the facts of the real file, and what a run says of its unit, in both shapes."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from broker.messages import RUN, Run
from edge_agent.formats import Options, Parsed, Skipped, open_parser
from edge_agent.formats.runs import run_json
from tests.support.ocp_artifacts import (
    END,
    SPEED,
    START,
    STEP,
    VERSION,
    log,
    one_run,
    parse,
    refusal,
    run,
    step,
    whole,
)

SAMPLE = Path(__file__).parents[1] / "fixtures/ocp/fanspeed_test.jsonl"


@pytest.fixture(scope="module")
def fans() -> Run:
    return one_run(SAMPLE.read_bytes())


def test_the_real_file_holds_one_run(fans: Run) -> None:
    assert (fans.barcode, fans.product_id, fans.procedure) == ("mvcs28", "fan_speed", "fan_speed")
    assert (fans.program, fans.program_version) == ("fan_speed", "382526885")
    assert fans.started_at == datetime(2021, 7, 2, 1, 20, 24, 6_942, UTC)
    assert fans.ended_at == datetime(2021, 7, 2, 1, 52, 41, 340_682, UTC)
    assert fans.reported_outcome == "PASS"
    assert fans.attributes is None  # no gap
    assert RUN.validate_json(run_json(fans)) == fans


def test_the_real_file_has_twelve_values_and_twelve_diagnoses(fans: Run) -> None:
    values = [each for each in fans.measurements if each.unit]
    diagnoses = [each for each in fans.measurements if not each.unit]
    assert len(values) == len(diagnoses) == 12
    assert {each.unit for each in values} == {"RPM"}
    assert {each.reported_outcome for each in values} == {None}
    assert values[0].model_dump(exclude_none=True) == {
        "test_step": "report-results/measured-fan-speed-100@0",
        "measured_value": 23364.0,
        "unit": "RPM",
        "low": 18550.0,
        "high": 23850.0,
    }
    assert all(each.low and each.high and each.low < each.high for each in values)
    assert {
        (each.measured_value, each.comparator, each.nominal, each.reported_outcome)
        for each in diagnoses
    } == {(True, "EQ", True, "PASS")}
    assert diagnoses[-1].test_step == "report-results/fan_speed-pass@5"


def test_in_the_real_file_what_comes_before_the_start_carries_nothing() -> None:
    found = parse(SAMPLE.read_bytes())
    assert [type(each) for each in found] == [*[Skipped] * 5, Parsed]
    assert found[-1].byte_end == 47_404


def test_a_lost_line_of_the_real_file_is_a_gap() -> None:
    lines = SAMPLE.read_bytes().splitlines(keepends=True)
    cut = one_run(b"".join(lines[:26] + lines[27:]))  # the first element
    assert cut.attributes == {
        "gaps": [
            "sequenceNumber 26",
            "series report-results/measured-fan-speed-100@0: 0 of 1 elements",
        ]
    }
    assert len(cut.measurements) == 23


def test_a_run_of_shape_2_0_is_read() -> None:
    validators = [
        {"name": "upper", "type": "LESS_THAN_OR_EQUAL", "value": 11000.0},
        {"name": "lower", "type": "GREATER_THAN_OR_EQUAL", "value": 8000.0},
    ]
    series = {"measurementSeriesId": "s", "name": "temp", "unit": "C", "validators": validators}
    found = one_run(
        log(
            VERSION,
            run(testRunStart=START),
            {"testStepArtifact": STEP},
            step(measurement={**SPEED, "validators": validators}),
            step(measurementSeriesStart=series),
            step(measurementSeriesElement={"measurementSeriesId": "s", "index": 0, "value": 1}),
            step(measurementSeriesElement={"measurementSeriesId": "s", "index": 1, "value": 2}),
            step(measurementSeriesEnd={"measurementSeriesId": "s", "totalCount": 2}),
            step(diagnosis={"verdict": "fan-ok", "type": "PASS", "hardwareInfoId": "5"}),
            step(testStepEnd={"status": "COMPLETE"}),
            run(testRunEnd=END),
        )
    )
    assert (found.barcode, found.product_id, found.attributes) == ("ocp_lab_0222", "mlc", None)
    assert [
        (each.test_step, each.measured_value, each.unit, each.low, each.high)
        for each in found.measurements
    ] == [
        ("fan/speed@5", 9000.5, "RPM", 8000, 11000),
        ("fan/temp", 1, "C", 8000, 11000),
        ("fan/temp", 2, "C", 8000, 11000),
        ("fan/fan-ok@5", True, None, None, None),
    ]


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (END, "PASS"),
        ({"status": "COMPLETE", "result": "FAIL"}, "FAIL"),
        ({"status": "COMPLETE", "result": "NOT_APPLICABLE"}, "ERROR"),
        ({"status": "ERROR", "result": "PASS"}, "ERROR"),
        ({"status": "SKIP", "result": "NOT_APPLICABLE"}, "ERROR"),
        ({"result": "PASS"}, "ERROR"),
    ],
)
def test_only_a_complete_run_has_its_result(end: dict[str, Any], outcome: str) -> None:
    found = one_run(log(run(testRunStart=START), run(testRunEnd=end)))
    assert found.reported_outcome == outcome


def test_a_run_without_measurements_is_recorded() -> None:
    end = {"status": "SKIP", "result": "NOT_APPLICABLE"}
    (found,) = one_run(log(run(testRunStart=START), run(testRunEnd=end))).measurements
    assert (found.test_step, found.measured_value, found.comparator) == ("run", "SKIP", "LOG")
    assert found.reported_outcome is None


@pytest.mark.parametrize(
    ("device", "barcode"),
    [
        ({"name": "n", "dutInfoId": "1", "hostname": "h"}, "n"),
        ({"name": " ", "dutInfoId": 1, "hostname": "h"}, "1"),
        ([{"hostname": "h"}], "h"),
        ([{}, 7, {"hostname": "h"}], "h"),
    ],
)
def test_who_was_tested(device: object, barcode: str) -> None:
    content = log(run(testRunStart={**START, "dutInfo": device}), run(testRunEnd=END))
    assert one_run(content).barcode == barcode


@pytest.mark.parametrize("device", [None, [], {}, "h", [["h"]], {"name": True}])
def test_without_a_serial_number_it_is_no_run(device: object) -> None:
    content = log(run(testRunStart={**START, "dutInfo": device}), run(testRunEnd=END))
    assert "serial number" in refusal(content)


def test_the_options_beat_the_file() -> None:
    found = one_run(whole(), product_id="X", procedure="Y")
    assert (found.product_id, found.procedure, found.program) == ("X", "Y", "mlc")


def test_a_run_is_complete_at_its_last_line_not_before() -> None:
    content = whole(step(measurement=SPEED))
    parser = open_parser("ocp", Options(), "x")
    assert list(parser.feed(content[:-1])) == []
    (item,) = parser.finish()
    assert isinstance(item, Parsed)
    assert item.byte_end == len(content) - 1


def test_errors_are_kept_with_the_run() -> None:
    found = one_run(whole(run(error={"symptom": "no-fan", "message": "fan 3 is missing"})))
    assert found.attributes == {"errors": ["no-fan: fan 3 is missing"]}


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        ("2021-07-02T01:20:24.006942375Z", datetime(2021, 7, 2, 1, 20, 24, 6_942, UTC)),
        ("2021-07-02T01:20:24", datetime(2021, 7, 2, 1, 20, 24, 0, UTC)),
        (
            "2021-07-02T01:20:24.5-07:00",
            datetime(2021, 7, 2, 1, 20, 24, 500_000, timezone(timedelta(hours=-7))),
        ),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(timestamp: str, moment: datetime) -> None:
    started = {**run(testRunStart=START), "timestamp": timestamp}
    found = one_run(log(started, run(testRunEnd=END)))
    assert found.started_at == moment
    assert found.started_at.tzinfo


@pytest.mark.parametrize("timestamp", ["yesterday", None, 7, "2021-02-30T00:00:00Z"])
def test_a_time_that_is_none_refuses_the_run(timestamp: object) -> None:
    started = {**run(testRunStart=START), "timestamp": timestamp}
    assert "timestamp" in refusal(log(started, run(testRunEnd=END)))


def test_blank_lines_and_crlf_make_no_difference() -> None:
    content = whole(step(measurement=SPEED))
    other = one_run(content.replace(b"\n", b"\r\n\r\n"))
    assert other.measurements == one_run(content).measurements

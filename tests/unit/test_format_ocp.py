"""OCP diagnostics: the facts of the real file, both shapes, and every trap of the format."""

import itertools
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from broker.messages import RUN, Run, RunMeasurement
from edge_agent.formats import Item, Options, Parsed, Skipped, Unparsed, open_parser
from edge_agent.formats.runs import run_json

SAMPLE = Path(__file__).parents[1] / "fixtures/ocp/fanspeed_test.jsonl"
START: dict[str, Any] = {
    "name": "mlc",
    "version": "1.0",
    "dutInfo": {"dutInfoId": "1", "name": "ocp_lab_0222"},
}
END: dict[str, Any] = {"status": "COMPLETE", "result": "PASS"}
STEP: dict[str, Any] = {"testStepStart": {"name": "fan"}, "testStepId": "300"}
SPEED: dict[str, Any] = {"name": "speed", "value": 9000.5, "unit": "RPM", "hardwareInfoId": "5"}
VERSION: dict[str, Any] = {"schemaVersion": {"major": 2, "minor": 0}}


def run(**artifact: object) -> dict[str, Any]:
    return {"testRunArtifact": artifact}


def step(**artifact: object) -> dict[str, Any]:
    return {"testStepArtifact": {**artifact, "testStepId": "300"}}


def log(*artifacts: dict[str, Any] | bytes, first: int = 0) -> bytes:
    """Lines numbered from `first`; an artifact may say its own number, bytes stay as they are."""
    numbers = itertools.count(first)
    lines = [
        each
        if isinstance(each, bytes)
        else json.dumps(
            {"sequenceNumber": next(numbers), "timestamp": "2022-07-25T04:49:25.262947Z", **each}
        ).encode()
        for each in artifacts
    ]
    return b"\n".join([*lines, b""])


def whole(*artifacts: dict[str, Any] | bytes) -> bytes:
    return log(run(testRunStart=START), {"testStepArtifact": STEP}, *artifacts, run(testRunEnd=END))


def parse(content: bytes, **options: object) -> list[Item]:
    parser = open_parser("ocp", Options(**options), "diag.jsonl")
    return [*parser.feed(content), *parser.finish()]


def one_run(content: bytes, **options: object) -> Run:
    (item,) = (each for each in parse(content, **options) if not isinstance(each, Skipped))
    assert isinstance(item, Parsed), item
    return item.runs[0]


def refusal(content: bytes) -> str:
    (item,) = (each for each in parse(content) if not isinstance(each, Skipped))
    assert isinstance(item, Unparsed)
    return item.reason


def one(artifact: dict[str, Any]) -> RunMeasurement:
    (found,) = one_run(whole(artifact)).measurements
    return found


def limits(**fields: object) -> dict[str, Any]:
    found = one(step(measurement={**SPEED, **fields}))
    return found.model_dump(
        exclude_none=True, include={"low", "high", "comparator", "nominal", "attributes"}
    )


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


def test_a_measurement_of_2021_has_its_parts_apart() -> None:
    found = one(
        step(
            measurement={
                "info": {"name": "bandwidth", "unit": "MB/sec", "hardwareInfoId": ""},
                "element": {"range": {"maximum": "Infinity", "minimum": 49500}, "value": 46757.6},
            }
        )
    )
    assert (found.test_step, found.unit, found.measured_value) == (
        "fan/bandwidth", "MB/sec", 46757.6,
    )  # fmt: skip
    assert (found.low, found.high) == (49500, None)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"range": {"maximum": 2, "minimum": 1}}, {"low": 1, "high": 2}),
        ({"range": {}}, {}),
        ({"range": {"maximum": 9.91e99, "minimum": 0}}, {"low": 0}),
        ({"validValues": {"values": [True]}}, {"comparator": "IN", "nominal": (True,)}),
        ({"validValues": {"values": ["a", 1]}}, {"comparator": "IN", "nominal": ("a", 1)}),
        ({"validValues": {"values": []}}, {}),
    ],
)
def test_limits_of_2021(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert limits(**fields) == expected


@pytest.mark.parametrize(
    ("validators", "expected"),
    [
        ([("GREATER_THAN", 1), ("LESS_THAN", 2)], {"comparator": "GTLT", "low": 1, "high": 2}),
        ([("LESS_THAN", 2), ("GREATER_THAN_OR_EQUAL", 1)],
         {"comparator": "GELT", "low": 1, "high": 2}),
        ([("GREATER_THAN", 1)], {"comparator": "GT", "low": 1}),
        ([("GREATER_THAN_OR_EQUAL", 1)], {"low": 1}),
        ([("LESS_THAN", 2)], {"comparator": "LT", "low": 2}),
        ([("LESS_THAN_OR_EQUAL", 2)], {"high": 2}),
        ([("EQUAL", "ok")], {"comparator": "EQ", "nominal": "ok"}),
        ([("NOT_EQUAL", False)], {"comparator": "NE", "nominal": False}),
        ([("REGEX_MATCH", "^a")], {"comparator": "REGEX", "nominal": "^a"}),
        ([("REGEX_MATCH", ["^a", "b$"])], {"comparator": "REGEX", "nominal": "(?:^a)|(?:b$)"}),
        ([("IN_SET", [1, 2])], {"comparator": "IN", "nominal": (1, 2)}),
        ([("LESS_THAN", 1e100)], {"attributes": {"validators": [("LESS_THAN", 1e100)]}}),
        ([("NOT_IN_SET", [1])], {"attributes": {"validators": [("NOT_IN_SET", [1])]}}),
        ([("REGEX_MATCH", [])], {"attributes": {"validators": [("REGEX_MATCH", [])]}}),
        ([("EQUAL", 1), ("LESS_THAN", 2)],
         {"comparator": "EQ", "nominal": 1, "attributes": {"validators": [("LESS_THAN", 2)]}}),
        ([("LESS_THAN", 2), ("LESS_THAN", 3)],
         {"comparator": "LT", "low": 2, "attributes": {"validators": [("LESS_THAN", 3)]}}),
    ],
)  # fmt: skip
def test_validators_of_2_0(validators: list[tuple[str, Any]], expected: dict[str, Any]) -> None:
    found = limits(validators=[{"type": kind, "value": value} for kind, value in validators])
    for kept in found.get("attributes", {}).values():
        kept[:] = [tuple(each.values()) for each in kept]
    assert found == expected


def test_limits_of_an_element_beat_those_of_its_series() -> None:
    at_most = {"type": "LESS_THAN_OR_EQUAL"}
    element = {"measurementSeriesId": "s", "value": 1}
    found = one_run(
        whole(
            step(
                measurementSeriesStart={
                    "measurementSeriesId": "s", "name": "t", "validators": [{**at_most, "value": 5}]
                }
            ),
            step(measurementSeriesElement=element),
            step(
                measurementSeriesElement={**element, "validators": [{**at_most, "value": 7}]}
            ),
        )
    )  # fmt: skip
    assert [each.high for each in found.measurements] == [5, 7]


def test_a_series_is_told_apart_by_its_step() -> None:
    def other(**artifact: object) -> dict[str, Any]:
        return {"testStepArtifact": {**artifact, "testStepId": "2"}}

    found = one_run(
        whole(
            other(testStepStart={"name": "psu"}),
            step(measurementSeriesStart={"measurementSeriesId": "0", "info": {"name": "a"}}),
            other(measurementSeriesStart={"measurementSeriesId": "0", "info": {"name": "b"}}),
            step(measurementElement={"measurementSeriesId": "0", "value": 1}),
            other(measurementElement={"measurementSeriesId": "0", "value": 2}),
        )
    )
    assert [each.test_step for each in found.measurements] == ["fan/a", "psu/b"]


@pytest.mark.parametrize(
    ("kind", "truth", "outcome"),
    [
        ("PASS", True, "PASS"),
        ("FAIL", False, "FAIL"),
        ("UNKNOWN", None, None),
        ("?", False, "FAIL"),
    ],
)
@pytest.mark.parametrize("verdict", ["verdict", "symptom"])
def test_a_diagnosis_is_pass_or_fail(
    kind: str, truth: object, outcome: str | None, verdict: str
) -> None:
    body = {verdict: "fan-ok", "type": kind, "hardwareInfoId": ["1", "2"], "message": "slow"}
    found = one(step(diagnosis=body))
    assert found.test_step == "fan/fan-ok@1,2"
    assert (found.measured_value, found.reported_outcome) == (truth, outcome)
    assert (found.comparator, found.nominal) == ("EQ", True)
    assert found.attributes == {"message": "slow"}


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


def test_an_option_maps_units() -> None:
    found = one_run(whole(step(measurement=SPEED)), units={"RPM": "1/min"})
    assert found.measurements[0].unit == "1/min"


@pytest.mark.parametrize(
    ("numbers", "gaps"),
    [
        ([0, 1, 2, 3, 4], None),
        ([0, 1, 4, 5, 9], ["sequenceNumber 2 to 3", "sequenceNumber 6 to 8"]),
        ([7, 8, 9, 10, 11], None),
        ([0, 3, 2, 1, 4], None),
        ([0, 4, 2, 5, 6], ["sequenceNumber 1", "sequenceNumber 3"]),
        ([0, 1, 1, 2, 3], None),
    ],
)
def test_gaps_in_the_sequence_are_told(numbers: list[int], gaps: list[str] | None) -> None:
    artifacts = [
        run(testRunStart=START),
        *[run(log={"text": "x"})] * 3,
        run(testRunEnd=END),
    ]
    numbered = [
        {**artifact, "sequenceNumber": number}
        for artifact, number in zip(artifacts, numbers, strict=True)
    ]
    assert one_run(log(*numbered)).attributes == (gaps and {"gaps": gaps})


def test_of_many_gaps_the_first_hundred_are_told_also_where_numbers_come_late() -> None:
    late = [{**run(log={"text": "x"}), "sequenceNumber": number} for number in range(2, 1_001, 2)]
    content = log(
        run(testRunStart=START), {**run(log={"text": "x"}), "sequenceNumber": 1_001}, *late
    ) + log(run(testRunEnd=END), first=1_002)
    told = (one_run(content).attributes or {})["gaps"]
    assert told == [f"sequenceNumber {number}" for number in range(1, 200, 2)]


def test_a_gap_before_the_start_is_told_and_a_new_program_makes_none() -> None:
    first = log(VERSION, {**run(testRunStart=START), "sequenceNumber": 2})
    second = log(VERSION, run(testRunStart=START), run(testRunEnd=END))
    content = first + log(run(testRunEnd=END), first=3) + second
    runs = [each.runs[0] for each in parse(content) if isinstance(each, Parsed)]
    assert [each.attributes for each in runs] == [{"gaps": ["sequenceNumber 1"]}, None]


def test_a_gap_is_told_after_a_restart_too() -> None:
    content = log(VERSION) + log(run(testRunStart=START), run(testRunEnd=END), first=2)
    parser = open_parser("ocp", Options(), "x")
    first = next(parser.feed(content))
    again = open_parser("ocp", Options(), "x", first.byte_end, parser.state())
    (item,) = again.feed(content[first.byte_end :])
    assert isinstance(item, Parsed)
    assert item.runs[0].attributes == {"gaps": ["sequenceNumber 1"]}


def test_a_program_that_died_leaves_its_run_unparsed_and_the_next_is_read() -> None:
    died = log(VERSION, run(testRunStart=START), step(measurement=SPEED))
    found = parse(died + b'{"testStepArti' + log(VERSION) + died + whole(step(measurement=SPEED)))
    told = [each for each in found if not isinstance(each, Skipped)]
    assert [type(each) for each in told] == [Unparsed, Unparsed, Parsed]
    assert "testRunEnd" in str(told[0])


def test_a_run_is_complete_at_its_last_line_not_before() -> None:
    content = whole(step(measurement=SPEED))
    parser = open_parser("ocp", Options(), "x")
    assert list(parser.feed(content[:-1])) == []
    (item,) = parser.finish()
    assert isinstance(item, Parsed)
    assert item.byte_end == len(content) - 1


@pytest.mark.parametrize(
    "bad",
    [
        b"nonsense",
        b'{"a": 1}',
        b"[1]",
        b"[" * 1000,
        b'{"testStepArtifact": 7}',
        b'{"testStepArtifact": {"testStepId": "300"}}',
        b'{"testStepArtifact": {"measurement": 7}}',
        b'{"testStepArtifact": {"measurement": {"value": 1}}}',
        b'{"testStepArtifact": {"measurement": {"name": "x", "value": {}}}}',
        b'{"testStepArtifact": {"measurement": {"info": 7, "element": {"value": 1}}}}',
        b'{"testStepArtifact": {"measurement": {"name": "x", "validators": 7}}}',
        b'{"testStepArtifact": {"measurement": {"name": "x", "range": {"minimum": "a"}}}}',
        b'{"testStepArtifact": {"measurementElement": {"measurementSeriesId": "9"}}}',
        b'{"testStepArtifact": {"measurementSeriesEnd": {"measurementSeriesId": "9"}}}',
        b'{"testStepArtifact": {"diagnosis": {"type": "PASS"}}}',
        b'{"testStepArtifact": {"surprise": {}}}',
    ],
)
def test_a_line_that_is_not_understood_is_a_hole(bad: bytes) -> None:
    content = whole(step(measurement=SPEED), bad, step(measurement=SPEED))
    (item,) = parse(content)
    assert isinstance(item, Parsed)
    (hole,) = item.holes
    assert content[hole.byte_start : hole.byte_end] == bad + b"\n"
    assert len(item.runs[0].measurements) == 2


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", '"Infinity"', "null"])
def test_no_number_is_null(value: str) -> None:
    content = whole(step(measurement=SPEED)).replace(b"9000.5", value.encode())
    (found,) = one_run(content).measurements
    assert found.measured_value is None


@pytest.mark.parametrize("value", ["PASS", True, False])
def test_text_and_booleans_are_values(value: object) -> None:
    assert one(step(measurement={**SPEED, "value": value})).measured_value == value


def test_a_step_whose_start_is_missing_goes_by_its_id() -> None:
    found = one_run(log(run(testRunStart=START), step(measurement=SPEED), run(testRunEnd=END)))
    assert found.measurements[0].test_step == "300/speed@5"


def test_errors_are_kept_with_the_run() -> None:
    found = one_run(whole(run(error={"symptom": "no-fan", "message": "fan 3 is missing"})))
    assert found.attributes == {"errors": ["no-fan: fan 3 is missing"]}


def test_steps_outside_of_any_run_are_unparsed_and_joined() -> None:
    found = parse(log(step(measurement=SPEED), step(measurement=SPEED)) + whole())
    assert [type(each) for each in found] == [Unparsed, Parsed]
    assert "no testRunStart" in str(found[0])


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

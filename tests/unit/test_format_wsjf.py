"""WATS reports (WSJF): a whole report, and every trap of the format."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from broker.messages import RUN, Run, RunMeasurement
from edge_agent.formats import Item, Options, Parsed, Skipped, Unparsed, open_parser
from edge_agent.formats.runs import run_json
from tests.support.logs.wsjf import REPORT

STEP = {"name": "VA", "status": "P", "numericMeas": [{"value": 1, "status": "P"}]}
RECORD: dict[str, Any] = {
    "type": "T",
    "sn": "A1",
    "pn": "P-7",
    "processName": "FCT",
    "result": "P",
    "start": "2022-11-19T11:48:22.42",
    "root": {"name": "Main", "steps": [STEP]},
    "uut": {"user": "kim", "testSocketIndex": -1},
}


def parse(content: bytes, **options: object) -> list[Item]:
    parser = open_parser("wsjf", Options(**options), "report.json")
    return [*parser.feed(content), *parser.finish()]


def as_bytes(**changes: object) -> bytes:
    return json.dumps({**RECORD, **changes}).encode()


def one_run(content: bytes, **options: object) -> Run:
    (item,) = parse(content, **options)
    assert isinstance(item, Parsed), item
    return item.runs[0]


def refusal(content: bytes) -> str:
    (item,) = parse(content)
    assert isinstance(item, Unparsed)
    return item.reason


def steps(*found: object, **options: object) -> tuple[RunMeasurement, ...]:
    return one_run(as_bytes(root={"name": "Main", "steps": found}), **options).measurements


def numeric(**fields: object) -> dict[str, Any]:
    measurement = {"value": 1.5, "status": "P", **fields}
    (found,) = steps({"name": "VA", "numericMeas": [measurement]})
    return found.model_dump(exclude_none=True, exclude={"test_step", "reported_outcome"})


def string(**fields: object) -> dict[str, Any]:
    measurement = {"value": "v2", "status": "P", **fields}
    (found,) = steps({"name": "FW", "stringMeas": [measurement]})
    return found.model_dump(exclude_none=True, exclude={"test_step", "reported_outcome"})


@pytest.fixture(scope="module")
def report() -> Run:
    bom, item = parse(REPORT)
    assert isinstance(bom, Skipped)
    assert isinstance(item, Parsed)
    assert (item.byte_start, item.byte_end) == (3, len(REPORT))
    return item.runs[0]


def test_a_report_says_who_what_when_and_where(report: Run) -> None:
    assert (report.barcode, report.product_id, report.procedure) == (
        "0502-0001", "OLC-140", "Board FCT",
    )  # fmt: skip
    assert report.started_at == datetime(2022, 11, 19, 9, 45, 27, 443_000, UTC)
    assert (report.reported_outcome, report.operator, report.fixture) == ("FAIL", "Janis", "FIX-1")
    assert report.panel
    assert (report.panel.id, report.panel.position) == ("B-77", 2)
    assert (report.program, report.program_version) == ("OLC.seq", "1.6.0.0")
    assert report.attributes == {
        "report_id": "1b5ee9ce-8a2c-4cf4-a2a5-6a3f64b2d7a1",
        "revision": "8",
        "machine_name": "FCT-3",
        "location": "Riga",
        "purpose": "Production",
    }


def test_a_report_names_its_measurements_by_their_path(report: Run) -> None:
    assert [(each.test_step, each.reported_outcome) for each in report.measurements] == [
        ("Power/VA", "FAIL"),
        ("Power/Rails/3V3 {", "PASS"),
        ("Power/Rails/ripple", "PASS"),
        ("Firmware", "PASS"),
        ("LEDs/green", "PASS"),
        ("LEDs/red", "FAIL"),
    ]


def test_a_report_has_these_values_and_limits(report: Run) -> None:
    va, rail, ripple, firmware, green, red = report.measurements
    assert (va.measured_value, va.unit, va.comparator, va.low, va.high) == (
        17.879, "volt", "GELE", 14, 16,
    )  # fmt: skip
    assert (rail.comparator, rail.low, rail.high) == ("GT", 3.2, None)
    assert (ripple.comparator, ripple.measured_value) == ("LOG", 0.01)
    assert (firmware.measured_value, firmware.comparator, firmware.nominal) == (
        "v2.4", "IGNORECASE", "V2.4",
    )  # fmt: skip
    assert (green.measured_value, green.comparator, green.nominal) == (True, "EQ", True)
    assert (red.measured_value, red.reported_outcome) == (False, "FAIL")


def test_a_report_is_a_valid_message(report: Run) -> None:
    assert RUN.validate_json(run_json(report)) == report


@pytest.mark.parametrize(
    ("said", "outcome"),
    [("P", "PASS"), ("F", "FAIL"), ("E", "ERROR"), ("T", "ABORTED"), ("X", "ERROR"), (None, None)],
)
def test_the_result_is_the_outcome(said: str | None, outcome: str | None) -> None:
    assert one_run(as_bytes(result=said)).reported_outcome == outcome


@pytest.mark.parametrize(
    ("said", "outcome", "truth"),
    [
        ("P", "PASS", True),
        ("Passed", "PASS", True),
        ("D", "PASS", True),
        ("F", "FAIL", False),
        ("E", "ERROR", None),
        ("T", "ABORTED", None),
        ("X", "FAIL", False),
        (None, None, None),
    ],
)
def test_a_boolean_measurement_is_its_status(
    said: str | None, outcome: str | None, truth: object
) -> None:
    (found,) = steps({"name": "LED", "booleanMeas": [{"status": said}]})
    assert (found.measured_value, found.reported_outcome) == (truth, outcome)
    assert (found.comparator, found.nominal) == ("EQ", True)


def test_a_skipped_measurement_is_none() -> None:
    (found,) = steps({"name": "VA", "numericMeas": [{"status": "S", "value": 0}, {"value": 1}]})
    assert (found.measured_value, found.reported_outcome) == (1, None)


@pytest.mark.parametrize("kind", ["numericMeas", "stringMeas", "booleanMeas"])
def test_a_single_measurement_may_stand_without_a_list(kind: str) -> None:
    (found,) = steps({"name": "one", kind: {"status": "P", "value": None}})
    assert found.test_step == "one"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"compOp": "GELE", "lowLimit": 1, "highLimit": 2}, ("GELE", 1, 2)),
        ({"compOp": "gele", "lowLimit": 1, "highLimit": 2}, ("GELE", 1, 2)),
        ({"compOp": "LTGT", "lowLimit": 1, "highLimit": 2}, ("LTGT", 1, 2)),
        ({"compOp": "GELT", "lowLimit": 1}, ("GE", 1, None)),
        ({"compOp": "GELT", "highLimit": 2}, ("LT", None, 2)),
        ({"compOp": "GELE", "lowLimit": 1, "highLimit": 1e100}, ("GE", 1, None)),
        ({"compOp": "GELE", "lowLimit": "-Infinity", "highLimit": "2.5"}, ("LE", None, 2.5)),
        ({"compOp": "LE", "lowLimit": 5}, ("LE", 5, None)),
        ({"compOp": "EQ", "lowLimit": 0}, ("EQ", 0, None)),
        ({"lowLimit": 1, "highLimit": 2}, (None, 1, 2)),
        ({"compOp": "GELE"}, (None, None, None)),
        ({"compOp": "Log"}, ("LOG", None, None)),
    ],
)
def test_a_comparator_and_its_limits(fields: dict[str, Any], expected: tuple[object, ...]) -> None:
    found = numeric(**fields)
    assert (found.get("comparator"), found.get("low"), found.get("high")) == expected


@pytest.mark.parametrize("operator", ["EQT", "ODD"])
def test_a_comparator_that_cannot_be_judged_is_kept_with_its_limits(operator: str) -> None:
    assert numeric(compOp=operator, lowLimit=1) == {
        "measured_value": 1.5,
        "attributes": {"comparator": operator, "low": 1},
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"compOp": "EQ", "limit": "v2"}, {"comparator": "EQ", "nominal": "v2"}),
        ({"compOp": "Equal", "limit": "v2"}, {"comparator": "EQ", "nominal": "v2"}),
        ({"compOp": "CASESENSIT", "limit": "v2"}, {"comparator": "CASESENSIT", "nominal": "v2"}),
        ({"compOp": "LOG", "limit": None}, {"comparator": "LOG"}),
        ({"compOp": "EQ", "limit": None}, {}),
        ({"compOp": "GT", "limit": "v1"}, {"attributes": {"comparator": "GT", "nominal": "v1"}}),
    ],
)
def test_a_text_and_what_it_is_compared_with(
    fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert string(**fields) == {"measured_value": "v2", **expected}


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", '"NaN"', "null"])
def test_no_number_is_null_and_keeps_its_limits(value: str) -> None:
    content = as_bytes().replace(b'"value": 1', f'"lowLimit": 2, "value": {value}'.encode())
    (found,) = one_run(content).measurements
    assert (found.measured_value, found.low) == (None, 2)


def test_a_deep_path_keeps_the_order_of_the_file() -> None:
    inner = {"name": "inner", "steps": [STEP], "booleanMeas": [{"name": "own", "status": "P"}]}
    found = steps({"name": "outer", "steps": [inner]}, {"name": "", "steps": [STEP]})
    assert [each.test_step for each in found] == ["outer/inner/own", "outer/inner/VA", "VA"]


def test_steps_without_measurements_are_none() -> None:
    (found,) = steps({"name": "Wait", "status": "D", "steps": None}, STEP)
    assert found.test_step == "VA"


def test_a_report_without_measurements_is_recorded() -> None:
    (found,) = one_run(as_bytes(root={"steps": []}, result="T")).measurements
    assert (found.test_step, found.measured_value, found.comparator) == ("run", "T", "LOG")


@pytest.mark.parametrize(("socket", "position"), [(0, 0), (12, 12), ("3", 3), ("A", "A")])
def test_the_socket_is_the_position(socket: object, position: object) -> None:
    run = one_run(as_bytes(uut={"testSocketIndex": socket}))
    assert run.panel
    assert (run.panel.position, run.panel.id) == (position, None)


@pytest.mark.parametrize("socket", [-1, None, True, 1.5, []])
def test_the_only_socket_is_no_position(socket: object) -> None:
    assert one_run(as_bytes(uut={"testSocketIndex": socket})).panel is None


def test_a_panel_may_have_a_serial_number_alone() -> None:
    run = one_run(as_bytes(uut={"testSocketIndex": -1, "batchSN": "B-7"}))
    assert run.panel
    assert (run.panel.id, run.panel.position) == ("B-7", None)


def test_a_start_without_zone_stays_without_one() -> None:
    assert one_run(as_bytes()).started_at == datetime(2022, 11, 19, 11, 48, 22, 420_000)  # noqa: DTZ001


def test_without_a_part_number_the_program_is_the_product() -> None:
    root = {"steps": [STEP], "seqCall": {"name": r"C:\Seq\board.seq", "version": 3}}
    run = one_run(as_bytes(root=root, pn=None))
    assert (run.product_id, run.program, run.program_version) == ("board.seq", "board.seq", "3")


def test_without_a_process_name_its_code_is_the_procedure() -> None:
    assert one_run(as_bytes(processName=None, processCode=10)).procedure == "10"


def test_the_options_beat_the_file() -> None:
    run = one_run(as_bytes(), product_id="X", procedure="Y", units={"volt": "V"})
    assert (run.product_id, run.procedure) == ("X", "Y")
    (found,) = steps(
        {"name": "VA", "numericMeas": {"value": 1, "unit": "volt"}}, units={"volt": "V"}
    )
    assert found.unit == "V"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sn": None}, "serial number"),
        ({"sn": {}}, "serial number"),
        ({"type": "R", "root": None}, "repair"),
        ({"root": []}, "root"),
        ({"root": {"steps": {}}}, "steps"),
        ({"root": {"steps": [7]}}, "steps"),
        ({"root": {"steps": [{"name": "a", "numericMeas": "x"}]}}, "numericMeas"),
        ({"root": {"steps": [{"name": "a", "numericMeas": {"value": [1]}}]}}, "measured value"),
        ({"root": {"steps": [{"name": "a", "numericMeas": {"lowLimit": True}}]}}, "limit"),
        ({"root": {"steps": [{"booleanMeas": {"status": "P"}}]}}, "has a name"),
        ({"uut": "kim"}, "uut"),
        ({"start": "yesterday"}, "started_at"),
        ({"start": None}, "started_at"),
        ({"pn": None}, "product_id"),
    ],
)
def test_what_cannot_be_meant_refuses_the_report_in_words(
    changes: dict[str, Any], said: str
) -> None:
    assert said in refusal(as_bytes(**changes))


def test_wherever_the_first_report_breaks_off_the_second_is_read() -> None:
    content, whole = as_bytes(), as_bytes(sn="A2")
    for died_at in range(1, len(content)):
        damaged, item = parse(content[:died_at] + whole)
        assert isinstance(damaged, Unparsed)
        assert isinstance(item, Parsed)
        assert item.runs[0].barcode == "A2"


def test_serial_numbers_of_sub_units_are_no_start_marks() -> None:
    run = one_run(as_bytes(subUnits=[{"sn": "S1", "pn": "root"}], miscInfos=[{"root": 1}]))
    assert run.barcode == "A1"

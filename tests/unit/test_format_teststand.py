"""TestStand XML reports: the published facts of the real files, and of whom a report is."""

from datetime import datetime
from pathlib import Path

import pytest

from broker.messages import RUN, Run
from edge_agent.formats import Parsed, Skipped
from edge_agent.formats.runs import run_json
from tests.support.logs.teststand import HEAD, PROLOG, SAMPLES, group, prop, report
from tests.support.teststand_reports import ON, one_run, parse, refusal


def sample_run(sample: Path) -> Run:
    content = sample.read_bytes()
    before, item, behind = parse(content)
    assert isinstance(before, Skipped)
    assert isinstance(item, Parsed)
    assert isinstance(behind, Skipped)
    assert not item.holes
    assert behind.byte_end == len(content)
    assert content[item.byte_start : item.byte_end].startswith(b"<Report Type='UUT'")
    assert content[item.byte_start : item.byte_end].endswith(b"</Report>")
    (run,) = item.runs
    assert run.source
    assert (run.source.byte_start, run.source.byte_end) == (item.byte_start, item.byte_end)
    return run


@pytest.mark.parametrize(
    ("sample", "barcode", "product", "started_at"),
    [
        ("TSWithWats2.xml", "5465466", "11", "2022-07-01T16:52:21.036000"),
        (
            "TsWithoutWats.xml",
            "2342343",
            "Computer Motherboard Test Sequence",
            "2022-07-01T15:47:48.927000",
        ),
    ],
)
def test_the_real_files_hold_one_passed_unit_each(
    sample: str, barcode: str, product: str, started_at: str
) -> None:
    (path,) = [each for each in SAMPLES if each.name == sample]
    run = sample_run(path)
    assert (run.barcode, run.product_id) == (barcode, product)
    assert run.started_at.isoformat() == started_at
    assert run.reported_outcome == "PASS"
    assert run.program == run.procedure == "Computer Motherboard Test Sequence"
    assert run.operator == "administrator"
    assert run.panel is None
    assert RUN.validate_json(run_json(run)) == run


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda each: each.name)
def test_the_real_files_have_these_nine_measurements(sample: Path) -> None:
    measurements = sample_run(sample).measurements
    assert [each.test_step for each in measurements] == [
        "Powerup Test",
        "CPU Test/Register Test",
        "CPU Test/Instruction Set Test",
        "CPU Test/Cache Test",
        "CPU Test/FPU Test",
        "ROM Test",
        "RAM Test",
        "Video Test",
        "Keyboard Test",
    ]
    assert [each.measured_value for each in measurements[:7]] == [True] * 7
    assert {(each.comparator, each.nominal) for each in measurements[:7]} == {("EQ", True)}
    video, keyboard = measurements[7:]
    assert (video.measured_value, video.comparator, video.low, video.high) == (5, "GTLT", 0, 10)
    assert video.unit == "microseconds"
    assert (keyboard.measured_value, keyboard.comparator) == (6, "GT")
    assert (keyboard.low, keyboard.high) == (5, None)
    assert {each.reported_outcome for each in measurements} == {"PASS"}


def test_the_start_is_read_from_its_numbers_not_from_its_texts() -> None:
    started_at = one_run(report(ON)).started_at
    assert started_at == datetime(2022, 7, 1, 15, 47, 48, 36_000)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (prop("Year", "2022"), "", "StartDate.Year"),
        (prop("Month", "7"), prop("Month", "13"), "no time"),
        (prop("Hours", "15"), prop("Hours", "x"), "not a number"),
        (prop("Hours", "15"), prop("Hours", "nan"), "StartTime.Hours"),
    ],
)
def test_a_start_that_is_no_time_refuses_the_unit(old: str, new: str, reason: str) -> None:
    assert reason in refusal(report(ON, head=HEAD.replace(old, new)))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("Passed", "PASS"),
        ("Done", "PASS"),
        ("Failed", "FAIL"),
        ("Error", "ERROR"),
        ("Terminated", "ABORTED"),
        ("Melted", "ERROR"),
    ],
)
def test_the_report_says_the_outcome_of_the_unit(status: str, outcome: str) -> None:
    assert one_run(report(ON, outcome=status)).reported_outcome == outcome


@pytest.mark.parametrize(
    ("socket", "batch", "panel"),
    [
        (-1, "", None),
        (0, "", {"position": 0}),
        (3, "B7", {"id": "B7", "position": 3}),
        (-1, "B7", {"id": "B7"}),
    ],
)
def test_socket_and_batch_are_the_panel(
    socket: int, batch: str, panel: dict[str, object] | None
) -> None:
    head = HEAD.replace(prop("TestSocketIndex", "-1"), prop("TestSocketIndex", str(socket)))
    head = head.replace(prop("BatchSerialNumber", ""), prop("BatchSerialNumber", batch))
    found = one_run(report(ON, head=head)).panel
    assert (found and found.model_dump(exclude_none=True)) == panel


def test_station_and_login_are_kept() -> None:
    head = HEAD + group("StationInfo", StationID="TS-7", LoginName="anna")
    run = one_run(report(ON, head=head))
    assert (run.operator, run.attributes) == ("anna", {"station": "TS-7"})


def test_the_sequence_file_is_program_and_procedure() -> None:
    run = one_run(report(ON))
    assert (run.program, run.procedure, run.product_id) == ("Board Test", "Board Test", "P1")
    nameless = report(ON, head=HEAD.replace("P1", ""))
    assert one_run(nameless).product_id == "Board Test"


def test_the_options_beat_the_file() -> None:
    run = one_run(report(ON), product_id="PCB-7", procedure="FCT")
    assert (run.product_id, run.procedure, run.program) == ("PCB-7", "FCT", "Board Test")


@pytest.mark.parametrize(
    ("option", "rest"), [("product_id", {"procedure": "FCT"}), ("procedure", {"product_id": "P"})]
)
def test_without_a_sequence_file_the_options_are_named(option: str, rest: dict[str, str]) -> None:
    bare = report(ON, head=HEAD.replace("P1", "")).replace(r"C:\seq\Board Test.seq", "")
    assert option in refusal(bare, **rest)


def test_without_a_serial_number_it_is_no_run() -> None:
    assert "SerialNumber" in refusal(report(ON, head=HEAD.replace("A1", " ")))


def test_a_report_without_measurement_is_recorded() -> None:
    (measurement,) = one_run(report(outcome="Terminated")).measurements
    assert (measurement.test_step, measurement.measured_value) == ("run", "Terminated")
    assert (measurement.comparator, measurement.reported_outcome) == ("LOG", None)


def test_several_reports_in_a_file_are_several_units() -> None:
    second = report(ON, head=HEAD.replace("A1", "A2"))
    found = parse(PROLOG + report(ON) + "\n" + second + "\n</Reports>\n")
    assert [type(item) for item in found] == [Skipped, Parsed, Skipped, Parsed, Skipped]
    assert [item.runs[0].barcode for item in found if isinstance(item, Parsed)] == ["A1", "A2"]

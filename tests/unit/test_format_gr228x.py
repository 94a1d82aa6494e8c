"""GR228X logs: the published facts of the real files, and what their marks say of a unit."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from broker.errors import SettingsError
from broker.messages import RUN, Comparator, RunMeasurement
from edge_agent.formats import Options, Parsed, Skipped, open_parser, read_options
from edge_agent.formats.runs import run_json
from tests.support.gr228x_units import END, PROGRAM, ROW, START, one_run, parse, refusal, runs_of
from tests.support.paths import FIXTURES

PLAIN = FIXTURES / "gr228x/43420_BIO2.LOG"
EXTENDED = FIXTURES / "gr228x/43420_BIO2_Extended.LOG"


def kind_of(measurement: RunMeasurement) -> str:
    if measurement.comparator is Comparator.LOG:
        return "recorded"
    if not isinstance(measurement.measured_value, bool):
        return "number"
    return "without value" if measurement.measured_value else measurement.test_step


@pytest.mark.parametrize("file", [PLAIN, EXTENDED])
def test_every_byte_of_the_real_files_is_explained(file: Path) -> None:
    found = parse(file.read_bytes())
    assert [
        "run" if isinstance(item, Parsed) and not item.holes else item[0] for item in found
    ] == ["blank line", "program loaded", "run", "run", "run", "returned to diagnose"]
    assert found[-1].byte_end == file.stat().st_size


@pytest.mark.parametrize("file", [PLAIN, EXTENDED])
def test_the_real_files_hold_these_units(file: Path) -> None:
    runs = runs_of(parse(file.read_bytes()))
    assert [(run.barcode, run.reported_outcome, f"{run.started_at:%F %T}") for run in runs] == [
        ("65428553938829725787", "ABORTED", "2012-07-31 14:18:51"),
        ("24422984989544535753", "FAIL", "2012-07-31 14:19:32"),
        ("42842937739687688567", "PASS", "2012-07-31 14:25:12"),
    ]
    assert [Counter(map(kind_of, run.measurements)) for run in runs] == [
        {"contact": 2},
        {"number": 16, "without value": 8, "recorded": 2, "opens": 1},
        {"number": 16, "without value": 13, "recorded": 2},
    ]
    assert {run.procedure for run in runs} == {"ICT"}
    assert runs[1].ended_at == datetime(2012, 7, 31, 14, 19, 49)  # noqa: DTZ001


@pytest.mark.parametrize("file", [PLAIN, EXTENDED])
def test_every_line_of_the_real_files_is_a_measurement_or_recorded_nothing(file: Path) -> None:
    units_of_lines = file.read_text("ascii").split("\n@")[1:]
    counted = []
    for unit in units_of_lines:
        lines = [line for line in unit.splitlines()[1:] if line and not line.startswith("WATS_")]
        recorded_nothing = [line for line in lines if "#(" in line]
        events = [line for line in lines if line[0] in '"/?]']
        counted.append((len(lines) - len(recorded_nothing) - len(events), len(recorded_nothing)))
    assert counted == [(2, 0), (27, 17), (31, 17)]
    runs = runs_of(parse(file.read_bytes()))
    assert [len(run.measurements) for run in runs] == [count for count, _ in counted]


def test_the_lists_of_the_aborted_unit_keep_their_nodes() -> None:
    first, *_ = runs_of(parse(PLAIN.read_bytes()))
    nodes = [(m.attributes or {})["nodes"] for m in first.measurements]
    assert nodes[0] == "300,301,303"
    assert nodes[1].startswith("90,156,172,")
    assert nodes[1].endswith(",254,255,256")


def test_of_the_failed_unit_only_opens_failed() -> None:
    _, failed, _ = runs_of(parse(PLAIN.read_bytes()))
    assert [m.test_step for m in failed.measurements if m.reported_outcome == "FAIL"] == ["opens"]
    for m in failed.measurements:
        if isinstance(m.measured_value, float):
            assert m.low is None or m.low <= m.measured_value
            assert m.high is None or m.measured_value <= m.high


def test_the_real_values_are_scaled_exactly() -> None:
    _, failed, _ = runs_of(parse(PLAIN.read_bytes()))
    found = {m.test_step: m for m in failed.measurements}
    assert (found["R402"].measured_value, found["R402"].low) == (4.5131532e7, 5e5)
    assert found["R402"].high is None
    assert found["V230"].measured_value == 0.520747483
    assert (found["C500"].low, found["C500"].unit) == (159.999985e-9, "F")


def test_the_second_real_file_overrides_the_product() -> None:
    runs = runs_of(parse(EXTENDED.read_bytes()))
    assert [run.product_id for run in runs] == ["43420_BIO2", "123456", "123456"]
    assert [run.program for run in runs] == ["43420_BIO2", "CPU02", "43420_BIO2"]
    assert [run.operator for run in runs] == [None, "KB", "KB"]
    assert runs[1].program_version == "1.1"
    assert runs[1].attributes == {"event": "/", "partRevision": "C", "stationName": "AREL1001"}
    assert {run.product_id for run in runs_of(parse(PLAIN.read_bytes()))} == {"43420_BIO2"}


@pytest.mark.parametrize("file", [PLAIN, EXTENDED])
def test_every_run_of_the_real_files_is_a_valid_message(file: Path) -> None:
    for run in runs_of(parse(file.read_bytes())):
        assert RUN.validate_json(run_json(run)) == run


def test_the_source_is_the_units_own_bytes() -> None:
    content = PLAIN.read_bytes()
    for run in runs_of(parse(content)):
        assert run.source
        assert run.source.file == "board.LOG"
        piece = content[run.source.byte_start or 0 : run.source.byte_end]
        assert piece.startswith(b"@31-JUL-12")
        assert f"SN {run.barcode}\n".encode() in piece
        assert piece.count(b"@") == 1


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        ('"', "PASS"),
        ("/", "FAIL"),
        ("?", "ABORTED"),
        ("!", "ABORTED"),
        ("*", "ERROR"),
        ("&", "ERROR"),
    ],
)
def test_the_event_says_the_outcome(event: str, outcome: str) -> None:
    run = one_run(PROGRAM + START + ROW + END.replace('"', event))
    assert run.reported_outcome == outcome
    assert run.attributes == {"event": event}
    assert run.ended_at == datetime(2012, 7, 31, 14, 25, 28)  # noqa: DTZ001


def test_a_unit_without_measurements_is_recorded() -> None:
    (measurement,) = one_run(PROGRAM + START + "X#(,)IS\n" + END.replace('"', "?")).measurements
    assert (measurement.test_step, measurement.measured_value) == ("run", "ABORTED")
    assert (measurement.comparator, measurement.reported_outcome) == ("LOG", None)


def test_a_return_to_diagnose_is_skipped_and_ends_no_unit() -> None:
    diagnose = "]31-jul-12  14:32:13\n"
    content = PROGRAM + diagnose + START + ROW + diagnose + ROW + END
    found = parse(content)
    assert [type(item) for item in found] == [Skipped, Skipped, Parsed]
    assert len(one_run(content).measurements) == 2


@pytest.mark.parametrize("date", ["31-JUL-12", "31-jul-12", "31-Jul-2012"])
def test_months_are_english_in_any_case(date: str) -> None:
    content = PROGRAM + START.replace("31-JUL-12", date) + ROW + END
    assert one_run(content).started_at == datetime(2012, 7, 31, 14, 18, 51)  # noqa: DTZ001


@pytest.mark.parametrize("month", range(1, 13))
def test_every_month_is_known(month: int) -> None:
    date = datetime(2012, month, 1)  # noqa: DTZ001
    content = PROGRAM + START.replace("31-JUL-12", f"{date:%d-%b-%y}") + ROW + END
    assert one_run(content).started_at.month == month


@pytest.mark.parametrize("date", ["31-OKT-12", "31-FEB-12"])
def test_a_date_that_does_not_exist_is_refused(date: str) -> None:
    assert date in refusal(PROGRAM + START.replace("31-JUL-12", date) + ROW + END)
    assert date in refusal(PROGRAM + START + ROW + END.replace("31-JUL-12", date))


def test_the_order_of_the_date_is_no_option() -> None:
    with pytest.raises(SettingsError, match="date_order"):
        read_options("gr228x", {"date_order": "mdy"})


def test_the_options_beat_the_file() -> None:
    content = PROGRAM + START + "WATS_partNumber=7\n" + ROW + END
    run = one_run(content, product_id="PCB-7", procedure="ICT-2")
    assert (run.product_id, run.procedure, run.program) == ("PCB-7", "ICT-2", "43420_BIO2")


def test_overrides_hold_for_their_unit_only_and_only_with_a_value() -> None:
    first, second = runs_of(
        parse(PROGRAM + START + "WATS_partNumber= 7 \n" + ROW + END + START + ROW + END)
    )
    assert (first.product_id, second.product_id) == ("7", "43420_BIO2")
    empty = one_run(PROGRAM + START + "WATS_partNumber=\nWATS_x=\n" + ROW + END)
    assert (empty.product_id, empty.attributes) == ("43420_BIO2", {"event": '"'})


@pytest.mark.parametrize(
    ("program", "product"),
    [
        (r"F:\A\B\43420_BIO2.obc", "43420_BIO2"),
        ("c:/a/x y.OBC", "x y"),
        ("board.obc", "board"),
        (r"F:\A.obc\v1.2.obc", "v1.2"),
    ],
)
def test_the_product_is_the_base_name_of_the_program(program: str, product: str) -> None:
    assert one_run(f"{program}[31-JUL-12  14:17:35\n" + START + ROW + END).product_id == product


def test_a_program_holds_for_every_unit_until_the_next_is_loaded() -> None:
    unit = START + ROW + END
    found = runs_of(parse(PROGRAM + unit + unit + PROGRAM.replace("43420_BIO2", "other") + unit))
    assert [run.product_id for run in found] == ["43420_BIO2", "43420_BIO2", "other"]


def test_without_a_program_the_option_says_the_product() -> None:
    assert "product_id" in refusal(START + ROW + END)
    assert one_run(START + ROW + END, product_id="P").product_id == "P"


def test_the_program_is_kept_in_the_state() -> None:
    content = (PROGRAM + START + ROW + END).encode()
    parser = open_parser("gr228x", Options(), "x")
    (loaded,) = parser.feed(PROGRAM.encode())
    rest = open_parser("gr228x", Options(), "x", loaded.byte_end, parser.state())
    (item,) = rest.feed(content[loaded.byte_end :])
    assert isinstance(item, Parsed)
    assert item.runs[0].product_id == "43420_BIO2"


@pytest.mark.parametrize(
    "start", ["@31-JUL-12  14:18:51 SN \n", "@31-JUL-12  14:18:51\n", "@31-JUL-1\n"]
)
def test_without_a_barcode_it_is_no_run(start: str) -> None:
    assert "barcode" in refusal(PROGRAM + start + ROW + END)


def test_a_barcode_may_hold_blanks() -> None:
    assert one_run(PROGRAM + START.replace("A1", "A 1 SN 2") + ROW + END).barcode == "A 1 SN 2"


def test_the_last_line_needs_no_newline() -> None:
    assert one_run((PROGRAM + START + ROW + END).rstrip()).reported_outcome == "PASS"


def test_crlf_byte_order_mark_and_windows_1252_are_read() -> None:
    content = PROGRAM + START + "WATS_operator=Ren\u00e9\n" + ROW + END
    run = one_run(b"\xef\xbb\xbf" + content.replace("\n", "\r\n").encode("cp1252"))
    assert (run.operator, run.product_id) == ("Ren\u00e9", "43420_BIO2")

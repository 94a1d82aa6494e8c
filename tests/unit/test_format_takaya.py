"""Takaya logs: the published facts of the real files, the head of a panel, and its boards."""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from broker.messages import RUN
from edge_agent.formats import Options, Parsed, Skipped, Unparsed, open_parser, read_options
from edge_agent.formats.runs import run_json
from tests.support.logs.takaya import HEAD, board, row
from tests.support.paths import FIXTURES
from tests.support.takaya_panels import END, boards, one_run, parse, refusal, runs_of

TWO_BOARDS = FIXTURES / "takaya/V682780_B_BOT-20230301082027.ATD"
FOUR_BOARDS = FIXTURES / "takaya/PB2939800_E_BOT-20230420130239.ATD"


@pytest.mark.parametrize("file", [TWO_BOARDS, FOUR_BOARDS])
def test_every_byte_of_the_real_files_is_explained(file: Path) -> None:
    found = parse(file.read_bytes())
    assert [item.reason for item in found if not isinstance(item, Parsed)] == [
        "head of a panel",
        "blank line",
        "end of the panel",
    ]
    assert not any(item.holes for item in found if isinstance(item, Parsed))
    assert not any(isinstance(item, Unparsed) for item in found)


@pytest.mark.parametrize(
    ("file", "barcodes", "started_at", "count", "without_limits"),
    [
        (TWO_BOARDS, ["0601994566", "0601994567"], datetime(2023, 3, 1, 8, 20, 27), 52, 26),  # noqa: DTZ001
        (
            FOUR_BOARDS,
            ["0610982638", "0610982639", "0610982637", "0610982636"],
            datetime(2023, 4, 20, 13, 2, 39),  # noqa: DTZ001
            75,
            27,
        ),
    ],
)
def test_the_real_files_hold_these_boards(
    file: Path, barcodes: list[str], started_at: datetime, count: int, without_limits: int
) -> None:
    runs = runs_of(parse(file.read_bytes()))
    assert [run.barcode for run in runs] == barcodes
    assert [run.panel and run.panel.position for run in runs] == list(range(1, len(runs) + 1))
    assert {run.started_at for run in runs} == {started_at}
    assert {(run.procedure, run.reported_outcome) for run in runs} == {("FPT", "PASS")}
    assert {run.product_id for run in runs} == {file.name.split("-")[0]}
    for run in runs:
        limitless = [m for m in run.measurements if m.low is None and m.high is None]
        assert len(run.measurements) == count
        assert len(limitless) == without_limits
        assert {(m.attributes or {})["function"] for m in limitless} == {"OP", "SH"}
        assert {m.reported_outcome for m in run.measurements} == {"PASS"}


@pytest.mark.parametrize(("file", "dots"), [(TWO_BOARDS, 3), (FOUR_BOARDS, 1)])
def test_the_real_files_have_as_many_measurements_as_rows_less_those_of_dots(
    file: Path, dots: int
) -> None:
    rows = [line.split("\t") for line in file.read_text("utf-8").splitlines() if line[:1].isdigit()]
    runs = runs_of(parse(file.read_bytes()))
    groups = Counter(cells[0] for cells in rows)
    assert [groups[f"{run.panel.position:>02}"] for run in runs if run.panel] == [
        len(run.measurements) + dots for run in runs
    ]


def test_the_second_reading_of_the_real_file_decides() -> None:
    _, second = runs_of(parse(TWO_BOARDS.read_bytes()))
    (capacitor,) = [m for m in second.measurements if m.test_step.startswith("C4 ")]
    assert capacitor.test_step == "C4 10pF GND-SCL_uCConfig"
    assert (capacitor.measured_value, capacitor.unit) == (1.746e-11, "F")
    assert (capacitor.low, capacitor.high) == (1.834e-11 * (1 - 7 / 100), 1.834e-11 * 1.05)
    assert (capacitor.attributes or {})["first_value"] == 1.682e-11


@pytest.mark.parametrize("file", [TWO_BOARDS, FOUR_BOARDS])
def test_every_run_of_the_real_files_is_a_valid_message(file: Path) -> None:
    for run in runs_of(parse(file.read_bytes())):
        assert RUN.validate_json(run_json(run)) == run


def test_the_source_is_the_boards_own_bytes() -> None:
    content = TWO_BOARDS.read_bytes()
    first, second = [run.source for run in runs_of(parse(content)) if run.source]
    assert first.file == "board.ATD"
    assert content[first.byte_start or 0 :].startswith(b"* GROUP No.1 ")
    assert first.byte_end == second.byte_start
    assert content[second.byte_start or 0 :].startswith(b"* GROUP No.2 ")
    assert content[second.byte_end or 0 :] == b"@\n"


def test_the_head_holds_for_its_boards() -> None:
    run = one_run(HEAD + board("7", row()) + END)
    assert (run.product_id, run.program, run.operator) == ("V1_BOT", "V1_BOT", "An Operator")
    assert run.started_at == datetime(2023, 4, 20, 13, 2, 39)  # noqa: DTZ001
    assert run.panel
    assert run.panel.position == 7
    assert run.attributes == {
        "counters": {"D.T": 1, "D.P": 1, "D.F": 0},
        "panel_verdict": "FAIL",
        "panel_counters": {"D.T": 27, "D.P": 24, "D.F": 3, "G.T": 434, "G.P": 412, "G.F": 22},
        "test_time": "14 s",
        "test_id": "TAK4",
    }


def test_the_options_beat_the_file() -> None:
    content = HEAD + board("1", row()) + END
    run = one_run(content, product_id="PCB-7", procedure="AOI")
    assert (run.product_id, run.procedure, run.program) == ("PCB-7", "AOI", "V1_BOT")
    assert read_options("takaya", {"date_order": "mdy"}).date_order == "mdy"


@pytest.mark.parametrize(
    ("model", "product"),
    [(b"V2_top.swx", "V2_top"), (b"V3.SWX2", "V3.SWX2"), (b"V4", "V4")],
)
def test_the_product_is_the_model_without_swx(model: bytes, product: str) -> None:
    content = HEAD.replace(b"V1_BOT.SWX", model) + board("1", row()) + END
    assert one_run(content).product_id == product


@pytest.mark.parametrize(
    ("date", "month", "day"), [(b"20/4/2023", 4, 20), (b"1/3/2023", 3, 1), (b"01/03/23", 3, 1)]
)
def test_the_day_comes_before_the_month(date: bytes, month: int, day: int) -> None:
    content = HEAD.replace(b"20/4/2023", date) + board("1", row()) + END
    assert one_run(content).started_at == datetime(2023, month, day, 13, 2, 39)  # noqa: DTZ001


def test_a_tester_that_prints_the_month_first_needs_the_option() -> None:
    content = HEAD.replace(b"20/4/2023", b"4/20/2023") + board("1", row()) + END
    assert "date_order" in refusal(content)
    assert one_run(content, date_order="mdy").started_at.day == 20


@pytest.mark.parametrize(
    ("serial", "barcode", "operator"),
    [
        ("0601994566", "0601994566", "An Operator"),
        ("12345 - SN0001 (FP1 - OP01)", "12345 - SN0001", "FP1 - OP01"),
        ("A(1)B", "A(1)B", "An Operator"),
        ("A1 ()", "A1", "An Operator"),
    ],
)
def test_a_trailing_parenthesis_is_the_operator(serial: str, barcode: str, operator: str) -> None:
    run = one_run(HEAD + board("1", row(), serial=serial) + END)
    assert (run.barcode, run.operator) == (barcode, operator)


@pytest.mark.parametrize("serial", ["", " ", "(OP01)"])
def test_without_a_serial_number_it_is_no_run(serial: str) -> None:
    assert "Serial No." in refusal(HEAD + board("1", row(), serial=serial) + END)


@pytest.mark.parametrize(
    ("verdict", "outcome"), [("PASS", "PASS"), ("FAIL", "FAIL"), ("X", "ERROR")]
)
def test_the_board_says_its_own_outcome(verdict: str, outcome: str) -> None:
    run = one_run(HEAD + board("1", row(), verdict=verdict) + END)
    assert run.reported_outcome == outcome


def test_a_board_without_verdict_has_no_reported_outcome() -> None:
    content = HEAD + board("1", row()).replace(b"* PASS *\n", b"") + END
    assert one_run(content).reported_outcome is None


def test_a_board_that_was_not_tested_is_skipped() -> None:
    first, second, third = boards(
        HEAD
        + board("1", row())
        + board("2", row(c16="......"), verdict="NO-TEST", serial="")
        + board("3", row(), serial="A3")
        + END
    )
    assert isinstance(first, Parsed)
    assert isinstance(second, Skipped)
    assert "NO-TEST" in second.reason
    assert isinstance(third, Parsed)
    assert third.runs[0].barcode == "A3"


@pytest.mark.parametrize("verdict", ["FAIL", "PASS"])
def test_a_board_without_measurements_is_recorded(verdict: str) -> None:
    for rows in (b"", row(c16="......")):
        (measurement,) = one_run(HEAD + board("1", rows, verdict=verdict) + END).measurements
        assert (measurement.test_step, measurement.measured_value) == ("run", verdict)
        assert (measurement.comparator, measurement.reported_outcome) == ("LOG", None)


def test_a_board_is_complete_at_the_next_group_or_at() -> None:
    parser = open_parser("takaya", Options(), "x")
    content = HEAD + board("1", row()) + board("2", row(), serial="A2")
    first = [item for item in parser.feed(content) if isinstance(item, Parsed)]
    assert [item.runs[0].barcode for item in first] == ["A1"]
    second, end = parser.feed(END)
    assert isinstance(second, Parsed)
    assert isinstance(end, Skipped)
    assert list(parser.finish()) == []


def test_the_last_at_needs_no_newline() -> None:
    assert one_run(HEAD + board("1", row()) + b"@").barcode == "A1"


def test_the_head_is_kept_in_the_state_until_the_panel_ends() -> None:
    parser = open_parser("takaya", Options(), "x")
    content = HEAD + board("1", row()) + board("2", row(), serial="A2") + END
    states = [(item, parser.state()) for item in parser.feed(content)]
    kept = [bool(state.get("head")) for _, state in states]
    assert kept == [True, True, True, True, False]
    for item, state in states:
        rest = open_parser("takaya", Options(), "x", item.byte_end, json.loads(json.dumps(state)))
        found = [*rest.feed(content[item.byte_end :]), *rest.finish()]
        assert found == [each for each, _ in states if each.byte_start >= item.byte_end]


def test_a_head_as_large_as_can_be_fits_into_the_state() -> None:
    parser = open_parser("takaya", Options(), "x")
    long, counters = "\U0001f600" * 300, "D.T:999999999  G.F:999999999  " * 9
    head = f"@\n* {'X' * 30} *\n{counters}\nModel:{long}\nDATE {long}\nUser name :{long}\n"
    end = f"Test time:{long}\nTest ID :{long}\n@\n"
    (item,) = parser.feed((head + end).encode())
    assert isinstance(item, Skipped)
    assert 3000 < len(json.dumps(parser.state())) <= 4000


def test_two_panels_in_one_file_have_each_their_head() -> None:
    second = HEAD.replace(b"V1_BOT", b"V2_TOP").replace(b"20/4/2023", b"21/4/2023")
    content = HEAD + board("1", row()) + END + second + board("1", row()) + END
    assert [(run.product_id, run.started_at.day) for run in runs_of(parse(content))] == [
        ("V1_BOT", 20),
        ("V2_TOP", 21),
    ]


def test_crlf_byte_order_mark_and_windows_1252_are_read() -> None:
    content = b"\xef\xbb\xbf" + HEAD + board("1", row(c6="10 \u00b5F")) + END
    run = one_run(content.replace(b"\n", b"\r\n"))
    assert (run.measurements[0].attributes or {})["comment"] == "10 \u00b5F"

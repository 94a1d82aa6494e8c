"""Takaya logs: the published facts of the real files, and every trap of the format."""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from broker.messages import RUN, Run, RunMeasurement
from edge_agent.formats import Item, Options, Parsed, Skipped, Unparsed, open_parser, read_options
from edge_agent.formats.runs import run_json
from tests.support.logs.takaya import COLUMNS, HEAD, board, row
from tests.support.paths import FIXTURES

TWO_BOARDS = FIXTURES / "takaya/V682780_B_BOT-20230301082027.ATD"
FOUR_BOARDS = FIXTURES / "takaya/PB2939800_E_BOT-20230420130239.ATD"
END = b"@\n"


def parse(content: bytes, **options: object) -> list[Item]:
    parser = open_parser("takaya", Options(**options), r"D:\logs\board.ATD")
    return [*parser.feed(content), *parser.finish()]


def runs_of(items: list[Item]) -> list[Run]:
    return [item.runs[0] for item in items if isinstance(item, Parsed)]


def boards(content: bytes, **options: object) -> list[Item]:
    """The items without what carries nothing between boards."""
    idle = {"head of a panel", "blank line", "end of the panel"}
    found = parse(content, **options)
    return [item for item in found if not (isinstance(item, Skipped) and item.reason in idle)]


def one_run(content: bytes, **options: object) -> Run:
    (item,) = boards(content, **options)
    assert isinstance(item, Parsed), item
    assert not item.holes
    return item.runs[0]


def refusal(content: bytes, **options: object) -> str:
    (item,) = boards(content, **options)
    assert isinstance(item, Unparsed), item
    return item.reason


def measured(**cells: str) -> RunMeasurement:
    (measurement,) = one_run(HEAD + board("1", row(**cells)) + END).measurements
    return measurement


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


def test_a_row_of_dots_is_no_measurement() -> None:
    run = one_run(HEAD + board("1", row(c16="......") + row()) + END)
    assert len(run.measurements) == 1


@pytest.mark.parametrize("verdict", ["FAIL", "PASS"])
def test_a_board_without_measurements_is_recorded(verdict: str) -> None:
    for rows in (b"", row(c16="......")):
        (measurement,) = one_run(HEAD + board("1", rows, verdict=verdict) + END).measurements
        assert (measurement.test_step, measurement.measured_value) == ("run", verdict)
        assert (measurement.comparator, measurement.reported_outcome) == ("LOG", None)


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


@pytest.mark.parametrize(
    "bad",
    [
        row()[:200] + b"\n",
        row().replace(b"\n", b"\tx\n"),
        row(c22="1_0"),
        row(c35="few"),
        row(c3="", c4="", c5="", c9="", c11=""),
        b"nonsense\n",
    ],
)
def test_a_line_that_is_not_understood_is_a_hole(bad: bytes) -> None:
    content = HEAD + board("1", row() + bad + row()) + END
    (item,) = boards(content)
    assert isinstance(item, Parsed)
    (hole,) = item.holes
    assert content[hole.byte_start : hole.byte_end] == bad
    assert len(item.runs[0].measurements) == 2


@pytest.mark.parametrize(
    "columns",
    [
        b"",
        COLUMNS.replace(b"Group_No.", b"Group"),
        COLUMNS.replace(b"Function", b"Aux."),
        COLUMNS.replace(b"Group_No.\t", b"Group_No.\tx\t"),
    ],
)
def test_rows_under_another_column_head_are_refused(columns: bytes) -> None:
    content = HEAD + board("1", row()).replace(COLUMNS, columns) + END
    assert "column head" in refusal(content)


QUOTED = b'000932 "P2P1       " "P-Auto     " "V1-V2   " 326   330   "400.0 O  " "OP"\n'


def test_the_quoted_form_is_unparsed_by_name_and_the_next_panel_is_read() -> None:
    content = HEAD + board("1", QUOTED * 3).replace(COLUMNS, b"") + END
    refused, read = boards(content + HEAD + board("1", row()) + END)
    assert isinstance(refused, Unparsed)
    assert "APT-94xx" in refused.reason
    assert isinstance(read, Parsed)


def test_the_atdx_form_is_unparsed_by_name_in_one_piece() -> None:
    content = (
        b'\xef\xbb\xbf#############"Main header"############\nTester ID:  APT-1400F FPT04\n'
        b"Model: 289-0254-4.0\nSerial number : WO-1\nTest Date: 25/05/2025 12:26:55\n\n"
        b'#############"Group header"#########\nGroup No.: 1 Side: A FAIL \n\nOrder;Aux;M.Aux\n'
        b"1;;;POWER_SHORTS\n"
    )
    (item,) = parse(content)
    assert isinstance(item, Unparsed)
    assert "ATDX" in item.reason
    assert (item.byte_start, item.byte_end) == (0, len(content))


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


def test_half_a_board_is_unparsed_also_when_it_was_not_tested() -> None:
    assert "half a board" in refusal(HEAD + board("1", row()))
    assert "half a board" in refusal(HEAD + board("1", b"", verdict="NO-TEST"))


def test_half_a_head_is_unparsed() -> None:
    assert "half the head" in refusal(HEAD[:-2])


@pytest.mark.parametrize("lost", [b"Model:V1_BOT.SWX\n", b"DATE 20/4/2023 13:02:39\n"])
def test_boards_without_model_or_date_are_unparsed(lost: bytes) -> None:
    head, one, two = boards(
        HEAD.replace(lost, b"") + board("1", row()) + board("2", row()) + END + END
    )[:3]
    assert isinstance(head, Unparsed)
    for item in (one, two):
        assert isinstance(item, Unparsed)
        assert "head of its panel" in item.reason


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


def test_a_panel_that_lost_its_at_does_not_hide_the_next() -> None:
    second = HEAD.replace(b"V1_BOT", b"V2_TOP")
    content = HEAD + board("1", row()) + second + board("1", row(), serial="A2") + END
    found = runs_of(parse(content))
    assert [(run.product_id, run.barcode) for run in found] == [("V1_BOT", "A1"), ("V2_TOP", "A2")]


def test_a_head_that_lost_its_end_does_not_hide_the_next() -> None:
    second = HEAD.replace(b"V1_BOT", b"V2_TOP")
    found = runs_of(parse(HEAD[:-2] + second + board("1", row()) + END))
    assert [run.product_id for run in found] == ["V2_TOP"]


def test_a_damaged_group_line_costs_one_item_and_the_rest_of_the_panel_is_read() -> None:
    damaged = board("2", row(), serial="A2").replace(b"* GROUP", b"* GR#UP")
    for first in (b"", board("1", row())):
        content = HEAD + first + damaged + board("3", row(), serial="A3") + END
        refused, read = boards(content)
        assert isinstance(refused, Unparsed)
        assert isinstance(read, Parsed)
        assert read.runs[0].barcode == "A3"


def test_two_boards_are_never_read_as_one() -> None:
    content = HEAD + board("1", row()) + b"Serial No.:A2\n" + row() + END
    assert "two boards in one" in refusal(content)


def test_an_unknown_line_in_the_head_is_told_and_the_boards_are_read() -> None:
    told, read = boards(HEAD.replace(b"Model", b"nonsense\nModel") + board("1", row()) + END)
    assert isinstance(told, Unparsed)
    assert "nonsense" in told.reason
    assert isinstance(read, Parsed)


def test_lines_before_a_panel_are_unparsed_in_one_piece() -> None:
    litter, read = boards(b"one\n\ntwo\n" + HEAD + board("1", row()) + END)
    assert isinstance(litter, Unparsed)
    assert (litter.byte_start, litter.byte_end) == (0, 9)
    assert isinstance(read, Parsed)


def test_crlf_byte_order_mark_and_windows_1252_are_read() -> None:
    content = b"\xef\xbb\xbf" + HEAD + board("1", row(c6="10 \u00b5F")) + END
    run = one_run(content.replace(b"\n", b"\r\n"))
    assert (run.measurements[0].attributes or {})["comment"] == "10 \u00b5F"


def test_more_than_5000_measurements_are_unparsed() -> None:
    assert "5001" in refusal(HEAD + board("1", row() * 5001) + END)


def test_a_barcode_that_the_contract_refuses_is_unparsed_with_its_sentence() -> None:
    assert "barcode" in refusal(HEAD + board("1", row(), serial="A" * 129) + END)

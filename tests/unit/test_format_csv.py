"""Table files that a plant describes itself: reports, rows, and the cells of both."""

import json
from datetime import datetime

import pytest

from broker.messages import RUN, Comparator
from edge_agent.formats import Parsed, Skipped, Unparsed, open_parser, read_options
from edge_agent.formats.runs import run_json
from tests.support.csv_tables import (
    HEAD,
    NAMES,
    NOON,
    REPORT,
    ROW,
    ROWS,
    TABLE,
    measured,
    one_run,
    parse,
    refusal,
    runs,
)

# -- report ----------------------------------------------------------------------------------------


def test_a_report_is_one_run() -> None:
    run = one_run("Station;FCT 1\n" + HEAD + "\n" + TABLE + ROW)
    assert run.model_dump(exclude_none=True, exclude={"measurements", "source"}) == {
        "barcode": "A1",
        "product_id": "P-7",
        "procedure": "FCT",
        "started_at": datetime(2024, 3, 5, 14, 7),  # noqa: DTZ001
        "reported_outcome": "PASS",
        "attributes": {"Station": "FCT 1"},
    }
    (measurement,) = run.measurements
    assert measurement.model_dump(exclude_none=True) == {
        "test_step": "Supply",
        "measured_value": 5.01,
        "low": 4.75,
        "high": 5.25,
        "unit": "V",
        "reported_outcome": "PASS",
    }
    assert RUN.validate_json(run_json(run)) == run


def test_a_report_ends_at_the_next_barcode_or_the_end_of_the_file() -> None:
    content = (HEAD + TABLE + ROW) * 2
    first, second = (run.source for run in runs(content))
    assert first
    assert second
    assert (first.file, first.byte_start, second.byte_end) == ("board.csv", 0, len(content))
    assert first.byte_end == second.byte_start == len(content) // 2


def test_a_report_is_no_run_before_its_end() -> None:
    parser = open_parser("csv", read_options("csv", REPORT), "x")
    assert list(parser.feed((HEAD + TABLE + ROW).encode())) == []
    (item,) = parser.feed(b"SerialNumber;A2\n")
    assert isinstance(item, Parsed)


def test_the_last_line_needs_no_newline() -> None:
    assert len(one_run((HEAD + TABLE + ROW + ROW).strip()).measurements) == 2


def test_the_barcode_need_not_stand_in_the_first_line_of_a_report() -> None:
    head = "Station;1\nPart Number;{}\nSerialNumber;{}\nStart Time;2024.03.05. 14:07\n"
    content = head.format("P-1", "A1") + TABLE + ROW + head.format("P-2", "A2") + TABLE + ROW
    found = runs(content)
    assert [(run.barcode, run.product_id, run.attributes) for run in found] == [
        ("A1", "P-1", {"Station": "1"}),
        ("A2", "P-2", {"Station": "1"}),
    ]
    assert [len(run.measurements) for run in found] == [1, 1]


def test_a_head_line_behind_the_table_belongs_to_its_report() -> None:
    content = HEAD.replace("Result;Passed\n", "") + TABLE + ROW + "\nResult;Failed\n"
    run = one_run(content)
    assert (run.reported_outcome, len(run.measurements)) == ("FAIL", 1)


def test_a_step_may_be_called_as_a_key_of_the_head() -> None:
    row = "Part Number;P-7;;;;Passed\n"
    run = one_run(HEAD + TABLE + row + ROW)
    assert [each.test_step for each in run.measurements] == ["Part Number", "Supply"]


def test_other_keys_of_the_head_become_attributes() -> None:
    run = one_run("Lot;L 7;;;\n" + HEAD + "Note;a;b\nNote;c\nEmpty;\n" + TABLE + ROW)
    assert run.attributes == {"Lot": "L 7", "Note": "a;b; c"}


def test_every_field_of_a_run_can_stand_in_the_head() -> None:
    head = {
        **REPORT["head"],
        **{name: name for name in ("ended_at", "operator", "fixture", "program", "procedure")},
        **{name: name for name in ("program_version", "panel_id", "position")},
    }
    said = (
        "ended_at;2024.03.05. 14:09\noperator;Anna\nfixture;F1\nprogram;prog\nprocedure;EOL\n"
        "program_version;1.4\npanel_id;P31\nposition;2\n"
    )
    run = one_run(HEAD + said + TABLE + ROW, head=head)
    assert run.ended_at == datetime(2024, 3, 5, 14, 9)  # noqa: DTZ001
    assert (run.operator, run.fixture, run.program) == ("Anna", "F1", "prog")
    assert (run.program_version, run.procedure) == ("1.4", "EOL")
    assert run.panel
    assert (run.panel.id, run.panel.position) == ("P31", 2)
    assert run.attributes is None


def test_the_options_beat_the_file() -> None:
    run = one_run(HEAD + TABLE + ROW, product_id="PCB-7", procedure="EOL")
    assert (run.product_id, run.procedure) == ("PCB-7", "EOL")


def test_without_a_product_the_program_is_the_product() -> None:
    head = {**REPORT["head"], "program": "Programme"}
    content = HEAD.replace("Part Number", "Programme") + TABLE + ROW
    assert one_run(content, head=head).product_id == "P-7"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEAD.replace("A1", "") + TABLE + ROW, "barcode"),
        (HEAD.replace("SerialNumber", "Serial") + TABLE + ROW, "barcode"),
        (HEAD.replace("A1", "A" * 129) + TABLE + ROW, "barcode"),
        (HEAD.replace("Start Time", "Time") + TABLE + ROW, "started_at"),
        (HEAD.replace("P-7", "") + TABLE + ROW, "product_id"),
        (HEAD.replace("2024.03.05. 14:07", "5 March") + TABLE + ROW, "time_format"),
        (HEAD.replace("2024.03.05.", "2024.13.05.") + TABLE + ROW, "time_format"),
        (HEAD + TABLE.replace("Value", "Valve") + ROW, "no column 'Value'. Did you mean Valve?"),
        (HEAD + TABLE.replace("Step", "Stop") + ROW, "table_starts_with"),
        (HEAD + TABLE.replace("Comment", '"Comm') + ROW, "column head"),
        (HEAD + TABLE + "Supply\n", "no row was understood; the first: a row of 1 cells"),
        (HEAD + TABLE + ";5.01;;;;Passed\n", "no test_step"),
    ],
)
def test_what_makes_no_run_is_refused_in_a_sentence(content: str, said: str) -> None:
    assert said in refusal(content)


def test_the_next_report_is_read_after_a_damaged_one() -> None:
    damaged, whole = parse(HEAD.replace("Start Time", "Time") + TABLE + ROW + HEAD + TABLE + ROW)
    assert isinstance(damaged, Unparsed)
    assert isinstance(whole, Parsed)


def test_half_a_report_at_the_start_of_a_file_stays_apart() -> None:
    rows, whole = parse(ROW + ROW + HEAD + TABLE + ROW)
    assert isinstance(rows, Unparsed)
    assert isinstance(whole, Parsed)
    assert whole.runs[0].attributes is None


def test_a_title_is_kept_apart_from_the_report() -> None:
    title, run = parse("FCT REPORT\n" + HEAD + TABLE + ROW)
    assert isinstance(title, Unparsed)
    assert title.byte_end == len("FCT REPORT\n")
    assert isinstance(run, Parsed)


def test_a_report_without_a_row_is_recorded() -> None:
    run = one_run(HEAD.replace("Passed", "Stopped by hand"))
    (measurement,) = run.measurements
    assert run.reported_outcome == "ERROR"
    assert (measurement.test_step, measurement.measured_value) == ("run", "Stopped by hand")
    assert (measurement.comparator, measurement.reported_outcome) == (Comparator.LOG, None)


@pytest.mark.parametrize(
    "bad",
    [
        "just text\n",
        "Supply;5.01;4.75;5.25;V;Passed;;;too much\n",
        'Supply;"5.01;4.75;5.25;V;Passed;\n',
        ";5.01;;;;Passed\n",
    ],
)
def test_a_row_that_is_not_understood_is_a_hole(bad: str) -> None:
    content = HEAD + TABLE + ROW + bad + ROW
    (item,) = parse(content)
    assert isinstance(item, Parsed)
    (hole,) = item.holes
    assert content[hole.byte_start : hole.byte_end] == bad
    assert len(item.runs[0].measurements) == 2


def test_blank_lines_and_empty_rows_carry_nothing() -> None:
    content = "\n;;;\r\n" + HEAD + "\n;;;;\n" + TABLE + "\n" + ROW + ";;;;;;\n"
    first, second, run = parse(content)
    assert isinstance(first, Skipped)
    assert isinstance(second, Skipped)
    assert isinstance(run, Parsed)
    assert not run.holes


def test_more_than_5000_measurements_are_unparsed() -> None:
    assert "5001" in refusal(HEAD + TABLE + ROW * 5001)


def test_a_run_above_the_message_limit_goes_without_attributes() -> None:
    content = (HEAD + TABLE + ROW.replace("Passed;", "Passed;" + "c" * 500) * 20).encode()
    options = read_options("csv", REPORT).model_copy(update={"payload_bytes_max": 4096})
    parser = open_parser("csv", options, "x")
    (item,) = [*parser.feed(content), *parser.finish()]
    assert isinstance(item, Parsed)
    assert {each.attributes for each in item.runs[0].measurements} == {None}


# -- quotes and cells ------------------------------------------------------------------------------


def test_a_quoted_cell_may_hold_delimiters_and_quotes() -> None:
    row = measured('"Supply; ""main""";5.01;;;V;Passed; "a;b"')
    assert (row.test_step, row.attributes) == ('Supply; "main"', {"Comment": "a;b"})


def test_a_quote_inside_a_cell_is_a_character() -> None:
    assert measured('Display 5";5.01;;;V;Passed;').test_step == 'Display 5"'


def test_a_quoted_cell_ends_on_its_line() -> None:
    content = HEAD + TABLE + 'Supply;5.01;;;V;Passed;"two\nlines"\n' + ROW
    (item,) = parse(content)
    assert isinstance(item, Parsed)
    (hole,) = item.holes
    assert content[hole.byte_start : hole.byte_end] == 'Supply;5.01;;;V;Passed;"two\nlines"\n'
    assert "quote" in hole.reason
    assert len(item.runs[0].measurements) == 1


def test_a_barcode_behind_an_open_quote_begins_a_unit_of_its_own() -> None:
    whole, damaged, other = parse(
        HEAD + TABLE + ROW + HEAD.replace("A1", '"A2') + TABLE + ROW + HEAD + TABLE + ROW
    )
    assert isinstance(whole, Parsed)
    assert isinstance(damaged, Unparsed)
    assert isinstance(other, Parsed)


def test_cells_can_be_parted_by_tabs_and_the_first_may_be_empty() -> None:
    columns = {"test_step": 2, "measured_value": 3}
    content = HEAD.replace(";", "\t") + "Steps\n" + "\tSupply\t5.01\n"
    run = one_run(content, delimiter="\t", header=False, columns=columns, table_starts_with="Steps")
    assert (run.measurements[0].test_step, run.measurements[0].measured_value) == ("Supply", 5.01)


def test_another_quote_can_be_named() -> None:
    assert measured("'a;b';5.01;;;V;Passed;", quote="'").test_step == "a;b"


# -- rows ------------------------------------------------------------------------------------------


def test_adjacent_rows_with_equal_barcode_and_start_are_a_run() -> None:
    lines = [
        f"B1,{NOON},v,5.0,PASS,warm",
        f"B1,{NOON},i,E010,FAIL,",
        "B1,2024-03-05T12:05:00,v,5.0,PASS,",
        "B2,2024-03-05T12:05:00,v,5.0,PASS,",
        f"B1,{NOON},v,5.0,PASS,",
    ]
    head, *found = parse(NAMES + "\n".join(lines), ROWS)
    assert isinstance(head, Skipped)
    units = [item.runs[0] for item in found if isinstance(item, Parsed)]
    assert [(run.barcode, len(run.measurements)) for run in units] == [
        ("B1", 2),
        ("B1", 1),
        ("B2", 1),
        ("B1", 1),
    ]
    assert units[0].measurements[0].attributes == {"Note": "warm"}
    assert {(run.product_id, run.procedure, run.reported_outcome) for run in units} == {
        ("P-7", "FCT", None)
    }


def test_a_unit_of_rows_ends_with_the_next_row_and_not_before() -> None:
    parser = open_parser("csv", read_options("csv", ROWS), "x")
    assert len(list(parser.feed(f"{NAMES}B1,{NOON},v,5,,\n".encode()))) == 1
    assert list(parser.feed(f"B1,{NOON},i,5,,\n".encode())) == []
    (item,) = parser.feed(f"B2,{NOON},v,5,,\n".encode())
    assert isinstance(item, Parsed)
    assert len(item.runs[0].measurements) == 2


def test_the_column_head_goes_into_the_state() -> None:
    options = read_options("csv", ROWS)
    parser = open_parser("csv", options, "x")
    (head,) = parser.feed(NAMES.encode())
    state = parser.state()
    assert len(json.dumps(state)) <= 4096
    fresh = open_parser("csv", options, "x", head.byte_end, state)
    (item,) = [*fresh.feed(f"B1,{NOON},v,5,PASS,n\n".encode()), *fresh.finish()]
    assert isinstance(item, Parsed)
    assert item.runs[0].measurements[0].attributes == {"Note": "n"}


def test_a_column_head_too_long_for_the_state_loses_the_columns_nobody_asked_for() -> None:
    parser = open_parser("csv", read_options("csv", ROWS), "x")
    names = NAMES.strip() + "".join(f",{'c' * 90}{number}" for number in range(60))
    (head,) = parser.feed(f"{names}\n".encode())
    assert isinstance(head, Skipped)
    assert len(json.dumps(parser.state())) <= 4096
    (item,) = [*parser.feed(f"B1,{NOON},v,5,PASS,n,c\n".encode()), *parser.finish()]
    assert isinstance(item, Parsed)
    assert item.runs[0].measurements[0].attributes is None
    (head, *_) = parse(NAMES.strip() + "," * 2000 + "x\n" + f"B1,{NOON},v,5\n", ROWS)
    assert isinstance(head, Unparsed)


def test_a_column_head_may_come_again_with_columns_in_another_order() -> None:
    other = "Verdict,Value,Step,Started,SN\n"
    found = parse(f"{NAMES}B1,{NOON},v,5,PASS,\n{other}PASS,6,w,{NOON},B1\n", ROWS)
    steps = [item.runs[0].measurements[0] for item in found if isinstance(item, Parsed)]
    assert [(step.test_step, step.measured_value) for step in steps] == [("v", 5.0), ("w", 6.0)]


def test_rows_before_the_column_head_are_unparsed_naming_the_column() -> None:
    (lost, head, run) = parse(f"B1,{NOON},v,5\nB1,{NOON},v,6\n{NAMES}B1,{NOON},v,5\n", ROWS)
    assert isinstance(lost, Unparsed)
    assert "no column" in lost.reason
    assert isinstance(head, Skipped)
    assert isinstance(run, Parsed)


def test_without_header_columns_are_numbers() -> None:
    columns = {"started_at": 1, "barcode": 2, "test_step": 3, "measured_value": 4}
    (run,) = runs(f"{NOON},B1,v,5,x\n", {**ROWS, "columns": columns, "header": False})
    assert (run.barcode, run.measurements[0].measured_value) == ("B1", 5.0)


def test_a_bad_row_is_a_hole_of_the_unit_around_it() -> None:
    content = f"{NAMES}B1,{NOON},v,5,,\nB1,{NOON}\nB1,{NOON},i,5,,\nB2,{NOON},v,5,,\n"
    _, first, second = parse(content, ROWS)
    assert isinstance(first, Parsed)
    assert isinstance(second, Parsed)
    (hole,) = first.holes
    assert content[hole.byte_start : hole.byte_end] == f"B1,{NOON}\n"
    assert len(first.runs[0].measurements) == 2


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f",{NOON},v,5,,", "barcode"),
        ("B1,noon,v,5,,", "time_format"),
        ("B1,,v,5,,", "started_at"),
        (f"B1,{NOON},,5,,", "no test_step"),
    ],
)
def test_rows_that_make_no_run_are_unparsed(row: str, said: str) -> None:
    _, item = parse(NAMES + row, ROWS)
    assert isinstance(item, Unparsed)
    assert said in item.reason


def test_a_row_without_step_and_value_says_the_verdict_of_the_unit() -> None:
    _, aborted, whole = parse(
        f"{NAMES}B1,{NOON},,,ABORTED,\nB2,{NOON},v,5,PASS,\nB2,{NOON},,,FAIL,\n", ROWS
    )
    assert isinstance(aborted, Parsed)
    assert isinstance(whole, Parsed)
    (measurement,) = aborted.runs[0].measurements
    assert aborted.runs[0].reported_outcome == "ABORTED"
    assert (measurement.test_step, measurement.measured_value) == ("run", "ABORTED")
    assert (whole.runs[0].reported_outcome, len(whole.runs[0].measurements)) == ("FAIL", 1)


def test_columns_may_say_more_of_the_run() -> None:
    columns = {**ROWS["columns"], "ended_at": "End", "product_id": "Product", "position": "Pos"}
    names = "SN,Started,Step,Value,Verdict,End,Product,Pos\n"
    row = f"B1,{NOON},v,5,PASS,2024-03-05T12:0{{}}:00,P-9,3\n"
    table = {**ROWS, "columns": columns, "product_id": None}
    _, item = parse(names + row.format(1) + row.format(2), table)
    assert isinstance(item, Parsed)
    (run,) = item.runs
    assert run.ended_at == datetime(2024, 3, 5, 12, 2)  # noqa: DTZ001
    assert run.product_id == "P-9"
    assert run.panel
    assert run.panel.position == 3

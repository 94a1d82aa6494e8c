"""Table files that a plant describes itself: reports, rows, and what their options say."""

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from broker.errors import SettingsError
from broker.messages import RUN, Comparator, Run, RunMeasurement
from edge_agent.formats import Item, Options, Parsed, Skipped, Unparsed, open_parser, read_options
from edge_agent.formats.csv_options import CsvOptions
from edge_agent.formats.runs import run_json
from tests.support.logs import csv as logs

REPORT: dict[str, Any] = {
    "layout": "report",
    "delimiter": ";",
    "table_starts_with": "StepName",
    "time_format": "%Y.%m.%d. %H:%M",
    "outcomes": {"Passed": "PASS", "Failed": "FAIL", "Info": ""},
    "head": {
        "barcode": "SerialNumber",
        "product_id": "Part Number",
        "started_at": "Start Time",
        "reported_outcome": "Result",
    },
    "columns": {
        "test_step": "StepName",
        "measured_value": "Value",
        "low": "Low",
        "high": "High",
        "unit": "Unit",
        "reported_outcome": "Status",
    },
}
HEAD = "SerialNumber;A1\nPart Number;P-7\nStart Time;2024.03.05. 14:07\nResult;Passed\n"
TABLE = "StepName;Value;Low;High;Unit;Status;Comment\n"
ROW = "Supply;5.01;4.75;5.25;V;Passed;\n"
ROWS: dict[str, Any] = {
    "layout": "rows",
    "product_id": "P-7",
    "columns": {
        "barcode": "SN",
        "started_at": "Started",
        "test_step": "Step",
        "measured_value": "Value",
        "reported_outcome": "Verdict",
    },
}
NAMES = "SN,Started,Step,Value,Verdict,Note\n"
NOON = "2024-03-05T12:00:00"


def parse(content: str | bytes, table: dict[str, Any] = REPORT, **changes: object) -> list[Item]:
    raw = content.encode() if isinstance(content, str) else content
    parser = open_parser("csv", read_options("csv", {**table, **changes}), r"D:\logs\board.csv")
    return [*parser.feed(raw), *parser.finish()]


def runs(content: str | bytes, table: dict[str, Any] = REPORT, **changes: object) -> list[Run]:
    found = parse(content, table, **changes)
    assert all(isinstance(item, Parsed) and not item.holes for item in found), found
    return [item.runs[0] for item in found if isinstance(item, Parsed)]


def one_run(content: str | bytes, **changes: object) -> Run:
    (run,) = runs(content, **changes)
    return run


def measured(row: str, **changes: object) -> RunMeasurement:
    (measurement,) = one_run(HEAD + TABLE + row + "\n", **changes).measurements
    return measurement


def refusal(content: str | bytes, table: dict[str, Any] = REPORT, **changes: object) -> str:
    (item,) = parse(content, table, **changes)
    assert isinstance(item, Unparsed), item
    return item.reason


def complaint(table: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        read_options("csv", table, "o.toml: ")
    return str(caught.value)


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


# -- values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("5.01", 5.01),
        ("-1.5e-3", -0.0015),
        (".5", 0.5),
        ("0", 0.0),
        ("0.0", 0.0),
        ("E010", "E010"),
        ("0012", "0012"),
        ("00", "00"),
        ("1_000", "1_000"),
        ("5,01", "5,01"),
        ("0x1F", "0x1F"),
        ("NaN", None),
        ("-Inf", None),
        ("1e999", None),
        ("PASS", "PASS"),
    ],
)
def test_a_value_is_a_number_or_the_text(printed: str, value: float | str | None) -> None:
    found = measured(f"Supply;{printed};;;V;Passed;").measured_value
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("printed", "value"), [("5,01", 5.01), ("1,5E-3", 0.0015), ("7", 7.0), ("5.01", "5.01")]
)
def test_the_decimal_sign_can_be_a_comma(printed: str, value: float | str) -> None:
    row = measured(f"Supply;{printed};4,75;5,25;V;Passed;", decimal=",")
    assert (row.measured_value, row.low, row.high) == (value, 4.75, 5.25)


def test_a_row_without_limits_has_none() -> None:
    row = measured("Supply;5.01;;;V;Passed;")
    assert (row.low, row.high, row.comparator) == (None, None, None)


def test_a_row_may_end_behind_its_value() -> None:
    row = measured("Supply;5.01")
    assert (row.measured_value, row.low, row.unit, row.reported_outcome) == (5.01, None, None, None)


@pytest.mark.parametrize(("low", "high"), [("-9.91e99", "1e100"), ("NaN", "-"), ("", "Inf")])
def test_a_limit_that_is_none_is_left_out(low: str, high: str) -> None:
    row = measured(f"Supply;5.01;{low};{high};V;Passed;")
    assert (row.low, row.high) == (None, None)


def test_the_text_of_a_limit_is_kept() -> None:
    assert measured("Error;E010;E000;E000;;Failed;bad").attributes == {
        "Comment": "bad",
        "low": "E000",
        "high": "E000",
    }


@pytest.mark.parametrize(("verdict", "truth"), [("Passed", True), ("Failed", False), ("?", False)])
def test_a_step_with_nothing_but_a_verdict_is_pass_or_fail(verdict: str, truth: bool) -> None:  # noqa: FBT001
    row = measured(f"Look;;;;;{verdict};")
    assert row.measured_value is truth
    assert (row.comparator, row.nominal) == (Comparator.EQ, True)


@pytest.mark.parametrize(
    "cells", [";4.75;5.25;V;Failed", ";E0;E0;;Failed", "NaN;;;;Failed", ";;;;Info", ";;;V;Failed"]
)
def test_no_value_is_null_where_one_was_wanted(cells: str) -> None:
    row = measured(f"Supply;{cells};")
    assert (row.measured_value, row.comparator) == (None, None)


@pytest.mark.parametrize(
    ("printed", "outcome"),
    [
        ("Passed", "PASS"),
        ("Info", None),
        ("", None),
        ("PASS", "PASS"),
        ("aborted", "ABORTED"),
        ("passed", "FAIL"),
        ("???", "FAIL"),
    ],
)
def test_a_verdict_of_a_step_is_what_outcomes_says(printed: str, outcome: str | None) -> None:
    assert measured(f"Supply;5.01;;;V;{printed};").reported_outcome == outcome


@pytest.mark.parametrize(
    ("printed", "outcome"), [("Failed", "FAIL"), ("Info", None), ("", None), ("???", "ERROR")]
)
def test_a_verdict_of_a_unit_that_is_not_mapped_is_an_error(
    printed: str, outcome: str | None
) -> None:
    run = one_run(HEAD.replace("Passed", printed) + TABLE + ROW)
    assert run.reported_outcome == outcome


@pytest.mark.parametrize("unit", ["kHz", "kHZ", "\u00b0C", "%"])
def test_a_unit_stays_as_printed(unit: str) -> None:
    assert measured(f"Clock;12.0;;;{unit};Passed;").unit == unit


def test_an_option_maps_a_unit_and_nothing_like_it() -> None:
    content = HEAD + TABLE + "a;1;;;kHZ;;\nb;1;;;kHz;;\nc;1;;;ohm;;\n"
    found = [each.unit for each in one_run(content, units={"kHZ": "Hz"}).measurements]
    assert found == ["Hz", "kHz", "Ohm"]


def test_windows_1252_and_utf8_may_stand_side_by_side() -> None:
    row = "Heat;25;;;\u00b0C;Passed;\n"
    content = (HEAD + TABLE).encode() + row.encode("cp1252") + row.encode()
    assert [each.unit for each in one_run(content).measurements] == ["\u00b0C", "\u00b0C"]


def test_utf8_byte_order_mark_and_crlf_are_dropped() -> None:
    content = b"\xef\xbb\xbf" + (HEAD + TABLE + ROW).replace("\n", "\r\n").encode()
    assert one_run(content).barcode == "A1"


def test_control_characters_and_long_names_are_made_fit() -> None:
    content = HEAD + TABLE + f"a\x01b;1;;;;;\n{'x' * 200};1;;;;;\n{'x' * 2000};1;;;;;\n"
    first, second, third = (each.test_step for each in one_run(content).measurements)
    assert first == "a b"
    assert second[:120] == third[:120] == "x" * 119 + "~"
    assert second != third


def test_every_field_of_a_measurement_can_be_a_column() -> None:
    names = ("nominal", "comparator", "limit_unit", "tolerance_percent")
    columns = {**REPORT["columns"], **{name: name for name in names}}
    table = "StepName;Value;Low;High;Unit;Status;" + ";".join(names) + "\n"
    run = one_run(HEAD + table + "R1;28.2;;;kOhm;;28.3;EQT;ohm;2\n", columns=columns)
    row = run.measurements[0]
    assert (row.nominal, row.comparator, row.limit_unit) == (28.3, Comparator.EQT, "Ohm")
    assert row.tolerance_percent == 2
    (item,) = parse(HEAD + table + "R1;28.2;;;;;;=;;\n" + ROW, columns=columns)
    assert isinstance(item, Parsed)
    assert "comparator '='" in item.holes[0].reason


# -- time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time_format", "printed", "said"),
    [
        ("%Y.%m.%d. %H:%M", "2024.03.05. 14:07", "2024-03-05T14:07:00"),
        ("%d.%m.%y %H:%M", "05.03.85 14:07", "2085-03-05T14:07:00"),
        ("%m/%d/%Y %I:%M:%S %p", "3/5/2024 2:07:09 PM", "2024-03-05T14:07:09"),
        ("%d-%b-%Y %H:%M:%S", "05-mar-2024 14:07:09", "2024-03-05T14:07:09"),
        ("%Y%m%d%H%M%S", "20240305140709", "2024-03-05T14:07:09"),
        ("%Y-%m-%d %H:%M:%S.%f", "2024-03-05 14:07:09.1234567", "2024-03-05T14:07:09.123456"),
        ("%Y-%m-%d %H:%M:%S,%f", "2024-03-05 14:07:09,5", "2024-03-05T14:07:09.500000"),
        ("%Y-%m-%d %H:%M %z", "2024-03-05 14:07 +0100", "2024-03-05T13:07:00Z"),
        (None, "2024-03-05 14:07", "2024-03-05T14:07:00"),
        (None, "2024-03-05T14:07:09.123456789", "2024-03-05T14:07:09.123456"),
    ],
)
def test_a_time_is_read_as_the_format_says(
    time_format: str | None, printed: str, said: str
) -> None:
    content = HEAD.replace("2024.03.05. 14:07", printed) + TABLE + ROW
    sent = json.loads(run_json(one_run(content, time_format=time_format)))
    assert sent["started_at"] == said


def test_date_order_reads_numbers_without_a_format() -> None:
    content = HEAD.replace("2024.03.05.", "25.3.24") + TABLE + ROW
    run = one_run(content, time_format=None, date_order="dmy")
    assert run.started_at == datetime(2024, 3, 25, 14, 7)  # noqa: DTZ001
    assert "date_order" in refusal(content, time_format=None, date_order="mdy")
    assert "time_format" in refusal(content, time_format=None)


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


# -- options ---------------------------------------------------------------------------------------


def changed(path: str, value: object, table: dict[str, Any] = REPORT) -> dict[str, Any]:
    """Return options with one key set, or with None taken away."""
    first, _, rest = path.partition(".")
    inner = changed(rest, value, table.get(first, {})) if rest else value
    return {key: each for key, each in {**table, first: inner}.items() if each is not None}


def mistakes() -> Iterator[tuple[dict[str, Any], str]]:
    yield changed("delimeter", ";"), r"delimeter is not an option .* Did you mean delimiter\?"
    yield changed("layout", "tables"), r"layout: Input should be 'report' or 'rows'\."
    yield changed("delimiter", ";;"), r"delimiter: ';;' is not one character"
    yield changed("delimiter", "\n"), r"delimiter: .* is not one character"
    yield changed("quote", ""), r"quote: '' is not one character"
    yield changed("quote", ";"), r"delimiter and quote are both ';'"
    yield changed("decimal", ";"), r"decimal: Input should be '\.' or ','"
    yield changed("header", "perhaps"), r"header: "
    yield changed("time_format", "%Q"), r"time_format: '%Q' cannot be read: .*bad directive"
    yield changed("time_format", "%H:%M"), r"time_format: '%H:%M' does not hold year, month and day"
    yield changed("date_order", "dmy"), r"date_order says nothing beside time_format"
    yield changed("outcomes.OK", "GOOD"), r"outcomes\.OK: Input should be 'PASS'"
    yield changed("head.barcod", "SN"), r"head\.barcod: not a field\. Did you mean barcode\?"
    yield changed("head.test_step", "x"), r"head\.test_step: not a field\."
    yield changed("head.barcode", 7), r"head\.barcode: "
    yield changed("head.barcode", None), r"head\.barcode: layout report needs it\."
    yield changed("head.started_at", None), r"head\.started_at: layout report needs it\."
    yield changed("head.product_id", None), r"no product: set option product_id, or head\.product"
    yield changed("head", "x"), r"head: "
    yield changed("table_starts_with", None), r"table_starts_with: layout report needs"
    yield changed("columns", None), r"columns: needed, but not there\."
    yield changed("columns.hihg", "High"), r"columns\.hihg: not a field\. Did you mean high\?"
    yield changed("columns.low", value=True), r"columns\.low: not a column"
    yield changed("columns.low", 0), r"columns\.low: not a column"
    yield changed("columns.low", 3), r"columns\.low: .* header = false"
    yield changed("header", value=False), r"columns\.\w+: without header give the column's number"
    yield changed("columns.test_step", None), r"columns\.test_step: layout report needs it\."
    yield changed("columns.operator", "Op"), r"columns\.operator: .* belongs in \[head\]"
    rows = changed("columns.measured_value", None, changed("columns.reported_outcome", None, ROWS))
    yield rows, r"columns: name measured_value or reported_outcome"
    yield changed("columns.barcode", None, ROWS), r"columns\.barcode: layout rows needs it\."
    yield changed("columns.started_at", None, ROWS), r"columns\.started_at: layout rows needs it\."
    yield changed("product_id", None, ROWS), r"no product: .* columns\.product_id"
    yield changed("head.operator", "Op", ROWS), r"head and table_starts_with belong to layout rep"


@pytest.mark.parametrize(("table", "said"), list(mistakes()), ids=lambda each: str(each)[:40])
def test_a_mistake_in_the_options_is_one_sentence(table: dict[str, Any], said: str) -> None:
    sentence = complaint(table)
    assert re.search(said, sentence), sentence
    assert sentence.startswith("o.toml: ")
    assert sentence.endswith((".", "?"))
    assert "\n" not in sentence


def test_every_option_is_described_and_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/agent.md").read_text("utf-8")
    for name in CsvOptions.model_fields.keys() - Options.model_fields.keys():
        assert CsvOptions.model_fields[name].description
        assert re.search(rf"^({name} = |\[source\.options\.{name}\])", page, re.MULTILINE), name


def test_the_logs_of_the_laws_hold_runs() -> None:
    assert len(logs.MORE) == 1
    parser = open_parser("csv", logs.OPTIONS, "x")
    found = [*parser.feed(logs.GOOD), *parser.finish()]
    assert [type(item) for item in found] == [Parsed]


def test_the_example_of_the_documentation_reads_its_file() -> None:
    page = (Path(__file__).parents[2] / "docs/agent.md").read_text("utf-8")
    section = page.partition("### Your own table files")[2].partition("\n### ")[0]
    log, described = re.findall(r"```\w+\n(.*?)```", section, re.DOTALL)
    (run,) = runs(log, tomllib.loads(described)["source"][0]["options"])
    assert (run.barcode, run.reported_outcome, run.operator) == ("7C-000217", "FAIL", "Anna")
    found = [(each.test_step, each.measured_value, each.unit) for each in run.measurements]
    assert found == [("Supply", 24.03, "V"), ("Heat", 71.2, "\u00b0C"), ("Firmware", "0012", None)]
    assert [each.reported_outcome for each in run.measurements] == ["PASS", "FAIL", None]
    assert run.measurements[1].attributes == {"Comment": "fan off"}

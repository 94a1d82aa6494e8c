"""Table files that a plant describes itself: values, limits, times, and what options may say."""

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from broker.messages import Comparator
from edge_agent.formats import Options, Parsed, open_parser
from edge_agent.formats.csv_options import CsvOptions
from edge_agent.formats.runs import run_json
from tests.support.csv_tables import (
    HEAD,
    REPORT,
    ROW,
    ROWS,
    TABLE,
    complaint,
    measured,
    one_run,
    parse,
    refusal,
    runs,
)
from tests.support.logs import csv as logs

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
    yield changed("ends_when_quiet", value=False), r"ends_when_quiet belongs to layout rows"
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

"""Log lines that a plant describes by regular expressions: units from start to end, and values."""

import json
from datetime import datetime

import pytest

from broker.messages import RUN, Comparator
from edge_agent.formats import Parsed, Skipped, Unparsed, open_parser, read_options
from edge_agent.formats.regex_lines import LINE_BYTES_MAX
from edge_agent.formats.runs import run_json
from tests.support.described_lines import (
    BEGIN,
    FOOT,
    JOB,
    ROW,
    START,
    UNIT,
    UNITS,
    lines,
    measured,
    parse,
    refusal,
    runs,
    told,
)

# -- units -----------------------------------------------------------------------------------------


def test_the_lines_from_start_to_end_are_a_run() -> None:
    found = parse(JOB + UNIT)
    assert [type(item) for item in found] == [Skipped, Parsed]
    (run,) = runs(JOB + UNIT)
    assert run.model_dump(exclude_none=True, exclude={"measurements"}) == {
        "barcode": "J1/1",
        "product_id": "P-7",
        "procedure": "FCT",
        "started_at": datetime(2024, 3, 5, 14, 7),  # noqa: DTZ001
        "reported_outcome": "PASS",
        "operator": "Anna",
        "attributes": {"job": "J1", "piece": "1"},
        "source": {"file": "fct.log", "byte_start": len(JOB), "byte_end": len(JOB + UNIT)},
    }
    (measurement,) = run.measurements
    assert measurement.model_dump(exclude_none=True) == {
        "test_step": "vcc",
        "measured_value": 5.01,
        "unit": "V",
        "low": 4.75,
        "high": 5.25,
        "reported_outcome": "PASS",
    }
    assert RUN.validate_json(run_json(run)) == run


def test_a_unit_is_a_run_at_its_end_line_and_not_before() -> None:
    parser = open_parser("regex", read_options("regex", UNITS), "x")
    list(parser.feed(JOB.encode()))
    assert list(parser.feed((BEGIN + ROW + "END o").encode())) == []
    (item,) = parser.feed(b"k\n")
    assert isinstance(item, Parsed)


def test_the_last_line_needs_no_newline() -> None:
    assert len(runs((JOB + UNIT).rstrip())) == 1


def test_half_a_unit_is_unparsed() -> None:
    assert "end line" in refusal(JOB + BEGIN + ROW)
    half, whole = told(JOB + BEGIN + ROW + UNIT)
    assert isinstance(half, Unparsed)
    assert isinstance(whole, Parsed)


def test_context_sticks_until_it_is_replaced() -> None:
    content = JOB + UNIT + UNIT + "JOB J2\n" + UNIT + "JOB  OPERATOR \n" + UNIT
    *found, lost = told(content)
    assert [(item.runs[0].barcode, item.runs[0].operator) for item in found] == [
        ("J1/1", "Anna"),
        ("J1/1", "Anna"),
        ("J2/1", "Anna"),
    ]
    assert isinstance(lost, Unparsed)
    assert "barcode" in lost.reason


def test_context_is_kept_in_the_state() -> None:
    options = read_options("regex", UNITS)
    parser = open_parser("regex", options, "x")
    (context,) = parser.feed(JOB.encode())
    state = json.loads(json.dumps(parser.state()))
    fresh = open_parser("regex", options, "x", context.byte_end, state)
    (item,) = fresh.feed(UNIT.encode())
    assert isinstance(item, Parsed)
    assert (item.runs[0].barcode, item.runs[0].operator) == ("J1/1", "Anna")


def test_context_too_long_for_the_state_is_unparsed_and_the_old_one_does_not_stay() -> None:
    content = JOB + "JOB J2 OPERATOR " + "\u00e4" * 800 + "\n" + UNIT
    long, unit = told(content)
    assert isinstance(long, Unparsed)
    assert "context" in long.reason
    assert isinstance(unit, Unparsed)
    assert "barcode" in unit.reason


def test_context_inside_a_unit_is_the_units() -> None:
    (run,) = runs("JOB J0\n" + BEGIN + "JOB J1 OPERATOR Anna\n" + ROW + FOOT)
    assert (run.barcode, run.operator) == ("J1/1", "Anna")


def test_the_first_hit_decides() -> None:
    greedy = {"match": "vcc", "as": "skip"}
    (run,) = runs(JOB + BEGIN + ROW + "  vdd=1 ok\n" + FOOT, line=[greedy, *UNITS["line"]])
    assert [each.test_step for each in run.measurements] == ["vdd"]


def test_an_expression_is_searched_anywhere_in_the_line() -> None:
    (run,) = runs(JOB + BEGIN + "[14:07:09] vbat=3.1\n" + FOOT, line=lines((2, {
        "match": r"(?P<test_step>\w+)=(?P<measured_value>\S+)", "as": "measurement"
    })))  # fmt: skip
    assert run.measurements[0].test_step == "vbat"


def test_other_groups_become_attributes() -> None:
    assert measured("  vcc=5 ok # warm").attributes == {"note": "warm"}
    assert measured("  vcc=5 ok").attributes is None


def test_every_field_can_be_a_group() -> None:
    start = {
        "match": r"^BEGIN (?P<barcode>\S+) (?P<product_id>\S+) (?P<procedure>\S+)"
        r" (?P<fixture>\S+) (?P<program>\S+) (?P<program_version>\S+) (?P<panel_id>\S+)"
        r" (?P<position>\S+) (?P<started_at>\S+)$",
        "as": "start",
    }
    end = {"match": r"^END (?P<reported_outcome>\S+) (?P<ended_at>\S+)", "as": "end"}
    content = (
        "BEGIN S1 P-9 EOL F1 prog 1.4 P31 2 2024-03-05T14:07\n" + ROW + "END ok 2024-03-05T14:09\n"
    )
    table = {**UNITS, "product_id": None, "fields": {}}
    (run,) = runs(content, table, line=lines((1, start), (3, end)))
    assert (run.barcode, run.product_id, run.procedure) == ("S1", "P-9", "EOL")
    assert (run.fixture, run.program, run.program_version) == ("F1", "prog", "1.4")
    assert run.ended_at == datetime(2024, 3, 5, 14, 9)  # noqa: DTZ001
    assert run.panel
    assert (run.panel.id, run.panel.position) == ("P31", 2)
    assert run.attributes is None


def test_a_template_may_use_what_sticks_and_what_the_line_says() -> None:
    (run,) = runs(JOB + UNIT, fields={**UNITS["fields"], "test_step": "{job}.{test_step}"})
    assert run.measurements[0].test_step == "J1.vcc"


def test_a_template_with_an_empty_group_is_empty() -> None:
    assert "barcode" in refusal(UNIT)


def test_start_and_end_of_a_run_come_from_the_first_and_the_last_line() -> None:
    measurement = {
        "match": r"^(?P<time>\S+) (?P<test_step>\S+) (?P<measured_value>\S+)$",
        "as": "measurement",
    }
    table = {
        "product_id": "P-7",
        "line": [
            {"match": r"^UNIT (?P<barcode>\S+) (?P<date>\S+)", "as": "start"},
            measurement,
        ],
        "fields": {"started_at": "{date} {time}", "ended_at": "{date} {time}"},
    }
    (run,) = runs("UNIT S1 2024-03-05\n14:07 a 1\n14:09 b 2\n", table)
    assert (run.started_at.minute, run.ended_at and run.ended_at.minute) == (7, 9)


def test_without_end_lines_a_unit_ends_at_the_next_start_or_the_end_of_the_file() -> None:
    content = JOB + BEGIN + ROW + ROW + "JOB J2\n" + BEGIN + ROW
    found = runs(content, line=lines((3, None)))
    assert [(run.barcode, len(run.measurements)) for run in found] == [("J1/1", 2), ("J2/1", 1)]
    assert [run.reported_outcome for run in found] == [None, None]


def test_without_start_lines_a_unit_begins_behind_the_end_of_the_last() -> None:
    start = {**START, "as": "context"}
    found = runs(JOB + UNIT + BEGIN + ROW + ROW + FOOT + BEGIN + FOOT, line=lines((1, start)))
    assert [len(run.measurements) for run in found] == [1, 2, 1]
    assert found[2].measurements[0].test_step == "run"


def test_a_unit_without_measurement_is_recorded() -> None:
    (run,) = runs(JOB + BEGIN + "END stopped\n")
    (measurement,) = run.measurements
    assert run.reported_outcome == "ERROR"
    assert (measurement.test_step, measurement.measured_value) == ("run", "stopped")
    assert (measurement.comparator, measurement.reported_outcome) == (Comparator.LOG, None)


def test_lines_without_a_hit_are_unparsed_with_their_neighbours_joined() -> None:
    content = "one\ntwo\n\nthree\n" + JOB + "four\n"
    found = parse(content)
    assert [type(item) for item in found] == [Unparsed, Skipped, Unparsed, Skipped, Unparsed]
    assert (found[0].byte_start, found[0].byte_end) == (0, len("one\ntwo\n"))


def test_lines_without_a_hit_inside_a_unit_are_holes() -> None:
    content = JOB + BEGIN + "one\ntwo\n" + ROW + "\n# skipped\nthree\n" + FOOT
    (item,) = told(content)
    assert isinstance(item, Parsed)
    pieces = [content[hole.byte_start : hole.byte_end] for hole in item.holes]
    assert pieces == ["one\ntwo\n", "three\n"]
    assert len(item.runs[0].measurements) == 1


@pytest.mark.parametrize("line", [ROW, FOOT])
def test_a_measurement_or_end_outside_of_any_unit_is_unparsed(line: str) -> None:
    assert "no start line" in refusal(line)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (JOB + UNIT.replace("2024-03-05 14:07", "noon"), "time_format"),
        (JOB.replace("J1", "J" * 130) + UNIT, "barcode"),
        (JOB + BEGIN + "  =7 ok\n" + FOOT, "no test_step"),
    ],
)
def test_what_makes_no_run_is_refused_in_a_sentence(content: str, said: str) -> None:
    assert said in refusal(content)


def test_two_barcodes_in_a_unit_refuse_it() -> None:
    end = {"match": r"^END (?P<barcode>\S+)", "as": "end"}
    start = {"match": r"^BEGIN (?P<barcode>\S+) (?P<started_at>.+)$", "as": "start"}
    table = {**UNITS, "fields": {}, "line": lines((1, start), (3, end))}
    assert len(runs(BEGIN + ROW + "END 1\n", table)) == 1
    assert "two barcodes, '1' and '2'" in refusal(BEGIN + ROW + "END 2\n", table)


def test_a_line_too_long_for_an_expression_is_not_tried() -> None:
    long = "  vcc=" + "5" * LINE_BYTES_MAX + " ok\n"
    (item,) = told(JOB + BEGIN + ROW + long + FOOT)
    assert isinstance(item, Parsed)
    (hole,) = item.holes
    assert hole.byte_end - hole.byte_start == len(long)
    assert str(LINE_BYTES_MAX) in hole.reason


# -- values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "value"), [("5.01", 5.01), ("0012", "0012"), ("E010", "E010"), ("NaN", None)]
)
def test_a_value_is_a_number_or_the_text(printed: str, value: float | str | None) -> None:
    assert measured(f"  vcc={printed} V ok").measured_value == value


def test_a_step_with_nothing_but_a_verdict_is_pass_or_fail() -> None:
    row = measured("  look= nok")
    assert (row.measured_value, row.comparator, row.nominal) == (False, Comparator.EQ, True)


def test_limits_and_verdict_of_one_line_do_not_go_on_to_the_next() -> None:
    (run,) = runs(JOB + BEGIN + ROW + "  vdd=1\n" + FOOT)
    row = run.measurements[1]
    assert (row.low, row.high, row.unit, row.reported_outcome) == (None, None, None, None)


def test_the_decimal_sign_and_the_time_format_are_the_plants() -> None:
    content = JOB + BEGIN.replace("2024-03-05 14:07", "5.3.24 14:07") + ROW.replace(".01", ",01")
    (run,) = runs(content + FOOT, decimal=",", time_format="%d.%m.%y %H:%M")
    assert run.started_at == datetime(2024, 3, 5, 14, 7)  # noqa: DTZ001
    assert run.measurements[0].measured_value == 5.01


def test_windows_1252_crlf_and_byte_order_mark_are_read() -> None:
    content = (JOB.replace("Anna", "J\u00f6rg") + UNIT).replace("\n", "\r\n")
    for raw in (content.encode("cp1252"), content.encode("utf-8-sig")):
        (run,) = runs(raw)
        assert run.operator == "J\u00f6rg"

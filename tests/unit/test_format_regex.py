"""Log lines that a plant describes itself by regular expressions, and what its options say."""

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
from edge_agent.formats.regex_lines import LINE_BYTES_MAX
from edge_agent.formats.regex_options import LineTable, RegexOptions
from edge_agent.formats.runs import run_json

CONTEXT = {"match": r"^JOB (?P<job>\S*)( OPERATOR (?P<operator>.*))?$", "as": "context"}
START = {"match": r"^BEGIN (?P<piece>\S+) (?P<started_at>.+)$", "as": "start"}
MEASUREMENT = {
    "match": r"^ +(?P<test_step>[^=]*)=(?P<measured_value>\S*)"
    r"( (?P<unit>[A-Z]\w*))?( \[(?P<low>.*)\.\.(?P<high>.*)\])?"
    r"( (?P<reported_outcome>ok|nok|-))?( # (?P<note>.*))?$",
    "as": "measurement",
}
END = {"match": r"^END (?P<reported_outcome>\S+)", "as": "end"}
SKIP = {"match": "^#", "as": "skip"}
UNITS: dict[str, Any] = {
    "product_id": "P-7",
    "line": [CONTEXT, START, MEASUREMENT, END, SKIP],
    "fields": {"barcode": "{job}/{piece}"},
    "outcomes": {"ok": "PASS", "nok": "FAIL", "-": ""},
}
JOB = "JOB J1 OPERATOR Anna\n"
BEGIN = "BEGIN 1 2024-03-05 14:07\n"
ROW = "  vcc=5.01 V [4.75..5.25] ok\n"
FOOT = "END ok\n"
UNIT = BEGIN + ROW + FOOT
RUNS: dict[str, Any] = {
    "product_id": "P-7",
    "line": [
        {"match": r"^operator (?P<operator>.*)$", "as": "context"},
        {
            "match": r"^(?P<started_at>\S+) (?P<barcode>\S+) (?P<test_step>\S+)"
            r" (?P<measured_value>\S+) (?P<reported_outcome>\S+)( on (?P<socket>\S+))?$",
            "as": "run",
        },
    ],
}
LINE = "2024-03-05T14:07:00 S1 vcc 5.01 FAIL\n"


def parse(content: str | bytes, table: dict[str, Any] = UNITS, **changes: object) -> list[Item]:
    raw = content.encode() if isinstance(content, str) else content
    parser = open_parser("regex", read_options("regex", {**table, **changes}), "/logs/fct.log")
    return [*parser.feed(raw), *parser.finish()]


def told(content: str | bytes, table: dict[str, Any] = UNITS, **changes: object) -> list[Item]:
    return [each for each in parse(content, table, **changes) if not isinstance(each, Skipped)]


def runs(content: str | bytes, table: dict[str, Any] = UNITS, **changes: object) -> list[Run]:
    found = told(content, table, **changes)
    assert all(isinstance(item, Parsed) and not item.holes for item in found), found
    return [item.runs[0] for item in found if isinstance(item, Parsed)]


def measured(row: str, **changes: object) -> RunMeasurement:
    (run,) = runs(JOB + BEGIN + row + "\n" + FOOT, **changes)
    return run.measurements[0]


def refusal(content: str | bytes, table: dict[str, Any] = UNITS, **changes: object) -> str:
    (item,) = told(content, table, **changes)
    assert isinstance(item, Unparsed), item
    return item.reason


def lines(*changes: tuple[int, dict[str, str] | None]) -> list[dict[str, str]]:
    """Return the line tables with some replaced, or with None left out."""
    found = [dict(changes).get(index, each) for index, each in enumerate(UNITS["line"])]
    return [each for each in found if each]


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


# -- run lines -------------------------------------------------------------------------------------


def test_a_run_line_is_a_run_with_one_measurement_and_its_verdict_is_both() -> None:
    (run,) = runs("operator Anna\n" + LINE, RUNS)
    (measurement,) = run.measurements
    assert (run.barcode, run.operator, run.reported_outcome) == ("S1", "Anna", "FAIL")
    assert (measurement.test_step, measurement.measured_value) == ("vcc", 5.01)
    assert measurement.reported_outcome == "FAIL"


def test_other_groups_of_a_run_line_are_the_runs_attributes() -> None:
    (run,) = runs(LINE.strip() + " on B2\n", RUNS)
    assert run.attributes == {"socket": "B2"}
    assert run.measurements[0].attributes is None


def test_a_word_mapped_nowhere_is_fail_of_the_step_and_error_of_the_unit() -> None:
    (run,) = runs(LINE.replace("FAIL", "odd"), RUNS)
    assert (run.reported_outcome, run.measurements[0].reported_outcome) == ("ERROR", "FAIL")


def test_every_run_line_is_complete_at_its_newline() -> None:
    parser = open_parser("regex", read_options("regex", RUNS), "x")
    assert [type(item) for item in parser.feed((LINE * 3).encode())] == [Parsed] * 3


def test_a_run_line_that_makes_no_run_is_unparsed() -> None:
    assert "time_format" in refusal(LINE.replace("2024-03-05T14:07:00", "noon"), RUNS)


def test_a_run_line_inside_a_unit_ends_it() -> None:
    both = [*UNITS["line"], RUNS["line"][1]]
    half, run = told(JOB + BEGIN + ROW + LINE, line=both, fields={})
    assert isinstance(half, Unparsed)
    assert isinstance(run, Parsed)


def test_a_run_line_without_step_and_value_says_how_the_unit_ended() -> None:
    match = r"^(?P<started_at>\S+) (?P<barcode>\S+) (?P<test_step>\S*) (?P<reported_outcome>\S+)$"
    (run,) = runs(
        "2024-03-05T14:07:00 S1  ABORTED\n", {**RUNS, "line": [{"match": match, "as": "run"}]}
    )
    assert (run.reported_outcome, run.measurements[0].measured_value) == ("ABORTED", "ABORTED")
    assert run.measurements[0].test_step == "run"


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


# -- options ---------------------------------------------------------------------------------------


def complaint(table: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        read_options("regex", table, "o.toml: ")
    return str(caught.value)


def mistakes() -> Iterator[tuple[dict[str, Any], str]]:
    def wrong(**changes: object) -> dict[str, Any]:
        return {key: each for key, each in {**UNITS, **changes}.items() if each is not None}

    def second(**changes: object) -> dict[str, Any]:
        return wrong(line=[CONTEXT, {**START, **changes}, MEASUREMENT, END])

    yield wrong(lines=[]), r"lines is not an option of format regex\. Did you mean line\?"
    yield wrong(line=None), r"line: needed, but not there\."
    yield wrong(line=[]), r"line: "
    yield wrong(line=[{"match": "x"}]), r"line\.1\.as: needed, but not there\."
    yield second(mach="x"), r"line\.2: mach is not a key of a line\. Did you mean match\?"
    yield second(match=""), r"line\.2\.match: "
    yield second(match="(x"), r"line\.2\.match: '\(x' is not a regular .* unterminated subpattern"
    yield second(match="(?P<a b>x)"), r"line\.2\.match: .* bad character in group name"
    yield second(match="x{99999999999}"), r"line\.2\.match: .* is not a regular expression"
    yield second(**{"as": "begin"}), r"line\.2\.as: Input should be 'context', 'start'"
    yield wrong(line=[CONTEXT, SKIP]), r"line: no line makes a run"
    yield wrong(ends_when_quiet=False), r"ends_when_quiet: a line as = end ends each unit"
    yield wrong(line=[CONTEXT, START | {"as": "context"}, MEASUREMENT]), r"line: as = measurement"
    yield second(match=r"(?P<pice>\S+) (?P<started_at>.+)"), r"fields\.barcode: \{piece\} is not a"
    yield wrong(fields={"barcode": "{jbo}"}), r"fields\.barcode: \{jbo\} .* Did you mean job\?"
    yield wrong(fields={"barcode": "{job"}), r"fields\.barcode: '\{job' is not a template: "
    yield wrong(fields={"barcode": "{job!r}"}), r"fields\.barcode: \{job\} is not a group"
    yield wrong(fields={"barcode": "{}"}), r"fields\.barcode: \{\} is not a group of any line\."
    yield wrong(fields={"barcod": "{job}"}), r"fields\.barcod: not a field\. Did you mean barcode\?"
    yield wrong(fields={}), r"nothing names barcode: add a group \(\?P<barcode>\.\.\.\)"
    start = r"^(?P<piece>\S+) (?P<start_at>.+)"
    yield second(match=start), r"nothing names started_at: .* Did you mean start_at\?"
    yield wrong(product_id=None), r"nothing names product_id"
    step = {**MEASUREMENT, "match": r"(?P<step>\S+) (?P<measured_value>\S+)"}
    yield wrong(line=[CONTEXT, START, step, END]), r"nothing names test_step: .* mean step\?"
    verdict = {"match": r"(?P<reported_outcome>\S+)", "as": "context"}
    yield wrong(line=[CONTEXT, START, verdict, END]), r"line\.3: a reported_outcome as context"
    yield wrong(time_format="%H"), r"time_format: '%H' does not hold year, month and day"
    yield wrong(outcomes={"ok": "OK"}), r"outcomes\.ok: Input should be 'PASS'"


@pytest.mark.parametrize(("table", "said"), list(mistakes()), ids=lambda each: str(each)[:40])
def test_a_mistake_in_the_options_is_one_sentence(table: dict[str, Any], said: str) -> None:
    sentence = complaint(table)
    assert re.search(said, sentence), sentence
    assert sentence.startswith("o.toml: ")
    assert sentence.endswith((".", "?"))
    assert "\n" not in sentence


def test_every_option_is_described_and_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/agent.md").read_text("utf-8")
    described = RegexOptions.model_fields | LineTable.model_fields
    for name in described.keys() - Options.model_fields.keys():
        assert described[name].description
        key = described[name].alias or name
        place = rf"^({key} = |\[\[?source\.options\.{key}\])"
        assert re.search(place, page, re.MULTILINE), key


def test_the_example_of_the_documentation_reads_its_file() -> None:
    page = (Path(__file__).parents[2] / "docs/agent.md").read_text("utf-8")
    section = page.partition("### Your own log lines")[2].partition("\n## ")[0]
    log, described = re.findall(r"```\w+\n(.*?)```", section, re.DOTALL)
    (run,) = runs(log, tomllib.loads(described)["source"][0]["options"])
    assert (run.barcode, run.reported_outcome, run.operator) == ("L7/217", "FAIL", "Anna")
    found = [(each.test_step, each.low, each.high) for each in run.measurements]
    assert found == [("supply", 23.5, 24.5), ("heat", None, 70)]
    assert [each.reported_outcome for each in run.measurements] == ["PASS", "FAIL"]

"""What the options of described log lines may say, and the example of the documentation."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.errors import SettingsError
from edge_agent.formats import Options, read_options
from edge_agent.formats.regex_options import LineTable, RegexOptions
from tests.support.described_lines import CONTEXT, END, MEASUREMENT, SKIP, START, UNITS, runs


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

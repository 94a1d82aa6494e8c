"""The worked example of judgement and statistics comes out as its pages print it, plots too."""

import math
import re
from typing import NamedTuple

import pytest

from service.core.capability import bounds_of
from tests.support import worked_example, write_plots
from tests.support.worked_example import PAGES

_TEXT = "\n".join(page.read_text("utf-8") for page in PAGES)
_BLOCK = re.compile(r"^```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SIGNS = {
    "\N{MULTIPLICATION SIGN}": "*",
    "\N{DIVISION SIGN}": "/",
    "\N{MINUS SIGN}": "-",
    "²": "**2",
    "√": "sqrt",
    ",": "",
}
_FUNCTIONS = {"sqrt": math.sqrt, "ln": math.log, "exp": math.exp}


class Line(NamedTuple):
    """One line of arithmetic, `label: expression = result`."""

    label: str
    expression: str
    result: str


def lines() -> list[Line]:
    """Return what the pages work out, in order."""
    found = []
    for line in "".join(_BLOCK.findall(_TEXT)).splitlines():
        match = re.fullmatch(r"([^:]+): (.+) = (.+)", line)
        assert match, line
        found.append(Line(*match.groups()))
    return found


def value_of(expression: str) -> float:
    for sign, code in _SIGNS.items():
        expression = expression.replace(sign, code)
    assert re.fullmatch(r"(?:[\d.+*/() -]|sqrt|ln|exp)+", expression), expression
    return float(eval(expression, {"__builtins__": {}}, _FUNCTIONS))


def test_every_figure_on_the_pages_is_what_the_product_computes() -> None:
    printed = {line.label: line.result for line in lines()}
    assert len(printed) == len(lines()), "a label occurs twice"
    figures = worked_example.figures()
    assert {label: printed.get(label) for label in figures} == figures


@pytest.mark.parametrize("line", lines(), ids=lambda line: line.label)
def test_every_line_of_arithmetic_rounds_to_its_result(line: Line) -> None:
    number, _, unit = line.result.replace(",", "").partition(" ")
    percent = 100 if unit == "%" else 1
    half_a_digit = 0.5 * 10.0 ** -len(number.partition(".")[2])
    shown = pytest.approx(float(number), abs=half_a_digit * 1.001)
    assert value_of(line.expression) * percent == shown


@pytest.mark.parametrize("row", worked_example.table_rows())
def test_every_row_of_a_table_is_what_the_product_computes(row: str) -> None:
    assert f"\n{row}\n" in _TEXT


def test_the_note_on_the_page_is_the_one_that_the_product_gives() -> None:
    (note,) = worked_example.capability().notes
    assert f"\n> {note.text}\n" in _TEXT


def test_the_values_on_the_page_are_those_of_the_file() -> None:
    (values,) = (line.expression for line in lines() if line.label == "sum")
    assert [float(each) for each in values.split(" + ")] == worked_example.vout_values()


def test_capability_compares_with_the_limits_of_the_rulebook() -> None:
    (rule,) = (each for each in worked_example.rulebook("psu-12.toml").rules if each.id == "vout")
    assert bounds_of(rule.comparator, rule.low, rule.high) == worked_example.VOUT


@pytest.mark.parametrize("name", write_plots.PLOTS)
def test_the_plots_are_up_to_date(name: str) -> None:
    assert (write_plots.FOLDER / name).read_text("utf-8") == write_plots.PLOTS[name](), (
        "run `python -m tests.support.write_plots` and commit what it writes"
    )

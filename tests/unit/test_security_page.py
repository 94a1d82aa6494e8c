"""SECURITY.md: each line names tests that are there, or says no."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
ROWS = re.findall(r"^\| ((?:CR|SAR|V)[ \d.]+) ?(.*?) \| (.*?) \| (.*) \|$", PAGE, re.MULTILINE)
# Those of software at level 2; the page says which are not ours.
COMPONENT_REQUIREMENTS = {
    *(f"CR 1.{number}" for number in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 14)),
    *(f"CR 2.{number}" for number in (1, 5, 6, 8, 9, 10, 11, 12)),
    *(f"CR 3.{number}" for number in (1, 3, 4, 5, 6, 7, 8, 9)),
    *("SAR 2.4", "SAR 3.2"),
    *("CR 4.1", "CR 4.2", "CR 4.3", "CR 5.1", "CR 6.1", "CR 6.2"),
    *(f"CR 7.{number}" for number in (1, 2, 3, 4, 6, 7, 8)),
}
CHAPTERS = {f"V{number}" for number in range(1, 17)} - {"V9", "V10"}


def test_every_requirement_has_one_line() -> None:
    named = [requirement.strip() for requirement, *_ in ROWS]
    assert len(named) == len(set(named))
    assert {each for each in named if not each.startswith("V")} == COMPONENT_REQUIREMENTS
    assert {each.partition(".")[0] for each in named if each.startswith("V")} == CHAPTERS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip())
def test_a_line_names_a_test_that_is_there_or_says_no(row: tuple[str, ...]) -> None:
    *_, done, shown = row
    named = re.findall(r"\[`(test_\w+)`\]\((tests/[\w/]+\.py)\)", shown)
    assert shown.count("`](") == len(named)
    assert named or re.search(r"\*\*no\*\*: \S", shown)
    assert done or not named, "what is tested is told"
    for name, file in named:
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, functions)}, name


def test_the_page_says_how_to_report_and_what_is_out_of_scope() -> None:
    for heading in ("## Report a vulnerability", "## Threat model", "## What is not there"):
        assert heading in PAGE
    assert "**Out of scope**" in PAGE

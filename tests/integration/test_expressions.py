"""What an expression makes of a run, through the store: kept, counted and judged again."""

from typing import Any

from service.commands.backtest import backtest
from service.commands.rulebooks import Draft, activate_rulebook
from service.core.lookup import Rulebook
from service.rulebook import parse_rulebook
from service.store.queries.filters import Filters
from service.store.queries.run_details import run_details
from service.store.queries.steps import failing_steps
from tests.support.stored import NOON, Stored, run_message

RULE = """
[[rule]]
id = "ratio"
test_step = "ratio"
expression = "steps['v_out'] / steps['v_in']"
units = {{ v_out = "V", v_in = "V" }}
low = {}
"""


def message(barcode: str, v_out: float) -> dict[str, Any]:
    steps = [
        {"test_step": "v_in", "measured_value": 12.0, "unit": "V"},
        {"test_step": "v_out", "measured_value": v_out, "unit": "mV"},
    ]
    return run_message(barcode, steps=steps, reported_outcome="PASS")


def fill(stored: Stored) -> int:
    """Store a run with ratio 0.95 and one with 0.75, judged by at least 0.9; return its id."""
    rules = RULE.format(0.9)
    draft = Draft(rules)
    book = activate_rulebook(stored.database, draft, actor="ann", reason="ratio", now=NOON)
    rulebook = Rulebook(book.version, parse_rulebook(rules, "rules"))
    saved = stored.save(message("B1", 11_400.0), message("B2", 9_000.0), rules=rulebook)
    ids = {each.judged.run.message.barcode: each.run_id for each in saved.saved.runs}
    return ids["B2"]


def test_it_is_stored_behind_what_was_sent_with_its_rule_and_reason(stored: Stored) -> None:
    result = run_details(stored.database, fill(stored))
    assert result is not None
    assert (result["outcome"], result["agrees"], result["first_failure"]) == (
        "FAIL",
        False,
        "ratio",
    )
    assert result["counts"] == {"PASS": 0, "FAIL": 1, "ERROR": 0, "UNJUDGED": 2}
    steps = [each["test_step"] for each in result["measurements"]]
    assert steps == ["v_in", "v_out", "ratio"]
    made = result["measurements"][-1]
    assert (made["measured_value"], made["low"], made["rule_id"]) == (0.75, 0.9, "ratio")
    assert made["reason"] == "0.75 is below 0.9, with v_out 9 V, v_in 12 V"
    assert len(result["details"]["measurements"]) == 3


def test_it_is_a_failing_step_like_any_other(stored: Stored) -> None:
    fill(stored)
    (worst,) = failing_steps(stored.database, Filters())
    assert worst["test_step"] == "ratio"


def test_a_back_test_makes_it_again_from_the_message(stored: Stored) -> None:
    fill(stored)
    report = backtest(stored.database, RULE.format(0.7), Filters())
    assert (report["not_reproduced"], report["rescued_count"]) == (0, 1)
    (step,) = report["rescued"][0]["steps"]
    assert (step["test_step"], step["measured_value"]) == ("ratio", 0.75)
    without = backtest(stored.database, "", Filters())
    assert (without["runs_changed"], without["rescued_count"]) == (1, 1)
    assert {(each["outcome_before"], each["outcome_after"]) for each in without["steps"]} == {
        ("PASS", "UNJUDGED"),
        ("FAIL", "UNJUDGED"),
    }

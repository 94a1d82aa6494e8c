"""Who decides a measurement and a run, and what it means that the machine agrees."""

from typing import Any

import pytest

from broker.messages import Comparator, Outcome
from service.core.rules import Rule
from tests.support.core import FLAT, judge_content, run_with

INSIDE: dict[str, Any] = {"low": 0.0, "high": 2.0}  # holds the value 1
BELOW: dict[str, Any] = {"low": 0.0, "high": 0.5}  # does not
GOOD_RULE = Rule("good", Comparator.LE, test_step="s1", high=2.0)
BAD_RULE = Rule("bad", Comparator.LE, test_step="s1", high=0.5)
MISFIT_RULE = Rule("misfit", Comparator.EQ, test_step="s1", nominal="text")

MEASUREMENTS: list[tuple[Rule | None, dict[str, Any], str | None, str, bool | None]] = [
    # rule, limits, reported -> outcome, agrees
    (None, {}, None, "UNJUDGED", None),
    (None, INSIDE, None, "PASS", None),
    (None, BELOW, None, "FAIL", None),
    (None, {**INSIDE, "unit": "V", "limit_unit": "A"}, None, "ERROR", None),
    (None, {}, "PASS", "PASS", None),
    (None, {}, "FAIL", "FAIL", None),
    (None, {}, "ERROR", "ERROR", None),
    (None, {}, "ABORTED", "ERROR", None),
    (None, INSIDE, "PASS", "PASS", True),
    (None, BELOW, "PASS", "PASS", False),
    (None, INSIDE, "FAIL", "FAIL", False),
    (None, BELOW, "FAIL", "FAIL", True),
    (None, INSIDE, "ABORTED", "ERROR", False),
    (None, {**INSIDE, "measured_value": None}, "ABORTED", "ERROR", True),
    (None, {**INSIDE, "measured_value": None}, "FAIL", "FAIL", False),
    (None, {"measured_value": None}, None, "UNJUDGED", None),
    (None, {"comparator": "LOG"}, None, "PASS", None),
    (None, {"comparator": "LOG"}, "PASS", "PASS", None),
    (None, {"comparator": "LOG", "measured_value": None}, None, "PASS", None),
    (GOOD_RULE, BELOW, None, "PASS", None),
    (GOOD_RULE, BELOW, "FAIL", "PASS", False),
    (GOOD_RULE, BELOW, "PASS", "PASS", True),
    (BAD_RULE, INSIDE, None, "FAIL", None),
    (BAD_RULE, INSIDE, "PASS", "FAIL", False),
    (BAD_RULE, INSIDE, "FAIL", "FAIL", True),
    (MISFIT_RULE, INSIDE, "PASS", "ERROR", False),
    (MISFIT_RULE, INSIDE, "ABORTED", "ERROR", True),
    (Rule("log", Comparator.LOG), BELOW, "FAIL", "PASS", False),
]


@pytest.mark.parametrize(("rule", "limits", "reported", "outcome", "agrees"), MEASUREMENTS)
def test_a_rule_beats_the_machine_which_beats_the_limits_it_sent(
    rule: Rule | None,
    limits: dict[str, Any],
    reported: str | None,
    outcome: str,
    *,
    agrees: bool | None,
) -> None:
    content = run_with({**limits, "reported_outcome": reported})
    (one,) = judge_content(content, [rule] if rule else []).measurements
    assert (one.outcome, one.agrees) == (outcome, agrees)
    assert one.rule_id == (rule.id if rule else None)
    assert one.reason is None or one.reason == one.reason.strip()
    assert one.reason or one.outcome is Outcome.PASS


RUNS: list[tuple[str | None, list[dict[str, Any]], list[Rule], str, bool | None]] = [
    # reported on the run, measurements (s1, s2, …), rules -> outcome, agrees
    (None, [INSIDE, BELOW], [], "FAIL", None),
    (None, [INSIDE, {**INSIDE, "measured_value": None}], [], "ERROR", None),
    (None, [{**INSIDE, "measured_value": None}, BELOW], [], "FAIL", None),
    (None, [INSIDE, {}], [], "PASS", None),
    (None, [{}, {}], [], "UNJUDGED", None),
    (None, [{"reported_outcome": "ABORTED"}, INSIDE], [], "ERROR", None),
    ("PASS", [INSIDE, INSIDE], [], "PASS", True),
    ("PASS", [INSIDE, BELOW], [], "PASS", False),
    ("PASS", [{}, {}], [], "PASS", None),
    ("PASS", [INSIDE, {"reported_outcome": "FAIL"}], [], "PASS", False),
    ("PASS", [INSIDE, {**INSIDE, "reported_outcome": "FAIL"}], [], "PASS", False),
    ("PASS", [{**INSIDE, "measured_value": None}], [], "PASS", False),
    ("FAIL", [INSIDE, BELOW], [], "FAIL", True),
    ("FAIL", [INSIDE, INSIDE], [], "FAIL", False),
    ("FAIL", [{}], [], "FAIL", None),
    ("FAIL", [{"reported_outcome": "FAIL"}], [], "FAIL", True),
    ("ERROR", [INSIDE], [], "ERROR", False),
    ("ERROR", [{**INSIDE, "measured_value": None}], [], "ERROR", True),
    ("ABORTED", [INSIDE], [], "ERROR", False),
    ("ABORTED", [{"comparator": "LOG"}], [], "ERROR", None),
    ("PASS", [{}, {}], [BAD_RULE], "FAIL", False),
    ("FAIL", [{}, {}], [BAD_RULE], "FAIL", True),
    ("ABORTED", [{}, {}], [BAD_RULE], "FAIL", False),
    (None, [{}, BELOW], [GOOD_RULE], "FAIL", None),
    ("PASS", [{}, {}], [MISFIT_RULE], "ERROR", False),
    ("FAIL", [{}, {"reported_outcome": "FAIL"}], [MISFIT_RULE], "ERROR", True),
    # A rule overrules the machine's FAIL, if every measurement that failed is one it found good.
    ("FAIL", [{"reported_outcome": "FAIL"}, {}], [GOOD_RULE], "PASS", False),
    ("FAIL", [{"reported_outcome": "FAIL"}, BELOW], [GOOD_RULE], "PASS", True),
    ("FAIL", [{"reported_outcome": "FAIL"}] * 2, [GOOD_RULE], "FAIL", True),
    ("FAIL", [{}, {}], [GOOD_RULE], "FAIL", False),
    ("ERROR", [{"reported_outcome": "FAIL"}], [GOOD_RULE], "ERROR", False),
]


@pytest.mark.parametrize(("reported", "measurements", "rules", "outcome", "agrees"), RUNS)
def test_the_outcome_of_a_run_and_whether_the_machine_agrees(
    reported: str | None,
    measurements: list[dict[str, Any]],
    rules: list[Rule],
    outcome: str,
    *,
    agrees: bool | None,
) -> None:
    judged = judge_content(run_with(*measurements, reported_outcome=reported), rules)
    assert (judged.outcome, judged.agrees) == (outcome, agrees)
    assert judged.rulebook_version == 3


def test_a_flat_measurement_whose_fail_a_rule_overrules_is_a_pass() -> None:
    rule = Rule("r", Comparator.GE, low=80.0)
    judged = judge_content({**FLAT, "reported_outcome": "FAIL"}, [rule])
    assert (judged.outcome, judged.agrees) == (Outcome.PASS, False)


def test_the_first_failure_and_the_counts() -> None:
    judged = judge_content(
        run_with(INSIDE, {**INSIDE, "measured_value": None}, BELOW, BELOW, {}, {})
    )
    assert judged.first_failure == "s3"
    assert tuple(judged.counts) == (1, 2, 1, 2)


def test_a_pass_that_holds_failed_steps_names_the_first_and_does_not_agree() -> None:
    failed = {**BELOW, "reported_outcome": "FAIL"}
    judged = judge_content(run_with(INSIDE, *[failed] * 21, reported_outcome="PASS"))
    assert (judged.outcome, judged.agrees, judged.first_failure) == (Outcome.PASS, False, "s2")
    assert judged.counts.failed == 21


# -- required steps ------------------------------------------------------------------------------

REQUIRED = Rule("must", Comparator.GE, test_step="s9", product="PCB-*", low=0.0, required=True)


def test_a_run_without_a_required_step_fails_and_names_it() -> None:
    judged = judge_content(run_with(INSIDE, reported_outcome="PASS"), [REQUIRED])
    assert (judged.outcome, judged.agrees, judged.first_failure) == (Outcome.FAIL, False, "s9")
    assert tuple(judged.counts) == (1, 0, 0, 0)


def test_a_failed_step_comes_before_a_missing_one() -> None:
    judged = judge_content(run_with(INSIDE, BELOW), [REQUIRED])
    assert (judged.outcome, judged.first_failure) == (Outcome.FAIL, "s2")


def test_a_required_step_that_is_there_changes_nothing() -> None:
    assert judge_content(run_with({"test_step": "s9"}), [REQUIRED]).outcome is Outcome.PASS


def test_a_required_step_is_not_missed_in_other_products() -> None:
    content = run_with(INSIDE, product_id="OTHER")
    assert judge_content(content, [REQUIRED]).outcome is Outcome.PASS


def test_nothing_is_missing_in_a_flat_measurement() -> None:
    judged = judge_content(
        {**FLAT, "product_id": "PCB-7", "procedure": "ICT", **INSIDE}, [REQUIRED]
    )
    assert judged.first_failure == "voltage_test"  # 85.5 is above its own limit
    within = {**FLAT, "product_id": "PCB-7", "low": 80.0}
    assert judge_content(within, [REQUIRED]).outcome is Outcome.PASS

"""What an expression makes of a run: a measurement with a verdict, like any other."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from broker.answers import Result
from broker.messages import Comparator, Outcome
from service.core.records import JudgedRun
from service.core.results import encode_result
from service.core.rules import Rule
from service.rulebook import parse_rulebook
from tests.support.core import FLAT, NOW, judge_content, run_with

ROOT = Path(__file__).parents[2]
V_IN: dict[str, Any] = {"test_step": "v_in", "measured_value": 12.0, "unit": "V"}
V_OUT: dict[str, Any] = {"test_step": "v_out", "measured_value": 11_400.0, "unit": "mV"}
POOR: dict[str, Any] = {**V_OUT, "measured_value": 9_000.0}
OTHER: dict[str, Any] = {"test_step": "x"}
FAILED: dict[str, Any] = {"test_step": "vref", "measured_value": 9.0, "low": 0.0, "high": 1.0}

IS_GOOD = """
id = "ratio-good"
test_step = "is_good"
expression = "steps['v_out'] / steps['v_in'] > 0.9"
units = { v_in = "V", v_out = "V" }
"""
RATIO = """
id = "ratio"
test_step = "ratio"
expression = "100 * steps['v_out'] / steps['v_in']"
units = { v_in = "V", v_out = "V" }
low = 90.0
high = 100.0
unit = "%"
marginal_percent = 55
"""


def judged(*measurements: dict[str, Any], rule: str = IS_GOOD, **fields: object) -> JudgedRun:
    rules = parse_rulebook(f"[[rule]]\n{rule}", "rules.toml")
    return judge_content(run_with(*measurements, **fields), rules)


def test_a_measurement_stands_behind_those_that_were_sent() -> None:
    run = judged(V_IN, V_OUT, rule=RATIO)
    assert [each.measurement.test_step for each in run.measurements] == ["v_in", "v_out", "ratio"]
    one = run.measurements[-1]
    assert (one.measurement.measured_value, one.measurement.unit) == (95.0, "%")
    assert (one.outcome, one.rule_id, one.reason) == (Outcome.PASS, "ratio", None)
    assert (one.comparator, one.low, one.high) == (Comparator.GELE, 90.0, 100.0)
    assert (one.agrees, one.marginal) == (None, True)
    assert tuple(run.counts) == (1, 0, 0, 2)


@pytest.mark.parametrize(
    ("rule", "v_out", "value", "outcome", "reason"),
    [
        (IS_GOOD, V_OUT, True, "PASS", None),
        (IS_GOOD, POOR, False, "FAIL", "the expression is false, with v_out 9 V, v_in 12 V"),
        (RATIO, V_OUT, 95.0, "PASS", None),
        (RATIO, POOR, 75.0, "FAIL", "75 % is below 90 %, with v_out 9 V, v_in 12 V"),
        (
            RATIO,
            {**V_OUT, "measured_value": None},
            None,
            "ERROR",
            "unsupported operation: float * null, with v_out no value, v_in 12 V",
        ),
        (
            RATIO,
            {**V_OUT, "unit": "A"},
            None,
            "ERROR",
            "step 'v_out': 'A' does not convert to 'V', with v_out 11400 A, v_in 12 V",
        ),
        (
            IS_GOOD.replace("> 0.9", ""),
            V_OUT,
            0.95,
            "ERROR",
            "0.95 is not a boolean, but the limit is, with v_out 11.4 V, v_in 12 V",
        ),
        (
            RATIO.replace("100 *", "1 <"),
            V_OUT,
            False,
            "ERROR",
            "false is not a number, but the limit is, with v_out 11.4 V, v_in 12 V",
        ),
        (
            f'{IS_GOOD}comparator = "NE"\nnominal = true\n',
            V_OUT,
            True,
            "FAIL",
            "the expression is true, with v_out 11.4 V, v_in 12 V",
        ),
        (IS_GOOD, OTHER, None, "ERROR", "no step 'v_out' in this run, with v_in 12 V"),
        (f'{IS_GOOD}comparator = "LOG"\n', POOR, False, "PASS", None),
        (f'{IS_GOOD}comparator = "LOG"\n', OTHER, None, "PASS", "no step 'v_out' in this run"),
    ],
)
def test_its_verdict_says_why(
    rule: str, v_out: dict[str, Any], value: object, outcome: str, reason: str | None
) -> None:
    one = judged(V_IN, v_out, rule=rule).measurements[2]
    assert one.measurement.measured_value == value
    assert type(one.measurement.measured_value) is type(value)
    assert (one.outcome, one.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("reported", "measurements", "outcome", "agrees", "first_failure"),
    [
        (None, [V_IN, V_OUT], "PASS", None, None),
        (None, [V_IN, POOR], "FAIL", None, "is_good"),
        ("PASS", [V_IN, V_OUT], "PASS", True, None),
        ("PASS", [V_IN, POOR], "FAIL", False, "is_good"),
        ("FAIL", [V_IN, V_OUT], "FAIL", False, None),
        ("FAIL", [V_IN, POOR], "FAIL", True, "is_good"),
        ("FAIL", [FAILED, V_IN, POOR], "FAIL", True, "vref"),
        ("ABORTED", [V_IN, V_OUT], "ERROR", False, None),
        ("ABORTED", [V_IN, POOR], "FAIL", False, "is_good"),
        ("PASS", [V_IN, {**V_OUT, "measured_value": "x"}], "ERROR", False, None),
        # A rule good for the one measurement that failed has to be that measurement's own.
        ("FAIL", [{**V_IN, "reported_outcome": "FAIL"}, V_OUT], "FAIL", True, "v_in"),
        # A step is missing: a good run is ERROR, one that is bad already stopped before it.
        (None, [V_IN], "ERROR", None, None),
        ("PASS", [V_IN], "ERROR", False, None),
        ("FAIL", [V_IN], "FAIL", None, None),
        ("ABORTED", [V_IN], "ERROR", None, None),
        (None, [V_IN, FAILED], "FAIL", None, "vref"),
        ("PASS", [V_IN, FAILED], "ERROR", False, "vref"),
    ],
)
def test_a_run_is_judged_with_what_its_expressions_make(
    reported: str | None,
    measurements: list[dict[str, Any]],
    outcome: str,
    *,
    agrees: bool | None,
    first_failure: str | None,
) -> None:
    run = judged(*measurements, reported_outcome=reported)
    assert (run.outcome, run.agrees, run.first_failure) == (outcome, agrees, first_failure)


def test_a_run_that_is_bad_already_lacks_what_needs_a_missing_step() -> None:
    assert len(judged(V_IN, reported_outcome="FAIL").measurements) == 1
    assert len(judged(V_IN, POOR, reported_outcome="FAIL").measurements) == 3
    must = '\n[[rule]]\nid = "must"\ntest_step = "x"\nhigh = 1.0\nrequired = true'
    assert (run := judged(V_IN, rule=IS_GOOD + must)).first_failure == "x"
    assert (run.outcome, len(run.measurements)) == (Outcome.FAIL, 1)


@pytest.mark.parametrize(
    ("selector", "applies"),
    [
        ('product = "PCB-7"', True),
        ('product = "PCB-8"', False),
        ('procedure = "I*"', True),
        ('procedure = "FCT"', False),
        ('machine = "MACH-0?"', True),
        ('machine = "ICT-*"', False),
    ],
)
def test_its_selectors_say_which_runs(selector: str, *, applies: bool) -> None:
    run = judged(V_IN, POOR, rule=f"{IS_GOOD}{selector}\n")
    assert len(run.measurements) == 2 + applies
    assert run.outcome is (Outcome.FAIL if applies else Outcome.UNJUDGED)


def test_a_flat_measurement_is_not_a_whole_run() -> None:
    rules = parse_rulebook(f"[[rule]]\n{IS_GOOD}", "rules.toml")
    run = judge_content({**FLAT, "test_step": "v_in", "low": 1.0}, rules)
    assert (len(run.measurements), run.outcome) == (1, Outcome.PASS)


def test_what_a_machine_sends_under_its_name_is_left_to_the_machine() -> None:
    twin = {"test_step": "is_good", "measured_value": False, "reported_outcome": "PASS"}
    rules = f'{IS_GOOD}\n[[rule]]\nid = "any"\ntest_step = "*"\ncomparator = "LOG"\n'
    run = judged(V_IN, V_OUT, twin, rule=rules)
    assert [(each.rule_id, each.outcome.value) for each in run.measurements] == [
        ("any", "PASS"),
        ("any", "PASS"),
        (None, "PASS"),
        ("ratio-good", "PASS"),
    ]


def test_several_expressions_are_made_in_the_order_of_their_names() -> None:
    rules = [Rule(name, Comparator.LOG, test_step=name, expression="steps.v_in") for name in "bca"]
    run = judge_content(run_with(V_IN), rules)
    assert [each.rule_id for each in run.measurements] == [None, "a", "b", "c"]


def test_a_name_with_a_bracket_is_the_name_it_matches() -> None:
    rule = Rule("r", Comparator.LOG, test_step="x[[]1]", expression="steps.v_in")
    assert judge_content(run_with(V_IN), [rule]).measurements[1].measurement.test_step == "x[1]"


EXAMPLES = re.compile(r"^## Expressions$.*?```toml\n(.*?)```", re.MULTILINE | re.DOTALL)


def test_the_worked_example_of_the_documentation_comes_out_as_it_says() -> None:
    page = (ROOT / "docs/judgement.md").read_text("utf-8")
    (text,) = EXAMPLES.findall(page)
    sent = {
        "p_in": (24, "W"),
        "p_out": (20400, "mW"),
        "v_plus": (12.01, "V"),
        "v_minus": (-11.99, "V"),
    }
    steps = [
        {"test_step": step, "measured_value": value, "unit": unit}
        for step, (value, unit) in sent.items()
    ]
    content = run_with(*steps, product_id="PSU-12", procedure="FCT")
    run = judge_content(content, parse_rulebook(text, "rules.toml"))
    assert (run.outcome, run.first_failure) == (Outcome.FAIL, "efficiency")
    efficiency, rails = run.measurements[4:]
    assert f"| `efficiency` | 85 % | FAIL | {efficiency.reason} |" in page
    assert (efficiency.measurement.measured_value, efficiency.outcome) == (85.0, Outcome.FAIL)
    assert (rails.measurement.measured_value, rails.outcome) == (True, Outcome.PASS)


def test_the_example_behind_marks_in_the_sample_rulebook_loads() -> None:
    sample = (ROOT / "rules.toml").read_text("utf-8")
    behind = sample[sample.index("# [[rule]]") : sample.index("# docs/judgement.md tells")]
    (rule,) = parse_rulebook(re.sub("^# ?", "", behind, flags=re.MULTILINE), "rules.toml")
    assert rule.expression
    assert rule.id not in {each.id for each in parse_rulebook(sample, "rules.toml")}


def test_the_result_carries_it_like_any_other() -> None:
    run = judged(V_IN, POOR)
    encoded = encode_result(run, run_id=1, attempt=1, received_at=NOW)
    result = Result.model_validate(orjson.loads(encoded), strict=False)
    assert result.counts.FAIL == 1
    assert result.first_failure == "is_good"
    assert result.measurements[-1].rule_id == "ratio-good"
    assert result.measurements[-1].measured_value is False

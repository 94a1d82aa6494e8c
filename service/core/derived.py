"""What a rule's expression makes out of a run, and the verdict on it. Pure: no I/O."""

from typing import Final

from broker.messages import Comparator, Outcome, RunMeasurement
from service.core.compare import compare
from service.core.expressions import Evaluation, RunValues, compiled
from service.core.numeric import Comparison
from service.core.records import JudgedMeasurement
from service.core.rules import Rule

_PASS, _FAIL, _ERROR = Outcome.PASS, Outcome.FAIL, Outcome.ERROR
_LOG: Final = Comparator.LOG


def judge_derived(
    rule: Rule, values: RunValues, *, may_lack_steps: bool
) -> JudgedMeasurement | None:
    """Work out a rule's expression for one run, and judge what comes of it.

    Args:
        rule: One with an expression.
        values: What was measured in the run.
        may_lack_steps: The run is bad already, and may have stopped before it had every step.

    Returns:
        A measurement named by the rule's test_step, its value in the rule's unit; ERROR and why
        where there is no value. None where the expression lacks a step that the run may lack.
    """
    assert rule.expression is not None, rule
    expression = compiled(rule.expression)
    found = expression.evaluate(values, rule.units)
    if found.is_step_missing and may_lack_steps:
        return None
    ours = _compare(rule, found)
    reason = ours.reason
    if ours.outcome is not _PASS and (told := expression.told(values, rule.units)):
        reason = f"{reason}, with {told}"
    return JudgedMeasurement(
        RunMeasurement(
            test_step=rule.globs()[0].prefix, measured_value=found.value, unit=rule.unit
        ),
        ours.outcome,
        rule.comparator,
        ours.low,
        ours.high,
        rule.nominal,
        rule.id,
        reason,
        ours.marginal,
        None,
    )


def _compare(rule: Rule, found: Evaluation) -> Comparison:
    if found.fault is not None:
        outcome = _PASS if rule.comparator is _LOG else _ERROR  # LOG records, whatever comes of it
        return Comparison(outcome, found.fault, rule.low, rule.high)
    ours = compare(found.value, rule.unit, rule.limit)
    if ours.outcome is _FAIL and isinstance(found.value, bool):
        words = "true" if found.value else "false"
        return ours._replace(reason=f"the expression is {words}")
    return ours

"""Judge a run: each measurement by who decides it, then the run itself. Pure: no I/O.

A rule of the plant beats the machine; where no rule speaks the machine's own verdict stands; the
limits in a message decide only where the machine gave none. What our own arithmetic says is kept
apart, so that `agrees` can tell where the machine and the numbers differ.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from broker.messages import Comparator, Outcome, ReportedOutcome, Run
from service.core.compare import compare
from service.core.derived import judge_derived
from service.core.expressions import RunValues
from service.core.lookup import Rulebook
from service.core.numeric import Comparison
from service.core.records import AnyMeasurement, Counts, DecodedRun, JudgedMeasurement, JudgedRun
from service.core.rules import Limit, Rule, default_comparator

# Bound once: a member of an enumeration takes 0.1 µs to look up by name, per measurement.
_PASS, _FAIL, _ERROR, _UNJUDGED = Outcome.PASS, Outcome.FAIL, Outcome.ERROR, Outcome.UNJUDGED
_REPORTED_FAIL: Final = ReportedOutcome.FAIL
_GELE, _LOG = Comparator.GELE, Comparator.LOG
_AS_OURS: Final[Mapping[ReportedOutcome | None, Outcome]] = {
    ReportedOutcome.PASS: Outcome.PASS,
    ReportedOutcome.FAIL: Outcome.FAIL,
    ReportedOutcome.ERROR: Outcome.ERROR,
    ReportedOutcome.ABORTED: Outcome.ERROR,
}
_NOT_MARGINAL: Final = False  # only a rule calls a value so
_Opinion: TypeAlias = tuple[JudgedMeasurement, Outcome | None]
"""A judged measurement, and what it says of the run by our own arithmetic."""


def judge(run: DecodedRun, rulebook: Rulebook) -> JudgedRun:
    """Judge a run and each of its measurements.

    Args:
        run: As decoded; a flat measurement is a run of one.
        rulebook: The rules in force; its version is kept with the verdict.

    Returns:
        The run's outcome, whether the machine agrees, and one judged measurement for each, in
        order; behind them those that expressions make. Never raises on what a machine sent.
    """
    rules = rulebook.scope(run.machine_id, run.message.product_id, run.procedure)
    judged: list[JudgedMeasurement] = []
    says: list[Outcome | None] = []
    for measurement in run.measurements:
        each, its_word = judge_measurement(measurement, rules[measurement.test_step])
        judged.append(each)
        says.append(its_word)
    missing = _missing_step(run, rules.required) if rules.required else None
    if rules.expressions and isinstance(run.message, Run):
        for derived in _derive(run, rules.expressions, judged, is_step_missing=missing is not None):
            judged.append(derived)
            says.append(derived.outcome)
    outcomes = [each.outcome for each in judged]
    counts = _COUNTS_OF_ONE[outcomes[0]] if len(outcomes) == 1 else _count(outcomes)
    reported, is_step_missing = run.reported_outcome, missing is not None
    first_failure = missing
    if counts.failed:
        first_failure = judged[outcomes.index(_FAIL)].measurement.test_step
    return JudgedRun(
        run,
        _run_outcome(reported, judged, counts, is_step_missing=is_step_missing),
        _run_agrees(reported, says, is_step_missing=is_step_missing),
        first_failure,
        counts,
        rulebook.version,
        judged,
    )


def _count(outcomes: Sequence[Outcome]) -> Counts:
    return Counts(*map(outcomes.count, (_PASS, _FAIL, _ERROR, _UNJUDGED)))


_COUNTS_OF_ONE: Final = {each: _count((each,)) for each in Outcome}  # every flat result's


# -- one measurement -----------------------------------------------------------------------------


def judge_measurement(measurement: AnyMeasurement, rule: Rule | None) -> _Opinion:
    """Judge one measurement, by the rule that applies to it or by who decides without one.

    Returns:
        The verdict, and what the measurement says of its run by our own arithmetic: None where
        there is nothing to compare, FAIL also where the machine says so and no rule contradicts.
    """
    if rule is not None:
        return _by_rule(measurement, rule)
    reported = measurement.reported_outcome
    if reported is None or reported is ReportedOutcome.PASS:
        inside = _inside_its_limits(measurement)
        if inside is not None:
            return inside
    limit = _limit_of(measurement)
    if limit is None:
        return _without_limit(measurement)
    ours = compare(measurement.measured_value, measurement.unit, limit)
    outcome, reason, agrees = ours.outcome, ours.reason, None
    says: Outcome | None = ours.outcome
    if reported is not None:
        outcome, reason = _AS_OURS[reported], _reported_reason(reported, ours)
        agrees = outcome is ours.outcome
    if limit.comparator is _LOG:
        # It compares nothing, so there is no arithmetic that the machine could agree with.
        says = agrees = None
    if reported is _REPORTED_FAIL:
        says = _FAIL
    judged = JudgedMeasurement(
        measurement,
        outcome,
        limit.comparator,
        ours.low,
        ours.high,
        limit.nominal,
        None,
        reason,
        _NOT_MARGINAL,
        agrees,
    )
    return judged, says


def _inside_its_limits(measurement: AnyMeasurement) -> _Opinion | None:
    """Judge what nearly every measurement of a board tester is; None: it is not that simple.

    A number inside its own low and high limits, which the machine does not contradict. It saves
    half of the time of a large run.
    """
    value, low, high = measurement.measured_value, measurement.low, measurement.high
    if (
        type(value) is not float
        or low is None
        or high is None
        or not low <= value <= high
        or measurement.comparator is not None
        or measurement.limit_unit is not None
    ):
        return None
    agrees = None if measurement.reported_outcome is None else True
    return JudgedMeasurement(
        measurement,
        _PASS,
        _GELE,
        low,
        high,
        measurement.nominal,
        None,
        None,
        _NOT_MARGINAL,
        agrees,
    ), _PASS


def _by_rule(measurement: AnyMeasurement, rule: Rule) -> _Opinion:
    limit = rule.limit
    ours = compare(measurement.measured_value, measurement.unit, limit)
    reported = measurement.reported_outcome
    agrees = None if reported is None else _AS_OURS[reported] is ours.outcome
    reason = ours.reason
    if agrees is False and reason is None:
        reason = f"the machine reported {reported}, rule {rule.id!r} decides"
    judged = JudgedMeasurement(
        measurement,
        ours.outcome,
        limit.comparator,
        ours.low,
        ours.high,
        limit.nominal,
        rule.id,
        reason,
        ours.marginal,
        agrees,
    )
    return judged, ours.outcome


def _without_limit(measurement: AnyMeasurement) -> _Opinion:
    reported = measurement.reported_outcome
    outcome = _UNJUDGED if reported is None else _AS_OURS[reported]
    reason = None
    if reported is None:
        reason = "no rule, no limit and no reported outcome"
    elif outcome is not _PASS:
        reason = f"the machine reported {reported}"
    judged = JudgedMeasurement(
        measurement,
        outcome,
        None,
        None,
        None,
        measurement.nominal,
        None,
        reason,
        _NOT_MARGINAL,
        None,
    )
    return judged, _FAIL if outcome is _FAIL else None


def _limit_of(measurement: AnyMeasurement) -> Limit | None:
    """Return the limits in a message; None where it has none."""
    low, high, nominal = measurement.low, measurement.high, measurement.nominal
    comparator = measurement.comparator
    if comparator is None:
        comparator = default_comparator(low, high)
        if comparator is None:
            return None
    elif low is None and high is None and nominal is None and comparator is not _LOG:
        return None  # a comparator alone is no limit
    return Limit(
        comparator,
        low,
        high,
        nominal,
        measurement.limit_unit or measurement.unit,
        measurement.tolerance,
        measurement.tolerance_percent,
        measurement.tolerance_ppm,
    )


def _reported_reason(reported: ReportedOutcome, ours: Comparison) -> str | None:
    """Return why, where the machine decided: our arithmetic, or that the machine says so."""
    if reported is ReportedOutcome.PASS:
        return None if ours.reason is None else f"the machine reported PASS, but {ours.reason}"
    if ours.reason is None:
        return f"the machine reported {reported}, although its limits hold"
    return (
        ours.reason
        if _AS_OURS[reported] is ours.outcome
        else (f"the machine reported {reported}; {ours.reason}")
    )


# -- the run -------------------------------------------------------------------------------------


def _missing_step(run: DecodedRun, required: Sequence[Rule]) -> str | None:
    """Return a required step that is not in the run.

    Only a Run claims to be a whole procedure. A flat measurement is one step of it, so nothing can
    be missing there.
    """
    if not isinstance(run.message, Run):
        return None
    present = {each.test_step for each in run.measurements}
    steps = (rule.globs()[0].prefix for rule in required)
    return next((step for step in steps if step not in present), None)


def _derive(
    run: DecodedRun,
    rules: Sequence[Rule],
    judged: Sequence[JudgedMeasurement],
    *,
    is_step_missing: bool,
) -> list[JudgedMeasurement]:
    """Return the measurements that expressions make of a run.

    Like a required step they concern a Run only. One that is bad without them may have stopped at
    its first failure: there an expression that lacks a step has nothing to say.
    """
    counts = _count([each.outcome for each in judged])
    outcome = _run_outcome(run.reported_outcome, judged, counts, is_step_missing=is_step_missing)
    values, is_bad = RunValues(run.measurements), outcome in {_FAIL, _ERROR}
    derived = (judge_derived(rule, values, may_lack_steps=is_bad) for rule in rules)
    return [each for each in derived if each is not None]


def _run_outcome(
    reported: ReportedOutcome | None,
    judged: Sequence[JudgedMeasurement],
    counts: Counts,
    *,
    is_step_missing: bool,
) -> Outcome:
    by_rule = [each.outcome for each in judged if each.rule_id is not None]
    if is_step_missing or _FAIL in by_rule:
        return _FAIL
    if _ERROR in by_rule:
        return _ERROR
    if reported is None:
        if counts.failed:
            return _FAIL
        return _ERROR if counts.errors else _PASS if counts.passed else _UNJUDGED
    if reported is _REPORTED_FAIL and by_rule and _is_overruled(judged):
        return _PASS
    return _AS_OURS[reported]


def _is_overruled(judged: Sequence[JudgedMeasurement]) -> bool:
    """Tell whether rules found every measurement good that the machine reported FAIL."""
    failed = [each for each in judged if each.measurement.reported_outcome is _REPORTED_FAIL]
    return bool(failed) and all(
        each.rule_id is not None and each.outcome is _PASS for each in failed
    )


def _run_agrees(
    reported: ReportedOutcome | None, says: Sequence[Outcome | None], *, is_step_missing: bool
) -> bool | None:
    """Tell whether the machine's word on the run is what its measurements say; None: no word."""
    if reported is None:
        return None
    worst = next((each for each in (_FAIL, _ERROR, _PASS) if each in says), None)
    if is_step_missing:
        worst = _FAIL
    return None if worst is None else _AS_OURS[reported] is worst

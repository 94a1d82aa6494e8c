"""Judge a run: each measurement by who decides it, then the run itself. Pure: no I/O.

A rule of the plant beats the machine; where no rule speaks the machine's own verdict stands; the
limits in a message decide only where the machine gave none. What our own arithmetic says is kept
apart, so that `agrees` can tell where the machine and the numbers differ.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from broker.messages import Comparator, Outcome, ReportedOutcome, Run
from service.core.compare import Comparison, compare
from service.core.lookup import Rulebook
from service.core.records import AnyMeasurement, Counts, DecodedRun, JudgedMeasurement, JudgedRun
from service.core.rules import Limit, Rule, default_comparator

_AS_OURS: Final[Mapping[ReportedOutcome, Outcome]] = {
    ReportedOutcome.PASS: Outcome.PASS,
    ReportedOutcome.FAIL: Outcome.FAIL,
    ReportedOutcome.ERROR: Outcome.ERROR,
    ReportedOutcome.ABORTED: Outcome.ERROR,
}
_NOT_MARGINAL: Final = False  # only a rule calls a value so
_WORST_FIRST: Final = (Outcome.FAIL, Outcome.ERROR, Outcome.PASS)


class _Opinion(NamedTuple):
    """A judged measurement, and what it says of the run by our own arithmetic."""

    judged: JudgedMeasurement
    says: Outcome | None


def judge(run: DecodedRun, rulebook: Rulebook) -> JudgedRun:
    """Judge a run and each of its measurements.

    Args:
        run: As decoded; a flat measurement is a run of one.
        rulebook: The rules in force; its version is kept with the verdict.

    Returns:
        The run's outcome, whether the machine agrees, and one judged measurement for each, in
        order. Never raises on what a machine sent.
    """
    rules = rulebook.scope(run.machine_id, run.message.product_id, run.procedure)
    opinions = [judge_measurement(each, rules[each.test_step]) for each in run.measurements]
    judged = [opinion.judged for opinion in opinions]
    missing = _missing_step(run, rules.required) if rules.required else None
    outcomes = [each.outcome for each in judged]
    first_failure = (
        judged[outcomes.index(Outcome.FAIL)].measurement.test_step
        if Outcome.FAIL in outcomes
        else missing
    )
    return JudgedRun(
        run,
        _run_outcome(run.reported_outcome, judged, outcomes, is_step_missing=missing is not None),
        _run_agrees(run.reported_outcome, opinions, is_step_missing=missing is not None),
        first_failure,
        Counts(*map(outcomes.count, Outcome)),
        rulebook.version,
        judged,
    )


# -- one measurement -----------------------------------------------------------------------------


def judge_measurement(measurement: AnyMeasurement, rule: Rule | None) -> _Opinion:
    """Judge one measurement, by the rule that applies to it or by who decides without one."""
    if rule is not None:
        return _by_rule(measurement, rule)
    limit = _limit_of(measurement)
    reported = measurement.reported_outcome
    if limit is None:
        outcome = Outcome.UNJUDGED if reported is None else _AS_OURS[reported]
        return _without_limit(measurement, outcome)
    ours = compare(measurement.measured_value, measurement.unit, limit)
    # LOG compares nothing, so there is no arithmetic of ours that the machine could agree with.
    is_compared = limit.comparator is not Comparator.LOG
    agrees = None
    outcome, reason = ours.outcome, ours.reason
    if reported is not None:
        outcome = _AS_OURS[reported]
        agrees = outcome is ours.outcome if is_compared else None
        reason = _reported_reason(reported, ours)
    says = ours.outcome if is_compared else None
    if reported is ReportedOutcome.FAIL:
        says = Outcome.FAIL
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
    return _Opinion(judged, says)


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
    return _Opinion(judged, ours.outcome)


def _without_limit(measurement: AnyMeasurement, outcome: Outcome) -> _Opinion:
    reported = measurement.reported_outcome
    reason = None
    if outcome is Outcome.UNJUDGED:
        reason = "no rule, no limit and no reported outcome"
    elif outcome is not Outcome.PASS:
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
    return _Opinion(judged, Outcome.FAIL if outcome is Outcome.FAIL else None)


def _limit_of(measurement: AnyMeasurement) -> Limit | None:
    """Return the limits in a message; None where it has none."""
    low, high, nominal = measurement.low, measurement.high, measurement.nominal
    comparator = measurement.comparator
    if comparator is None:
        comparator = default_comparator(low, high)
        if comparator is None:
            return None
    elif low is None and high is None and nominal is None and comparator is not Comparator.LOG:
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


def _run_outcome(
    reported: ReportedOutcome | None,
    judged: Sequence[JudgedMeasurement],
    outcomes: Sequence[Outcome],
    *,
    is_step_missing: bool,
) -> Outcome:
    by_rule = [each.outcome for each in judged if each.rule_id is not None]
    if is_step_missing or Outcome.FAIL in by_rule:
        return Outcome.FAIL
    if Outcome.ERROR in by_rule:
        return Outcome.ERROR
    if reported is None:
        return _worst(outcomes) or Outcome.UNJUDGED
    if reported is ReportedOutcome.FAIL and by_rule and _is_overruled(judged):
        return Outcome.PASS
    return _AS_OURS[reported]


def _is_overruled(judged: Sequence[JudgedMeasurement]) -> bool:
    """Tell whether rules found every measurement good that the machine reported FAIL."""
    failed = [each for each in judged if each.measurement.reported_outcome is ReportedOutcome.FAIL]
    return bool(failed) and all(
        each.rule_id is not None and each.outcome is Outcome.PASS for each in failed
    )


def _run_agrees(
    reported: ReportedOutcome | None, opinions: Sequence[_Opinion], *, is_step_missing: bool
) -> bool | None:
    """Tell whether the machine's word on the run is what its measurements say; None: no word."""
    if reported is None:
        return None
    says = _worst([opinion.says for opinion in opinions])
    if is_step_missing:
        says = Outcome.FAIL
    return None if says is None else _AS_OURS[reported] is says


def _worst(outcomes: Sequence[Outcome | None]) -> Outcome | None:
    return next((each for each in _WORST_FIRST if each in outcomes), None)

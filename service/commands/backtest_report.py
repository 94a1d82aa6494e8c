"""A back-test's report in the words of the API. Pure: no I/O."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from broker.messages import Outcome, format_time
from service.core.whatif import ChangedRun, ChangedStep, Report, StepChange, YieldChange
from service.core.yields import YieldCounts, rolled_throughput_yield
from service.store.queries.base import Facts
from service.store.queries.history import LatestRun


def as_facts(report: Report, latest: Mapping[int, LatestRun]) -> Facts:
    """Return the report as JSON.

    `runs`, `runs_changed`, `not_reproduced`; `before` and `after` with the yields over all
    procedures, `procedures` with those of each, where `after` has each yield as an interval
    (`…_low`, `…_high`: equal unless runs that stopped at a failure would be let pass);
    `rescued` and `newly_failing`, the runs that change by name; `steps`, how many verdicts of which
    step change under which rule. `afterwards` of a run is its unit's last run, null where it is
    that itself.

    Args:
        report: What the draft would have changed.
        latest: The last run of each unit that changes, by unit_id.
    """
    procedures = report.procedures
    rescued = [each for each in report.changes if each.after is Outcome.PASS]
    failing = [each for each in report.changes if each.run.outcome is Outcome.PASS]
    return {
        "runs": report.runs,
        "runs_changed": report.changed,
        "not_reproduced": report.not_reproduced,
        "unfinished": report.unfinished,
        **_yields(report.units, procedures.values()),
        "procedures": [
            {"procedure": name, **_yields(change, [change])} for name, change in procedures.items()
        ],
        "rescued_count": report.rescued,
        "rescued": [_run(each, latest) for each in rescued],
        "newly_failing_count": report.newly_failing,
        "newly_failing": [_run(each, latest) for each in failing],
        "otherwise_changed_count": report.changed - report.rescued - report.newly_failing,
        "steps": sorted(_steps(report.steps), key=lambda each: (-each["count"], each["test_step"])),
    }


def _yields(units: YieldChange, procedures: Iterable[YieldChange]) -> Facts:
    before, low, high = units
    parts = list(procedures)
    rolled = [rolled_throughput_yield(each[way] for each in parts) for way in range(3)]
    return {
        "units": before.units,
        "before": {
            "first_passed": before.first_passed,
            "second_passed": before.second_passed,
            "finally_passed": before.last_passed,
            "first_pass_yield": _share(before.first_passed, before),
            "second_pass_yield": _share(before.second_passed, before),
            "final_yield": _share(before.last_passed, before),
            "rolled_throughput_yield": rolled[0],
        },
        "after": {
            "first_passed_low": low.first_passed,
            "first_passed_high": high.first_passed,
            "finally_passed_low": low.last_passed,
            "finally_passed_high": high.last_passed,
            "first_pass_yield_low": _share(low.first_passed, low),
            "first_pass_yield_high": _share(high.first_passed, high),
            "second_pass_yield_low": _share(low.second_passed, low),
            "second_pass_yield_high": _share(high.second_passed, high),
            "final_yield_low": _share(low.last_passed, low),
            "final_yield_high": _share(high.last_passed, high),
            "rolled_throughput_yield_low": rolled[1],
            "rolled_throughput_yield_high": rolled[2],
        },
    }


def _share(good: int, counts: YieldCounts) -> float | None:
    return good / counts.units if counts.units else None


def _run(changed: ChangedRun, latest: Mapping[int, LatestRun]) -> Facts:
    run = changed.run
    return {
        "run_id": run.run_id,
        "barcode": changed.barcode,
        "product_id": changed.product_id,
        "procedure": changed.procedure,
        "machine_id": changed.machine_id,
        "timestamp": format_time(changed.started_at),
        "is_first": run.is_first,
        "is_last": run.is_last,
        "outcome_before": run.outcome,
        "outcome_after": changed.after,
        "first_failure": changed.first_failure,
        "is_unfinished": changed.is_unfinished,
        "afterwards": _afterwards(latest.get(run.unit_id), run.run_id),
        "steps": [_step(each) for each in changed.steps],
    }


def _afterwards(last: LatestRun | None, run_id: int) -> Facts | None:
    if last is None or last.run_id == run_id:
        return None
    return {
        "run_id": last.run_id,
        "procedure": last.procedure,
        "outcome": last.outcome,
        "timestamp": format_time(last.started_at),
    }


def _step(step: ChangedStep) -> dict[str, Any]:
    before, after = step
    return {
        "test_step": step.test_step,
        "measured_value": after.measurement.measured_value,
        "unit": after.measurement.unit,
        "outcome_before": before.outcome,
        "outcome_after": after.outcome,
        "rule_before": before.rule_id,
        "rule_after": after.rule_id,
        "reason": after.reason,
    }


def _steps(steps: dict[StepChange, int]) -> Iterator[Facts]:
    for change, count in steps.items():
        yield {**change._asdict(), "count": count}

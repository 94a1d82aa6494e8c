"""Failures and what explains them: programs that changed, golden samples, disagreements."""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from broker.messages import Outcome, ReportedOutcome
from service.core.records import JudgedMeasurement
from service.store.queries.disagreements import count_disagreements, list_disagreements
from service.store.queries.filters import Filters
from service.store.queries.golden import golden_samples
from service.store.queries.program_changes import program_changes
from service.store.queries.results import count_results, list_results
from service.store.queries.steps import failing_steps, pareto_of_steps
from tests.support.random_history import History, Kept, each_filter
from tests.support.stored import NOON, Stored, run_message

pytestmark = pytest.mark.postgres


# -- failures --------------------------------------------------------------------------------------


@each_filter
def test_shares_add_up_to_all_failures(history: History, filters: Filters) -> None:
    whole = pareto_of_steps(history.sqlite, filters)
    for order in ("first_failures", "failures"):
        found = pareto_of_steps(history.sqlite, filters, 2, order)
        total = found[f"total_{order}"]
        assert total == sum(each[order] for each in whole["items"])
        summed = 0
        for each in found["items"]:
            summed += each[order]
            assert each["share"] == pytest.approx(each[order] / total)
            assert each["cumulative_share"] == pytest.approx(summed / total)
        if found["others"] is not None:
            assert summed + found["others"][order] == total
            assert found["others"]["steps"] == len(whole["items"]) - 2


@pytest.mark.parametrize("filters", [Filters(), Filters(operator="bob")], ids=["rolled", "rows"])
def test_a_required_step_that_was_missing_is_a_first_failure(
    history: History, filters: Filters
) -> None:
    missing = [
        run
        for run in history.of()
        if run.judged.first_failure == "seal"
        and filters.operator in {None, run.judged.run.message.operator}
    ]
    found = {each["test_step"]: each for each in failing_steps(history.sqlite, filters)}
    assert len(missing) > 3
    assert found["seal"]["first_failures"] == len(missing)
    (alone,) = failing_steps(history.sqlite, replace(filters, step="seal"))
    same = ("first_failures", "failures", "machines")
    assert [alone[key] for key in same] == [found["seal"][key] for key in same]


def test_a_program_that_changes_is_told_by_machine_product_and_procedure(stored: Stored) -> None:
    def save(minute: int, version: str | None, *, machine: str = "M1", product: str = "P1") -> None:
        program = {"program": "FCT_41", "program_version": version} if version else {}
        message = run_message(f"U{minute}-{machine}", minutes=minute, **program)
        stored.save(message | {"product_id": product}, machine_id=machine)

    for minute, version in enumerate(["3.2", "3.2", "3.3", "3.3", "3.2", None]):
        save(minute, version)
    save(2, "9.9", product="P2")
    save(3, "3.2", machine="M2")
    save(4, "3.3", machine="M2")
    found = program_changes(stored.database, Filters())
    said = [
        (each["machine_id"], each["old_program_version"], each["program_version"]) for each in found
    ]
    assert said == [
        ("M1", "3.2", "3.3"),
        ("M1", "3.3", "3.2"),
        ("M2", "3.2", "3.3"),
        ("M1", "3.2", None),
    ]
    assert [each["program"] for each in found] == ["FCT_41", "FCT_41", "FCT_41", None]
    later = Filters(machine_id="M1", since=NOON + timedelta(minutes=3))
    assert len(program_changes(stored.database, later)) == 2


# -- golden samples and disagreements --------------------------------------------------------------


def test_golden_samples_are_shown_on_their_own(history: History) -> None:
    golden: dict[tuple[str, str, str], list[Kept]] = defaultdict(list)
    for run in history.runs:
        message = run.judged.run.message
        if run.judged.run.is_golden:
            key = (message.barcode, message.product_id, run.judged.run.procedure)
            golden[key].append(run)
    found = golden_samples(history.sqlite, Filters())
    assert {(each["barcode"], each["product_id"], each["procedure"]) for each in found} == (
        golden.keys()
    )
    for each in found:
        runs = golden[each["barcode"], each["product_id"], each["procedure"]]
        passed = sum(run.judged.outcome is Outcome.PASS for run in runs)
        assert (each["runs"], each["pass_count"]) == (len(runs), passed)
        assert each["pass_rate"] == passed / len(runs)
        assert each["last_result"]["run_id"] == runs[-1].run_id
    assert len(golden_samples(history.sqlite, Filters(), limit=1)) == 1
    assert golden_samples(history.sqlite, Filters(golden=False)) == found


def disagreeing(run: Kept) -> list[JudgedMeasurement]:
    return [each for each in run.judged.measurements if each.agrees is False]


def test_disagreements_are_every_run_in_which_one_differs(history: History) -> None:
    expected = [run for run in history.of() if run.judged.agrees is False or disagreeing(run)]
    seen: list[dict[str, Any]] = []
    cursor = None
    while True:
        items, cursor = list_disagreements(history.sqlite, Filters(), 7, cursor)
        seen += items
        if cursor is None:
            break
    assert [each["run_id"] for each in seen] == [run.run_id for run in reversed(expected)]
    for each, run in zip(seen, reversed(expected), strict=True):
        assert each["agrees"] is run.judged.agrees
        assert (each["kind"] is None) is (run.judged.agrees is not False)
        assert [one["test_step"] for one in each["measurements"]] == [
            one.measurement.test_step for one in disagreeing(run)
        ]
        assert each["measurement_count"] == len(disagreeing(run))
    differing = Filters(differs=True, golden=False)
    for chosen in (differing, replace(differing, step="vcc")):
        of_list = [each["run_id"] for each in list_results(history.sqlite, chosen, 1000)[0]]
        steps = list_disagreements(history.sqlite, replace(chosen, differs=None), 200)[0]
        assert of_list[:200] == [each["run_id"] for each in steps]
    both = [
        count_results(history.sqlite, Filters(differs=each)).count for each in (True, False, None)
    ]
    assert both[0] + both[1] == both[2]
    only = [run.run_id for run in reversed(expected) if run.judged.agrees is False]
    listed = list_disagreements(history.sqlite, Filters(agrees=False), 200)[0]
    assert [each["run_id"] for each in listed] == only[:200]


def test_disagreements_are_counted_by_step_and_machine(history: History) -> None:
    counted: Counter[tuple[str, str]] = Counter()
    accepts: Counter[tuple[str, str]] = Counter()
    of_runs: Counter[tuple[str, ReportedOutcome]] = Counter()
    for run in history.of():
        machine_id = run.judged.run.machine_id
        if run.judged.agrees is False and run.judged.run.reported_outcome:
            of_runs[machine_id, run.judged.run.reported_outcome] += 1
        for each in disagreeing(run):
            key = (each.measurement.test_step, machine_id)
            counted[key] += 1
            is_compared = each.measurement.measured_value is not None
            accepts[key] += is_compared and each.measurement.reported_outcome == "PASS"
    found = count_disagreements(history.sqlite, Filters())
    by_step = {(each["test_step"], each["machine_id"]): each for each in found["steps"]}
    assert {key: each["measurements"] for key, each in by_step.items()} == counted
    assert {key: each["false_accepts"] for key, each in by_step.items()} == {
        key: accepts[key] for key in counted
    }
    for each in found["steps"]:
        kinds = each["false_accepts"] + each["false_rejects"] + each["others"]
        assert kinds == each["measurements"]
    for each in found["machines"]:
        machine_id = each["machine_id"]
        assert each["reported_pass"] == of_runs[machine_id, ReportedOutcome.PASS]
        assert each["reported_fail"] == of_runs[machine_id, ReportedOutcome.FAIL]
        assert each["reported_other"] == of_runs[machine_id, ReportedOutcome.ABORTED]

"""Analysis: what brute force says of one random history."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from broker.messages import Outcome, ReportedOutcome
from service.core.records import JudgedMeasurement
from service.store.queries import step_values
from service.store.queries.capabilities import capabilities
from service.store.queries.capability_list import capability_list
from service.store.queries.charts import ChartKind, ChartWish, control_chart, histogram
from service.store.queries.disagreements import count_disagreements, list_disagreements
from service.store.queries.filters import Filters
from service.store.queries.golden import golden_samples
from service.store.queries.program_changes import program_changes
from service.store.queries.results import count_results, list_results
from service.store.queries.steps import failing_steps, pareto_of_steps
from tests.support.random_history import History, Kept, assert_same, each_filter
from tests.support.stored import NOON, Stored, run_message

pytestmark = pytest.mark.postgres


# -- values ----------------------------------------------------------------------------------------


class Volt(NamedTuple):
    """A value of `vcc` in the unit of the newest, as the brute force sees it."""

    value: float
    run_id: int
    low: float
    high: float
    is_judged: bool


def volts_of(runs: Sequence[Kept], unit: str) -> list[Volt]:
    found = []
    for run in runs:
        for each in run.judged.measurements:
            measurement = each.measurement
            if measurement.test_step == "vcc":
                assert isinstance(measurement.measured_value, float)
                assert measurement.low is not None
                assert measurement.high is not None
                factor = {("V", "mV"): 1e3, ("mV", "V"): 1e-3}.get(
                    (measurement.unit or "", unit), 1.0
                )
                found.append(
                    Volt(
                        measurement.measured_value * factor,
                        run.run_id,
                        round(measurement.low * factor, 9),
                        round(measurement.high * factor, 9),
                        each.outcome in {Outcome.PASS, Outcome.FAIL},
                    )
                )
    return found


def newest_unit(runs: Sequence[Kept]) -> str:
    units = [
        each.measurement.unit
        for each in runs[-1].judged.measurements
        if each.measurement.test_step == "vcc"
    ]
    assert units[0] is not None
    return units[0]


def test_capability_is_that_of_the_converted_values_in_time_order(history: History) -> None:
    for procedure in ("ICT", "EOL"):
        runs = history.of(product_id="P1", procedure=procedure)
        volts = volts_of(runs, newest_unit(runs))
        values = [each.value for each in volts]
        filters = Filters(product_id="P1", procedure=procedure, step="vcc")
        (found,) = capabilities(history.sqlite, filters)["items"]
        judged = [(each.low, each.high) for each in volts if each.is_judged]
        low, high = judged[-1]
        mean, sigma = statistics.fmean(values), statistics.stdev(values)
        within = statistics.fmean(abs(b - a) for a, b in pairwise(values)) / 1.128379
        way = min(mean - low, high - mean)
        expected = {
            "value_count": len(values),
            "mean": mean,
            "sigma_overall": sigma,
            "sigma_within": within,
            "low": low,
            "high": high,
            "pp": (high - low) / (6 * sigma),
            "ppk": way / (3 * sigma),
            "cpk": way / (3 * within),
        }
        assert found["unit"] == newest_unit(runs)
        assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-6)
        assert found["ppk_low"] < found["ppk"] < found["ppk_high"]
        assert found["is_complete"]
        assert found["limits_changed"]
        used = {(each["low"], each["high"]): each["value_count"] for each in found["limits"]}
        assert used == Counter(judged)


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


def test_a_step_that_failed_runs_leave_out_is_noted(stored: Stored) -> None:
    first = {"test_step": "first", "measured_value": 5.0, "low": 4.0, "high": 6.0}
    second = first | {"test_step": "second"}
    option = first | {"test_step": "option"}
    for number in range(60):
        is_bad = number % 10 == 5
        steps = [first | {"measured_value": 9.0}] if is_bad else [first, second]
        steps += [option] if number % 3 == 0 else []
        stored.save(run_message(f"U{number}", minutes=number, steps=steps))
    said = {}
    for step in ("first", "second", "option"):
        (item,) = capabilities(stored.database, Filters(step=step))["items"]
        said[step] = [each["text"] for each in item["notes"] if each["kind"] == "censored"]
    assert said["first"] == said["option"] == []
    assert said["second"][0].startswith("In 6 of the newest 6 failed runs")


def test_a_single_limit_has_no_cp_and_no_pp(history: History) -> None:
    for found in capabilities(history.sqlite, Filters(step="res"))["items"]:
        assert (found["comparator"], found["cp"], found["pp"]) == ("GE", None, None)
        assert found["cpk"] is not None
        assert found["high"] is None


def test_units_that_do_not_convert_are_entries_of_their_own(stored: Stored) -> None:
    for number, unit in enumerate(["V", "A", "mV", "A", None]):
        value = 1000.0 * (number + 1) if unit == "mV" else float(number + 1)
        step = {"test_step": "s", "measured_value": value, "unit": unit, "high": 10_000.0}
        stored.save(run_message(f"U{number}", minutes=number, steps=[step]))
    found = capabilities(stored.database, Filters(step="s"))["items"]
    # The one without a unit is taken for the newest unit there is.
    assert [(each["unit"], each["value_count"], each["greatest"]) for each in found] == [
        ("A", 3, 5.0),
        ("mV", 2, 3000.0),
    ]


def test_the_list_of_a_product_is_worst_first_and_says_what_the_values_say(
    history: History,
) -> None:
    listed = capability_list(history.sqlite, Filters(product_id="P1"))["items"]
    known = [each["ppk"] for each in listed if each["ppk"] is not None]
    assert known == sorted(known)
    assert [each["ppk"] is None for each in listed] == sorted(
        each["ppk"] is None for each in listed
    )
    assert {each["test_step"] for each in listed} == {"vcc", "res", "odd"}
    for each in listed:
        filters = Filters(product_id="P1", procedure=each["procedure"], step=each["test_step"])
        (alone,) = capabilities(history.sqlite, filters)["items"]
        same = ("unit", "value_count", "least", "greatest", "low", "high", "comparator")
        assert [each[key] for key in same] == [alone[key] for key in same]
        for key in ("mean", "sigma_overall", "ppk", "ppk_low", "pp"):
            assert_same(each[key], alone[key], key)


def test_a_histogram_counts_every_value(history: History) -> None:
    filters = Filters(product_id="P1", procedure="ICT", step="vcc")
    found = histogram(history.sqlite, filters)["item"]
    runs = history.of(product_id="P1", procedure="ICT")
    volts = volts_of(runs, found["unit"])
    drawn = sum(found["counts"]) + found["under_count"] + found["over_count"]
    assert drawn == found["value_count"] == len(volts)
    assert found["below_low_count"] == sum(each.value < found["low"] for each in volts)
    assert found["above_high_count"] == sum(each.value > found["high"] for each in volts)
    assert len(found["edges"]) == len(found["counts"]) + 1


def test_a_chart_shows_the_newest_points_and_names_their_runs(history: History) -> None:
    filters = Filters(product_id="P1", procedure="ICT", step="vcc")
    found = control_chart(history.sqlite, filters, ChartWish(points=30))["item"]
    runs = history.of(product_id="P1", procedure="ICT")
    volts = volts_of(runs, found["unit"])[-30:]
    assert [each["value"] for each in found["points"]] == pytest.approx(
        [each.value for each in volts]
    )
    assert [each["run_ids"] for each in found["points"]] == [[each.run_id] for each in volts]
    assert not found["is_complete"]
    ranges = [abs(b.value - a.value) for a, b in pairwise(volts)]
    assert [each["spread"] for each in found["points"]] == [None, *map(pytest.approx, ranges)]
    centre = statistics.fmean(each.value for each in volts)
    way = 3 * statistics.fmean(ranges) / 1.128379
    assert found["location"] == pytest.approx(
        {"centre": centre, "lower": centre - way, "upper": centre + way}
    )


@pytest.mark.parametrize("kind", [ChartKind.MEAN_RANGE, ChartKind.MEAN_DEVIATION])
def test_subgroups_are_counted_back_from_the_newest_value(
    history: History, kind: ChartKind
) -> None:
    filters = Filters(product_id="P2", procedure="EOL", step="vcc")
    wish = ChartWish(kind, subgroup_size=4)
    found = control_chart(history.sqlite, filters, wish)["item"]
    volts = volts_of(history.of(product_id="P2", procedure="EOL"), found["unit"])
    volts = volts[len(volts) % 4 :]
    groups = [volts[start : start + 4] for start in range(0, len(volts), 4)]
    assert [each["run_ids"] for each in found["points"]] == [
        [each.run_id for each in group] for group in groups
    ]
    assert [each["value"] for each in found["points"]] == pytest.approx(
        [statistics.fmean(each.value for each in group) for group in groups]
    )


def test_a_baseline_makes_the_lines_and_the_rest_breaks_them(stored: Stored) -> None:
    values = [5.0, 5.1, 4.9, 5.05, 4.95, 5.0, 9.0, 5.0]
    for number, value in enumerate(values):
        step = {"test_step": "s", "measured_value": value}
        stored.save(run_message(f"U{number}", minutes=number, steps=[step]))
    filters = Filters(product_id="P1", step="s")
    wish = ChartWish(baseline_until=NOON + timedelta(minutes=6))
    found = control_chart(stored.database, filters, wish)["item"]
    assert found["baseline_points"] == 6
    assert found["location"]["centre"] == pytest.approx(5.0)
    beyond = {each["of"]: each["points"] for each in found["signals"] if each["number"] == 1}
    assert beyond == {"location": [6], "spread": [6, 7]}
    assert {each["rule"] for each in found["signals"]} >= {"One point is beyond 3 sigma."}
    wish = ChartWish(baseline_until=NOON)
    none = control_chart(stored.database, filters, wish)
    assert none["item"] is None
    assert none["reason"] == "The lines need two values at least, which there is not."


def test_another_procedure_with_the_same_step_is_named(history: History) -> None:
    found = histogram(history.sqlite, Filters(product_id="P1", step="vcc"))
    others = {"ICT", "EOL"} - {found["item"]["procedure"]}
    assert found["also_in"] == sorted(others)
    runs = history.of(product_id="P1", procedure=found["item"]["procedure"])
    assert found["item"]["value_count"] == len(volts_of(runs, found["item"]["unit"]))


def test_what_is_unknown_has_a_reason(history: History) -> None:
    for filters, said in [
        (Filters(step="never", product_id="P1"), "No test_step 'never' was ever measured."),
        (Filters(step="vcc", product_id="P9"), "No run that matches measured a number in 'vcc'."),
        (Filters(step="code", product_id="P1"), "No run that matches measured a number in 'code'."),
    ]:
        assert capabilities(history.sqlite, filters) == {"items": [], "reason": said}
        empty: dict[str, Any] = {"item": None, "reason": said, "also_in": []}
        assert histogram(history.sqlite, filters) == empty
        assert control_chart(history.sqlite, filters, ChartWish()) == empty
    listed = capability_list(history.sqlite, Filters(product_id="P9"))
    assert listed == {
        "items": [],
        "reason": "No number of 'P9' matches.",
        "counted_since": None,
    }


@pytest.mark.parametrize("bound", ["ROWS_MAX", "RUNS_MAX"])
def test_an_answer_that_stopped_looking_says_so(
    history: History, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    filters = Filters(product_id="P1", procedure="ICT", operator="bob", step="vcc")
    (whole,) = capabilities(history.sqlite, filters)["items"]
    assert whole["is_complete"]
    monkeypatch.setattr(step_values, bound, 20)
    monkeypatch.setattr(step_values, "_RUNS_A_QUERY", 4)
    (part,) = capabilities(history.sqlite, filters)["items"]
    assert not part["is_complete"]
    assert 0 < part["value_count"] < whole["value_count"]
    assert part["last_at"] == whole["last_at"]


# -- failures, golden samples, disagreements -------------------------------------------------------


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

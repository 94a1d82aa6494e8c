"""Roll-ups of a batch: counts and moments that equal the plain sums."""

import math
import statistics
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.messages import Comparator
from service.core.records import JudgedRun
from service.core.rules import Rule
from service.store.codes import HOUR_US
from service.store.names import Names
from service.store.rollups import RUN_HOUR, RUN_HOUR_DETAIL, STEP_HOUR, RollUps, roll_up
from service.store.rows import RunKeys, names_of
from service.store.times import microseconds
from tests.support.core import RUN, judge_content, run_with

START = datetime.fromisoformat(RUN["started_at"])
GOOD = {"measured_value": 5.0, "low": 4.0, "high": 6.0}
BAD = {"measured_value": 7.0, "low": 4.0, "high": 6.0}


def keys(judged: JudgedRun, machine: int = 1) -> RunKeys:
    return RunKeys(
        run_id=1,
        machine=machine,
        line=2,
        unit_id=3,
        product=4,
        procedure=5,
        attempt=1,
        raw_id=6,
        started_us=microseconds(judged.run.started_at),
    )


def rolled(*runs: JudgedRun, machine: int = 1, received_at: datetime = START) -> RollUps:
    names = Names()
    for judged in runs:
        for kind, text in names_of(judged):
            names.of[kind].setdefault(text, len(names.of[kind]) + 1)
    keyed = [(judged, keys(judged, machine)) for judged in runs]
    return roll_up(keyed, names, microseconds(received_at))


def step_rows(*runs: JudgedRun) -> list[dict[str, Any]]:
    return [dict(zip(STEP_HOUR.columns, row, strict=True)) for row in rolled(*runs).step_hours]


def run_rows(*runs: JudgedRun) -> list[dict[str, Any]]:
    return [dict(zip(RUN_HOUR.columns, row, strict=True)) for row in rolled(*runs).run_hours]


def values(*measured: object, **fields: Any) -> JudgedRun:  # noqa: ANN401
    """A run that measured the same step again and again."""
    return judge_content(
        run_with(*({"test_step": "v", "measured_value": each, **fields} for each in measured))
    )


def test_no_runs_roll_up_to_nothing() -> None:
    assert rolled() == ([], [], [])


def test_runs_are_counted_by_outcome_in_the_hour_of_their_start() -> None:
    later = (START + timedelta(hours=1)).isoformat()
    runs = [judge_content(run_with(GOOD)), judge_content(run_with(BAD)), judge_content(RUN)]
    rows = run_rows(*runs, judge_content(run_with(GOOD, started_at=later)))
    hour = microseconds(START) // HOUR_US
    counts = [(r["hour"] - hour, r["passed"], r["failed"], r["unjudged"]) for r in rows]
    assert counts == [(0, 1, 1, 1), (1, 1, 0, 0)]


def test_a_run_in_the_year_1_has_an_hour_too() -> None:
    judged = judge_content(run_with(GOOD, started_at="0001-01-01T00:30:00Z"))
    assert run_rows(judged)[0]["hour"] == -17_259_888


def test_the_first_failed_step_counts_once_a_run() -> None:
    bad = [{**BAD, "test_step": name} for name in ("a", "a", "b")]
    rows = step_rows(judge_content(run_with({**GOOD, "test_step": "z"}, *bad)))
    counts = sorted((r["passed"], r["failed"], r["first_failures"]) for r in rows)
    assert counts == [(0, 1, 0), (0, 2, 1), (1, 0, 0)]


def test_measurements_are_counted_by_outcome_beside_their_runs() -> None:
    unjudged = {"test_step": "x", "measured_value": 1.0}
    (row,) = run_rows(judge_content(run_with(GOOD, BAD, GOOD)), judge_content(run_with(unjudged)))
    assert (row["measured_passed"], row["measured_failed"]) == (2, 1)


def test_runs_that_name_a_fixture_or_an_operator_have_details_with_0_for_none() -> None:
    runs = [run_with(GOOD, **who) for who in ({}, {"fixture": "F1"}, {"operator": "ann"})]
    details = rolled(*map(judge_content, runs)).run_details
    rows = [dict(zip(RUN_HOUR_DETAIL.columns, row, strict=True)) for row in details]
    assert [(r["fixture"], r["operator"], r["passed"]) for r in rows] == [(0, 1, 1), (1, 0, 1)]


def test_a_late_run_has_details_even_if_it_names_nobody() -> None:
    received_at = START + timedelta(hours=3)
    (row,) = rolled(judge_content(run_with(GOOD)), received_at=received_at).run_details
    named = dict(zip(RUN_HOUR_DETAIL.columns, row, strict=True))
    assert (named["fixture"], named["late"]) == (0, 1)
    assert named["last_late_us"] == microseconds(received_at)


def test_a_run_that_measures_a_step_more_than_once_is_counted_as_one() -> None:
    twice = [{**GOOD, "test_step": name} for name in ("a", "b", "a", "a")]
    (row,) = run_rows(judge_content(run_with(*twice)), judge_content(run_with(*twice[:2])))
    assert row["repeating"] == 1


def test_a_required_step_that_is_missing_is_a_first_failure_and_nothing_else() -> None:
    required = Rule("seal", Comparator.LOG, test_step="seal", required=True)
    judged = judge_content(run_with({**GOOD, "test_step": "z"}), [required])
    rows = {row["first_failures"]: row for row in step_rows(judged)}
    assert sorted(rows) == [0, 1]
    missing = rows[1]
    assert missing["passed"] + missing["failed"] + missing["errors"] + missing["unjudged"] == 0
    assert (missing["value_count"], missing["least"]) == (0, None)


def test_units_of_measure_are_never_added_up() -> None:
    rows = step_rows(values(1.0, unit="V"), values(1000.0, unit="mV"), values(7.0))
    assert sorted((r["measure_unit"], r["mean"]) for r in rows) == [(0, 7.0), (1, 1.0), (2, 1000.0)]


def test_texts_truths_and_no_value_are_counted_without_statistics() -> None:
    (row,) = step_rows(values(*("blue", True, None)))
    assert row["unjudged"] + row["errors"] == 3
    assert (row["value_count"], row["mean"], row["least"]) == (0, 0.0, None)


@pytest.mark.parametrize("huge", [1e141, -1e300, 1.7976931348623157e308])
def test_a_value_without_a_usable_square_counts_without_statistics(huge: float) -> None:
    (row,) = step_rows(values(1.0, huge, 3.0))
    assert row["unjudged"] == 3
    assert (row["value_count"], row["mean"], row["greatest"]) == (2, 2.0, 3.0)


@given(st.lists(st.floats(-1e9, 1e9).map(lambda value: value + 0.0), min_size=1, max_size=30))
def test_mean_and_squares_are_those_of_the_values(measured: list[float]) -> None:
    (row,) = step_rows(values(*measured))
    assert row["value_count"] == len(measured)
    assert (row["least"], row["greatest"]) == (min(measured), max(measured))
    assert math.isclose(row["mean"], statistics.fmean(measured), rel_tol=1e-9, abs_tol=1e-6)
    meant = statistics.pvariance(measured) * len(measured)
    spread = max(measured) - min(measured)
    assert math.isclose(row["squares"], meant, rel_tol=1e-6, abs_tol=1e-9 * spread**2)


def test_a_small_spread_beside_a_large_value_keeps_its_digits() -> None:
    (row,) = step_rows(values(1e9 + 0.1, 1e9 + 0.2, 1e9 + 0.3))
    assert math.isclose(row["squares"], 0.02, rel_tol=1e-5)


def test_rows_are_sorted_by_key_so_that_two_services_do_not_lock_crosswise() -> None:
    runs = [judge_content(run_with({"test_step": name})) for name in ("z", "m", "a", "q")]
    rolled_up = rolled(*runs)
    assert rolled_up.step_hours == sorted(rolled_up.step_hours, key=lambda row: row[:7])


def test_a_name_that_is_not_known_yet_is_a_key_error() -> None:
    judged = judge_content(run_with(GOOD))
    with pytest.raises(KeyError):
        roll_up([(judged, keys(judged))], Names(), 0)


def test_golden_samples_are_in_no_roll_up() -> None:
    judged = judge_content(run_with(GOOD))
    golden = judged._replace(run=judged.run._replace(is_golden=True))
    assert rolled(golden) == ([], [], [])
    assert rolled(judged, golden) == rolled(judged)


@pytest.mark.parametrize(("hours", "late"), [(0, 0), (1, 0), (2, 1), (50, 1)])
def test_a_run_that_comes_over_an_hour_after_its_hour_ended_is_late(hours: int, late: int) -> None:
    received_at = START.replace(minute=0) + timedelta(hours=hours)
    (row,) = rolled(judge_content(run_with(GOOD)), received_at=received_at).run_hours
    named = dict(zip(RUN_HOUR.columns, row, strict=True))
    assert named["late"] == late
    assert named["last_late_us"] == (microseconds(received_at) if late else None)

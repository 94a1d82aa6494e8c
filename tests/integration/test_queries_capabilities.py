"""Capabilities: what brute force says of the values of one random history."""

import statistics
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from service.store.queries import step_values
from service.store.queries.capabilities import capabilities
from service.store.queries.capability_list import capability_list
from service.store.queries.charts import ChartWish, control_chart, histogram
from service.store.queries.filters import Filters
from tests.support.random_history import History, assert_same
from tests.support.stored import Stored, run_message
from tests.support.volts import newest_unit, volts_of

pytestmark = pytest.mark.postgres


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

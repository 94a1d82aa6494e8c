"""Histograms and control charts: what brute force says of one random history."""

import statistics
from datetime import timedelta
from itertools import pairwise

import pytest

from service.store.queries.charts import ChartKind, ChartWish, control_chart, histogram
from service.store.queries.filters import Filters
from tests.support.random_history import History
from tests.support.stored import NOON, Stored, run_message
from tests.support.volts import volts_of

pytestmark = pytest.mark.postgres


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


def test_another_procedure_with_the_same_step_is_named(history: History) -> None:
    found = histogram(history.sqlite, Filters(product_id="P1", step="vcc"))
    others = {"ICT", "EOL"} - {found["item"]["procedure"]}
    assert found["also_in"] == sorted(others)
    runs = history.of(product_id="P1", procedure=found["item"]["procedure"])
    assert found["item"]["value_count"] == len(volts_of(runs, found["item"]["unit"]))


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

"""Control charts and their rules against published tables, examples and patterns."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.sigmas import SigmaMethod, subgroups_of, within_sigma
from service.core.spc import (
    Chart,
    ControlChart,
    individuals_chart,
    mean_deviation_chart,
    mean_range_chart,
)
from service.core.spc_constants import chart_constants
from service.core.spc_rules import NELSON, WESTERN_ELECTRIC, ChartRule, beyond_limits, find_signals

# Size: d2, d3, c4, A2, A3, B3, B4, D3, D4.
# Source: Montgomery, Introduction to Statistical Quality Control, appendix VI; ASTM MNL 7, table
# 49. They print 0.734 where d3 of 19 is 0.73348.
PUBLISHED = {
    2: (1.128, 0.853, 0.7979, 1.880, 2.659, 0.0, 3.267, 0.0, 3.267),
    3: (1.693, 0.888, 0.8862, 1.023, 1.954, 0.0, 2.568, 0.0, 2.574),
    4: (2.059, 0.880, 0.9213, 0.729, 1.628, 0.0, 2.266, 0.0, 2.282),
    5: (2.326, 0.864, 0.9400, 0.577, 1.427, 0.0, 2.089, 0.0, 2.114),
    6: (2.534, 0.848, 0.9515, 0.483, 1.287, 0.030, 1.970, 0.0, 2.004),
    7: (2.704, 0.833, 0.9594, 0.419, 1.182, 0.118, 1.882, 0.076, 1.924),
    8: (2.847, 0.820, 0.9650, 0.373, 1.099, 0.185, 1.815, 0.136, 1.864),
    9: (2.970, 0.808, 0.9693, 0.337, 1.032, 0.239, 1.761, 0.184, 1.816),
    10: (3.078, 0.797, 0.9727, 0.308, 0.975, 0.284, 1.716, 0.223, 1.777),
    11: (3.173, 0.787, 0.9754, 0.285, 0.927, 0.321, 1.679, 0.256, 1.744),
    12: (3.258, 0.778, 0.9776, 0.266, 0.886, 0.354, 1.646, 0.283, 1.717),
    13: (3.336, 0.770, 0.9794, 0.249, 0.850, 0.382, 1.618, 0.307, 1.693),
    14: (3.407, 0.763, 0.9810, 0.235, 0.817, 0.406, 1.594, 0.328, 1.672),
    15: (3.472, 0.756, 0.9823, 0.223, 0.789, 0.428, 1.572, 0.347, 1.653),
    16: (3.532, 0.750, 0.9835, 0.212, 0.763, 0.448, 1.552, 0.363, 1.637),
    17: (3.588, 0.744, 0.9845, 0.203, 0.739, 0.466, 1.534, 0.378, 1.622),
    18: (3.640, 0.739, 0.9854, 0.194, 0.718, 0.482, 1.518, 0.391, 1.608),
    19: (3.689, 0.734, 0.9862, 0.187, 0.698, 0.497, 1.503, 0.403, 1.597),
    20: (3.735, 0.729, 0.9869, 0.180, 0.680, 0.510, 1.490, 0.415, 1.585),
    21: (3.778, 0.724, 0.9876, 0.173, 0.663, 0.523, 1.477, 0.425, 1.575),
    22: (3.819, 0.720, 0.9882, 0.167, 0.647, 0.534, 1.466, 0.434, 1.566),
    23: (3.858, 0.716, 0.9887, 0.162, 0.633, 0.545, 1.455, 0.443, 1.557),
    24: (3.895, 0.712, 0.9892, 0.157, 0.619, 0.555, 1.445, 0.451, 1.548),
    25: (3.931, 0.708, 0.9896, 0.153, 0.606, 0.565, 1.435, 0.459, 1.541),
}
# Source: NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.2, flow rate of ten batches.
FLOW_RATES = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]

SUBGROUPS = st.lists(st.floats(-1e3, 1e3), min_size=10, max_size=60)
CHARTS: list[Callable[[Sequence[float]], ControlChart | None]] = [
    individuals_chart,
    lambda values: mean_range_chart(values, 5),
    lambda values: mean_deviation_chart(values, 5),
]
EVERY_CHART = pytest.mark.parametrize("make", CHARTS, ids=["individuals", "ranges", "deviations"])


def made(chart: ControlChart | None) -> ControlChart:
    assert chart
    return chart


# -- constants -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", PUBLISHED)
def test_constants_are_those_of_the_tables(size: int) -> None:
    # One in the last digit: the tables made D4 and others from factors that were rounded before.
    assert chart_constants(size) == pytest.approx(PUBLISHED[size], abs=1.05e-3)
    assert chart_constants(size)[:3] == pytest.approx(PUBLISHED[size][:3], abs=5.3e-4)


def test_constants_are_exact_where_they_have_a_closed_form() -> None:
    root = math.sqrt(math.pi)
    assert chart_constants(2).d2 == pytest.approx(2 / root, abs=1e-11)
    assert chart_constants(3).d2 == pytest.approx(3 / root, abs=1e-11)
    assert chart_constants(2).d3 == pytest.approx(math.sqrt(2 - 4 / math.pi), abs=1e-11)
    assert chart_constants(2).c4 == pytest.approx(math.sqrt(2 / math.pi), abs=1e-14)


@pytest.mark.parametrize("size", [-1, 0, 1, 26])
def test_a_subgroup_has_two_to_25_values(size: int) -> None:
    for use in (
        lambda: chart_constants(size),
        lambda: mean_range_chart(FLOW_RATES, size),
        lambda: mean_deviation_chart(FLOW_RATES, size),
        lambda: within_sigma(FLOW_RATES, SigmaMethod.POOLED, size),
    ):
        with pytest.raises(ValueError, match="2 to 25"):
            use()


# -- charts ----------------------------------------------------------------------------------------


def test_individuals_have_the_limits_of_the_worked_example() -> None:
    """Source: NIST/SEMATECH e-Handbook, 6.3.2.2; it rounds d2 to 1.128."""
    chart = made(individuals_chart(FLOW_RATES))
    assert chart.location.centre == pytest.approx(50.81)
    assert chart.location.upper == pytest.approx(55.8041, abs=2e-3)
    assert chart.location.lower == pytest.approx(45.8159, abs=2e-3)
    assert chart.spread.centre == pytest.approx(1.8778, abs=5e-5)
    assert chart.spread.points == pytest.approx([2.0, 2.3, 1.4, 3.5, 3.4, 1.4, 0.2, 1.2, 1.5])
    assert chart.spread.lower == 0.0
    assert chart.spread.upper == pytest.approx(3.267 * 1.8778, abs=2e-3)
    for rules in (WESTERN_ELECTRIC, NELSON):
        assert 1 not in [signal.rule.number for signal in find_signals(chart.location, rules)]


def test_means_and_ranges_have_the_limits_of_the_worked_example() -> None:
    """Source: Montgomery, example 6.1, flow width: mean 1.5056 and mean range 0.32521 of fives."""
    half = 0.32521 / 2
    values = [1.5056 - half, 1.5056, 1.5056, 1.5056, 1.5056 + half] * 25
    chart = made(mean_range_chart(values, 5))
    assert chart.location.upper == pytest.approx(1.69325, abs=1e-4)
    assert chart.location.lower == pytest.approx(1.31795, abs=1e-4)
    assert chart.spread.upper == pytest.approx(0.68749, abs=3e-4)
    assert chart.spread.lower == 0.0
    assert chart.sigma_within == pytest.approx(0.1398, abs=5e-5)


def test_means_and_deviations_have_the_limits_of_the_worked_example() -> None:
    """Source: Montgomery, example 6.3, piston rings: mean 74.001 and mean deviation 0.0094."""
    step = 0.0094 / math.sqrt(2.5)  # of -2, -1, 0, 1, 2 the standard deviation is √2.5
    values = [74.001 + step * each for each in (-2, -1, 0, 1, 2)] * 25
    chart = made(mean_deviation_chart(values, 5))
    assert chart.location.upper == pytest.approx(74.014, abs=5e-4)
    assert chart.location.lower == pytest.approx(73.988, abs=5e-4)
    assert chart.spread.upper == pytest.approx(0.0196, abs=5e-5)
    assert chart.spread.lower == 0.0
    assert chart.sigma_within == pytest.approx(0.01, abs=5e-5)


def test_an_unfilled_subgroup_is_left_out() -> None:
    assert subgroups_of([1.0, 2.0, 3.0, 4.0, 5.0], 2).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert made(mean_range_chart([*FLOW_RATES, 1e9], 5)).location.points.size == 2


def test_a_stated_baseline_alone_makes_the_limits() -> None:
    later = [70.0, 71.0, 30.0]
    chart = made(individuals_chart([*FLOW_RATES, *later], slice(0, 10)))
    assert chart.location[1:] == made(individuals_chart(FLOW_RATES)).location[1:]
    assert beyond_limits(chart.location).tolist() == [10, 11, 12]
    assert beyond_limits(chart.spread).tolist() == [9, 11]  # between 9 and 10, between 11 and 12
    for make in (mean_range_chart, mean_deviation_chart):
        of_all = made(make([*FLOW_RATES, 70.0, 80.0, 90.0, 71.0, 72.0], 5, slice(0, 2)))
        assert of_all.location.points.size == of_all.spread.points.size == 3
        assert of_all.location[1:] == made(make(FLOW_RATES, 5)).location[1:]
        assert of_all.spread[1:] == made(make(FLOW_RATES, 5)).spread[1:]


@pytest.mark.parametrize("values", [[], [5.0]])
@EVERY_CHART
def test_too_few_values_make_no_chart(
    make: Callable[[Sequence[float]], ControlChart | None], values: list[float]
) -> None:
    assert make(values) is None


@EVERY_CHART
def test_equal_values_have_no_spread_and_no_signal(
    make: Callable[[Sequence[float]], ControlChart | None],
) -> None:
    chart = made(make([0.1] * 60))
    assert chart.sigma_within == 0.0
    assert chart.location.lower == chart.location.centre == chart.location.upper == 0.1
    assert find_signals(chart.location, [*WESTERN_ELECTRIC, *NELSON]) == ()
    assert beyond_limits(chart.spread).size == 0


def test_without_spread_there_are_sides_but_no_zones() -> None:
    chart = made(individuals_chart([5.0] * 10 + [5.1] * 8, slice(0, 10)))
    assert beyond_limits(chart.location).size == beyond_limits(chart.spread).size == 0
    (signal,) = find_signals(chart.location, WESTERN_ELECTRIC)
    assert (signal.rule.number, signal.indices) == (4, (17,))


@EVERY_CHART
@given(values=SUBGROUPS, shift=st.floats(-1e3, 1e3), scale=st.sampled_from([1e-9, 0.5, 1e6]))
def test_a_chart_moves_and_scales_with_its_values(
    make: Callable[[Sequence[float]], ControlChart | None],
    values: list[float],
    shift: float,
    scale: float,
) -> None:
    here = made(make(values))
    there = made(make([scale * (each + shift) for each in values]))
    tolerance = scale * 1e-8
    for name in ("centre", "lower", "upper"):
        moved = scale * (getattr(here.location, name) + shift)
        assert getattr(there.location, name) == pytest.approx(moved, abs=tolerance)
        grown = scale * getattr(here.spread, name)
        assert getattr(there.spread, name) == pytest.approx(grown, abs=tolerance)
    assert there.spread.points == pytest.approx(scale * here.spread.points, abs=tolerance)


@EVERY_CHART
def test_limits_hold_what_is_in_control(
    make: Callable[[Sequence[float]], ControlChart | None],
) -> None:
    chart = made(make(np.random.default_rng(11).normal(50.0, 2.0, 50_000).tolist()))
    assert chart.sigma_within == pytest.approx(2.0, rel=0.02)
    share = beyond_limits(chart.location).size / chart.location.points.size
    assert share == pytest.approx(0.0027, abs=0.0012)


# -- rules -----------------------------------------------------------------------------------------

# Points in sigma from the centre, and where a rule is complete.
PATTERNS: list[tuple[str, int, list[float], list[int]]] = [
    ("western", 1, [0, 3.1, 0, -3.1, 3.0, -3.0], [1, 3]),
    ("western", 2, [2.1, 0, 2.1, 0, 0, 2.1, 2.1], [2, 6]),
    ("western", 2, [2.1, -2.1, 0, -2.1], [3]),
    ("western", 2, [2.0, 2.0, 2.0], []),
    ("western", 3, [1.1, 1.1, 0, 1.1, 1.1], [4]),
    ("western", 3, [1.1, 1.1, 1.1, 1.1, 0], [3]),
    ("western", 3, [1.1, 1.1, -1.1, -1.1, 1.1], []),
    ("western", 4, [0.1] * 9, [7, 8]),
    ("western", 4, [0.1] * 7 + [-0.1] * 8, [14]),
    ("western", 4, [0.1] * 4 + [0.0] + [0.1] * 7, []),
    ("nelson", 1, [0, 3.1, -3.1], [1, 2]),
    ("nelson", 2, [-0.1] * 9, [8]),
    ("nelson", 2, [-0.1] * 8 + [0.1], []),
    ("nelson", 3, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [5, 6]),
    ("nelson", 3, [0.5, 0.4, 0.3, 0.2, 0.1, 0.0], [5]),
    ("nelson", 3, [0, 0.1, 0.2, 0.2, 0.3, 0.4, 0.5], []),
    ("nelson", 4, [0.1, -0.1] * 7, [13]),
    ("nelson", 4, [0.1, -0.1] * 6 + [0.1, 0.2], []),
    ("nelson", 4, [0.5, 0.1] * 8, [13, 14, 15]),
    ("nelson", 5, [2.1, 2.1], [1]),
    ("nelson", 5, [2.1, 0, 0, 2.1], []),
    ("nelson", 6, [-1.1, 0, -1.1, -1.1, -1.1], [4]),
    ("nelson", 7, [0.9, -0.9, 0.1] * 5, [14]),
    ("nelson", 7, [0.9] * 7 + [1.1] + [0.9] * 14, []),
    ("nelson", 8, [1.1, -1.1] * 4, [7]),
    ("nelson", 8, [1.1, -1.1] * 3 + [0.9, 1.1], []),
]
SETS = {"western": WESTERN_ELECTRIC, "nelson": NELSON}


def chart_of(points: Sequence[float], centre: float = 0.0, sigma: float = 1.0) -> Chart:
    array = np.array(points, dtype=float)
    return Chart(array, centre, centre - 3 * sigma, centre + 3 * sigma, sigma)


@pytest.mark.parametrize(("name", "number", "points", "indices"), PATTERNS)
def test_a_rule_finds_its_pattern_and_nothing_else(
    name: str, number: int, points: list[float], indices: list[int]
) -> None:
    """Source: Western Electric (1956), pages 25 to 28; Nelson (1984), figure 2."""
    rule = SETS[name][number - 1]
    assert rule.number == number
    assert rule.find(chart_of(points)).tolist() == indices
    mirrored = chart_of([-each for each in points])
    assert rule.find(mirrored).tolist() == indices


def test_the_rules_are_numbered_and_are_sentences() -> None:
    assert [rule.number for rule in WESTERN_ELECTRIC] == [1, 2, 3, 4]
    assert [rule.number for rule in NELSON] == [1, 2, 3, 4, 5, 6, 7, 8]
    for rule in (*WESTERN_ELECTRIC, *NELSON):
        assert rule.name[0].isupper()
        assert rule.name.endswith(".")


def test_signals_name_the_rule_and_the_points() -> None:
    (first, second) = find_signals(chart_of([0.0, 4.0, -2.5, -2.5]), WESTERN_ELECTRIC)
    assert (first.rule.number, first.indices) == (1, (1,))
    assert (second.rule.number, second.indices) == (2, (3,))
    assert find_signals(chart_of([]), NELSON) == ()


POINTS = st.lists(st.integers(-14, 14).map(lambda tick: tick / 4), max_size=60)


@given(POINTS)
def test_the_last_points_of_a_stream_are_enough(ticks: list[float]) -> None:
    for rule in (*WESTERN_ELECTRIC, *NELSON):
        found = set(rule.find(chart_of(ticks)).tolist())
        for end in range(1, len(ticks) + 1):
            window = ticks[max(0, end - rule.span_count) : end]
            is_found = len(window) - 1 in rule.find(chart_of(window)).tolist()
            assert is_found == (end - 1 in found), rule


@given(POINTS, st.sampled_from([-1024.0, 0.0, 3.0]), st.sampled_from([0.25, 1.0, 64.0]))
def test_rules_do_not_depend_on_place_and_scale(
    ticks: list[float], centre: float, sigma: float
) -> None:
    moved = chart_of([centre + sigma * each for each in ticks], centre, sigma)
    for rule in (*WESTERN_ELECTRIC, *NELSON):
        assert rule.find(moved).tolist() == rule.find(chart_of(ticks)).tolist()


@pytest.mark.parametrize(
    ("rules", "length"), [(WESTERN_ELECTRIC, 91.75), (WESTERN_ELECTRIC[:1], 370.4)]
)
def test_false_alarms_are_as_rare_as_published(rules: Sequence[ChartRule], length: float) -> None:
    """Source: Champ and Woodall (1987), Technometrics 29, table 1.

    So many points on average to the first alarm of a process in control.
    """
    generator = np.random.default_rng(1987)
    lengths = []
    for _ in range(2000):
        chart = chart_of(generator.normal(size=4000).tolist())
        lengths.append(min(each.indices[0] for each in find_signals(chart, rules)) + 1)
    assert np.mean(lengths) == pytest.approx(length, rel=0.06)

"""Quantiles against published tables, moments, resolution and histograms."""

import math
import statistics
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.capability import Bounds
from service.core.distribution import Histogram, histogram_of
from service.core.moments import (
    NO_MOMENTS,
    VALUE_MAX,
    Moments,
    merge_moments,
    moments_of,
)
from service.core.quantiles import chi_square_quantile, lower_gamma_share, normal_quantile
from service.core.resolution import resolution_of

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)
NO_BOUNDS = Bounds()


# -- quantiles -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probability", "z"),
    [
        (0.90, 1.28155157),
        (0.95, 1.64485363),
        (0.975, 1.95996398),
        (0.99, 2.32634787),
        (0.995, 2.57582930),
        (0.999, 3.09023231),
    ],
)
def test_normal_quantiles_are_those_of_the_table(probability: float, z: float) -> None:
    """Source: Abramowitz and Stegun (1964), table 26.5."""
    assert normal_quantile(probability) == pytest.approx(z, abs=5e-9)
    assert normal_quantile(1 - probability) == pytest.approx(-z, abs=5e-9)


@pytest.mark.parametrize(
    ("freedom", "above", "x"),
    [
        (1, 0.975, 9.82069e-4),
        (1, 0.05, 3.84146),
        (1, 0.001, 10.8276),
        (2, 0.95, 0.102587),
        (2, 0.05, 5.99146),
        (5, 0.995, 0.411740),
        (5, 0.025, 12.8325),
        (10, 0.975, 3.24697),
        (10, 0.05, 18.3070),
        (19, 0.975, 8.90655),
        (19, 0.025, 32.8523),
        (30, 0.975, 16.7908),
        (30, 0.025, 46.9792),
        (100, 0.975, 74.2219),
        (100, 0.025, 129.561),
    ],
)
def test_chi_square_quantiles_are_those_of_the_table(freedom: int, above: float, x: float) -> None:
    """Source: Abramowitz and Stegun (1964), table 26.8, to the digits it has."""
    assert chi_square_quantile(1 - above, freedom) == pytest.approx(x, rel=6e-6)


@pytest.mark.parametrize("probability", [1e-4, 0.025, 0.3, 0.5, 0.8, 0.975, 0.9999])
def test_chi_square_is_exact_where_it_has_a_closed_form(probability: float) -> None:
    one = normal_quantile((1 + probability) / 2) ** 2
    assert chi_square_quantile(probability, 1) == pytest.approx(one, rel=1e-11)
    two = -2 * math.log1p(-probability)
    assert chi_square_quantile(probability, 2) == pytest.approx(two, rel=1e-12)
    half = chi_square_quantile(probability, 4) / 2
    assert -math.expm1(-half) - half * math.exp(-half) == pytest.approx(probability, rel=1e-9)


@given(st.floats(1e-6, 1 - 1e-6), st.floats(1, 20_000))
def test_the_share_below_a_quantile_is_its_probability(probability: float, freedom: float) -> None:
    x = chi_square_quantile(probability, freedom)
    assert lower_gamma_share(freedom / 2, x / 2) == pytest.approx(probability, abs=1e-10)


def test_very_many_degrees_of_freedom_join_on_smoothly() -> None:
    for probability in (0.025, 0.5, 0.975):
        newton, cube = (chi_square_quantile(probability, each) for each in (1e6, 1.000_001e6))
        assert cube - newton == pytest.approx(1.0, abs=1e-2)


@pytest.mark.parametrize("probability", [0.0, 1.0, -1.0, math.nan])
def test_a_probability_that_is_none_is_refused(probability: float) -> None:
    with pytest.raises(ValueError, match="not between 0 and 1"):
        normal_quantile(probability)
    with pytest.raises(ValueError, match="not between 0 and 1"):
        chi_square_quantile(probability, 5)


@pytest.mark.parametrize("freedom", [0.0, 0.9, math.inf, math.nan])
def test_degrees_of_freedom_below_one_are_refused(freedom: float) -> None:
    with pytest.raises(ValueError, match="degrees of freedom"):
        chi_square_quantile(0.5, freedom)


def test_nothing_lies_below_zero() -> None:
    assert lower_gamma_share(2.0, 0.0) == 0.0


# -- moments ---------------------------------------------------------------------------------------


def test_moments_keep_the_digits_of_a_small_spread() -> None:
    """Source: NIST StRD, NumAcc4: mean 10000000.2, standard deviation 0.1."""
    values = [10_000_000.2, *(10_000_000.1, 10_000_000.3) * 500]
    moments = moments_of(values)
    assert moments.mean == pytest.approx(10_000_000.2, rel=1e-15)
    assert moments.sigma == pytest.approx(0.1, rel=1e-8)


@given(VALUES)
def test_moments_are_the_plain_sums(values: list[float]) -> None:
    moments = moments_of(values)
    assert moments.value_count == len(values)
    assert moments.mean == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-6)
    assert (moments.least, moments.greatest) == (min(values), max(values))
    expected = statistics.stdev(values) if len(values) > 1 else None
    assert moments.sigma == (expected and pytest.approx(expected, rel=1e-6, abs=1e-6))


@given(VALUES, st.randoms(use_true_random=False), st.integers(1, 6))
def test_parts_merge_to_the_whole_in_any_order(
    values: list[float],
    random: Random,
    part_count: int,
) -> None:
    parts = [moments_of(values[start::part_count]) for start in range(part_count)]
    random.shuffle(parts)
    merged, whole = merge_moments(parts), moments_of(values)
    assert merged.value_count == whole.value_count
    assert (merged.least, merged.greatest) == (whole.least, whole.greatest)
    assert merged.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-6)
    assert merged.squares == pytest.approx(whole.squares, rel=1e-6, abs=1e-3)


def test_no_values_have_no_moments() -> None:
    assert moments_of([]) == merge_moments([]) == NO_MOMENTS
    assert NO_MOMENTS.sigma is None
    one = Moments(1, 5.0, 0.0, 5.0, 5.0)
    assert merge_moments([NO_MOMENTS, one, NO_MOMENTS]) == one


@pytest.mark.parametrize("value", [math.nan, math.inf, VALUE_MAX, -VALUE_MAX])
def test_a_value_that_does_not_add_up_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="leave it out"):
        moments_of([1.0, value])


def test_values_that_are_not_in_a_row_are_refused() -> None:
    with pytest.raises(ValueError, match="2 dimensions"):
        moments_of(np.ones((2, 2)))


# -- resolution ------------------------------------------------------------------------------------


def test_the_step_of_an_instrument_is_found() -> None:
    found = resolution_of([5.02, 5.00, 5.07, 5.03, 5.00, 4.98])
    assert found.distinct_count == 5
    assert found.increment == pytest.approx(0.01)
    assert found.is_grid


def test_binary_noise_is_no_resolution() -> None:
    found = resolution_of([0.3, 0.1 + 0.2, 0.3, 0.1 + 0.2])
    assert (found.distinct_count, found.increment) == (1, None)
    assert not found.is_coarse


def test_single_precision_stays_on_its_grid() -> None:
    values = np.array([85.1, 85.4, 85.2, 85.9, 86.3, 85.1], dtype=np.float32).astype(float)
    found = resolution_of(values)
    assert found.is_grid
    assert found.increment == pytest.approx(0.1, rel=1e-3)


def test_values_without_steps_are_on_no_grid() -> None:
    found = resolution_of(np.random.default_rng(1).normal(size=40))
    assert not found.is_grid
    assert found.distinct_count == 40


@pytest.mark.parametrize(
    ("increment", "is_coarse"), [(0.05, False), (0.5, False), (1.4, True), (4.0, True)]
)
def test_steps_wider_than_the_spread_are_coarse(increment: float, *, is_coarse: bool) -> None:
    """Source: the rule of the AIAG's MSA: a spread of 1 has ranges up to 3.686."""
    normal = np.random.default_rng(7).normal(100.0, 1.0, 400)
    assert resolution_of(np.round(normal / increment) * increment).is_coarse is is_coarse


def test_four_possible_ranges_are_coarse_only_with_many_zeros() -> None:
    """Source: the rule of the AIAG's MSA: the limit is 3.267 of the mean range."""
    rare = [0.0, 1.0] * 20  # every moving range is 1: 0, 1, 2, 3 are possible
    assert not resolution_of(rare).is_coarse
    often = [0.0, 0.0, 2.0, 2.0, 0.0, 1.0, 3.0, 1.0, 2.0, 1.0, 1.0, 1.0, 3.0, 1.0]
    ranges = np.abs(np.diff(often))
    assert 3 <= 3.267 * ranges.mean() < 4
    assert np.mean(ranges == 0) > 0.25
    assert resolution_of(often).is_coarse


def test_no_value_has_no_resolution() -> None:
    assert resolution_of([]).distinct_count == 0
    assert resolution_of([3.0]).increment is None


# -- histograms ------------------------------------------------------------------------------------


def histogram(values: Sequence[float], bounds: Bounds = NO_BOUNDS, bins_max: int = 60) -> Histogram:
    found = histogram_of(values, bounds, bins_max)
    assert found
    return found


def test_bins_are_as_wide_as_freedman_and_diaconis_say() -> None:
    values = (np.random.default_rng(3).normal(size=1000)).tolist()
    first, third = np.quantile(values, (0.25, 0.75))
    width = 2 * (third - first) / 10
    found = histogram(values)
    assert np.diff(found.edges) == pytest.approx(width, rel=0.1)


def test_bins_hold_whole_steps_and_no_value_is_on_an_edge() -> None:
    values = np.round(np.random.default_rng(5).normal(5.0, 0.037, 500), 2)
    found = histogram(values.tolist())
    steps = np.diff(found.edges) / 0.01
    assert steps == pytest.approx(np.round(steps), abs=1e-6)
    assert steps.min() > 0.99
    places = (found.edges - values.min()) / 0.01
    assert np.abs(places - np.round(places)) == pytest.approx(0.5, abs=1e-6)


def test_a_far_value_is_counted_not_drawn() -> None:
    values = [*np.random.default_rng(9).normal(5.0, 0.1, 300).tolist(), 1e6, -1e6, 2e6]
    found = histogram(values)
    assert (found.under_count, found.over_count) == (1, 2)
    assert found.edges[0] > 4.0
    assert found.edges[-1] < 6.0
    assert found.counts.sum() == 300


@pytest.mark.parametrize(("near", "far"), [(0.2, 0.4), (1.1, 2.7), (5.0, 6.0)])
def test_a_value_on_the_fence_is_drawn_whatever_the_binary_noise(near: float, far: float) -> None:
    found = histogram([near] * 6 + [far] * 2)  # the upper quartile is a quarter of the way
    assert (found.counts[0], found.counts[-1]) == (6, 2)
    assert found.over_count == 0


def test_both_ends_of_the_limits_are_inside() -> None:
    found = histogram([1.0, 2.0, 3.0, 4.0, 5.0], Bounds(2.0, 4.0))
    assert (found.below_low_count, found.above_high_count) == (1, 1)
    found = histogram([1.0, 2.0, 3.0], Bounds(high=2.5))
    assert (found.below_low_count, found.above_high_count) == (0, 1)


def test_equal_values_are_one_bin() -> None:
    found = histogram([1e-7] * 5)
    assert found.counts.tolist() == [5]
    assert found.edges[0] < 1e-7 < found.edges[1]
    assert histogram([0.0]).counts.tolist() == [1]


def test_one_value_among_equal_ones_is_drawn() -> None:
    found = histogram([2.0] * 50 + [3.0])
    assert found.counts.sum() == 51
    assert found.counts[0] == 50


def test_nothing_has_no_histogram() -> None:
    assert histogram_of([], NO_BOUNDS) is None


def test_no_bins_are_refused() -> None:
    with pytest.raises(ValueError, match="bins_max"):
        histogram_of([1.0], NO_BOUNDS, 0)


@given(
    st.lists(st.floats(-1e139, 1e139) | st.sampled_from([0.1, 0.2, 0.3, 5.0, -5.0]), min_size=1),
    st.integers(1, 80),
)
def test_every_value_is_counted_once(values: list[float], bins_max: int) -> None:
    found = histogram(values, bins_max=bins_max)
    assert found.counts.sum() + found.under_count + found.over_count == len(values)
    assert 1 <= len(found.counts) <= bins_max
    assert np.all(np.diff(found.edges) > 0)


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=80), st.integers(-1000, 1000))
def test_a_shift_moves_the_bins_and_keeps_the_counts(values: list[int], shift: int) -> None:
    here = histogram([float(each) for each in values], bins_max=30)
    there = histogram([float(each + shift) for each in values], bins_max=30)
    if len(set(values)) > 1:
        assert there.edges - shift == pytest.approx(here.edges, abs=1e-6)
    assert there.counts.tolist() == here.counts.tolist()

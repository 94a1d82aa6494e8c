"""Capability against worked examples, its intervals against simulation, its notes."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from broker.messages import Comparator
from service.core.capability import (
    Bounds,
    Capability,
    NoteKind,
    bounds_of,
    capability_of,
    capability_of_moments,
)
from service.core.intervals import Estimate, estimate_nearest_index, estimate_spread_index
from service.core.moments import NO_MOMENTS, Moments, merge_moments, moments_of
from service.core.normality import normality_of, p_value_of
from service.core.sigmas import SigmaMethod, within_sigma
from service.core.stability import stability_of

# Source: NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.2, flow rate of ten batches.
FLOW_RATES = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]
# Source: Minitab StatGuide, graphical summary of precipitation data: eleven values with its mean
# 3.6364, standard deviation 2.3779, skewness 2.11078 and quartiles 2, 3 and 4.
PRECIPITATION = [1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 3.0, 4.0, 4.0, 5.0, 10.0]

NUMBERS = st.lists(st.integers(-1000, 1000).map(float), min_size=3, max_size=60)


def known(estimate: Estimate | None) -> Estimate:
    assert estimate
    return estimate


def kinds(capability: Capability) -> list[NoteKind]:
    return [note.kind for note in capability.notes]


def moments(count: int, mean: float, sigma: float) -> Moments:
    return Moments(count, mean, sigma * sigma * (count - 1), mean - 3 * sigma, mean + 3 * sigma)


# -- indices ---------------------------------------------------------------------------------------


def test_indices_are_those_of_the_worked_example() -> None:
    """Source: NIST/SEMATECH e-Handbook, 6.1.6: limits 8 and 20, mean 16, standard deviation 2."""
    found = capability_of_moments(moments(100, 16.0, 2.0), Bounds(8.0, 20.0))
    assert known(found.pp).value == pytest.approx(1.0)
    assert known(found.ppk).value == pytest.approx(0.6667, abs=5e-5)


def test_the_interval_of_cp_is_that_of_the_worked_example() -> None:
    """Source: Montgomery, section 8.3.4: limits 38 and 62, s = 1.75 of 20."""
    found = capability_of_moments(moments(20, 50.0, 1.75), Bounds(38.0, 62.0))
    assert found.pp == pytest.approx((2.29, 1.57, 3.01), abs=6e-3)


@pytest.mark.parametrize(
    ("index", "count", "low", "high"),
    [
        (1.33, 20, 0.88, 1.78),  # Montgomery, section 8.3.4
        (1.15, 45, 0.89, 1.41),  # Quality Digest, May 2000, "Last word"
    ],
)
def test_the_interval_of_cpk_is_that_of_the_worked_examples(
    index: float, count: int, low: float, high: float
) -> None:
    found = estimate_nearest_index(index, count, count - 1)
    assert found == pytest.approx((index, low, high), abs=6e-3)


def test_within_and_overall_spread_are_told_apart() -> None:
    """Source: NIST/SEMATECH e-Handbook, 6.3.2.2: mean moving range 1.8778 over 1.128."""
    found = capability_of(FLOW_RATES, Bounds(40.0, 60.0))
    assert found.method is SigmaMethod.MOVING_RANGE
    assert found.sigma_within
    assert found.sigma_overall
    assert found.sigma_within.value == pytest.approx(1.8778 / 1.128, abs=1e-3)
    assert found.sigma_overall.value == pytest.approx(np.std(FLOW_RATES, ddof=1))
    assert known(found.cp).value == pytest.approx(20 / 6 / found.sigma_within.value)
    assert known(found.cpk).value == pytest.approx((60 - 50.81) / 3 / found.sigma_within.value)
    assert known(found.pp).value == pytest.approx(20 / 6 / found.sigma_overall.value)
    assert known(found.ppk).value == pytest.approx((60 - 50.81) / 3 / found.sigma_overall.value)
    assert (found.moments.least, found.moments.greatest) == (47.6, 53.6)


def test_a_single_limit_has_an_index_of_its_side_only() -> None:
    both = capability_of(FLOW_RATES, Bounds(40.0, 60.0))
    high = capability_of(FLOW_RATES, Bounds(high=60.0))
    low = capability_of(FLOW_RATES, Bounds(low=40.0))
    assert high.cp is high.pp is low.cp is low.pp is None
    assert (high.cpk, high.ppk) == (both.cpk, both.ppk)  # the mean is nearer to 60
    assert known(low.ppk).value > known(high.ppk).value
    assert capability_of(FLOW_RATES, Bounds()).ppk is None


def test_a_mean_outside_the_limits_has_an_index_below_zero() -> None:
    assert known(capability_of(FLOW_RATES, Bounds(40.0, 50.0)).ppk).value < 0


def test_subgroups_are_pooled_or_by_their_mean_range() -> None:
    values = [1.0, 3.0, 11.0, 13.0, 21.0, 23.0, 99.0]  # spread 2 within, much more between
    pooled = capability_of(values, Bounds(0.0, 30.0), subgroup_size=2)
    ranges = capability_of(
        values, Bounds(0.0, 30.0), subgroup_size=2, method=SigmaMethod.MEAN_RANGE
    )
    assert (pooled.method, ranges.method) == (SigmaMethod.POOLED, SigmaMethod.MEAN_RANGE)
    assert pooled.sigma_within == (pytest.approx(math.sqrt(2)), 3)
    assert ranges.sigma_within
    assert ranges.sigma_within.value == pytest.approx(2 / 1.128, abs=1e-3)
    assert pooled.moments.value_count == 7  # the last one fills no subgroup, but is a value
    assert capability_of([1.0], Bounds(0.0, 2.0), subgroup_size=2).sigma_within is None


# -- degrees of freedom, intervals -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "count", "freedom"), [(5, 1, 3.8), (5, 10, 36.5), (5, 20, 72.7), (10, 1, 7.7)]
)
def test_a_mean_range_is_worth_the_degrees_of_freedom_of_the_table(
    size: int, count: int, freedom: float
) -> None:
    """Source: AIAG, Measurement Systems Analysis, 4th edition, appendix C (d2* and freedom)."""
    values = np.arange(size * count, dtype=float)
    found = within_sigma(values, SigmaMethod.MEAN_RANGE, size)
    assert found
    assert found.freedom == pytest.approx(freedom, abs=0.07)


def test_a_moving_range_is_worth_what_cryer_and_ryan_say() -> None:
    """Source: Cryer and Ryan (1990): the variance of MR / d2 tends to 0.826 of sigma² / n."""
    found = within_sigma(np.arange(100_001.0), SigmaMethod.MOVING_RANGE)
    assert found
    assert 100_000 / (2 * found.freedom) == pytest.approx(0.826, abs=1e-3)


@pytest.mark.parametrize(
    ("method", "size"),
    [(SigmaMethod.MOVING_RANGE, 1), (SigmaMethod.POOLED, 5), (SigmaMethod.MEAN_RANGE, 5)],
)
def test_intervals_hold_the_true_index_in_95_of_100_processes(
    method: SigmaMethod, size: int
) -> None:
    generator = np.random.default_rng(20)
    held = dict.fromkeys(("cp", "cpk", "pp", "ppk"), 0)
    for _ in range(2000):
        values = generator.normal(1.0, 1.0, 50)  # limits -4 and 4: Cp is 4/3, Cpk is 1
        found = capability_of(values, Bounds(-4.0, 4.0), subgroup_size=size, method=method)
        for name, true in (("cp", 4 / 3), ("cpk", 1.0), ("pp", 4 / 3), ("ppk", 1.0)):
            estimate = known(getattr(found, name))
            held[name] += estimate.low <= true <= estimate.high
    assert {name: count / 2000 for name, count in held.items()} == {
        name: pytest.approx(0.95, abs=0.015) for name in held
    }


@given(st.floats(0.01, 10), st.floats(1, 5000), st.floats(1.01, 3))
def test_more_values_make_a_narrower_interval(index: float, freedom: float, more: float) -> None:
    few, many = (estimate_spread_index(index, each) for each in (freedom, freedom * more))
    assert many.high - many.low < few.high - few.low
    assert few.low < index
    assert many.low < index < many.high


# -- properties ------------------------------------------------------------------------------------


@given(NUMBERS, st.integers(-(10**6), 10**6), st.sampled_from([1e-9, 0.25, 1e6]))
def test_indices_do_not_depend_on_zero_and_unit(
    values: list[float], shift: int, scale: float
) -> None:
    assume(len(set(values)) > 1)
    here = capability_of(values, Bounds(-2000.0, 3000.0))
    moved = [scale * (each + shift) for each in values]
    there = capability_of(moved, Bounds(scale * (shift - 2000.0), scale * (shift + 3000.0)))
    for name in ("cp", "cpk", "pp", "ppk"):
        assert getattr(there, name) == same(getattr(here, name))


@given(NUMBERS)
def test_mirrored_values_and_limits_have_the_same_indices(values: list[float]) -> None:
    here = capability_of(values, Bounds(-2000.0, 3000.0))
    there = capability_of([-each for each in values], Bounds(-3000.0, 2000.0))
    for name in ("cp", "cpk", "pp", "ppk"):
        assert getattr(there, name) == same(getattr(here, name))


def same(estimate: Estimate | None) -> object:
    return estimate and pytest.approx(estimate, rel=1e-7, abs=1e-9)


@given(NUMBERS, st.integers(1, 5))
def test_roll_ups_say_what_the_values_say(values: list[float], hour_count: int) -> None:
    hours = [moments_of(values[start::hour_count]) for start in range(hour_count)]
    of_hours = capability_of_moments(merge_moments(hours), Bounds(-2000.0, 3000.0))
    of_values = capability_of(values, Bounds(-2000.0, 3000.0))
    assert of_hours.pp == same(of_values.pp)
    assert of_hours.ppk == same(of_values.ppk)
    assert of_hours.cp is of_hours.cpk is of_hours.sigma_within is None


# -- normality -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statistic", "level"),
    [(0.470, 0.25), (0.561, 0.15), (0.631, 0.10), (0.752, 0.05), (0.873, 0.025), (1.035, 0.01)],
)
def test_p_values_are_those_of_the_critical_values(statistic: float, level: float) -> None:
    """Source: D'Agostino and Stephens (1986), Goodness-of-Fit Techniques, table 4.7, case 3."""
    assert p_value_of(statistic) == pytest.approx(level, rel=0.025)


def test_normality_is_that_of_the_worked_example() -> None:
    """Source: Minitab StatGuide, graphical summary: A² 0.99 before correction, p 0.008."""
    found = normality_of(PRECIPITATION)
    assert found
    assert found.statistic / (1 + 0.75 / 11 + 2.25 / 121) == pytest.approx(0.99, abs=5e-3)
    assert found.p_value == pytest.approx(0.008, abs=5e-4)
    assert not found.is_normal


def test_one_normal_sample_in_twenty_is_taken_for_not_normal() -> None:
    generator = np.random.default_rng(4)
    found = [normality_of(generator.normal(size=60)) for _ in range(3000)]
    refused = sum(each is not None and not each.is_normal for each in found)
    assert refused / 3000 == pytest.approx(0.05, abs=0.012)


@given(st.lists(st.floats(-1e100, 1e100), max_size=60))
def test_p_is_a_probability_whatever_the_values(values: list[float]) -> None:
    found = normality_of(values)
    if found:
        assert 0 < found.p_value <= 1


def test_one_value_far_out_is_not_normal_and_no_error() -> None:
    found = normality_of([*np.random.default_rng(2).normal(size=5000).tolist(), 1e9])
    assert found
    assert found.p_value == pytest.approx(p_value_of(10.0))
    assert normality_of([1.0] * 20) is None
    assert normality_of([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]) is None


# -- notes -----------------------------------------------------------------------------------------


def test_many_normal_values_need_no_note() -> None:
    values = np.random.default_rng(6).normal(5.0, 0.1, 200)
    assert capability_of(values, Bounds(4.0, 6.0)).notes == ()


def test_few_values_are_noted_with_their_number() -> None:
    (note,) = capability_of(FLOW_RATES, Bounds(40.0, 60.0)).notes
    assert note == (NoteKind.FEW_VALUES, "Fewer than 50 values (10): read the intervals.")
    assert kinds(capability_of_moments(moments(49, 5.0, 0.1), Bounds(4.0, 6.0))) == [
        NoteKind.FEW_VALUES
    ]
    assert kinds(capability_of_moments(moments(50, 5.0, 0.1), Bounds(4.0, 6.0))) == []


@pytest.mark.parametrize("values", [[5.0] * 60, [0.3, 0.1 + 0.2] * 30], ids=["equal", "noise"])
def test_constant_values_have_no_index_and_say_why(values: list[float]) -> None:
    for found in (
        capability_of(values, Bounds(0.0, 10.0)),
        capability_of_moments(moments_of(values), Bounds(0.0, 10.0)),
    ):
        assert found.cp is found.cpk is found.pp is found.ppk is found.normality is None
        assert kinds(found) == [NoteKind.CONSTANT]


def test_a_spread_that_makes_no_finite_index_has_none() -> None:
    found = capability_of([0.0, 1e-150] * 30, Bounds(-1e139, 1e139))
    assert found.sigma_overall
    assert found.sigma_overall.value > 0
    assert found.cp is found.cpk is found.pp is found.ppk is None


def test_coarse_and_skewed_values_are_noted() -> None:
    generator = np.random.default_rng(8)
    coarse = np.round(generator.normal(5.0, 0.1, 300) / 0.2) * 0.2
    assert NoteKind.COARSE in kinds(capability_of(coarse, Bounds(4.0, 6.0)))
    text = next(
        note.text
        for note in capability_of(coarse, Bounds(4.0, 6.0)).notes
        if note.kind is NoteKind.COARSE
    )
    assert text == "The values move in steps of 0.2, too coarse to show their spread."
    skewed = generator.exponential(1.0, 300)
    assert kinds(capability_of(skewed, Bounds(high=10.0))) == [NoteKind.NOT_NORMAL]


def test_values_that_wander_are_noted_and_those_that_only_scatter_are_not() -> None:
    generator = np.random.default_rng(4)
    noise = generator.normal(5.0, 0.1, 400)
    for steady in (noise, generator.exponential(1.0, 400), [5.0, 5.1] * 200):
        assert NoteKind.UNSTABLE not in kinds(capability_of(steady, Bounds(0.0, 10.0)))
    drifting = noise + np.linspace(0.0, 0.3, 400)
    shifted = noise + np.repeat([0.0, 0.2], 200)
    for wandering in (drifting, shifted):
        (note,) = (
            each
            for each in capability_of(wandering, Bounds(0.0, 10.0)).notes
            if each.kind is NoteKind.UNSTABLE
        )
        assert "Look at the control chart first." in note.text
    assert stability_of(noise[:7]) is None
    assert stability_of(np.full(50, 5.0)) is None


def test_independent_values_are_called_unstable_about_as_rarely_as_said() -> None:
    generator = np.random.default_rng(5)
    draws = [stability_of(generator.normal(size=60)) for _ in range(2000)]
    assert sum(each is not None and not each.is_stable for each in draws) <= 20  # 0.5 % are 10


def test_von_neumanns_ratio_is_that_of_its_definition() -> None:
    found = stability_of(np.array([1.0, 2.0, 4.0, 3.0, 5.0, 6.0, 8.0, 7.0]))
    assert found is not None
    assert found.ratio == pytest.approx((1 + 4 + 1 + 4 + 1 + 4 + 1) / 42)
    assert not found.is_stable


@pytest.mark.parametrize("values", [[], [5.0]])
def test_too_few_values_for_a_spread_have_no_index(values: Sequence[float]) -> None:
    found = capability_of(values, Bounds(0.0, 10.0))
    assert found.sigma_overall is found.sigma_within is found.cpk is found.ppk is None
    assert kinds(found) == [NoteKind.FEW_VALUES]
    assert capability_of_moments(NO_MOMENTS, Bounds(0.0, 10.0)).ppk is None


def test_a_value_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="leave it out"):
        capability_of([1.0, math.nan], Bounds(0.0, 10.0))


# -- limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comparator", "low", "high", "bounds"),
    [
        ("GELE", 1.0, 2.0, Bounds(1.0, 2.0)),
        ("GTLT", 1.0, 2.0, Bounds(1.0, 2.0)),
        ("EQT", 1.0, 2.0, Bounds(1.0, 2.0)),
        ("GE", 1.0, None, Bounds(low=1.0)),
        ("GT", 1.0, None, Bounds(low=1.0)),
        ("LE", None, 2.0, Bounds(high=2.0)),
        ("LT", 2.0, None, Bounds(high=2.0)),
        ("LE", None, None, None),
        ("GE", None, 2.0, None),
        ("GELE", 1.0, None, None),
        ("GELE", 2.0, 1.0, None),
        ("GELE", 1.0, 1.0, None),
        ("EQ", 1.0, None, None),
        ("LTGT", 1.0, 2.0, None),
        ("LOG", None, None, None),
        ("REGEX", None, None, None),
    ],
)
def test_limits_of_a_result_become_bounds(
    comparator: str, low: float | None, high: float | None, bounds: Bounds | None
) -> None:
    assert bounds_of(Comparator(comparator), low, high) == bounds

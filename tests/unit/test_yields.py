"""The arithmetic of yields: counts, shares, intervals, products."""

from itertools import product
from math import prod
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.messages import Outcome
from service.core.intervals import wilson_interval
from service.core.yields import (
    UnitFacts,
    YieldCounts,
    Yields,
    add_counts,
    count_units,
    defects_per_million,
    estimate_rolled_throughput,
    rolled_throughput_yield,
    yields_of,
)

PASS, FAIL, ERROR, UNJUDGED = Outcome.PASS, Outcome.FAIL, Outcome.ERROR, Outcome.UNJUDGED
OUTCOMES = st.sampled_from(Outcome)


def facts(*outcomes: Outcome) -> UnitFacts:
    """What became of a unit with these runs, in the order of their start."""
    second = outcomes[1] if len(outcomes) > 1 else None
    return UnitFacts(outcomes[0], second, outcomes[-1], len(outcomes))


UNITS = st.lists(st.lists(OUTCOMES, min_size=1, max_size=5), max_size=40)


def test_each_yield_counts_units() -> None:
    counts = count_units(
        [
            facts(PASS),
            facts(FAIL, PASS),
            facts(FAIL, FAIL, PASS),
            facts(FAIL, FAIL),
            facts(PASS, FAIL),
        ]
    )
    assert counts == YieldCounts(
        units=5, first_passed=2, second_passed=3, last_passed=3, retested=4, runs=10
    )
    found = yields_of(counts)
    assert found.first_pass_yield
    assert found.second_pass_yield
    assert found.final_yield
    assert found.retest_rate
    assert found.first_pass_yield.value == 0.4
    assert found.second_pass_yield.value == 0.6
    assert found.final_yield.value == 0.6
    assert found.retest_rate.value == 0.8
    assert found.retests == 5


@pytest.mark.parametrize("outcome", [FAIL, ERROR, UNJUDGED])
def test_what_is_not_pass_counts_against_a_yield(outcome: Outcome) -> None:
    counts = count_units([facts(outcome), facts(outcome, outcome), facts(PASS)])
    assert (counts.first_passed, counts.second_passed, counts.last_passed) == (1, 1, 1)


@pytest.mark.parametrize(("first", "second"), list(product(Outcome, Outcome)))
def test_a_unit_is_good_at_second_pass_when_one_of_two_runs_was(
    first: Outcome, second: Outcome
) -> None:
    counts = count_units([facts(first, second)])
    assert counts.second_passed == (PASS in {first, second})
    assert counts.last_passed == (second is PASS)


def test_a_share_of_nothing_is_null() -> None:
    assert count_units([]) == YieldCounts()
    assert yields_of(YieldCounts()) == Yields(None, None, None, None, 0)
    assert rolled_throughput_yield([]) is None
    assert rolled_throughput_yield([YieldCounts()]) is None
    assert defects_per_million(0, 0) is None
    assert wilson_interval(0, 0) is None


@pytest.mark.parametrize(
    ("good", "total", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_of_a_yield_is_wilsons(good: int, total: int, low: float, high: float) -> None:
    """Source: Newcombe (1998), Statistics in Medicine 17, table I, method 3."""
    found = yields_of(YieldCounts(total, good, good, good, 0, total))
    assert found.first_pass_yield == pytest.approx((good / total, low, high), abs=5e-5)
    assert found.first_pass_yield == found.second_pass_yield == found.final_yield


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_an_interval_holds_its_share(good: int, bad: int) -> None:
    interval = wilson_interval(good, good + bad)
    if interval is None:
        assert good + bad == 0
        return
    low, high = interval
    assert 0 <= low <= good / (good + bad) <= high <= 1


def test_rolled_throughput_is_the_product_of_first_pass_yields() -> None:
    """Source: three steps of 95 %, 90 % and 98 % make 83.79 %."""
    procedures = [YieldCounts(units=100, first_passed=each, runs=100) for each in (95, 90, 98)]
    assert rolled_throughput_yield(procedures) == pytest.approx(0.8379)
    assert rolled_throughput_yield([*procedures, YieldCounts()]) == pytest.approx(0.8379)
    assert rolled_throughput_yield([*procedures, YieldCounts(units=3, runs=3)]) == 0.0


def test_the_interval_of_one_procedures_rolled_yield_is_that_of_its_first_pass_yield() -> None:
    found = estimate_rolled_throughput([YieldCounts(units=50, first_passed=47, runs=50)])
    assert found
    assert (found.low, found.high) == pytest.approx(wilson_interval(47, 50))


def test_the_interval_of_a_rolled_yield_covers_it_in_95_of_100_draws() -> None:
    dice = Random(11)
    rates, units, draws = (0.97, 0.9, 0.99), 120, 600
    covered = 0
    for _ in range(draws):
        passed = (sum(dice.random() < rate for _ in range(units)) for rate in rates)
        found = estimate_rolled_throughput(YieldCounts(units, each, runs=units) for each in passed)
        assert found
        covered += found.low <= prod(rates) <= found.high
    assert 0.92 <= covered / draws <= 0.99


def test_a_rolled_yield_of_nothing_is_below_the_limit_of_what_nothing_passed() -> None:
    counts = [YieldCounts(20, 20, runs=20), YieldCounts(20, 0, runs=20)]
    highest = (wilson_interval(0, 20) or (0.0, 0.0))[1]
    assert estimate_rolled_throughput(counts) == (0.0, 0.0, highest)
    assert estimate_rolled_throughput([]) is None


def test_defects_are_failed_measurements_per_million_judged() -> None:
    found = defects_per_million(failed=15, passed=133)
    assert found == pytest.approx((101_351.35, 62_400, 160_500), abs=50)
    none = defects_per_million(failed=0, passed=20)
    assert none
    assert (none.value, none.low) == (0.0, 0.0)


@given(UNITS)
def test_yields_rise_from_first_to_second_pass(units: list[list[Outcome]]) -> None:
    counts = count_units(facts(*each) for each in units)
    assert counts.first_passed <= counts.second_passed <= counts.units == len(units)
    assert counts.retested <= counts.units <= counts.runs == sum(map(len, units))


@given(UNITS, st.randoms(use_true_random=False), st.integers(1, 4))
def test_counts_of_parts_add_up_in_any_order(
    units: list[list[Outcome]], random: Random, part_count: int
) -> None:
    whole = count_units(facts(*each) for each in units)
    parts = [count_units(facts(*each) for each in units[i::part_count]) for i in range(part_count)]
    random.shuffle(parts)
    assert add_counts(parts) == whole

"""Whether a screen's process falls behind the results."""

from ui.lag import BEHIND_S, Lag


def lag_of(*lags_s: float) -> Lag:
    lag = Lag()
    for each in lags_s:
        lag.note(each)
    return lag


def test_nothing_has_no_lag_and_is_not_behind() -> None:
    assert lag_of().usual_s is None
    assert not lag_of().is_behind


def test_the_usual_lag_is_the_median_of_the_newest_fifty() -> None:
    assert lag_of(*[9.0] * 50, *[1.0] * 20, *[2.0] * 30).usual_s == 2.0


def test_lags_that_grow_by_more_than_the_bound_are_behind() -> None:
    assert not lag_of(0.1, *[0.1 + BEHIND_S] * 50).is_behind
    assert lag_of(0.1, *[0.2 + BEHIND_S] * 50).is_behind


def test_a_clock_that_differs_is_not_behind_however_much() -> None:
    assert not lag_of(*[3_600.0] * 60).is_behind
    assert not lag_of(*[-3_600.0] * 60).is_behind


def test_a_few_old_results_among_new_ones_are_not_behind() -> None:
    assert not lag_of(*[0.1] * 40, *[600.0] * 20).is_behind


def test_after_a_new_start_only_what_comes_then_counts() -> None:
    lag = lag_of(0.1, *[600.0] * 50)
    lag.restart()
    for _ in range(60):
        lag.note(600.0)
    assert not lag.is_behind

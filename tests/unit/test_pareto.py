"""Failing steps in their rank."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.pareto import Pareto, ParetoOrder, StepFailures, rank_steps

STEPS = st.lists(
    st.builds(StepFailures, st.sampled_from("abcdefgh"), st.integers(0, 9), st.integers(0, 9)),
    max_size=20,
)


def names(pareto: Pareto) -> list[str]:
    return [entry.step.test_step for entry in pareto.entries]


def test_causes_are_ranked_with_their_cumulative_share() -> None:
    found = rank_steps(
        [
            StepFailures("solder", 50, 60),
            StepFailures("vcc", 20, 90),
            StepFailures("leak", 25, 25),
            StepFailures("clock", 5, 5),
        ]
    )
    assert names(found) == ["solder", "leak", "vcc", "clock"]
    assert [entry.share for entry in found.entries] == [0.5, 0.25, 0.2, 0.05]
    assert [entry.cumulative_share for entry in found.entries] == [0.5, 0.75, 0.95, 1.0]
    assert (found.total, found.others, found.others_count) == (100, None, 0)


def test_all_failures_are_another_order() -> None:
    steps = [StepFailures("solder", 50, 60), StepFailures("vcc", 20, 90), StepFailures("x", 9, 0)]
    found = rank_steps(steps, ParetoOrder.FAILURES)
    assert names(found) == ["vcc", "solder"]
    assert [entry.cumulative_share for entry in found.entries] == [0.6, 1.0]
    assert found.total == 150


@pytest.mark.parametrize("order", ParetoOrder)
def test_ties_go_by_the_other_count_then_by_name(order: ParetoOrder) -> None:
    steps = [StepFailures(name, 3, 3) for name in ("c", "a", "b")]
    other = (
        StepFailures("z", 3, 4) if order is ParetoOrder.FIRST_FAILURES else StepFailures("z", 4, 3)
    )
    assert names(rank_steps([*steps, other], order)) == ["z", "a", "b", "c"]


def test_the_tail_is_one_entry() -> None:
    steps = [
        StepFailures(name, count, count) for name, count in zip("abcd", (4, 3, 2, 1), strict=True)
    ]
    found = rank_steps(steps, entries_max=2)
    assert names(found) == ["a", "b"]
    assert found.others
    assert found.others.step == ("", 3, 3)
    assert found.others.share == 0.3
    assert found.others.cumulative_share == 1.0
    assert found.others_count == 2


def test_rows_of_one_step_add_up() -> None:
    found = rank_steps([StepFailures("vcc", 1, 2), StepFailures("vcc", 2, 3)])
    assert found.entries[0].step == ("vcc", 3, 5)


def test_nothing_failed() -> None:
    assert rank_steps([]) == Pareto((), None, 0, 0)
    assert rank_steps([StepFailures("vcc", 0, 0)]) == Pareto((), None, 0, 0)


def test_a_list_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="entries_max"):
        rank_steps([], entries_max=0)


@given(STEPS, st.sampled_from(ParetoOrder), st.integers(1, 9), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter_and_shares_make_one(
    steps: list[StepFailures], order: ParetoOrder, entries_max: int, random: Random
) -> None:
    found = rank_steps(steps, order, entries_max)
    shuffled = steps.copy()
    random.shuffle(shuffled)
    assert rank_steps(shuffled, order, entries_max) == found
    listed = [*found.entries, *([found.others] if found.others else [])]
    assert len(found.entries) <= entries_max
    if found.total:
        assert sum(entry.share for entry in listed) == pytest.approx(1.0)
        assert listed[-1].cumulative_share == 1.0
        shares = [entry.share for entry in found.entries]
        assert shares == sorted(shares, reverse=True)

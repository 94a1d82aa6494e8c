"""The few steps that make most of the failures. Pure: no I/O."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple


class StepFailures(NamedTuple):
    """How often a step failed."""

    test_step: str
    first_failures: int
    """Runs whose first failed step it was."""
    failures: int
    """Measurements judged FAIL."""


class ParetoOrder(StrEnum):
    """What steps are ranked by, and their shares are of."""

    FIRST_FAILURES = "first_failures"
    FAILURES = "failures"


class ParetoEntry(NamedTuple):
    """A step in its rank."""

    step: StepFailures
    share: float
    """Of all failures that the order counts, 0 to 1."""
    cumulative_share: float
    """Its own and that of all before it, 0 to 1."""


class Pareto(NamedTuple):
    """Failing steps, worst first."""

    entries: tuple[ParetoEntry, ...]
    others: ParetoEntry | None
    """The steps that are not listed, as one; its name is empty. None: all are listed."""
    others_count: int
    """How many steps that is."""
    total: int
    """All failures that the order counts."""


def rank_steps(
    steps: Iterable[StepFailures],
    order: ParetoOrder = ParetoOrder.FIRST_FAILURES,
    entries_max: int = 20,
) -> Pareto:
    """Rank failing steps: most failures of the order first, then most of the other, then by name.

    Args:
        steps: In any order; of one step there may be several, such as one a machine: they add up.
            A step with nothing that the order counts is left out.
        order: What is counted.
        entries_max: Steps to list, 1 or more; the rest is `others`.

    Returns:
        Without failures neither entries nor others.

    Raises:
        ValueError: `entries_max` is below 1.

    Source: Juran (1951), Quality Control Handbook.
    """
    if entries_max < 1:
        raise ValueError(f"entries_max is {entries_max}: give 1 or more")
    ranked = sorted(
        (step for step in _added_up(steps) if _counted(step, order)),
        key=lambda step: _rank(step, order),
    )
    total = sum(_counted(step, order) for step in ranked)
    listed, rest = ranked[:entries_max], ranked[entries_max:]
    return Pareto(
        entries=_entries(listed, order, total),
        others=_others(rest, order, total),
        others_count=len(rest),
        total=total,
    )


def _added_up(steps: Iterable[StepFailures]) -> list[StepFailures]:
    sums: dict[str, StepFailures] = {}
    for name, first_failures, failures in steps:
        before = sums.get(name, StepFailures(name, 0, 0))
        sums[name] = StepFailures(
            name, before.first_failures + first_failures, before.failures + failures
        )
    return list(sums.values())


def _counted(step: StepFailures, order: ParetoOrder) -> int:
    return step.first_failures if order is ParetoOrder.FIRST_FAILURES else step.failures


def _rank(step: StepFailures, order: ParetoOrder) -> tuple[int, int, str]:
    counted = _counted(step, order)
    return -counted, counted - step.first_failures - step.failures, step.test_step


def _entries(
    steps: Sequence[StepFailures], order: ParetoOrder, total: int
) -> tuple[ParetoEntry, ...]:
    counts = [_counted(step, order) for step in steps]
    sums = accumulate(counts)
    return tuple(
        ParetoEntry(step, count / total, up_to_here / total)
        for step, count, up_to_here in zip(steps, counts, sums, strict=True)
    )


def _others(steps: Sequence[StepFailures], order: ParetoOrder, total: int) -> ParetoEntry | None:
    if not steps:
        return None
    together = StepFailures(
        "", sum(each.first_failures for each in steps), sum(each.failures for each in steps)
    )
    return ParetoEntry(together, _counted(together, order) / total, 1.0)

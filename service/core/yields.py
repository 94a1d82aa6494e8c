"""The arithmetic of yields, from what became of each unit at a procedure. Pure: no I/O.

Counts add up over products, lines and hours; a share of nothing is None.
"""

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from broker.messages import Outcome
from service.core.intervals import Estimate, estimate_product, estimate_share

_MILLION: Final = 1_000_000


class UnitFacts(NamedTuple):
    """What became of one unit at one procedure; first, second and last by start time."""

    first: Outcome
    second: Outcome | None
    """None: it had one run."""
    last: Outcome
    runs: int
    """1 or more."""


class YieldCounts(NamedTuple):
    """Units at one procedure, by what became of them."""

    units: int = 0
    first_passed: int = 0
    """Whose first run was PASS."""
    second_passed: int = 0
    """Whose first or second run was PASS."""
    last_passed: int = 0
    """Whose last run was PASS."""
    retested: int = 0
    """With more than one run."""
    runs: int = 0
    """Runs of all of them."""


class Yields(NamedTuple):
    """Shares of units with their 95 % intervals, 0 to 1; each None without units."""

    first_pass_yield: Estimate | None
    second_pass_yield: Estimate | None
    """Never below the first pass yield."""
    final_yield: Estimate | None
    """May be below the second pass yield: a good unit can fail when it is run once more."""
    retest_rate: Estimate | None
    """Units with more than one run ÷ units."""
    retests: int
    """Runs beyond the first of a unit."""


def count_units(facts: Iterable[UnitFacts]) -> YieldCounts:
    """Count units by what became of them; ERROR and UNJUDGED count against a yield."""
    return add_counts(
        YieldCounts(
            units=1,
            first_passed=each.first is Outcome.PASS,
            second_passed=Outcome.PASS in {each.first, each.second},
            last_passed=each.last is Outcome.PASS,
            retested=each.runs > 1,
            runs=each.runs,
        )
        for each in facts
    )


def add_counts(parts: Iterable[YieldCounts]) -> YieldCounts:
    """Return the counts of parts that share no unit, in any order."""
    sums = [sum(column) for column in zip(*parts, strict=True)]
    return YieldCounts(*sums)


def yields_of(counts: YieldCounts) -> Yields:
    """Return the yields of counted units.

    Source: the intervals are Wilson's, see `intervals`.
    """
    return Yields(
        first_pass_yield=estimate_share(counts.first_passed, counts.units),
        second_pass_yield=estimate_share(counts.second_passed, counts.units),
        final_yield=estimate_share(counts.last_passed, counts.units),
        retest_rate=estimate_share(counts.retested, counts.units),
        retests=counts.runs - counts.units,
    )


def rolled_throughput_yield(procedures: Iterable[YieldCounts]) -> float | None:
    """Return the product of the procedures' first pass yields, 0 to 1.

    A procedure without units says nothing and is left out; None where none has units.

    Source: Harry and Schroeder (2000), Six Sigma.
    """
    shares = [each.first_passed / each.units for each in procedures if each.units]
    return math.prod(shares) if shares else None


def estimate_rolled_throughput(procedures: Iterable[YieldCounts]) -> Estimate | None:
    """Return the product of the procedures' first pass yields with its interval, 0 to 1.

    As `rolled_throughput_yield`; the interval takes the procedures as independent.
    """
    shares = [estimate_share(each.first_passed, each.units) for each in procedures]
    known = [each for each in shares if each is not None]
    return estimate_product(known) if known else None


def defects_per_million(failed: int, passed: int) -> Estimate | None:
    """Return DPMO: measurements that failed per million that were judged PASS or FAIL.

    ERROR and UNJUDGED were no opportunity: nothing was compared. None where none was judged.
    """
    share = estimate_share(failed, failed + passed)
    return share and Estimate(*(_MILLION * each for each in share))

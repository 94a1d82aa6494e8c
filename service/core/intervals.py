"""95 % intervals of shares and capability indices. Pure: no I/O."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from service.core.quantiles import chi_square_quantile, normal_quantile

_TAIL: Final = 0.025
_Z: Final = normal_quantile(1.0 - _TAIL)


class Estimate(NamedTuple):
    """A figure and its 95 % interval, all in the figure's own unit."""

    value: float
    low: float
    high: float


def wilson_interval(good: int, total: int) -> tuple[float, float] | None:
    """Return the 95 % score interval of a share as (low, high), 0 to 1; None of nothing.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    if not total:
        return None
    share, z2 = good / total, _Z * _Z
    middle = share + z2 / (2 * total)
    half = _Z * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    low, high = (middle - half) / (1 + z2 / total), (middle + half) / (1 + z2 / total)
    # Exactly 0 and 1 at the ends, where rounding would leave a little.
    return (low if good else 0.0), (high if good < total else 1.0)


def estimate_share(good: int, total: int) -> Estimate | None:
    """Return good ÷ total with its Wilson interval, 0 to 1; None of nothing."""
    interval = wilson_interval(good, total)
    return None if interval is None else Estimate(good / total, *interval)


def estimate_product(shares: Sequence[Estimate]) -> Estimate:
    """Return the product of independent shares, 0 to 1, with an interval made of theirs.

    On the logarithm the distances to each share's own limits are added as squares. Where a share is
    0 that says nothing above: then no more is claimed than that the product is below every share.

    Source: Zou and Donner (2008), "Construction of confidence limits about effect measures: a
    general approach", Statistics in Medicine 27 (the method of variance estimates recovery).
    """
    product = math.prod(each.value for each in shares)
    highest = min(each.high for each in shares)
    if not product:
        return Estimate(product, 0.0, highest)
    below = math.hypot(*(math.log(each.value / each.low) for each in shares))
    above = math.hypot(*(math.log(each.high / each.value) for each in shares))
    high = min(product * math.exp(above), highest)
    return Estimate(product, product * math.exp(-below), high)


def estimate_spread_index(index: float, freedom: float) -> Estimate:
    """Return Cp or Pp with its interval; exact for normal values and a sigma from their deviations.

    Args:
        index: Cp or Pp, without unit.
        freedom: Degrees of freedom of the sigma in it, 1 or more.

    Source: NIST/SEMATECH e-Handbook of Statistical Methods, 6.1.6, "Confidence intervals for Cp".
    """
    low, high = _chi_square_tails(freedom)
    return Estimate(index, index * math.sqrt(low / freedom), index * math.sqrt(high / freedom))


def estimate_nearest_index(index: float, count: int, freedom: float) -> Estimate:
    """Return Cpk or Ppk with its interval, by the normal approximation; also of a single limit.

    Args:
        index: Cpk or Ppk, without unit; below 0 where the mean is outside the limits.
        count: Values that the mean is of, 1 or more.
        freedom: Degrees of freedom of the sigma in it, 1 or more.

    Source: Bissell (1990), "How reliable is your capability index?", Applied Statistics 39; the
    same in NIST/SEMATECH e-Handbook of Statistical Methods, 6.1.6.
    """
    half = _Z * math.sqrt(1.0 / (9.0 * count) + index * index / (2.0 * freedom))
    return Estimate(index, index - half, index + half)


@lru_cache(maxsize=4096)
def _chi_square_tails(freedom: float) -> tuple[float, float]:
    return chi_square_quantile(_TAIL, freedom), chi_square_quantile(1.0 - _TAIL, freedom)

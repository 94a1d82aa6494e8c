"""Quantiles of the normal and the chi-square distribution. Pure: no I/O.

In double precision, without numpy, so that a yield's interval does not load it.
"""

import math
from statistics import NormalDist
from typing import Final

_NORMAL: Final = NormalDist()
_TERMS_MAX: Final = 100_000
_STEPS_MAX: Final = 100
_EPSILON: Final = 1e-16
_TINY: Final = 1e-300
_EXPONENT_MAX: Final = 700.0
_FREEDOM_MAX: Final = 1e6
"""Above it Wilson and Hilferty's cube is exact to 1e-9, and the series has too many terms."""


def normal_quantile(probability: float) -> float:
    """Return z, in standard deviations, below which `probability` of a normal distribution lies.

    Raises:
        ValueError: `probability` is not between 0 and 1, both excluded.

    Source: Wichura (1988), algorithm AS 241, Applied Statistics 37; in Python's statistics module.
    """
    if not 0.0 < probability < 1.0:
        raise ValueError(f"probability {probability!r} is not between 0 and 1: give a share")
    return _NORMAL.inv_cdf(probability)


def chi_square_quantile(probability: float, freedom: float) -> float:
    """Return x below which `probability` of a chi-square distribution lies.

    Args:
        probability: Between 0 and 1, both excluded.
        freedom: Degrees of freedom, 1 or more; need not be whole.

    Raises:
        ValueError: `probability` or `freedom` is out of range.

    Source: Wilson and Hilferty (1931), PNAS 17, as the start of Newton's method on the regularised
    incomplete gamma function.
    """
    z = normal_quantile(probability)
    if not 1.0 <= freedom < math.inf:
        raise ValueError(f"{freedom!r} degrees of freedom: give 1 or more")
    ninth = 2.0 / (9.0 * freedom)
    start: float = freedom * (1.0 - ninth + z * math.sqrt(ninth)) ** 3
    if freedom > _FREEDOM_MAX:
        return start
    return 2.0 * _gamma_quantile(probability, freedom / 2.0, start / 2.0)


def lower_gamma_share(shape: float, x: float) -> float:
    """Return the regularised lower incomplete gamma function P(shape, x), 0 to 1.

    P(k / 2, x / 2) is the share of a chi-square distribution with k degrees of freedom below x.

    Args:
        shape: Above 0.
        x: 0 or above.

    Source: Abramowitz and Stegun (1964), 6.5.29 (series) and 6.5.31 (continued fraction).
    """
    if x <= 0.0:
        return 0.0
    front = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1.0:
        return front * _series(shape, x)
    return 1.0 - front * _fraction(shape, x)


def _gamma_quantile(probability: float, shape: float, start: float) -> float:
    """Find x with P(shape, x) = `probability`: Newton inside a bracket that only shrinks."""
    low, high = 0.0, math.inf
    # Where the cube is no start, the first term of the series is: P is about x^a / Gamma(a + 1).
    near_zero = math.exp((math.log(probability) + math.lgamma(shape + 1.0)) / shape)
    x = max(start, near_zero)
    for _ in range(_STEPS_MAX):
        miss = lower_gamma_share(shape, x) - probability
        low, high = (low, x) if miss > 0.0 else (x, high)
        log_density = (shape - 1.0) * math.log(x) - x - math.lgamma(shape)
        following = x - miss * math.exp(min(-log_density, _EXPONENT_MAX))
        if not low < following < high:
            following = (low + high) / 2.0 if high < math.inf else 2.0 * x
        if abs(following - x) <= 1e-15 * x:
            return following
        x = following
    return x


def _series(shape: float, x: float) -> float:
    total = term = 1.0 / shape
    for index in range(1, _TERMS_MAX):
        term *= x / (shape + index)
        total += term
        if term < total * _EPSILON:
            break
    return total


def _fraction(shape: float, x: float) -> float:
    """Evaluate the continued fraction from its head, by Lentz's method as Thompson changed it."""
    tail = x + 1.0 - shape
    ahead, behind = 1.0 / _TINY, 1.0 / tail
    total = behind
    for index in range(1, _TERMS_MAX):
        factor = index * (shape - index)
        tail += 2.0
        behind = 1.0 / _away_from_zero(factor * behind + tail)
        ahead = _away_from_zero(tail + factor / ahead)
        total *= ahead * behind
        if abs(ahead * behind - 1.0) < _EPSILON * 10:
            break
    return total


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY

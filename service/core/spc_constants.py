"""The constants of control charts, computed for subgroups of 2 to 25. Pure: no I/O."""

import math
from functools import cache
from typing import Final, NamedTuple

import numpy as np

SIZE_MIN: Final = 2
SIZE_MAX: Final = 25
"""Beyond it a range says little that a standard deviation does not say better."""

# The integrands are smooth and vanish at the ends: to 12 digits from these many places.
_RANGE_MAX: Final = 18.0
_RANGE_PLACES: Final = 96
_HALF_WIDTH: Final = 9.0
_STEPS: Final = 180


class ChartConstants(NamedTuple):
    """For subgroups of one size of independent normal values; none has a unit."""

    d2: float
    """Mean of the range, in sigma."""
    d3: float
    """Standard deviation of the range, in sigma."""
    c4: float
    """Mean of the standard deviation (n - 1), in sigma."""
    a2: float
    """Limits of means from the mean range."""
    a3: float
    """Limits of means from the mean standard deviation."""
    b3: float
    """Lower limit of standard deviations, in their mean."""
    b4: float
    d3_lower: float
    """Lower limit of ranges, in their mean: D3 of the tables."""
    d4_upper: float
    """Upper limit of ranges, in their mean: D4 of the tables."""


@cache
def chart_constants(size: int) -> ChartConstants:
    """Return the constants for subgroups of `size` values, 2 to 25.

    Raises:
        ValueError: `size` is outside 2 to 25.

    Source: Montgomery, Introduction to Statistical Quality Control, appendix VI and sections 6.2.2
    and 6.3.1; ASTM MNL 7, table 49.
    """
    if not SIZE_MIN <= size <= SIZE_MAX:
        raise ValueError(f"subgroups of {size}: give a size of {SIZE_MIN} to {SIZE_MAX}")
    d2, d3 = _range_moments(size)
    c4 = mean_deviation(size)
    relative_range = 3.0 * d3 / d2
    relative_deviation = 3.0 * math.sqrt(1.0 - c4 * c4) / c4
    root = math.sqrt(size)
    return ChartConstants(
        d2=d2,
        d3=d3,
        c4=c4,
        a2=3.0 / (d2 * root),
        a3=3.0 / (c4 * root),
        b3=max(0.0, 1.0 - relative_deviation),
        b4=1.0 + relative_deviation,
        d3_lower=max(0.0, 1.0 - relative_range),
        d4_upper=1.0 + relative_range,
    )


def mean_deviation(size: int) -> float:
    """Return c4: the mean standard deviation (n - 1) of `size` normal values, in sigma.

    Source: Montgomery, section 6.3.1.
    """
    logarithm = math.lgamma(size / 2.0) - math.lgamma((size - 1) / 2.0)
    return math.sqrt(2.0 / (size - 1)) * math.exp(logarithm)


def _range_moments(size: int) -> tuple[float, float]:
    """Return mean and standard deviation of the range of `size` standard normal values.

    With F the distribution of the range, E[R] is the integral of 1 - F(r) and E[R²] that of
    2 r (1 - F(r)).

    Source: Tippett (1925), Biometrika 17; F from Hartley (1942), Biometrika 32.
    """
    places, weights = np.polynomial.legendre.leggauss(_RANGE_PLACES)
    ranges = (places + 1.0) * _RANGE_MAX / 2.0
    weights = weights * _RANGE_MAX / 2.0
    lowest = np.linspace(-_HALF_WIDTH, _HALF_WIDTH, _STEPS + 1)
    density = np.exp(-lowest * lowest / 2.0) / math.sqrt(2.0 * math.pi)
    between = np.vectorize(_normal_share)(lowest + ranges[:, np.newaxis]) - np.vectorize(
        _normal_share
    )(lowest)
    step = lowest[1] - lowest[0]
    beyond = 1.0 - size * step * (density * between ** (size - 1)).sum(axis=1)
    mean = float(weights @ beyond)
    square = float(weights @ (2.0 * ranges * beyond))
    return mean, math.sqrt(square - mean * mean)


def _normal_share(z: float) -> float:
    return 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))

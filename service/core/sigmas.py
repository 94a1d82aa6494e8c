"""Standard deviations within a process, and how well they are known. Pure: no I/O."""

import math
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np

from service.core.moments import FloatArray, Moments, Values, as_values, mean_of
from service.core.spc_constants import chart_constants

# Of moving ranges of two: variance of one, and covariance of two that share a value, both over the
# square of their mean d2 = 2 / √π.
_RANGE_VARIANCE: Final = math.pi / 2 - 1
_RANGE_COVARIANCE: Final = math.sqrt(3) / 2 + math.pi / 12 - 1


class SigmaMethod(StrEnum):
    """How the sigma within a process is estimated."""

    MOVING_RANGE = "moving_range"
    """Individuals: the mean range of neighbours over d2."""
    POOLED = "pooled"
    """Subgroups: the root of their mean variance."""
    MEAN_RANGE = "mean_range"
    """Subgroups: their mean range over d2."""


class Sigma(NamedTuple):
    """A standard deviation and what it is worth."""

    value: float
    """In the values' unit; 0 where all are equal."""
    freedom: float
    """Degrees of freedom; not whole where they are an equivalent."""


def overall_sigma(moments: Moments) -> Sigma | None:
    """Return the sigma of all values (n - 1); None of fewer than two."""
    sigma = moments.sigma
    return None if sigma is None else Sigma(sigma, moments.value_count - 1)


def within_sigma(values: Values, method: SigmaMethod, subgroup_size: int = 1) -> Sigma | None:
    """Return the sigma within the process, without what comes and goes between subgroups.

    Args:
        values: In time order.
        method: MOVING_RANGE looks at single values and ignores the size.
        subgroup_size: For the others, 2 to 25; values that fill no subgroup are left out.

    Returns:
        None where there are not two values, or no full subgroup.

    Raises:
        ValueError: `subgroup_size` is out of range; or see `as_values`.
    """
    array = as_values(values)
    if method is SigmaMethod.MOVING_RANGE:
        return _from_moving_ranges(array)
    chart_constants(subgroup_size)  # refuses a size that is out of range
    subgroups = subgroups_of(array, subgroup_size)
    if not len(subgroups):
        return None
    return _pooled(subgroups) if method is SigmaMethod.POOLED else _from_ranges(subgroups)


def subgroups_of(values: Values, size: int) -> FloatArray:
    """Return consecutive subgroups of `size` values, a row each; an unfilled last one is left out.

    Raises:
        ValueError: `size` is below 1; or see `as_values`.
    """
    if size < 1:
        raise ValueError(f"subgroups of {size}: give a size of 1 or more")
    array = as_values(values)
    count = array.size // size
    return array[: count * size].reshape(count, size)


def moving_ranges(array: FloatArray) -> FloatArray:
    """Return the differences of neighbours without sign: one fewer than there are values."""
    return np.abs(np.diff(array))


def _from_moving_ranges(array: FloatArray) -> Sigma | None:
    """Estimate sigma by the mean moving range over d2.

    Source: the variance of a mean moving range as in Cryer and Ryan (1990), "The estimation of
    sigma for an X chart: MR/d2 or S/c4?", Journal of Quality Technology 22.
    """
    ranges = moving_ranges(array)
    count = ranges.size
    if not count:
        return None
    variance = (count * _RANGE_VARIANCE + 2 * (count - 1) * _RANGE_COVARIANCE) / count**2
    return Sigma(mean_of(ranges) / chart_constants(2).d2, _equivalent_freedom(variance))


def _from_ranges(subgroups: FloatArray) -> Sigma:
    constants = chart_constants(subgroups.shape[1])
    sigma = mean_of(np.ptp(subgroups, axis=1)) / constants.d2
    variance = (constants.d3 / constants.d2) ** 2 / len(subgroups)
    return Sigma(sigma, _equivalent_freedom(variance))


def _pooled(subgroups: FloatArray) -> Sigma:
    count, size = subgroups.shape
    sigma = math.sqrt(float(subgroups.var(axis=1, ddof=1).mean()))
    return Sigma(sigma, count * (size - 1))


def _equivalent_freedom(relative_variance: float) -> float:
    """Return the degrees of freedom of a chi whose relative variance is the estimate's.

    Source: Patnaik (1950), "The use of mean range as an estimator of variance in statistical
    tests", Biometrika 37: freedom 1 / (2 √(1 + 2 V) - 2), here without the small difference.
    """
    return (math.sqrt(1 + 2 * relative_variance) + 1) / (4 * relative_variance)

"""Values and their moments, which merge: count, mean, squared deviations. Pure: no I/O."""

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Values = Sequence[float] | FloatArray
"""Numbers in one unit of measure, in the order they were measured."""

VALUE_MAX: Final = 1e140
"""Squares of larger ones do not add up in a double; the roll-ups leave them out as well."""


class Moments(NamedTuple):
    """What a row of `step_hour` knows of values: enough for mean and overall sigma."""

    value_count: int
    mean: float
    """In the values' unit; 0 without values."""
    squares: float
    """Sum of squared deviations from the mean, in the unit squared."""
    least: float | None
    greatest: float | None

    @property
    def sigma(self) -> float | None:
        """The overall standard deviation (n - 1), in the values' unit; None of fewer than two."""
        return math.sqrt(self.squares / (self.value_count - 1)) if self.value_count > 1 else None


NO_MOMENTS: Final = Moments(0, 0.0, 0.0, None, None)


def as_values(values: Values) -> FloatArray:
    """Return the values as one array.

    Raises:
        ValueError: One is not finite or too large to square, or they are not in a row.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"values have {array.ndim} dimensions: give them in a row")
    if not np.all(np.abs(array) < VALUE_MAX):
        raise ValueError(f"a value is not below {VALUE_MAX:g}: leave it out")
    return array


def mean_of(array: FloatArray) -> float:
    """Return the mean of one value or more; of equal values it is exactly their value."""
    return float(array[0] + np.mean(array - array[0]))


def moments_of(values: Values) -> Moments:
    """Return the moments of values, none included.

    Raises:
        ValueError: See `as_values`.
    """
    array = as_values(values)
    if not array.size:
        return NO_MOMENTS
    mean = mean_of(array)
    deviations = array - mean
    squares = float(deviations @ deviations)
    return Moments(array.size, mean, squares, float(array.min()), float(array.max()))


def merge_moments(parts: Iterable[Moments]) -> Moments:
    """Return the moments of all parts together, in any order; the parts must share one unit.

    Source: Chan, Golub, LeVeque (1983), "Algorithms for computing the sample variance", eq. 2.1.
    """
    merged = NO_MOMENTS
    for part in parts:
        merged = _merge_two(merged, part)
    return merged


def _merge_two(one: Moments, other: Moments) -> Moments:
    if not one.value_count or not other.value_count:
        return one if one.value_count else other
    count = one.value_count + other.value_count
    apart = other.mean - one.mean
    return Moments(
        count,
        one.mean + apart * other.value_count / count,
        one.squares + other.squares + apart * apart * one.value_count * (other.value_count / count),
        min((each for each in (one.least, other.least) if each is not None), default=None),
        max((each for each in (one.greatest, other.greatest) if each is not None), default=None),
    )

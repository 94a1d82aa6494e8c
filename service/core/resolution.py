"""How finely values were measured. Pure: no I/O."""

from typing import Final, NamedTuple

import numpy as np

from service.core.moments import FloatArray, Values, as_values
from service.core.sigmas import moving_ranges
from service.core.spc_constants import chart_constants

_NOISE_ULPS: Final = 8
"""Distinct values that differ by less are one: binary arithmetic, not the instrument."""
_GRID_TOLERANCE: Final = 0.05
"""In steps: values that were rounded to 32 bits on the way are still on their grid."""
_POSSIBLE_RANGES_MIN: Final = 4
_ZERO_SHARE_MAX: Final = 0.25


class Resolution(NamedTuple):
    """The steps in which values move."""

    distinct_count: int
    increment: float | None
    """The smallest difference between two values, in their unit; None where there is none."""
    is_grid: bool
    """Whether all differences are whole multiples of the increment: it is the instrument's."""
    is_coarse: bool
    """Whether the steps are too large to show the spread."""


def resolution_of(values: Values) -> Resolution:
    """Return the resolution of values in time order; without values nothing is distinct.

    They are coarse where a range chart of them has room for no more than three possible values
    between its limits, or for four and more than a quarter of the moving ranges are 0.

    Raises:
        ValueError: See `as_values`.

    Source: AIAG, Measurement Systems Analysis, 4th edition (2010), chapter II section D; after
    Wheeler and Lyday, Evaluating the Measurement Process (1989).
    """
    array = as_values(values)
    if not array.size:
        return Resolution(0, None, is_grid=False, is_coarse=False)
    gaps = np.diff(np.sort(array))
    gaps = gaps[gaps > noise_of(array)]
    if not gaps.size:
        return Resolution(1, None, is_grid=False, is_coarse=False)
    increment = float(gaps.min())
    grid = _grid_of(gaps, increment)
    return Resolution(
        distinct_count=gaps.size + 1,
        increment=grid or increment,
        is_grid=grid is not None,
        is_coarse=_is_coarse(moving_ranges(array), increment),
    )


def noise_of(array: FloatArray) -> float:
    """Return the difference, in the values' unit, that doubles of this size do not tell apart."""
    return float(_NOISE_ULPS * np.spacing(np.abs(array).max()))


def _grid_of(gaps: FloatArray, increment: float) -> float | None:
    """Return the step that all values are whole multiples apart; None where there is none."""
    places = np.cumsum(gaps)
    step = float(places[-1] / np.round(gaps / increment).sum())
    away = np.abs(places / step - np.round(places / step))
    return step if np.all(away <= _GRID_TOLERANCE) else None


def _is_coarse(ranges: FloatArray, increment: float) -> bool:
    limit = chart_constants(2).d4_upper * float(ranges.mean())
    possible = int(limit / increment) + 1  # 0, and one per increment up to the limit
    is_often_zero = float(np.mean(ranges < increment / 2)) > _ZERO_SHARE_MAX
    return possible < _POSSIBLE_RANGES_MIN or (possible == _POSSIBLE_RANGES_MIN and is_often_zero)

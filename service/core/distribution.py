"""Histograms, with limits, of what was measured. Pure: no I/O."""

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from service.core.capability import Bounds
from service.core.moments import FloatArray, Values, as_values, moments_of
from service.core.resolution import noise_of, resolution_of

BINS_MAX: Final = 60
"""More would be thinner than a screen shows."""
_FENCE: Final = 3.0


class Histogram(NamedTuple):
    """Values counted in bins of one width."""

    edges: FloatArray
    """Rising, one more than there are bins, in the values' unit."""
    counts: npt.NDArray[np.intp]
    """Values in each bin: from its lower edge up to its upper, of the last with that edge."""
    under_count: int
    """Values below the first edge: too far out to draw."""
    over_count: int
    """Values above the last edge."""
    below_low_count: int
    """Values below the low limit; 0 where there is none."""
    above_high_count: int
    """Values above the high limit; 0 where there is none."""


def histogram_of(values: Values, bounds: Bounds, bins_max: int = BINS_MAX) -> Histogram | None:
    """Count values in bins.

    A bin is twice the interquartile range over the cube root of n wide, or by the standard
    deviation where the quartiles are equal. Where values come in steps it holds a whole number of
    them, with edges halfway between two steps, so that no bin has more possible values than the
    next. Values further than three interquartile ranges outside the quartiles are counted, not
    drawn.

    Args:
        values: In the unit of the limits, in any order.
        bounds: What values must stay between; both ends are inside.
        bins_max: 1 or more.

    Returns:
        None without values.

    Raises:
        ValueError: `bins_max` is below 1; or see `as_values`.

    Source: Freedman and Diaconis (1981), Zeitschrift für Wahrscheinlichkeitstheorie 57; Scott
    (1979), Biometrika 66; the fences are those of Tukey (1977), Exploratory Data Analysis.
    """
    if bins_max < 1:
        raise ValueError(f"bins_max is {bins_max}: give 1 or more")
    array = as_values(values)
    if not array.size:
        return None
    edges = _edges(array, bins_max)
    counts, _ = np.histogram(array, edges)
    return Histogram(
        edges=edges,
        counts=counts,
        under_count=int(np.count_nonzero(array < edges[0])),
        over_count=int(np.count_nonzero(array > edges[-1])),
        below_low_count=_count_below(array, bounds.low),
        above_high_count=_count_below(-array, None if bounds.high is None else -bounds.high),
    )


def _count_below(array: FloatArray, limit: float | None) -> int:
    return 0 if limit is None else int(np.count_nonzero(array < limit))


def _edges(array: FloatArray, bins_max: int) -> FloatArray:
    resolution = resolution_of(array)
    if resolution.increment is None:
        return _edges_around(float(array[0]))
    first, last, width = _span(array)
    if not resolution.is_grid:
        bins = _bin_count(last - first, width, bins_max)
        return np.linspace(first, last, bins + 1)
    step = resolution.increment
    steps = round((last - first) / step) + 1
    per_bin = max(1, round(width / step), math.ceil(steps / bins_max))
    bins = math.ceil(steps / per_bin)
    return first - step / 2 + step * per_bin * np.arange(bins + 1, dtype=np.float64)


def _span(array: FloatArray) -> tuple[float, float, float]:
    """Return the first and last value to draw, and how wide a bin should be."""
    lower, upper = np.quantile(array, (0.25, 0.75)).tolist()
    between, noise = upper - lower, noise_of(array)
    root = float(np.cbrt(array.size))
    if between <= noise:
        sigma = moments_of(array).sigma or 0.0
        return float(array.min()), float(array.max()), 3.49 * sigma / root
    fence = _FENCE * between + noise
    shown = array[(array >= lower - fence) & (array <= upper + fence)]
    return float(shown.min()), float(shown.max()), 2 * between / root


def _bin_count(span: float, width: float, bins_max: int) -> int:
    return min(bins_max, math.ceil(span / max(width, span / bins_max)))


def _edges_around(value: float) -> FloatArray:
    """Return one bin around values that are all equal."""
    half = abs(value) / 1000 or 0.5
    return np.array([value - half, value + half])

"""Control charts: individuals with moving ranges, means with ranges or deviations. Pure: no I/O.

All lines are in the values' unit. `spc_rules` finds the points that break a rule.
"""

import math
from typing import Final, NamedTuple

import numpy as np

from service.core.moments import FloatArray, Values, as_values, mean_of
from service.core.sigmas import moving_ranges, subgroups_of
from service.core.spc_constants import chart_constants

ALL: Final = slice(None)
"""Every point is a part of the baseline."""
_SIGMAS: Final = 3.0


class Chart(NamedTuple):
    """Points and their lines."""

    points: FloatArray
    """In time order."""
    centre: float
    lower: float
    upper: float
    sigma: float
    """Standard deviation of a point: a third of the way from `centre` to `upper`."""


class ControlChart(NamedTuple):
    """A pair of charts: where a process is, and how widely it scatters."""

    location: Chart
    """Individuals, or means of subgroups."""
    spread: Chart
    """Moving ranges (one fewer: point i is between individuals i and i + 1), ranges, deviations."""
    sigma_within: float
    """Of single values."""


def individuals_chart(values: Values, baseline: slice = ALL) -> ControlChart | None:
    """Return the chart of individuals and moving ranges.

    Args:
        values: In time order.
        baseline: The values that centre lines and limits are made of.

    Returns:
        None where the baseline has fewer than two values.

    Raises:
        ValueError: See `as_values`.

    Source: NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.2; Montgomery, section 6.4.
    """
    array = as_values(values)
    stated = array[baseline]
    if stated.size < 2:  # noqa: PLR2004 - a range needs two
        return None
    constants = chart_constants(2)
    mean_range = mean_of(moving_ranges(stated))
    sigma = mean_range / constants.d2
    spread_limits = (constants.d3_lower * mean_range, constants.d4_upper * mean_range)
    return ControlChart(
        location=_location(array, mean_of(stated), sigma),
        spread=_spread(moving_ranges(array), mean_range, spread_limits),
        sigma_within=sigma,
    )


def mean_range_chart(values: Values, size: int, baseline: slice = ALL) -> ControlChart | None:
    """Return the chart of means and ranges (X̄-R) of consecutive subgroups.

    Args:
        values: In time order; those that fill no subgroup at the end are left out.
        size: Values in a subgroup, 2 to 25; above 10 `mean_deviation_chart` knows sigma better.
        baseline: The subgroups that centre lines and limits are made of.

    Returns:
        None where the baseline has no subgroup.

    Raises:
        ValueError: `size` is out of range; or see `as_values`.

    Source: NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.1; Montgomery, section 6.2.
    """
    constants = chart_constants(size)
    subgroups = subgroups_of(values, size)
    ranges = np.ptp(subgroups, axis=1)
    if not ranges[baseline].size:
        return None
    mean_range = mean_of(ranges[baseline])
    spread_limits = (constants.d3_lower * mean_range, constants.d4_upper * mean_range)
    spread = _spread(ranges, mean_range, spread_limits)
    return _chart_of_means(subgroups, baseline, spread, mean_range / constants.d2)


def mean_deviation_chart(values: Values, size: int, baseline: slice = ALL) -> ControlChart | None:
    """Return the chart of means and standard deviations (X̄-S) of consecutive subgroups.

    Arguments, result and errors are those of `mean_range_chart`.

    Source: NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.1; Montgomery, section 6.3.
    """
    constants = chart_constants(size)
    subgroups = subgroups_of(values, size)
    deviations = np.std(subgroups - subgroups[:, :1], axis=1, ddof=1)
    if not deviations[baseline].size:
        return None
    mean_deviation = mean_of(deviations[baseline])
    spread_limits = (constants.b3 * mean_deviation, constants.b4 * mean_deviation)
    spread = _spread(deviations, mean_deviation, spread_limits)
    return _chart_of_means(subgroups, baseline, spread, mean_deviation / constants.c4)


def _chart_of_means(
    subgroups: FloatArray, baseline: slice, spread: Chart, sigma_within: float
) -> ControlChart:
    first = subgroups[:, 0]
    means = first + (subgroups - subgroups[:, :1]).mean(axis=1)
    sigma = sigma_within / math.sqrt(subgroups.shape[1])
    return ControlChart(_location(means, mean_of(means[baseline]), sigma), spread, sigma_within)


def _location(points: FloatArray, centre: float, sigma: float) -> Chart:
    return Chart(points, centre, centre - _SIGMAS * sigma, centre + _SIGMAS * sigma, sigma)


def _spread(points: FloatArray, centre: float, limits: tuple[float, float]) -> Chart:
    lower, upper = limits
    return Chart(points, centre, lower, upper, (upper - centre) / _SIGMAS)

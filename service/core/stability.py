"""Whether values stay where they are, or wander: von Neumann's ratio. Pure: no I/O."""

import math
from typing import Final, NamedTuple

import numpy as np

from service.core.moments import FloatArray
from service.core.quantiles import normal_quantile

VALUES_MIN: Final = 8
_STEADY: Final = 2.0
"""The ratio of independent values of one distribution, whichever it is."""
_P: Final = 0.005
_SPREAD_MIN: Final = 1.1
"""Less than that the spread of all is not wider than that of neighbours in a way that matters."""


class Stability(NamedTuple):
    """How far values wander."""

    ratio: float
    """Mean square of the steps between neighbours over the variance of all; 2: none wanders."""
    is_stable: bool
    """False: the ratio is below 2 by more than chance, and the values wander by a tenth or more."""


def stability_of(values: FloatArray) -> Stability | None:
    """Tell whether values wander.

    Args:
        values: In time order.

    Returns:
        None of fewer than eight values, or of equal ones.

    Source: von Neumann (1941), "Distribution of the ratio of the mean square successive difference
    to the variance", Annals of Mathematical Statistics 12: the ratio has mean 2 and variance
    4 (n - 2) / (n² - 1), and is about normal.
    """
    count = values.size
    if count < VALUES_MIN or not np.ptp(values):
        return None
    squares = float(np.sum((values - values.mean()) ** 2))
    if not squares or not math.isfinite(squares):  # beyond what numbers hold
        return None
    ratio = float(np.sum(np.diff(values) ** 2)) / squares
    deviation = 2 * math.sqrt((count - 2) / (count**2 - 1))
    is_chance = _STEADY - ratio <= normal_quantile(1 - _P) * deviation
    return Stability(ratio, is_chance or ratio >= _STEADY / _SPREAD_MIN**2)

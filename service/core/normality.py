"""Are values normal? The Anderson-Darling test. Pure: no I/O."""

import math
from typing import Final, NamedTuple

import numpy as np

from service.core.moments import FloatArray, Values, as_values, moments_of

_COUNT_MIN: Final = 8
_LEVEL: Final = 0.05
_DEVIATIONS_MAX: Final = 37.0
"""Where a double can still hold the tail of a normal distribution. Values further out count as if
they were there: they have long decided the test."""
_STATISTIC_MAX: Final = 10.0
"""The formula of p turns back beyond it; p is 4e-24 there."""


class _Piece(NamedTuple):
    """Above some A²: ln p (in the tail) or ln (1 - p) as a parabola."""

    above: float
    constant: float
    linear: float
    square: float
    is_tail: bool


_PIECES: Final = (
    _Piece(0.6, 1.2937, -5.709, 0.0186, is_tail=True),
    _Piece(0.34, 0.9177, -4.279, -1.38, is_tail=True),
    _Piece(0.2, -8.318, 42.796, -59.938, is_tail=False),
    _Piece(-math.inf, -13.436, 101.14, -223.73, is_tail=False),
)


class Normality(NamedTuple):
    """What the test says; neither figure has a unit."""

    statistic: float
    """A², corrected for the number of values."""
    p_value: float
    """How often normal values would look as little normal as these, 0 to 1."""

    @property
    def is_normal(self) -> bool:
        """Whether the test finds nothing against it, at the 5 % level."""
        return self.p_value >= _LEVEL


def normality_of(values: Values) -> Normality | None:
    """Test values against the normal distribution of their own mean and sigma.

    Returns:
        None where nothing can be said: fewer than eight values, or all equal.

    Raises:
        ValueError: See `as_values`.

    Source: Stephens (1974), "EDF statistics for goodness of fit and some comparisons", Journal of
    the American Statistical Association 69; p as in D'Agostino and Stephens (1986), Goodness-of-Fit
    Techniques, table 4.9.
    """
    array = np.sort(as_values(values))
    moments = moments_of(array)
    count, sigma = array.size, moments.sigma
    if count < _COUNT_MIN or not sigma:
        return None
    deviations = np.clip((array - moments.mean) / sigma, -_DEVIATIONS_MAX, _DEVIATIONS_MAX)
    weights = 2 * np.arange(1, count + 1) - 1
    logarithms = _log_share_below(deviations) + _log_share_below(-deviations[::-1])
    plain = -count - float(weights @ logarithms) / count
    statistic = plain * (1 + 0.75 / count + 2.25 / count**2)
    return Normality(statistic, p_value_of(statistic))


def p_value_of(statistic: float) -> float:
    """Return the p value of a corrected A², 0 to 1; at most 10 is looked at.

    Source: D'Agostino and Stephens (1986), Goodness-of-Fit Techniques, table 4.9.
    """
    a = min(statistic, _STATISTIC_MAX)
    piece = next(each for each in _PIECES if a > each.above)
    share = math.exp(piece.constant + piece.linear * a + piece.square * a * a)
    return share if piece.is_tail else 1 - share


def _log_share_below(deviations: FloatArray) -> FloatArray:
    """Return ln of the normal distribution at each; erfc keeps the digits of the lower tail."""
    root = -1 / math.sqrt(2)
    return np.array([math.log(math.erfc(each * root) / 2) for each in deviations.tolist()])

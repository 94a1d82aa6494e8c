"""Rules that find what chance hardly does on a control chart. Pure: no I/O.

A rule returns the index of each point at which its pattern is complete. A point on a line is not
beyond it, and a point on the centre line is on no side. Where sigma is 0 there are no zones, and
the rules that look at them find nothing.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from service.core.spc import Chart

IndexArray = npt.NDArray[np.intp]
_Mask = npt.NDArray[np.bool_]


class ChartRule(NamedTuple):
    """One rule of a set."""

    number: int
    """As its source numbers it."""
    name: str
    """A sentence."""
    span_count: int
    """Points it looks at: whoever follows a stream needs no more of them."""
    find: Callable[[Chart], IndexArray]
    """Returns rising indices of points; may be empty."""


class ChartSignal(NamedTuple):
    """A rule that is broken, and where."""

    rule: ChartRule
    indices: tuple[int, ...]
    """Of the points that complete the pattern, rising; never empty."""


def find_signals(chart: Chart, rules: Sequence[ChartRule]) -> tuple[ChartSignal, ...]:
    """Return the rules that a chart breaks, in the order of `rules`.

    They are made for points that scatter evenly about the centre: individuals and means. Ranges
    and deviations do not; look at those with `beyond_limits` alone.
    """
    found = ((rule, rule.find(chart)) for rule in rules)
    return tuple(
        ChartSignal(rule, tuple(indices.tolist())) for rule, indices in found if indices.size
    )


def beyond_limits(chart: Chart) -> IndexArray:
    """Return the points outside the control limits of any chart."""
    if not chart.sigma:
        return np.array([], dtype=np.intp)
    return _indices((chart.points > chart.upper) | (chart.points < chart.lower))


def two_of_three_beyond_two_sigma(chart: Chart) -> IndexArray:
    """Return where two of three points in a row are beyond 2 sigma on the same side."""
    return _on_one_side(chart, 2.0, needed=2, span=3)


def four_of_five_beyond_one_sigma(chart: Chart) -> IndexArray:
    """Return where four of five points in a row are beyond 1 sigma on the same side."""
    return _on_one_side(chart, 1.0, needed=4, span=5)


def eight_on_one_side(chart: Chart) -> IndexArray:
    """Return where eight points in a row are on the same side of the centre."""
    return _run_on_one_side(chart, 8)


def nine_on_one_side(chart: Chart) -> IndexArray:
    """Return where nine points in a row are on the same side of the centre."""
    return _run_on_one_side(chart, 9)


def six_in_a_trend(chart: Chart) -> IndexArray:
    """Return where six points in a row steadily rise or steadily fall."""
    steps = np.diff(chart.points)
    longest = np.maximum(_run_lengths(steps > 0), _run_lengths(steps < 0))
    return _indices(longest >= 5) + 1  # noqa: PLR2004 - five steps join six points


def fourteen_alternating(chart: Chart) -> IndexArray:
    """Return where fourteen points in a row go up and down in turn."""
    signs = np.sign(np.diff(chart.points))
    turns = signs[1:] * signs[:-1] < 0
    return _indices(_run_lengths(turns) >= 12) + 2  # noqa: PLR2004 - twelve turns join fourteen


def fifteen_within_one_sigma(chart: Chart) -> IndexArray:
    """Return where fifteen points in a row are within 1 sigma of the centre, on either side."""
    within = ~(_above(chart, 1.0) | _below(chart, 1.0)) & (chart.sigma > 0)
    return _indices(_run_lengths(within) >= 15)  # noqa: PLR2004 - the rule's


def eight_beyond_one_sigma(chart: Chart) -> IndexArray:
    """Return where eight points in a row are beyond 1 sigma of the centre, on either side."""
    beyond = _above(chart, 1.0) | _below(chart, 1.0)
    return _indices(_run_lengths(beyond) >= 8)  # noqa: PLR2004 - the rule's


WESTERN_ELECTRIC: Final = (
    ChartRule(1, "One point is beyond 3 sigma.", 1, beyond_limits),
    ChartRule(
        2,
        "Two of three points in a row are beyond 2 sigma on the same side.",
        3,
        two_of_three_beyond_two_sigma,
    ),
    ChartRule(
        3,
        "Four of five points in a row are beyond 1 sigma on the same side.",
        5,
        four_of_five_beyond_one_sigma,
    ),
    ChartRule(4, "Eight points in a row are on the same side of the centre.", 8, eight_on_one_side),
)
"""Source: Western Electric (1956), Statistical Quality Control Handbook, pages 25 to 28."""

NELSON: Final = (
    WESTERN_ELECTRIC[0],
    ChartRule(2, "Nine points in a row are on the same side of the centre.", 9, nine_on_one_side),
    ChartRule(3, "Six points in a row steadily rise or steadily fall.", 6, six_in_a_trend),
    ChartRule(4, "Fourteen points in a row go up and down in turn.", 14, fourteen_alternating),
    WESTERN_ELECTRIC[1]._replace(number=5),
    WESTERN_ELECTRIC[2]._replace(number=6),
    ChartRule(
        7,
        "Fifteen points in a row are within 1 sigma of the centre.",
        15,
        fifteen_within_one_sigma,
    ),
    ChartRule(
        8,
        "Eight points in a row are beyond 1 sigma of the centre, on either side.",
        8,
        eight_beyond_one_sigma,
    ),
)
"""Source: Nelson (1984), "The Shewhart control chart - tests for special causes", Journal of
Quality Technology 16."""


def _above(chart: Chart, sigmas: float) -> _Mask:
    return (chart.points > chart.centre + sigmas * chart.sigma) & (chart.sigma > 0)


def _below(chart: Chart, sigmas: float) -> _Mask:
    return (chart.points < chart.centre - sigmas * chart.sigma) & (chart.sigma > 0)


def _on_one_side(chart: Chart, sigmas: float, *, needed: int, span: int) -> IndexArray:
    above = _is_often(_above(chart, sigmas), needed, span)
    return _indices(above | _is_often(_below(chart, sigmas), needed, span))


def _run_on_one_side(chart: Chart, length: int) -> IndexArray:
    above = _run_lengths(chart.points > chart.centre)
    below = _run_lengths(chart.points < chart.centre)
    return _indices(np.maximum(above, below) >= length)


def _is_often(mask: _Mask, needed: int, span: int) -> _Mask:
    """Tell where `mask` holds, and with it `needed` of the last `span` places."""
    sums = np.concatenate(([0], np.cumsum(mask)))
    ends = np.arange(1, sums.size)
    return mask & (sums[ends] - sums[np.maximum(ends - span, 0)] >= needed)


def _run_lengths(mask: _Mask) -> IndexArray:
    """Return, for each place, how many in a row hold that end there."""
    places = np.arange(mask.size)
    last_break = np.maximum.accumulate(np.where(mask, -1, places))
    return places - last_break


def _indices(mask: _Mask) -> IndexArray:
    return np.flatnonzero(mask)

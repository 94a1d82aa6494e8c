"""Histograms and control charts of a step's newest values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from service.core.distribution import histogram_of
from service.core.moments import moments_of
from service.core.series import Series, StepValue, series_of
from service.core.spc import (
    Chart,
    ControlChart,
    individuals_chart,
    mean_deviation_chart,
    mean_range_chart,
)
from service.core.spc_rules import NELSON, WESTERN_ELECTRIC, ChartRule, ChartSignal, find_signals
from service.store.database import Database
from service.store.queries.base import Facts, as_time
from service.store.queries.capabilities import head_of
from service.store.queries.filters import Filters
from service.store.queries.step_values import VALUES_MAX, newest_values
from service.store.times import microseconds

POINTS_MAX: Final = 5_000
_CHART_VALUES_MAX: Final = 10_000


class ChartKind(StrEnum):
    """Which pair of charts."""

    INDIVIDUALS = "i"
    MEAN_RANGE = "xbar-r"
    MEAN_DEVIATION = "xbar-s"


class RuleSet(StrEnum):
    """Which rules find signals on the chart of individuals or means."""

    NELSON = "nelson"
    WESTERN_ELECTRIC = "western-electric"


_RULES: Final[Mapping[RuleSet, Sequence[ChartRule]]] = {
    RuleSet.NELSON: NELSON,
    RuleSet.WESTERN_ELECTRIC: WESTERN_ELECTRIC,
}
_BEYOND_LIMITS: Final = NELSON[:1]
"""The one rule for ranges and deviations, which do not scatter evenly."""
_CHARTS: Final[Mapping[ChartKind, Callable[[Sequence[float], int, slice], ControlChart | None]]] = {
    ChartKind.INDIVIDUALS: lambda values, _, baseline: individuals_chart(values, baseline),
    ChartKind.MEAN_RANGE: mean_range_chart,
    ChartKind.MEAN_DEVIATION: mean_deviation_chart,
}


class ChartWish(NamedTuple):
    """What chart is asked for."""

    kind: ChartKind = ChartKind.INDIVIDUALS
    subgroup_size: int = 5
    """2 to 25; of individuals it does not matter."""
    points: int = 200
    """The newest so many."""
    rules: RuleSet = RuleSet.NELSON
    baseline_until: datetime | None = None
    """Points that began before it make the lines; None: all do."""


class _Chosen(NamedTuple):
    """The one series that a chart shows."""

    series: Series
    head: Facts
    is_complete: bool


def histogram(database: Database, filters: Filters, limit: int = VALUES_MAX) -> Facts:
    """Return the histogram of a step's newest values with the limits that judged them.

    `item` is that of the newest value's product, procedure and unit of measure; None with a
    `reason` where there is no value. `also_in` names other procedures that measure the step.
    """
    chosen, answer = _choose(database, filters, limit)
    if chosen is None:
        return answer
    values, bounds = chosen.series.values, chosen.series.bounds
    drawn, moments = histogram_of(values, bounds), moments_of(values)
    assert drawn is not None  # a series has a value
    return answer | {
        "item": chosen.head
        | {
            "value_count": moments.value_count,
            "mean": moments.mean,
            "sigma_overall": moments.sigma,
            "is_complete": chosen.is_complete,
            "edges": drawn.edges.tolist(),
            "counts": drawn.counts.tolist(),
            "under_count": drawn.under_count,
            "over_count": drawn.over_count,
            "below_low_count": drawn.below_low_count,
            "above_high_count": drawn.above_high_count,
        }
    }


def control_chart(database: Database, filters: Filters, wish: ChartWish) -> Facts:
    """Return the control chart of a step's newest values; see `histogram` for which and `item`.

    Subgroups are counted back from the newest value, so that the last one is full. A point names
    its runs; signals name the points that complete a pattern by their index.
    """
    size = 1 if wish.kind is ChartKind.INDIVIDUALS else wish.subgroup_size
    chosen, answer = _choose(database, filters, min(wish.points * size, _CHART_VALUES_MAX))
    if chosen is None:
        return answer
    skipped = len(chosen.series.values) % size
    values, sources = chosen.series.values[skipped:], chosen.series.sources[skipped:]
    groups = [sources[start : start + size] for start in range(0, len(sources), size)]
    baseline = slice(_count_before(groups, wish.baseline_until))
    chart = _CHARTS[wish.kind](values, size, baseline)
    if chart is None:
        least = "two values" if size == 1 else f"a subgroup of {size}"
        return answer | {"reason": f"The lines need {least} at least, which there is not."}
    return answer | {
        "item": chosen.head
        | {
            "chart": wish.kind.value,
            "subgroup_size": size,
            "rules": wish.rules.value,
            "sigma_within": chart.sigma_within,
            "location": _lines(chart.location),
            "spread": _lines(chart.spread),
            "baseline_points": len(groups[baseline]),
            "points": _points(chart, groups),
            "signals": _signals(chart, wish.rules),
            "is_complete": chosen.is_complete,
        }
    }


def _choose(database: Database, filters: Filters, limit: int) -> tuple[_Chosen | None, Facts]:
    """Return the series to show, and an answer without it."""
    found = newest_values(database, filters, limit)
    places = list(found.of)
    answer: Facts = {
        "item": None,
        "reason": found.reason,
        "also_in": sorted({procedure for _, procedure in places[1:]}),
    }
    if len(places) > 1:  # what one of them lacks the others have taken
        product_id, procedure = places[0]
        filters = replace(filters, product_id=product_id, procedure=procedure)
        found = newest_values(database, filters, limit)
    series = [each for values in found.of.values() for each in series_of(values)]
    if not series:
        return None, answer | {"reason": found.reason or "No value is small enough to square."}
    head = head_of(*places[0], filters.step, series[0])
    return _Chosen(series[0], head, found.is_complete), answer


def _count_before(groups: Sequence[Sequence[StepValue]], until: datetime | None) -> int:
    if until is None:
        return len(groups)
    end = microseconds(until)
    return sum(group[0].started_us < end for group in groups)


def _lines(chart: Chart) -> Facts:
    return {"centre": chart.centre, "lower": chart.lower, "upper": chart.upper}


def _points(chart: ControlChart, groups: Sequence[Sequence[StepValue]]) -> list[Facts]:
    spreads = chart.spread.points.tolist()
    spreads = [None] * (len(groups) - len(spreads)) + spreads  # the first has no moving range
    return [
        {
            "timestamp": as_time(group[0].started_us),
            "run_ids": list(dict.fromkeys(each.run_id for each in group)),
            "value": value,
            "spread": spread,
        }
        for group, value, spread in zip(
            groups, chart.location.points.tolist(), spreads, strict=True
        )
    ]


def _signals(chart: ControlChart, rules: RuleSet) -> list[Facts]:
    first = len(chart.location.points) - len(chart.spread.points)
    return [
        *(_signal("location", each, 0) for each in find_signals(chart.location, _RULES[rules])),
        *(_signal("spread", each, first) for each in find_signals(chart.spread, _BEYOND_LIMITS)),
    ]


def _signal(of: str, signal: ChartSignal, first: int) -> Facts:
    return {
        "of": of,
        "number": signal.rule.number,
        "rule": signal.rule.name,
        "points": [index + first for index in signal.indices],
    }

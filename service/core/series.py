"""The values of one step in one unit of measure, with the limits that judged them. Pure: no I/O."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from broker.messages import Comparator
from service.core.capability import Bounds, bounds_of
from service.core.moments import VALUE_MAX
from service.core.units import Factor, conversion

_SAME: Final = Factor(1.0)


class StepValue(NamedTuple):
    """One number that was measured, as it is stored."""

    number: float
    unit: str | None
    run_id: int
    started_us: int
    """Microseconds since 1970 UTC: the start of the run."""
    comparator: Comparator | None
    """None: it was not compared, or could not be."""
    low: float | None
    """In the value's unit, as `high`."""
    high: float | None


class LimitUse(NamedTuple):
    """A limit, and the values it judged."""

    comparator: Comparator
    low: float | None
    """In the series' unit, as `high`."""
    high: float | None
    value_count: int
    first_us: int
    last_us: int

    @property
    def bounds(self) -> Bounds | None:
        """What values must stay between; None where it asks for something else."""
        return bounds_of(self.comparator, self.low, self.high)


class Series(NamedTuple):
    """Values that can stand on one axis."""

    unit: str | None
    """Of the newest value that has one; all others are converted to it."""
    values: tuple[float, ...]
    """In time order, at least one."""
    sources: tuple[StepValue, ...]
    """What they were converted from; same order."""
    limits: tuple[LimitUse, ...]
    """The most recently used first; empty where nothing was compared."""

    @property
    def bounds(self) -> Bounds:
        """What values must stay between by the limit that was used last."""
        return (self.limits[0].bounds if self.limits else None) or Bounds()


def series_of(values: Iterable[StepValue]) -> list[Series]:
    """Part the values of a step by unit of measure.

    A value without a unit is taken for one in the unit of the others. Those that cannot be squared
    are left out.

    Args:
        values: In time order.

    Returns:
        One where all units convert to one another, the newest unit first; empty without values.
    """
    rest = [each for each in values if -VALUE_MAX < each.number < VALUE_MAX]
    found = []
    while rest:
        unit = next((each.unit for each in reversed(rest) if each.unit), None)
        factors = {each: conversion(each, unit) for each in {value.unit for value in rest}}
        alike = [(each, factor) for each in rest if (factor := factors[each.unit])]
        found.append(_series(unit, alike))
        rest = [each for each in rest if factors[each.unit] is None]
    return found


def _series(unit: str | None, alike: Sequence[tuple[StepValue, Factor]]) -> Series:
    return Series(
        unit,
        tuple(_converted(each.number, factor) for each, factor in alike),
        tuple(each for each, _ in alike),
        _limits(alike),
    )


def _converted(number: float, factor: Factor) -> float:
    return number if factor == _SAME else factor.convert(number)


def _limits(alike: Sequence[tuple[StepValue, Factor]]) -> tuple[LimitUse, ...]:
    """Return the limits by their use. Few differ, so each is converted once."""
    starts: dict[tuple[Comparator, float | None, float | None, Factor], list[int]] = {}
    for each, factor in alike:
        if each.comparator is not None:
            key = (each.comparator, each.low, each.high, factor)
            starts.setdefault(key, []).append(each.started_us)
    of_limit: dict[tuple[Comparator, float | None, float | None], list[int]] = {}
    for (comparator, low, high, factor), used in starts.items():
        limit = (comparator, _limit(low, factor), _limit(high, factor))
        of_limit.setdefault(limit, []).extend(used)
    uses = (LimitUse(*limit, len(used), min(used), max(used)) for limit, used in of_limit.items())
    return tuple(sorted(uses, key=lambda use: use.last_us, reverse=True))


def _limit(limit: float | None, factor: Factor) -> float | None:
    return None if limit is None else _converted(limit, factor)

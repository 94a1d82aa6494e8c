"""Compare numbers with numeric limits, in any units that convert. Pure: no I/O.

Where a value has another unit than the limit, the value is converted; the bounds that come back are
in the value's unit, so that a reader can put the two side by side.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeGuard

from broker.messages import Comparator, Outcome, Value
from service.core.rules import Limit
from service.core.units import conversion, round_digits
from service.core.words import quote, say, say_number

# Bound once: a member of an enumeration takes 0.1 µs to look up by name, per measurement.
_PASS: Final = Outcome.PASS
_GELE: Final = Comparator.GELE

BETWEEN: Final[Mapping[Comparator, Callable[[float, float, float], bool]]] = {
    Comparator.GTLT: lambda value, low, high: low < value < high,
    Comparator.GELE: lambda value, low, high: low <= value <= high,
    Comparator.GELT: lambda value, low, high: low <= value < high,
    Comparator.GTLE: lambda value, low, high: low < value <= high,
}
OUTSIDE: Final[Mapping[Comparator, Callable[[float, float, float], bool]]] = {
    Comparator.LTGT: lambda value, low, high: value < low or value > high,
    Comparator.LEGE: lambda value, low, high: value <= low or value >= high,
    Comparator.LEGT: lambda value, low, high: value <= low or value > high,
    Comparator.LTGE: lambda value, low, high: value < low or value >= high,
}
ONE_SIDED: Final[Mapping[Comparator, Callable[[float, float], bool]]] = {
    Comparator.GT: lambda value, limit: value > limit,
    Comparator.GE: lambda value, limit: value >= limit,
    Comparator.LT: lambda value, limit: value < limit,
    Comparator.LE: lambda value, limit: value <= limit,
}
_FLOORS: Final = frozenset({Comparator.GT, Comparator.GE})


class Comparison(NamedTuple):
    """What came of comparing one value with one limit."""

    outcome: Outcome
    reason: str | None = None
    """In words, where it is not PASS."""
    low: float | None = None
    """What the value was compared with, in the value's unit; of EQT the computed bounds."""
    high: float | None = None
    marginal: bool = False


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether `value` is a number; a boolean is not."""
    return type(value) is float or type(value) is int


def compare_two_bounds(value: Value, unit: str | None, limit: Limit) -> Comparison:
    """Compare with low and high, between or outside."""
    if limit.low is None or limit.high is None:
        return lacking(limit, "low and high")
    return _compare_span(value, unit, limit, limit.low, limit.high)


def compare_one_bound(value: Value, unit: str | None, limit: Limit) -> Comparison:
    """Compare with a single limit: in low, or, for LT and LE without one, in high."""
    is_floor = limit.comparator in _FLOORS
    low = limit.low
    high = limit.high if low is None and not is_floor else None
    bound = high if low is None else low
    if bound is None:
        return lacking(limit, "its limit in low")
    number = in_limit_unit(value, unit, limit)
    if isinstance(number, Comparison):
        return number
    if not ONE_SIDED[limit.comparator](number, bound):
        words = _miss(value, unit, number, bound, limit, is_floor=is_floor)
        return _with_bounds(Outcome.FAIL, words, low, high, unit, limit)
    marginal = False
    if limit.marginal_percent is not None:
        margin = abs(bound) * limit.marginal_percent / 100
        marginal = _is_near(number, bound, margin)
    return _with_bounds(_PASS, None, low, high, unit, limit, marginal=marginal)


def compare_tolerance(value: Value, unit: str | None, limit: Limit) -> Comparison:
    """Compare with nominal and a tolerance, both ends included."""
    nominal = limit.nominal
    if not is_number(nominal):
        return lacking(limit, "a number in nominal")
    tolerances = [
        tolerance
        for tolerance in (
            limit.tolerance,
            _share(nominal, limit.tolerance_percent, 100),
            _share(nominal, limit.tolerance_ppm, 1_000_000),
        )
        if tolerance is not None
    ]
    if len(tolerances) != 1:
        return lacking(limit, "one of tolerance, tolerance_percent and tolerance_ppm")
    low, high = round_digits(nominal - tolerances[0]), round_digits(nominal + tolerances[0])
    if not (math.isfinite(low) and math.isfinite(high)):
        return lacking(limit, "a nominal and a tolerance whose sum fits a double")
    return _compare_span(value, unit, limit, low, high)


def compare_equal_number(value: Value, unit: str | None, limit: Limit, bound: float) -> Comparison:
    """Compare for equality (EQ) or difference (NE), exactly."""
    number = in_limit_unit(value, unit, limit)
    if isinstance(number, Comparison):
        return number
    is_equal = number == bound
    if is_equal is (limit.comparator is Comparator.EQ):
        return _with_bounds(_PASS, None, bound, None, unit, limit)
    said = _said(value, unit, limit)
    shown = say_number(bound, limit.unit or unit)
    words = f"{said} is {shown}, which it must not be" if is_equal else f"{said} is not {shown}"
    return _with_bounds(Outcome.FAIL, words, bound, None, unit, limit)


def in_limit_unit(value: Value, unit: str | None, limit: Limit) -> float | Comparison:
    """Return a number in the limit's unit, or the ERROR that says why it cannot be compared."""
    if not is_number(value):
        reason = f"{say(value)} is not a number, but the limit is"
        return Comparison(Outcome.ERROR, reason, limit.low, limit.high)
    if not math.isfinite(value):
        return Comparison(
            Outcome.ERROR, f"{say(value)} is not a finite number", limit.low, limit.high
        )
    if unit == limit.unit or not unit or not limit.unit:
        return value
    factor = conversion(unit, limit.unit)
    if factor is None:
        reason = f"{quote(unit)} does not convert to {quote(limit.unit)}"
        return Comparison(Outcome.ERROR, reason, limit.low, limit.high)
    number = factor.convert(value)
    if not math.isfinite(number):
        reason = f"{say_number(value, unit)} does not fit a double in {quote(limit.unit)}"
        return Comparison(Outcome.ERROR, reason, limit.low, limit.high)
    return number


def lacking(limit: Limit, what: str) -> Comparison:
    """Return the ERROR of a comparator that is not given what it compares with."""
    words = f"{limit.comparator.value} needs {what}"
    return Comparison(Outcome.ERROR, words, limit.low, limit.high)


def _compare_span(
    value: Value, unit: str | None, limit: Limit, low: float, high: float
) -> Comparison:
    number = in_limit_unit(value, unit, limit)
    if isinstance(number, Comparison):
        return number
    comparator = limit.comparator
    outside = OUTSIDE.get(comparator)
    holds = outside or BETWEEN.get(comparator) or BETWEEN[_GELE]  # EQT is GELE of its bounds
    if not holds(number, low, high):
        words = (
            f"{_said(value, unit, limit)} is not outside {say_number(low)} to"
            f" {say_number(high, limit.unit or unit)}"
            if outside
            else _miss(value, unit, number, low, limit, is_floor=True)
            if number <= low
            else _miss(value, unit, number, high, limit, is_floor=False)
        )
        return _with_bounds(Outcome.FAIL, words, low, high, unit, limit)
    marginal = False
    if limit.marginal_percent is not None:
        margin = (high - low) * limit.marginal_percent / 100
        marginal = _is_near(number, low, margin) or _is_near(number, high, margin)
    return _with_bounds(_PASS, None, low, high, unit, limit, marginal=marginal)


def _with_bounds(  # noqa: PLR0913, PLR0917 - on the way of every measurement
    outcome: Outcome,
    reason: str | None,
    low: float | None,
    high: float | None,
    unit: str | None,
    limit: Limit,
    *,
    marginal: bool = False,
) -> Comparison:
    """Return what came of it, with the bounds in the value's unit."""
    if unit and limit.unit and unit != limit.unit:
        back = conversion(limit.unit, unit)
        if back is not None:
            low = None if low is None else back.convert(low)
            high = None if high is None else back.convert(high)
    return Comparison(outcome, reason, low, high, marginal)


def _share(nominal: float, share: float | None, whole: float) -> float | None:
    return None if share is None else abs(nominal) * share / whole


def _is_near(value: float, bound: float, margin: float) -> bool:
    """Tell whether a passing value lies within `margin` of a bound, binary noise aside."""
    return abs(value - bound) <= margin * (1 + 1e-12)


def _miss(  # noqa: PLR0913 - what a sentence needs
    value: Value, unit: str | None, number: float, bound: float, limit: Limit, *, is_floor: bool
) -> str:
    """Say how a value misses a bound, such as `75 V is below 80 V`."""
    said, shown = _said(value, unit, limit), say_number(bound, limit.unit or unit)
    if number == bound:
        return f"{said} is not {'above' if is_floor else 'below'} {shown}"
    return f"{said} is {'below' if is_floor else 'above'} {shown}"


def _said(value: Value, unit: str | None, limit: Limit) -> str:
    return say_number(value, unit or limit.unit) if is_number(value) else say(value)

"""Compare one value with one limit: NI TestStand's comparators, in words. Pure: no I/O.

Number against number only; a boolean is not a number; text equals text. Anything else cannot be
compared, and the reason says why. A machine's values never raise.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias, TypeGuard

from broker.messages import Comparator, Nominal, Outcome, Value
from service.core.patterns import TEXT_CHARS_MAX, is_found, pattern_fault
from service.core.payload import quote, shorten
from service.core.rules import Limit
from service.core.units import conversion, round_digits

_QUOTED_MAX: Final = 5


class Comparison(NamedTuple):
    """What came of comparing one value with one limit."""

    outcome: Outcome
    reason: str | None = None
    """In words, where it is not PASS."""
    low: float | None = None
    """What the value was compared with, in the value's unit; of EQT the computed bounds."""
    high: float | None = None
    marginal: bool = False


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
_PASSED: Final = Comparison(Outcome.PASS)


def compare(value: Value, unit: str | None, limit: Limit) -> Comparison:
    """Compare a value with a limit.

    Args:
        value: In `unit`; a number, text, boolean or None.
        unit: The value's unit of measure; None is taken for the limit's.
        limit: Its bounds, in `limit.unit`, to which the value is converted.

    Returns:
        PASS or FAIL; ERROR and why where the two do not compare.

    Source: comparators as in NI TestStand, see docs/glossary.md.
    """
    comparator = limit.comparator
    if comparator is Comparator.LOG:
        return _PASSED  # recorded, never fails: not even where there is no value
    if value is None:
        return Comparison(Outcome.ERROR, "no value", limit.low, limit.high)
    return _COMPARE[comparator](value, unit, limit)


# -- numbers -------------------------------------------------------------------------------------


class _Scaled(NamedTuple):
    """A number and its bounds, ready to compare."""

    value: float
    low: float | None
    high: float | None
    shown: str
    """The value as sent, with its unit."""
    unit: str
    """The limits' unit with a space before it, for reasons."""
    low_shown: float | None
    """The bounds in the value's unit."""
    high_shown: float | None


def _compare_between(value: Value, unit: str | None, limit: Limit) -> Comparison:
    return _compare_bounds(value, unit, limit, limit.low, limit.high)


def _compare_bounds(
    value: Value, unit: str | None, limit: Limit, low: float | None, high: float | None
) -> Comparison:
    if low is None or high is None:
        return _missing(limit, "low and high")
    scaled = _scale(value, unit, limit, low, high)
    if isinstance(scaled, Comparison):
        return scaled
    comparator = limit.comparator
    is_outside = comparator in OUTSIDE
    holds = OUTSIDE[comparator] if is_outside else BETWEEN.get(comparator, BETWEEN[Comparator.GELE])
    if not holds(scaled.value, low, high):
        return _failed(scaled, _between_words(scaled, low, high) if is_outside else None)
    marginal = False
    if limit.marginal_percent is not None:
        margin = (high - low) * limit.marginal_percent / 100
        sides = (-margin, margin) if is_outside else (margin, -margin)
        marginal = _is_near(scaled.value, low, sides[0]) or _is_near(scaled.value, high, sides[1])
    return Comparison(Outcome.PASS, None, scaled.low_shown, scaled.high_shown, marginal)


def _compare_one_sided(value: Value, unit: str | None, limit: Limit) -> Comparison:
    low, high = limit.low, None
    is_floor = limit.comparator in {Comparator.GT, Comparator.GE}
    if low is None and not is_floor:
        high = limit.high  # a single limit of LT or LE is meant, wherever it stands
    bound = high if low is None else low
    if bound is None:
        return _missing(limit, "its limit in low")
    scaled = _scale(value, unit, limit, low, high)
    if isinstance(scaled, Comparison):
        return scaled
    if not ONE_SIDED[limit.comparator](scaled.value, bound):
        return _failed(scaled, _one_sided_words(scaled, bound, is_floor=is_floor))
    marginal = False
    if limit.marginal_percent is not None:
        margin = abs(bound) * limit.marginal_percent / 100
        marginal = _is_near(scaled.value, bound, margin if is_floor else -margin)
    return Comparison(Outcome.PASS, None, scaled.low_shown, scaled.high_shown, marginal)


def _compare_tolerance(value: Value, unit: str | None, limit: Limit) -> Comparison:
    nominal = limit.nominal
    if not _is_number(nominal):
        return _missing(limit, "a number in nominal")
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
        return _missing(limit, "one of tolerance, tolerance_percent and tolerance_ppm")
    low, high = round_digits(nominal - tolerances[0]), round_digits(nominal + tolerances[0])
    if not (math.isfinite(low) and math.isfinite(high)):
        return _missing(limit, "a nominal and a tolerance whose sum fits a double")
    return _compare_bounds(value, unit, limit, low, high)


def _share(nominal: float, share: float | None, whole: float) -> float | None:
    return None if share is None else abs(nominal) * share / whole


def _scale(
    value: Value, unit: str | None, limit: Limit, low: float | None, high: float | None
) -> _Scaled | Comparison:
    """Bring a value into the limit's unit, or say why it cannot be."""
    if not _is_number(value):
        return Comparison(
            Outcome.ERROR, f"{_say(value)} is not a number, but the limit is", low, high
        )
    to_unit = limit.unit
    if unit == to_unit or not unit or not to_unit:
        shown = _with_unit(value, unit or to_unit)
        return _Scaled(value, low, high, shown, _spaced(to_unit or unit), low, high)
    factor, back = conversion(unit, to_unit), conversion(to_unit, unit)
    if factor is None or back is None:
        reason = f"{quote(unit)} does not convert to {quote(to_unit)}"
        return Comparison(Outcome.ERROR, reason, low, high)
    converted = factor.convert(value)
    low_shown = None if low is None else back.convert(low)
    high_shown = None if high is None else back.convert(high)
    if not all(map(math.isfinite, (converted, low_shown or 0.0, high_shown or 0.0))):
        return Comparison(Outcome.ERROR, f"{_say(value)} does not fit a double in {to_unit}")
    shown, limit_unit = _with_unit(value, unit), _spaced(to_unit)
    return _Scaled(converted, low, high, shown, limit_unit, low_shown, high_shown)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, float | int) and not isinstance(value, bool)


def _is_near(value: float, bound: float, margin: float) -> bool:
    """Tell whether a passing value lies between a bound and the bound moved by `margin`."""
    edge = round_digits(bound + margin)
    return bound <= value <= edge if margin >= 0 else edge <= value <= bound


# -- text, booleans, sets ------------------------------------------------------------------------


def _compare_equal(value: Value, unit: str | None, limit: Limit) -> Comparison:
    bound = limit.nominal if limit.low is None else limit.low
    if bound is None:
        return _missing(limit, "a limit in low or nominal")
    if _is_number(bound):
        scaled = _scale(value, unit, limit, bound, None)
        if isinstance(scaled, Comparison):
            return scaled
        is_equal, shown = scaled.value == bound, f"{_number(bound)}{scaled.unit}"
        low, said = scaled.low_shown, scaled.shown
    else:
        if type(value) is not type(bound):
            return _unlike(value, bound)
        is_equal, shown, low, said = value == bound, _say(bound), None, _say(value)
    if is_equal is (limit.comparator is Comparator.EQ):
        return Comparison(Outcome.PASS, None, low)
    words = f"{said} is not {shown}" if not is_equal else f"{said} is {shown}, which it must not be"
    return Comparison(Outcome.FAIL, words, low)


def _compare_text(value: Value, _: str | None, limit: Limit) -> Comparison:
    nominal = limit.nominal
    if not isinstance(nominal, str):
        return _missing(limit, "a text in nominal")
    if not isinstance(value, str):
        return _unlike(value, nominal)
    if limit.comparator is Comparator.CASESENSIT:
        is_equal = value == nominal
    else:
        is_equal = value.casefold() == nominal.casefold()
    if is_equal:
        return _PASSED
    return Comparison(Outcome.FAIL, f"{_say(value)} is not {_say(nominal)}")


def _compare_pattern(value: Value, _: str | None, limit: Limit) -> Comparison:
    pattern = limit.nominal
    if not isinstance(pattern, str):
        return _missing(limit, "a pattern in nominal")
    if not isinstance(value, str):
        return _unlike(value, pattern)
    if fault := pattern_fault(pattern):
        return Comparison(Outcome.ERROR, f"pattern {quote(pattern)} cannot be used: {fault}")
    if len(value) > TEXT_CHARS_MAX:
        return Comparison(
            Outcome.ERROR, f"a text of {len(value):,} characters is too long for REGEX"
        )
    if is_found(pattern, value):
        return _PASSED
    return Comparison(Outcome.FAIL, f"{_say(value)} does not match {quote(pattern)}")


def _compare_set(value: Value, unit: str | None, limit: Limit) -> Comparison:
    members = limit.nominal
    if not isinstance(members, tuple):
        return _missing(limit, "a list in nominal")
    kind = float if _is_number(value) else type(value)
    alike = [each for each in members if type(each) is kind]
    if not alike:
        return Comparison(
            Outcome.ERROR, f"{_say(value)} is of another kind than every member of the set"
        )
    wanted: Value = value
    if _is_number(value):
        scaled = _scale(value, unit, limit, None, None)
        if isinstance(scaled, Comparison):
            return scaled
        wanted = scaled.value
    if wanted in alike:
        return _PASSED
    shown = ", ".join(_say(each) for each in alike[:_QUOTED_MAX])
    more = ", …" if len(alike) > _QUOTED_MAX else ""
    return Comparison(Outcome.FAIL, f"{_say(value)} is none of {shown}{more}")


# -- words ---------------------------------------------------------------------------------------


def _missing(limit: Limit, what: str) -> Comparison:
    return Comparison(
        Outcome.ERROR, f"{limit.comparator.value} needs {what}", limit.low, limit.high
    )


def _unlike(value: Value, bound: Nominal) -> Comparison:
    kind = (
        "text" if isinstance(bound, str) else "a boolean" if isinstance(bound, bool) else "a list"
    )
    return Comparison(Outcome.ERROR, f"{_say(value)} is not {kind}, but the limit is")


def _failed(scaled: _Scaled, words: str | None) -> Comparison:
    if words is None:
        words = _bound_words(scaled)
    return Comparison(Outcome.FAIL, words, scaled.low_shown, scaled.high_shown)


def _bound_words(scaled: _Scaled) -> str:
    if scaled.low is not None and scaled.value <= scaled.low:
        return _one_sided_words(scaled, scaled.low, is_floor=True)
    return _one_sided_words(scaled, scaled.high or 0.0, is_floor=False)


def _one_sided_words(scaled: _Scaled, bound: float, *, is_floor: bool) -> str:
    limit = f"{_number(bound)}{scaled.unit}"
    if scaled.value == bound:
        return f"{scaled.shown} is not {'above' if is_floor else 'below'} {limit}"
    return f"{scaled.shown} is {'below' if is_floor else 'above'} {limit}"


def _between_words(scaled: _Scaled, low: float, high: float) -> str:
    return f"{scaled.shown} is not outside {_number(low)} to {_number(high)}{scaled.unit}"


def _number(value: float) -> str:
    """Return the digits as sent: the shortest that read back as this number."""
    return repr(float(value)).removesuffix(".0")


def _with_unit(value: float, unit: str | None) -> str:
    return f"{_number(value)}{_spaced(unit)}"


def _spaced(unit: str | None) -> str:
    return f" {shorten(unit, 20)}" if unit else ""


def _say(value: Value) -> str:
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "no value"}[value]
    return _number(value)


_Compare: TypeAlias = Callable[[Value, str | None, Limit], Comparison]
_COMPARE: Final[Mapping[Comparator, _Compare]] = {
    **dict.fromkeys(BETWEEN, _compare_between),
    **dict.fromkeys(OUTSIDE, _compare_between),
    **dict.fromkeys(ONE_SIDED, _compare_one_sided),
    Comparator.EQ: _compare_equal,
    Comparator.NE: _compare_equal,
    Comparator.EQT: _compare_tolerance,
    Comparator.REGEX: _compare_pattern,
    Comparator.IN: _compare_set,
    Comparator.CASESENSIT: _compare_text,
    Comparator.IGNORECASE: _compare_text,
}

"""Compare one value with one limit: NI TestStand's comparators, in words. Pure: no I/O.

Number against number only; a boolean is not a number; text equals text. Anything else cannot be
compared, and the reason says why. A machine's values never raise.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from broker.messages import Comparator, Nominal, Outcome, Value
from service.core.numeric import (
    BETWEEN,
    ONE_SIDED,
    OUTSIDE,
    Comparison,
    compare_equal_number,
    compare_one_bound,
    compare_tolerance,
    compare_two_bounds,
    in_limit_unit,
    is_number,
    lacking,
)
from service.core.patterns import TEXT_CHARS_MAX, is_found, pattern_fault
from service.core.rules import Limit
from service.core.words import quote, say

_QUOTED_MAX: Final = 5
PASSED: Final = Comparison(Outcome.PASS)


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
    if value is None and limit.comparator is not _LOG:
        return Comparison(Outcome.ERROR, "no value", limit.low, limit.high)
    return _COMPARE[limit.comparator](value, unit, limit)


# -- text, booleans, sets ------------------------------------------------------------------------


def _compare_equal(value: Value, unit: str | None, limit: Limit) -> Comparison:
    bound = limit.nominal if limit.low is None else limit.low
    if bound is None:
        return lacking(limit, "a limit in low or nominal")
    if is_number(bound):
        return compare_equal_number(value, unit, limit, bound)
    if type(value) is not type(bound):
        return _unlike(value, bound)
    is_equal = value == bound
    if is_equal is (limit.comparator is Comparator.EQ):
        return PASSED
    says = say(value)
    if is_equal:
        return Comparison(Outcome.FAIL, f"{says} is {says}, which it must not be")
    return Comparison(Outcome.FAIL, f"{says} is not {_say_limit(bound)}")


def _compare_text(value: Value, _: str | None, limit: Limit) -> Comparison:
    nominal = limit.nominal
    if not isinstance(nominal, str):
        return lacking(limit, "a text in nominal")
    if not isinstance(value, str):
        return _unlike(value, nominal)
    if limit.comparator is Comparator.CASESENSIT:
        is_equal = value == nominal
    else:
        is_equal = value.casefold() == nominal.casefold()
    if is_equal:
        return PASSED
    return Comparison(Outcome.FAIL, f"{say(value)} is not {say(nominal)}")


def _compare_pattern(value: Value, _: str | None, limit: Limit) -> Comparison:
    pattern = limit.nominal
    if not isinstance(pattern, str):
        return lacking(limit, "a pattern in nominal")
    if not isinstance(value, str):
        return _unlike(value, pattern)
    if fault := pattern_fault(pattern):
        return Comparison(Outcome.ERROR, f"pattern {quote(pattern)} cannot be used: {fault}")
    if len(value) > TEXT_CHARS_MAX:
        return Comparison(
            Outcome.ERROR, f"a text of {len(value):,} characters is too long for REGEX"
        )
    if is_found(pattern, value):
        return PASSED
    return Comparison(Outcome.FAIL, f"{say(value)} does not match {quote(pattern)}")


def _compare_set(value: Value, unit: str | None, limit: Limit) -> Comparison:
    members = limit.nominal
    if not isinstance(members, tuple):
        return lacking(limit, "a list in nominal")
    kind = float if is_number(value) else type(value)
    alike = [each for each in members if type(each) is kind]
    if not alike:
        return Comparison(
            Outcome.ERROR, f"{say(value)} is of another kind than every member of the set"
        )
    wanted: Value = value
    if is_number(value):
        number = in_limit_unit(value, unit, limit)
        if isinstance(number, Comparison):
            return number
        wanted = number
    if wanted in alike:
        return PASSED
    shown = ", ".join(say(each) for each in alike[:_QUOTED_MAX])
    more = ", …" if len(alike) > _QUOTED_MAX else ""
    return Comparison(Outcome.FAIL, f"{say(value)} is none of {shown}{more}")


def _record(_: Value, __: str | None, ___: Limit) -> Comparison:
    return PASSED  # LOG never fails, not even where there is no value


def _unlike(value: Value, bound: Nominal) -> Comparison:
    kind = {str: "text", bool: "a boolean"}.get(type(bound), "a list")
    return Comparison(Outcome.ERROR, f"{say(value)} is not {kind}, but the limit is")


def _say_limit(bound: Nominal) -> str:
    return "a list" if isinstance(bound, tuple) else say(bound)


_LOG: Final = Comparator.LOG
_Compare: TypeAlias = Callable[[Value, str | None, Limit], Comparison]
_COMPARE: Final[Mapping[Comparator, _Compare]] = {
    **dict.fromkeys(BETWEEN, compare_two_bounds),
    **dict.fromkeys(OUTSIDE, compare_two_bounds),
    **dict.fromkeys(ONE_SIDED, compare_one_bound),
    Comparator.LOG: _record,
    Comparator.EQ: _compare_equal,
    Comparator.NE: _compare_equal,
    Comparator.EQT: compare_tolerance,
    Comparator.REGEX: _compare_pattern,
    Comparator.IN: _compare_set,
    Comparator.CASESENSIT: _compare_text,
    Comparator.IGNORECASE: _compare_text,
}

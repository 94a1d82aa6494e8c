"""A rulebook as text: TOML in, rules out. Every fault is one sentence.

The text is what people write and what the store keeps per version; `Rulebook` in service/core is
what judges. No I/O here either: reading the file is the caller's.
"""

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from broker.errors import RulebookError
from broker.messages import Comparator, Severity
from service.core.rules import SELECTORS, Rule, default_comparator, find_tie
from service.rulebook_checks import TOLERANCES, Complaint, check_rule

_TEXT_CHARS_MAX: Final = 128
_NUMBERS: Final = frozenset({"low", "high", "marginal_percent", *TOLERANCES})
_TEXTS: Final = frozenset({"id", "unit", *SELECTORS})
_KEYS: Final = (
    "id",
    *SELECTORS,
    "expression",
    "units",
    "comparator",
    "low",
    "high",
    "nominal",
    *TOLERANCES,
    "unit",
    "required",
    "marginal_percent",
    "severity",
)
"""Every key of a rule, in the order in which a fault lists them."""
_LIMITS: Final = frozenset({"comparator", "low", "high", "nominal"})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_KEY_PARTS_MAX: Final = 20
_KEY_PART: Final = r"""(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_DEEP_KEY: Final = re.compile(
    rf"(?<![\w\\-]){_KEY_PART}(?:[ \t]*+\.[ \t]*+{_KEY_PART}){{{_KEY_PARTS_MAX}}}"
)
"""Of a key like `a.b.c` tomllib takes time and memory by the square of its parts, or worse: one of
50,000 would end the process. Matched in linear time."""


def parse_rulebook(text: str, origin: str) -> tuple[Rule, ...]:
    """Read the rules of a rulebook.

    Args:
        text: TOML, a `[[rule]]` table for each; none is a rulebook without rules.
        origin: Where the text is from, for the sentence.

    Returns:
        In the order of the text.

    Raises:
        RulebookError: One sentence: the origin, the rule's id, what is wrong and what to do.
    """
    if _DEEP_KEY.search(text):
        raise RulebookError(
            f"{origin}: more than {_KEY_PARTS_MAX} names hang together by dots. Write each rule"
            " below [[rule]]."
        )
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits, deep nesting
        raise RulebookError(f"{origin} is not TOML: {error}. Correct it there.") from error
    unknown = next((key for key in document if key != "rule"), None)
    if unknown is not None:
        raise RulebookError(f"{origin}: {unknown!r} is not known. Write each rule below [[rule]].")
    tables = document.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise RulebookError(f"{origin}: rule is no list of tables. Write [[rule]] above each rule.")
    rules = tuple(
        _read_rule(table, Complaint(origin, _name(table, number)))
        for number, table in enumerate(tables, start=1)
    )
    _check_ids(rules, origin)
    _check_ties(rules, origin)
    return rules


# -- reading -------------------------------------------------------------------------------------


def _name(table: Mapping[str, Any], number: int) -> str:
    """Return a rule's id in quotes, or its place where it has none."""
    given = table.get("id")
    return repr(given[:_TEXT_CHARS_MAX]) if isinstance(given, str) and given else f"no. {number}"


def _read_rule(table: Mapping[str, Any], complain: Complaint) -> Rule:
    for key in table:
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.5)
            hint = f"Did you mean {close[0]}?" if close else f"Use one of {', '.join(_KEYS)}."
            complain(f"{key!r} is not known. {hint}")
    if "id" not in table:
        complain("id is missing. Give it one that tells what it checks.")
    values: dict[str, Any] = {
        key: _READERS[key](key, value, complain) for key, value in table.items()
    }
    if "expression" in values and not values.keys() & _LIMITS:
        values |= {"comparator": Comparator.EQ, "nominal": True}  # it has to be true
    if "comparator" not in values:
        values["comparator"] = _comparator_by_limits(values, complain)
    rule = Rule(**values)
    check_rule(rule, complain)
    return rule


def _read_text(key: str, value: object, complain: Complaint) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _TEXT_CHARS_MAX:
        complain(f"{key} {value!r:.60} is not a text of 1 to {_TEXT_CHARS_MAX} characters.")
    if _CONTROL.search(value):
        complain(f"{key} {value!r:.60} holds a control character. Leave it out.")
    return value


def _read_expression(key: str, value: object, complain: Complaint) -> str:
    if not isinstance(value, str):
        complain(f"{key} {value!r:.60} is not a text. Write it in quotes.")
    return value


def _read_truth(key: str, value: object, complain: Complaint) -> bool:
    if not isinstance(value, bool):
        complain(f"{key} is {value!r:.60}. Write true or false.")
    return value


def _read_units(key: str, value: object, complain: Complaint) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not value:
        complain(f"{key} {value!r:.60} is no table. Write {{ v_in = 'V' }}, a step and its unit.")
    return tuple(
        (_read_text(key, step, complain), _read_text(f"{key}, {step!r:.60}:", unit, complain))
        for step, unit in sorted(value.items())
    )


def _read_number(key: str, value: object, complain: Complaint) -> float:
    number = _read_finite(key, value, complain)
    if key not in {"low", "high"} and number < 0:
        complain(f"{key} {number:g} is negative. Write how far from the limit, 0 or more.")
    return number


def _read_finite(key: str, value: object, complain: Complaint) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        complain(f"{key} {value!r:.60} is not a number. Write it without quotes.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        complain(f"{key} is not finite. Leave it out where there is no limit.")
    return number


def _read_choice(key: str, value: object, complain: Complaint) -> Comparator | Severity:
    kind: type[Comparator | Severity] = Comparator if key == "comparator" else Severity
    choices = {str(each.value): each for each in kind}
    if isinstance(value, str) and value in choices:
        return choices[value]
    close = difflib.get_close_matches(str(value)[:40], choices, n=1, cutoff=0.3)
    hint = f" Did you mean {close[0]}?" if close else ""
    return complain(f"{key} {value!r:.60} is none of {', '.join(choices)}.{hint}")


def _read_nominal(key: str, value: object, complain: Complaint) -> object:
    if isinstance(value, list):
        if not value:
            complain(f"{key} is an empty list. Name what is allowed.")
        return tuple(_read_scalar(each, complain) for each in value)
    return _read_scalar(value, complain)


def _read_scalar(value: object, complain: Complaint) -> float | bool | str:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return _read_finite("nominal", value, complain)
    return complain(f"nominal {value!r:.60} is not a number, text, boolean or a list of them.")


_READERS: Final[Mapping[str, Callable[[str, object, Complaint], object]]] = {
    **dict.fromkeys(_NUMBERS, _read_number),
    **dict.fromkeys(_TEXTS, _read_text),
    "expression": _read_expression,
    "units": _read_units,
    "required": _read_truth,
    "nominal": _read_nominal,
    "comparator": _read_choice,
    "severity": _read_choice,
}


def _comparator_by_limits(values: Mapping[str, Any], complain: Complaint) -> Comparator:
    comparator = default_comparator(values.get("low"), values.get("high"))
    if comparator is not None:
        return comparator
    if "nominal" in values:
        complain("nominal needs a comparator. Add one, such as EQ, EQT, REGEX or IN.")
    return complain("has no limit. Give it low, high or both, or comparator LOG.")


# -- what a rulebook must be -----------------------------------------------------------------------


def _check_ids(rules: Sequence[Rule], origin: str) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            raise RulebookError(
                f"{origin}, rule {rule.id!r}: the id stands twice. Give one of them another."
            )
        seen.add(rule.id)


def _check_ties(rules: Sequence[Rule], origin: str) -> None:
    tie = find_tie(rules)
    if tie is None:
        return
    one, other = tie
    raise RulebookError(
        f"{origin}, rule {one.id!r}: ties with rule {other.id!r}, both apply to some measurement"
        " and neither is more specific. Make a selector of one exact or longer."
    )

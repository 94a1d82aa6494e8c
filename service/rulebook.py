"""A rulebook as text: TOML in, rules out, and back. Every fault is one sentence.

The text is what people write and what the store keeps per version; `Rulebook` in service/core is
what judges. No I/O here either: reading the file is the caller's.
"""

import difflib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, NoReturn

from broker.errors import RulebookError
from broker.messages import Comparator, Severity
from service.core.globs import read_glob
from service.core.numeric import BETWEEN, ONE_SIDED, OUTSIDE
from service.core.patterns import pattern_fault
from service.core.rules import SELECTORS, Rule, default_comparator, find_tie

_TEXT_CHARS_MAX: Final = 128
_TOLERANCES: Final = ("tolerance", "tolerance_percent", "tolerance_ppm")
_NUMBERS: Final = frozenset({"low", "high", "marginal_percent", *_TOLERANCES})
_TEXTS: Final = frozenset({"id", "unit", *SELECTORS})
_KEYS: Final = (
    "id",
    *SELECTORS,
    "comparator",
    "low",
    "high",
    "nominal",
    *_TOLERANCES,
    "unit",
    "required",
    "marginal_percent",
    "severity",
)
"""Every key of a rule, in the order in which it is written."""
_DEFAULTS: Final[Mapping[str, object]] = {each.name: each.default for each in fields(Rule)}
_BOUNDED: Final = frozenset({*BETWEEN, *OUTSIDE})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_IN_NOMINAL: Final = {
    Comparator.EQT: "a number",
    Comparator.REGEX: "a pattern",
    Comparator.IN: "a list",
    Comparator.CASESENSIT: "a text",
    Comparator.IGNORECASE: "a text",
}


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
        _read_rule(table, _Complaint(origin, _name(table, number)))
        for number, table in enumerate(tables, start=1)
    )
    _check_ids(rules, origin)
    _check_ties(rules, origin)
    return rules


def format_rulebook(rules: Iterable[Rule]) -> str:
    """Write rules as TOML, in order, leaving out what has its default.

    `parse_rulebook` reads the same rules back.
    """
    return "\n".join(_format_rule(rule) for rule in rules)


# -- reading -------------------------------------------------------------------------------------


class _Complaint:
    """Raises the sentence about one rule."""

    def __init__(self, origin: str, name: str) -> None:
        self._where = f"{origin}, rule {name}"

    def __call__(self, what: str) -> NoReturn:
        raise RulebookError(f"{self._where}: {what}")


def _name(table: Mapping[str, Any], number: int) -> str:
    """Return a rule's id in quotes, or its place where it has none."""
    given = table.get("id")
    return repr(given[:_TEXT_CHARS_MAX]) if isinstance(given, str) and given else f"no. {number}"


def _read_rule(table: Mapping[str, Any], complain: _Complaint) -> Rule:
    for key in table:
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.5)
            hint = f"Did you mean {close[0]}?" if close else f"Use one of {', '.join(_KEYS)}."
            complain(f"{key!r} is not known. {hint}")
    if "id" not in table:
        complain("id is missing. Give it one that tells what it checks.")
    values: dict[str, Any] = {
        key: _read_value(key, value, complain) for key, value in table.items()
    }
    if "comparator" not in values:
        values["comparator"] = _comparator_by_limits(values, complain)
    rule = Rule(**values)
    _check_selectors(rule, complain)
    _check_limit(rule, complain)
    return rule


def _read_value(key: str, value: object, complain: _Complaint) -> object:
    if key in _NUMBERS:
        return _read_number(key, value, complain)
    if key in _TEXTS:
        if not isinstance(value, str) or not 0 < len(value) <= _TEXT_CHARS_MAX:
            complain(f"{key} {value!r:.60} is not a text of 1 to {_TEXT_CHARS_MAX} characters.")
        if _CONTROL.search(value):
            complain(f"{key} {value!r:.60} holds a control character. Leave it out.")
        return value
    if key == "required":
        if not isinstance(value, bool):
            complain(f"required is {value!r:.60}. Write true or false.")
        return value
    if key == "nominal":
        return _read_nominal(value, complain)
    return _read_choice(key, value, Comparator if key == "comparator" else Severity, complain)


def _read_number(key: str, value: object, complain: _Complaint) -> float:
    number = _read_finite(key, value, complain)
    if key not in {"low", "high"} and number < 0:
        complain(f"{key} {number:g} is negative. Write how far from the limit, 0 or more.")
    return number


def _read_finite(key: str, value: object, complain: _Complaint) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        complain(f"{key} {value!r:.60} is not a number. Write it without quotes.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        complain(f"{key} is not finite. Leave it out where there is no limit.")
    return number


def _read_choice(
    key: str, value: object, kind: type[Comparator | Severity], complain: _Complaint
) -> Comparator | Severity:
    choices = {str(each.value): each for each in kind}
    if isinstance(value, str) and value in choices:
        return choices[value]
    close = difflib.get_close_matches(str(value)[:40], choices, n=1, cutoff=0.3)
    hint = f" Did you mean {close[0]}?" if close else ""
    return complain(f"{key} {value!r:.60} is none of {', '.join(choices)}.{hint}")


def _read_nominal(value: object, complain: _Complaint) -> object:
    if isinstance(value, list):
        if not value:
            complain("nominal is an empty list. Name what is allowed.")
        return tuple(_read_scalar(each, complain) for each in value)
    return _read_scalar(value, complain)


def _read_scalar(value: object, complain: _Complaint) -> float | bool | str:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return _read_finite("nominal", value, complain)
    return complain(f"nominal {value!r:.60} is not a number, text, boolean or a list of them.")


def _comparator_by_limits(values: Mapping[str, Any], complain: _Complaint) -> Comparator:
    comparator = default_comparator(values.get("low"), values.get("high"))
    if comparator is not None:
        return comparator
    if "nominal" in values:
        complain("nominal needs a comparator. Add one, such as EQ, EQT, REGEX or IN.")
    return complain("has no limit. Give it low, high or both, or comparator LOG.")


# -- what a rule must be ---------------------------------------------------------------------------


def _check_selectors(rule: Rule, complain: _Complaint) -> None:
    for name in SELECTORS:
        try:
            read_glob(getattr(rule, name))
        except ValueError as error:
            complain(f"{name} {getattr(rule, name)!r}: {error}.")
    if rule.required and not rule.globs()[0].is_exact:
        complain(
            f"required needs one exact test_step, not {rule.test_step!r}. Name the step, or leave"
            " required out. A [ in a name is written [[]."
        )


def _check_limit(rule: Rule, complain: _Complaint) -> None:
    comparator = rule.comparator
    if comparator in _BOUNDED:
        _check_bounds(rule, complain)
    elif comparator in ONE_SIDED:
        _check_one_sided(rule, complain)
    elif comparator in {Comparator.EQ, Comparator.NE}:
        if (rule.low is None) is (rule.nominal is None) or isinstance(rule.nominal, tuple):
            complain(
                f"{comparator} needs one limit. Write a number in low, or anything in nominal."
            )
    elif wanted := _IN_NOMINAL.get(comparator):
        _check_nominal(rule, wanted, complain)
    _check_unused(rule, complain)


def _check_bounds(rule: Rule, complain: _Complaint) -> None:
    if rule.low is None or rule.high is None:
        complain(f"{rule.comparator} needs low and high. Add the one that is missing.")
    if rule.low > rule.high:
        hint = "" if rule.comparator in OUTSIDE else ", or use comparator LTGT"
        complain(f"low {rule.low:g} is above high {rule.high:g}. Swap them{hint}.")


def _check_one_sided(rule: Rule, complain: _Complaint) -> None:
    if rule.low is not None and rule.high is not None:
        complain(f"{rule.comparator} has one limit. Leave out high, or use comparator GELE.")
    takes_high = rule.comparator in {Comparator.LT, Comparator.LE}
    if rule.low is None and (rule.high is None or not takes_high):
        complain(f"{rule.comparator} needs its limit in low. Add it.")


def _check_nominal(rule: Rule, wanted: str, complain: _Complaint) -> None:
    nominal = rule.nominal
    kinds = {"a number": float, "a list": tuple, "a pattern": str, "a text": str}
    if nominal is None or type(nominal) is not kinds[wanted]:
        complain(f"{rule.comparator} needs {wanted} in nominal. Write it there.")
    if rule.comparator is Comparator.REGEX:
        fault = pattern_fault(str(nominal))
        if fault:
            complain(f"nominal {nominal!r:.60} is not a pattern: {fault}. Correct it.")


def _check_unused(rule: Rule, complain: _Complaint) -> None:
    """Refuse what the comparator would silently ignore: its writer expects something of it."""
    comparator = rule.comparator
    given = [name for name in _TOLERANCES if getattr(rule, name) is not None]
    if comparator is Comparator.EQT and len(given) != 1:
        complain(f"EQT needs exactly one of {', '.join(_TOLERANCES)}.")
    if comparator is not Comparator.EQT and given:
        complain(f"{given[0]} belongs to comparator EQT, not {comparator}. Leave out one of them.")
    has_span = comparator in _BOUNDED or comparator in ONE_SIDED or comparator is Comparator.EQT
    if rule.marginal_percent is not None and not has_span:
        complain(f"marginal_percent means nothing with comparator {comparator}. Leave it out.")
    if comparator in _IN_NOMINAL or comparator is Comparator.LOG:
        bound = next((name for name in ("low", "high") if getattr(rule, name) is not None), None)
        if bound:
            complain(f"{bound} means nothing with comparator {comparator}. Leave it out.")
    if comparator in {Comparator.EQ, Comparator.NE} and rule.high is not None:
        complain(f"high means nothing with comparator {comparator}. Leave it out.")


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


# -- writing -------------------------------------------------------------------------------------


def _format_rule(rule: Rule) -> str:
    lines = ["[[rule]]"]
    for key in _KEYS:
        value = getattr(rule, key)
        if key in {"id", "comparator"} or value != _DEFAULTS[key]:
            lines.append(f"{key} = {_format_value(value)}")
    return "\n".join([*lines, ""])


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_format_value, value))}]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + _CONTROL.sub(_escape, escaped) + '"'


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"

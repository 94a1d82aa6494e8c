"""What one Keysight test record comes to: the fields of a measurement. Pure: no I/O.

Text here holds one character a byte, as in `i3070_records`; `word` reads it.
"""

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple

from edge_agent.formats import text
from edge_agent.formats.runs import pass_fail

UNITS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("RES", "JUM", "FUS", "POT", "SWI"), "Ohm"),
    **dict.fromkeys(("DIO", "ZEN"), "V"),
    "CAP": "F",
    "IND": "H",
}
"""Unit of measure by the last part of `A-xxx`; the log prints none."""


class Places(NamedTuple):
    """Where in a test record its fields stand, from 0."""

    status: int
    designator: int


PASS_FAIL: Final[Mapping[str, Places]] = {
    "D-T": Places(0, 4),
    "TJET": Places(0, 2),
    "PRB": Places(0, 2),
    "CCHK": Places(0, 2),
    "TS": Places(0, 4),
    "PF": Places(1, 0),
    "BS-CON": Places(1, 0),
    "PCHK": Places(0, 1),
}
"""Tests without a number."""
LIMIT_COUNTS: Final[Mapping[str, int]] = {"LIM2": 2, "LIM3": 3}
_OUTCOMES: Final[Mapping[int | None, str]] = {0: "PASS", 11: "ABORTED"}
_CODE_DIGITS_MAX: Final = 9
_VALUE: Final = 1

_is_whole = re.compile(r"[+-][0-9]\.[0-9]{6}E[+-][0-9]{2}").fullmatch
_is_stump = re.compile(r"[+-]?[0-9]+\.[0-9]*E[+-]?[0-9]?").fullmatch
_board_number = re.compile(r"[0-9]+%(?=.)").match

_NUMBER: Final = r"([+-][0-9]\.[0-9]{6}E(?:-[0-9]{2}|\+[0-8][0-9]))"
_LIMIT: Final = rf"(?:[+-]9\.999999E\+99|{_NUMBER})"
_WORD: Final = r"[!-\[\]-z]{1,60}"
PLAIN_BLOCK: Final = re.compile(
    rf"[\r\n]{{0,4}}\{{@BLOCK\|(?:[0-9]+%)?({_WORD})\|0{{1,4}}[\r\n]{{0,4}}"
    rf"\{{@A-([A-Z]{{3}})\|0{{1,4}}\|{_NUMBER}(?:\|({_WORD})?)?"
    rf"\{{@LIM(?:2|3\|{_LIMIT})\|{_LIMIT}\|{_LIMIT}\}}\}}[\r\n]{{0,4}}\}}"
)
"""A block of one good value with limits, most of a log, in one step: for speed alone.

Its groups: block, A-xxx, value, subtest, nominal, high, low; a limit that is none is None. The
contract accepts what it can say: short names of printable ASCII, finite numbers.
"""
match_plain_block = PLAIN_BLOCK.match
match_plain_test = re.compile(
    rf"[\r\n]{{0,4}}\{{@({'|'.join(PASS_FAIL)})((?:\|[ -\[\]-z]{{0,60}}){{1,8}})[\r\n]{{0,4}}\}}"
).match
"""Match a test without a number and without sub-records, to its brace: its type and its fields."""


class Ending(Enum):
    """Whether a newline or Ctrl-D ends a record, where its brace or a sub-record should be."""

    NONE = "none"
    LINE = "line"
    CUT = "cut"
    """At the column where some testers cut their lines and lose what follows, braces too."""


class Limits(NamedTuple):
    """What a LIM record says."""

    fields: dict[str, float]
    """Those of `low`, `high` and `nominal` that there are."""
    stump: str | None = None
    """What is left of the number in which the line was cut; None: it was not."""


def word(printed: str, encoding: str) -> str:
    """Return a field as text: UTF-8 where it is that, else in `encoding`; trimmed."""
    if not printed.isascii():
        printed = text.decode(printed.encode("latin-1"), encoding)
    return printed.strip()


def code(printed: str) -> int | None:
    """Return a status; an empty field is 0, None: it is no number."""
    printed = printed.strip()
    if not printed:
        return 0
    is_number = printed.isascii() and printed.isdigit() and len(printed) <= _CODE_DIGITS_MAX
    return int(printed) if is_number else None


def step_outcome(status: str) -> str:
    """Return what a step's status means."""
    return _OUTCOMES.get(code(status), "FAIL")


def step_name(designator: str) -> str:
    """Return a designator without the number of its board."""
    prefix = _board_number(designator)
    return designator[prefix.end() :] if prefix else designator


def pass_fail_step(kind: str, fields: Sequence[str], designator: str) -> dict[str, Any]:
    """Return a test without a number as a measurement.

    Args:
        kind: One of `PASS_FAIL`.
        fields: As printed.
        designator: Its name.
    """
    status = field(fields, PASS_FAIL[kind].status)
    outcome = step_outcome(status)
    if kind == "TS" and outcome == "PASS" and any(code(each) != 0 for each in fields[:4]):
        outcome = "FAIL"  # the status alone may say 0
    return pass_fail(designator, outcome == "PASS", reported_outcome=outcome)


def measured_value(fields: Sequence[str], ending: Ending) -> float | None:
    """Return the value of an A-xxx: None where there is none.

    Raises:
        ValueError: It is not a number, or its line was cut in it.
    """
    if len(fields) <= _VALUE:
        return None
    printed = fields[_VALUE].strip()
    if len(fields) == _VALUE + 1 and _is_cut(printed, ending):
        raise ValueError(f"{printed!r} is cut at the end of its line")
    return text.number(printed or "0")


def limits(kind: str, fields: Sequence[str], ending: Ending) -> Limits:
    """Return what a LIM record says.

    Args:
        kind: LIM2 or LIM3.
        fields: As printed: high and low, of LIM3 the nominal before them.
        ending: What comes before its brace: a line that ends in a number was cut in it.

    Raises:
        ValueError: One of them is not a number.
    """
    count = LIMIT_COUNTS[kind]
    printed = [each.strip() for each in fields[:count]]
    stump = None
    if ending is not Ending.NONE:
        if printed and not _is_whole(printed[-1]):
            stump = printed.pop()
        elif len(printed) < count:
            stump = ""
    names = ("nominal", "high", "low")[-count:]
    found = {name: text.limit(each) for name, each in zip(names, printed, strict=False)}
    return Limits({name: each for name, each in found.items() if each is not None}, stump)


def field(fields: Sequence[str], place: int) -> str:
    """Return a field; an absent one is empty."""
    return fields[place] if place < len(fields) else ""


def _is_cut(printed: str, ending: Ending) -> bool:
    if ending is Ending.CUT:
        return not _is_whole(printed)
    return ending is Ending.LINE and bool(_is_stump(printed))

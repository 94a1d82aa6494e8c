"""Where in a refused message the trouble stands, so that a page can mark it. Pure: no I/O.

The reason says it in words; here it is looked for again in the bytes: the byte that is no UTF-8,
the place where the JSON parser gave up, or the value that the sentence names.
"""

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from broker.messages import RejectionCode
from service.core.payload import parse_json

_BYTE: Final = re.compile(r"\bbyte (\d+) \(0x")
_AT: Final = re.compile(r" at line (\d+) column (\d+)$")
_PATH: Final = re.compile(r"(?:element \d+: )?([A-Za-z_]\w*(?:(?:\.\w+)|(?:\[\d+\]))*)")
_STEP: Final = re.compile(r"\w+")
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_DECODER: Final = json.JSONDecoder()


class Place(NamedTuple):
    """Some bytes of a message: from `start` up to, not including, `end`."""

    start: int
    end: int


def error_place(payload: bytes, code: RejectionCode, reason: str) -> Place | None:
    """Return the bytes that a rejection is about.

    Args:
        payload: The refused bytes.
        code: What kind of trouble.
        reason: The rejection's sentence.

    Returns:
        At least one byte, or none (start = end) at the end of a message that broke off. None where
        no place is known, as of a message that is too large. Never raises, whatever the bytes.
    """
    if code is RejectionCode.NOT_UTF8:
        found = _BYTE.search(reason)
        return Place(int(found[1]), int(found[1]) + 1) if found else None
    if code is RejectionCode.NOT_JSON:
        return _where_parsing_ends(payload)
    if code is RejectionCode.MACHINE_MISMATCH:
        return _value_at(payload, ["machine_id"])
    if code is RejectionCode.CONFLICTING_DUPLICATE:
        return _value_at(payload, ["message_id"])
    named = _PATH.match(reason) if code is RejectionCode.SCHEMA else None
    return _value_at(payload, _STEP.findall(named[1])) if named else None


def _where_parsing_ends(payload: bytes) -> Place | None:
    try:
        parse_json(payload)
    except ValueError as error:
        found = _AT.search(str(error))
        if found is None:
            return None
        before = payload.split(b"\n")[: int(found[1]) - 1]
        at = sum(len(line) + 1 for line in before) + max(0, int(found[2]) - 1)
        is_cut = str(error).startswith("EOF") or at >= len(payload)
        return Place(len(payload), len(payload)) if is_cut else Place(at, at + 1)
    return None


def _value_at(payload: bytes, path: list[str]) -> Place | None:
    """Return where a value stands; where it is missing, the opening of what should hold it."""
    try:
        text = payload.decode()
        start, end = _span(text, path)
    except (ValueError, IndexError, RecursionError):  # no JSON after all, or nested too deep
        return None
    return Place(len(text[:start].encode()), len(text[:end].encode()))


def _span(text: str, path: list[str]) -> tuple[int, int]:
    start = _skip(text, 0)
    for step in path:
        inner = next((at for name, at in _members(text, start) if name == step), None)
        if inner is None:
            return start, start + 1
        start = inner
    return start, _DECODER.raw_decode(text, start)[1]


def _members(text: str, start: int) -> Iterator[tuple[str, int]]:
    """Yield the members of an object or array: name or number, and where its value begins."""
    opening = text[start : start + 1]
    if opening not in {"{", "["}:
        return
    at, number = _skip(text, start + 1), 0
    while text[at] not in "]}":
        name = str(number)
        if opening == "{":
            name, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)  # the colon
        yield name, at
        at = _skip(text, _DECODER.raw_decode(text, at)[1])
        at = _skip(text, at + 1) if text[at] == "," else at
        number += 1


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at

"""A message's bytes as the unit page shows them: in lines with offsets, one value marked. Pure."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

WHOLE_BYTES_MAX: Final = 65_536
_AROUND_BYTES: Final = 4_096
_LINES_MAX: Final = 600
_cut = re.compile(rb'\n|(?=\{\s*"test_step")|(?=\{\s*"barcode")')


class Line(NamedTuple):
    """Some bytes of a message, as they arrived; not always a line of theirs."""

    offset: int
    text: str
    marked: bool


class Excerpt(NamedTuple):
    """A message, or the part of it around one value."""

    lines: list[Line]
    size_bytes: int
    is_whole: bool


def excerpt(payload: bytes, barcode: str, test_step: str | None, nth: int = 0) -> Excerpt:
    """Return the message in lines; of one above 64 kB only what stands around the marked value.

    Args:
        payload: The bytes as they arrived, of one run or of an array of them.
        barcode: Of the run; in an array the value is looked for behind it.
        test_step: The measurement to mark; None: nothing.
        nth: Which one of that name, from 0: names may repeat in a run.
    """
    start, end = _find(payload, barcode, test_step, nth)
    if len(payload) <= WHOLE_BYTES_MAX:
        first, last = 0, len(payload)
    else:
        first, last = max(0, start - _AROUND_BYTES), min(len(payload), end + _AROUND_BYTES)
    lines = list(_lines(payload, first, last, (start, end)))
    return Excerpt(lines, len(payload), last - first == len(payload) and len(lines) < _LINES_MAX)


def _find(payload: bytes, barcode: str, test_step: str | None, nth: int) -> tuple[int, int]:
    """Return where the marked measurement stands, (0, 0) where it is not found."""
    if test_step is None:
        return 0, 0
    behind = max(0, payload.find(json.dumps(barcode).encode()))
    behind = behind if _is_array(payload) else 0
    name = b"|".join({re.escape(each) for each in _spellings(test_step)})
    for i, found in enumerate(re.finditer(rb'"test_step"\s*:\s*(' + name + rb")", payload)):
        if found.start() < behind:
            nth += 1
        elif i == nth:
            start = max(payload.rfind(b"{", 0, found.start()), 0)
            end = payload.find(b"}", found.end())
            return start, end + 1 if end >= 0 else len(payload)
    return 0, 0


def _is_array(payload: bytes) -> bool:
    return payload.lstrip()[:1] == b"["


def _spellings(text: str) -> set[bytes]:
    """Return the ways JSON may spell a text: with its letters, or escaped."""
    return {json.dumps(text).encode(), json.dumps(text, ensure_ascii=False).encode()}


def _lines(payload: bytes, first: int, last: int, marked: tuple[int, int]) -> Iterator[Line]:
    part = payload[first:last]
    cuts = sorted({0, *(found.end() for found in _cut.finditer(part)), len(part)})
    start, end = marked
    for i, (begin, stop) in enumerate(pairwise(cuts)):
        if i == _LINES_MAX:
            return
        offset = first + begin
        text = part[begin:stop].decode("utf-8", "replace").rstrip("\n")
        yield Line(offset, text, start < first + stop and offset < end)

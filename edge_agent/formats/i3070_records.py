r"""Cut a Keysight ICT log into its records: `{@TYPE|field|field`, sub-records, `}`. Pure: no I/O.

The text here holds one character a byte (Latin-1): a position in it is a position in the file.
`\n|a|b` is a list of n fields, `~n|` a literal of n characters that may hold `{}|`. Where a piece
ends may depend on what follows: it is only told when nothing that follows can change it.
"""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final, Literal, NamedTuple

MARK_BYTES: Final = 8
_MARK: Final = r"\{@B(?:ATCH|TEST)[|~\\{} \t\r\n\x04]"
find_mark = re.compile(_MARK).search
"""Search the next start mark, `{@BATCH` or `{@BTEST`; the match is `MARK_BYTES` long."""
is_mark = re.compile(_MARK).match
"""Match a start mark."""

_piece = re.compile(
    r"([ \t\r\n\f\v\x04]+)"
    r"|(\})"
    r"|\{@([^|~\\{} \t\r\n\f\v\x04]*)([^{}\n\x04]*)[{}\n\x04]"
).match
_line_ends = re.compile(rf"\n|{_MARK}").search
_report_ends = re.compile(rf"[}}\n]|{_MARK}").search
_text_ends = re.compile(r"[}\n\x04]|\{@").search
_line_of_text_ends = re.compile(r"[\n\x04]|\{@").search

_literal = re.compile(r"\|?~([0-9]{1,9})\|").match
_list = re.compile(r"\|?\\([0-9]{1,9})(?=\|)").match
_plain = re.compile(r"\|?((?:[^|~\\{}\n\x04]|[~\\](?![0-9]{1,9}\|))*)").match
_next_record = re.compile(r"\n[ \t]*\{@").search
_characters = re.compile(  # of UTF-8; any other byte is one too
    r"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\x00-\xff]"
).finditer
_find_marker = re.compile(r"[~\\][0-9]{1,9}\|").search


class Piece(NamedTuple):
    """What stands at one place of a log."""

    kind: Literal["blank", "close", "record", "other"]
    """`close` is one brace; `other` is text where a record should be."""
    end: int
    """One past it. A record's sub-records and closing brace are not part of it."""
    need: int
    """One past what had to be seen to know."""
    type: str = ""
    """Without the `@`."""
    fields: Sequence[str] = ()
    """A literal without its mark; a list as one field, with bars."""
    is_closed: bool = False
    """Its closing brace is part of it: free text, whose end is its own matter."""


def next_piece(text: str, at: int, *, begins_line: bool) -> Piece | None:
    """Return the piece that begins at `at`; None where more of the log is needed to tell.

    Args:
        text: One character a byte.
        at: Below its length.
        begins_line: Nothing but blanks stands before it in its line.
    """
    found = _piece(text, at)
    if not found:
        return _other(text, at, begins_line=begins_line)
    blanks, brace, kind, fields = found.groups()
    end = found.end()
    if blanks:
        return Piece("blank", end, end)
    if brace:
        return Piece("close", end, end)
    marker = _find_marker(fields)
    if marker and (kind != "RPT" or "~" in marker[0]):
        return _marked(text, at, kind)
    if kind == "RPT":
        return _report(text, at, begins_line=begins_line)
    return Piece("record", end - 1, end, kind, fields.split("|")[1:])


def may_become_mark(text: str) -> bool:
    """Tell whether a start mark begins with this text, which is not all of one."""
    return len(text) < MARK_BYTES and ("{@BATCH".startswith(text) or "{@BTEST".startswith(text))


def ends_line(text: str, end: int) -> bool:
    """Tell whether a record that ends at `end` is the last of its line; Ctrl-D counts as an end."""
    return text[end] in "\n\x04"


def _other(text: str, at: int, *, begins_line: bool) -> Piece | None:
    """Return text up to the next record or line, or a brace; a line of text keeps its braces."""
    if text.startswith("{", at) and text[at + 1 : at + 2] in {"", "@"}:
        return None  # a record, not all of it seen
    stop = (_line_of_text_ends if begins_line else _text_ends)(text, at + 1)
    return Piece("other", stop.start(), stop.end()) if stop else None


def _report(text: str, at: int, *, begins_line: bool) -> Piece | None:
    """Return free text: up to the first brace, or to the last of the line that it begins."""
    stop = (_line_ends if begins_line else _report_ends)(text, at + 1)
    if not stop:
        return None
    end = stop.start()
    if begins_line:
        brace = text.rfind("}", at, end)
        end = brace if brace >= 0 else end
    words = text[at + len("{@RPT") : end].removeprefix("|")
    is_closed = text[end] != "\n"  # by its brace, or by the mark that follows
    past = end + 1 if text[end] == "}" else end
    return Piece("record", past, stop.end(), "RPT", (words,), is_closed)


def _marked(text: str, at: int, kind: str) -> Piece | None:
    """Return a record with lists or literals."""
    at += len("{@") + len(kind)
    fields: list[str] = []
    lists: list[tuple[int, str]] = []  # before which field, its mark
    while at < len(text):
        if found := _literal(text, at):
            end = _literal_end(text, found.end(), int(found[1]))
            if end is None:
                return None
            fields.append(text[found.end() : end])
            at = end
        elif found := _list(text, at):
            lists.append((len(fields), found[1]))
            at = found.end()
        elif text[at] in "{}\n\x04":
            return Piece("record", at, at + 1, kind, _folded(fields, lists))
        elif found := _plain(text, at):
            fields.append(found[1])
            at = found.end()
    return None


def _literal_end(text: str, start: int, chars: int) -> int | None:
    """Return where a literal ends; None where more is needed.

    One that a tester cut ends before the record in a next line.
    """
    end = start + chars
    if not text[start:end].isascii():
        counted = islice(_characters(text, start), chars)
        ends = [each.end() for each in counted]
        end = ends[-1] if len(ends) == chars else len(text) + 1
    if cut := _next_record(text, start, end):
        return cut.start()
    return end if end <= len(text) else None


def _folded(fields: list[str], lists: list[tuple[int, str]]) -> list[str]:
    """Return the fields with each list as one; a mark without its fields was plain text."""
    for place, count in reversed(lists):
        if place + int(count) <= len(fields):
            items = fields[place : place + int(count)]
            fields[place : place + int(count)] = ["|".join(items)]
        elif place:
            fields[place - 1] += f"\\{count}"
    return fields

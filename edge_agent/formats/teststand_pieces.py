"""Cut a stream of bytes into TestStand's reports and what stands around them. Pure: no I/O.

Only a few marks are looked for. In XML a `<` stands nowhere but in front of markup, so a mark is
one wherever it is found, except in comments, CDATA sections and processing instructions; these are
stepped over. One that has no end within the bound is damage: then the marks in it count after all.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, NamedTuple

_CLOSERS: Final = {
    b"<!--": b"-->",
    b"<![CDATA[": b"]]>",
    b"<?": b"?>",
    b"<Reports": b">",
    b"</Reports": b">",
}
_MARK_BYTES_MAX: Final = 20
"""No mark is longer, with the byte behind it that tells it from a longer name."""

_blanks = re.compile(rb"(?:\s|\xef\xbb\xbf)*+").match
_OPAQUE: Final = rb"<!--|<!\[CDATA\[|<\?"
_MARK: Final = rb"<(?:TS)?Report(?=[\s/>])|</(?:TS)?Report\s{0,8}>"
_find_mark = re.compile(_OPAQUE + b"|" + _MARK).search
_at_token = re.compile(_OPAQUE + b"|" + _MARK + rb"|</?Reports(?=[\s>])").match


class Kind(Enum):
    """What a piece is."""

    FRAME = auto()
    """Prolog, comments, `<Reports>`, blanks: carries nothing."""
    LITTER = auto()
    """Anything else outside of a report."""
    REPORT = auto()
    """From `<Report` to its `</Report>`."""
    HALF_REPORT = auto()
    """From `<Report` to the next start mark or the end, without its own."""
    TS_REPORT = auto()
    """A `<TSReport>`, whole or not: another report of the same framework."""


class Piece(NamedTuple):
    """A part of the stream; pieces tile it."""

    kind: Kind
    content: bytes
    """The bytes of a whole report, unless it is above the bound; else nothing."""
    byte_start: int
    byte_end: int


class ReportCutter:
    """Bytes cut anywhere go in, pieces come out. Holds at most one report of `bytes_max`."""

    def __init__(self, offset: int, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._buffer = bytearray()
        self._base = offset  # of the buffer's first byte; as all that follow, in the file
        self._start = offset  # of the piece in hand
        self._at = offset  # the next byte to look at
        self._kind = Kind.FRAME  # of the piece in hand
        self._searched: dict[bytes, int] = {}  # closer → no one begins between `_at` and here

    def add(self, data: bytes) -> None:
        """Append the next bytes."""
        self._forget()
        self._buffer += data

    def pieces(self, *, is_last: bool = False) -> Iterator[Piece]:
        """Yield every piece that is complete; with `is_last` also what is left."""
        while (mark := self._next_mark(is_last=is_last)) is not None:
            if (piece := self._take(*mark)) is not None:
                yield piece
        self._forget()
        if is_last and self._start < self._end:
            yield self._piece_to(self._end)

    @property
    def _end(self) -> int:
        return self._base + len(self._buffer)

    def _next_mark(self, *, is_last: bool) -> tuple[bytes, int] | None:
        """Return the next mark and where it begins; None when more bytes are needed.

        A mark without text is something that does not belong between reports.
        """
        while self._at < self._end:
            mark = self._between() if self._kind is Kind.FRAME else self._within(is_last=is_last)
            if self._kind is Kind.FRAME and not is_last and self._rest < _MARK_BYTES_MAX:
                return None
            if mark is None:
                return None
            if mark not in _CLOSERS:
                return mark, self._at
            end = self._closed_at(mark, is_last=is_last)
            if end is None:
                return None
            if end > 0:
                self._at = end
            elif self._kind is Kind.FRAME:
                return b"", self._at
            else:
                self._at += 1
        return None

    @property
    def _rest(self) -> int:
        return self._end - self._at

    def _between(self) -> bytes | None:
        """Pass blanks; return the mark that follows, without text where there is none."""
        found = _blanks(self._buffer, self._at - self._base)
        self._at = self._base + (found.end() if found else 0)
        if self._at == self._end:
            return None
        token = _at_token(self._buffer, self._at - self._base)
        if token is None or (token[0].startswith(b"</") and token[0] not in _CLOSERS):
            return b""
        return bytes(token[0])

    def _within(self, *, is_last: bool) -> bytes | None:
        """Find the next mark inside a report or litter."""
        found = _find_mark(self._buffer, self._at - self._base)
        if found is None:
            rest = 0 if is_last else _MARK_BYTES_MAX - 1
            self._at = max(self._at, self._end - rest)
            return None
        self._at = self._base + found.start()
        return bytes(found[0])

    def _closed_at(self, opener: bytes, *, is_last: bool) -> int | None:
        """Return where what begins here ends; 0: nowhere; None: more bytes are needed."""
        closer = _CLOSERS[opener]
        start = max(self._at + len(opener), self._searched.get(closer, 0))
        found = self._buffer.find(closer, start - self._base)
        if found < 0:
            self._searched[closer] = max(start, self._end - len(closer) + 1)
            return 0 if is_last or self._rest > self._bytes_max else None
        self._searched[closer] = self._base + found
        end = self._base + found + len(closer)
        is_tag = closer == b">"
        if is_tag and self._buffer.find(b"<", self._at + 1 - self._base, found) >= 0:
            return 0
        return end if end - self._at <= self._bytes_max else 0

    def _take(self, mark: bytes, start: int) -> Piece | None:
        """Go past a mark; return the piece it ends, if any."""
        self._at = start + max(1, len(mark))
        if mark.startswith(b"</"):
            return self._take_end(mark)
        begins = Kind.TS_REPORT if mark.startswith(b"<TS") else Kind.HALF_REPORT
        piece = self._piece_to(start) if self._start < start else None
        self._start, self._kind = start, begins if mark else Kind.LITTER
        return piece

    def _take_end(self, mark: bytes) -> Piece | None:
        own = {Kind.HALF_REPORT: b"</R", Kind.TS_REPORT: b"</T"}.get(self._kind)
        if own is None or not mark.startswith(own):
            return None
        if self._kind is Kind.HALF_REPORT:
            self._kind = Kind.REPORT
        piece = self._piece_to(self._at)
        self._start, self._kind = self._at, Kind.FRAME
        return piece

    def _piece_to(self, end: int) -> Piece:
        content = b""
        if self._kind is Kind.REPORT and end - self._start <= self._bytes_max:
            content = bytes(self._buffer[self._start - self._base : end - self._base])
        return Piece(self._kind, content, self._start, end)

    def _forget(self) -> None:
        """Drop the bytes that no piece needs any more."""
        is_needed = self._kind is Kind.HALF_REPORT and self._at - self._start <= self._bytes_max
        keep = self._start if is_needed else self._at
        del self._buffer[: keep - self._base]
        self._base = keep

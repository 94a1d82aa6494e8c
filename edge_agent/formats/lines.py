"""Cut a stream of bytes into lines with their offsets. Pure: no I/O."""

from collections.abc import Iterator
from typing import NamedTuple

_MARK_BYTES = 256
"""What is kept of a line that is too long to keep: enough to recognise a start mark."""
_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line of a file."""

    content: bytes
    """Without byte order mark, newline and the blanks around it."""
    byte_start: int
    byte_end: int
    """One past its newline, if it has one."""
    is_cut: bool = False
    """It was longer than the bound: `content` is only its beginning."""


class LineCutter:
    """Bytes cut anywhere go in, whole lines come out. Holds at most one line of `bytes_max`.

    Args:
        offset: Byte of the file at which the first `add` begins.
        bytes_max: Longest line that is kept whole.
        blanks: What is trimmed off a line's ends; None: every white space.
    """

    def __init__(self, offset: int, bytes_max: int, blanks: bytes | None = None) -> None:
        self._bytes_max = bytes_max
        self._blanks = blanks
        self._start = offset  # where the line in hand begins
        self._buffer = bytearray()
        self._taken = 0  # bytes of the buffer that were yielded
        self._scanned = 0  # bytes of the buffer that are known to hold no further newline
        self._forgotten = 0  # bytes of a too long line that are no longer in the buffer

    def add(self, data: bytes) -> None:
        """Append the next bytes."""
        del self._buffer[: self._taken]
        self._scanned -= self._taken
        self._taken = 0
        self._buffer += data

    def lines(self) -> Iterator[Line]:
        """Yield every line that has its newline."""
        while (newline := self._buffer.find(b"\n", self._scanned)) >= 0:
            yield self._line_to(newline + 1)
        self._scanned = len(self._buffer)
        self._bound()

    def rest(self) -> Iterator[Line]:
        """Yield the last line, which has no newline, if there is one."""
        if self._taken < len(self._buffer):
            yield self._line_to(len(self._buffer))

    def _line_to(self, cut: int) -> Line:
        raw = bytes(self._buffer[self._taken : cut])
        start, end = self._start, self._start + self._forgotten + len(raw)
        self._taken = self._scanned = cut
        self._start, self._forgotten = end, 0
        is_cut = end - start > self._bytes_max
        content = raw[:_MARK_BYTES] if is_cut else raw
        return Line(content.removeprefix(_BOM).strip(self._blanks), start, end, is_cut)

    def _bound(self) -> None:
        # Only what is decided for good may be forgotten: a line this long is cut however it ends.
        held = len(self._buffer) - self._taken
        if self._forgotten + held > self._bytes_max and held > _MARK_BYTES:
            self._forgotten += held - _MARK_BYTES
            del self._buffer[self._taken + _MARK_BYTES :]
            self._scanned = len(self._buffer)

"""Cut a stream of bytes into STDF records, and find back into it after damage. Pure: no I/O.

Records follow one another without any mark between them, so one damaged length makes nonsense of
all that follows. It shows by a type that does not exist. Then a mark is looked for: FAR, which
begins a file, or PIR, which begins a unit; of both even the length is known.
"""

import re
from typing import Final, NamedTuple

from edge_agent.formats.stdf_fields import BIG, LITTLE
from edge_agent.formats.stdf_records import (
    FAR,
    HEADER_BYTES,
    READ,
    Kind,
    Record,
    is_known,
)

_FAR_MARKS: Final = rb"\x00\x02\x00\x0a\x01|\x02\x00\x00\x0a\x02"
_PIR_MARKS: Final = {BIG: rb"\x00\x02\x05\x0a", LITTLE: rb"\x02\x00\x05\x0a"}
_MARK_BYTES_MAX: Final = 5
_FAR_BYTES: Final = 6
_CUT_OFF: Final = "a record cut off by the end of the file"
_at_far = re.compile(_FAR_MARKS).match
_find_far = re.compile(_FAR_MARKS).search
_find_mark: Final = {
    order: re.compile(_FAR_MARKS + b"|" + mark).search for order, mark in _PIR_MARKS.items()
}


class Damage(NamedTuple):
    """What is no record, or the record whose length led there."""

    reason: str
    byte_start: int


class RecordCutter:
    """Bytes cut anywhere go in, records come out. Holds at most two records, and what was added."""

    def __init__(self, offset: int, order: str | None) -> None:
        self.order = order
        """Of the bytes in a number, as `struct` writes it; None: unknown, FAR will say it."""
        self._buffer = bytearray()
        self._base = offset  # of the buffer's first byte; as all that follow, in the file
        self._at = offset  # the next byte to look at
        self._believed: int | None = None  # start of the last record, if only its length was read

    @property
    def at(self) -> int:
        """Offset of the next record."""
        return self._at

    @property
    def end(self) -> int:
        """One past the last byte that was added."""
        return self._base + len(self._buffer)

    def add(self, data: bytes) -> None:
        """Append the next bytes."""
        keep = self._at if self._believed is None else self._believed
        del self._buffer[: keep - self._base]
        self._base = keep
        self._buffer += data

    def next_record(self, *, is_last: bool) -> Record | Damage | None:
        """Return the next record, or why there is none; None when more bytes are needed.

        Args:
            is_last: No more will come: a record that is not whole is damage.
        """
        if self._at == self.end:
            return None
        try:
            return self._record(is_last=is_last)
        except EOFError:
            return self._damage(_CUT_OFF) if is_last else None
        except ValueError as error:
            return self._damage(f"{error}")

    def seek(self, start: int) -> None:
        """Go on looking at `start`, which is not before the last record."""
        self._at, self._believed = start, None

    def find_mark(self, *, is_last: bool) -> bool:
        """Go to the next start mark; False when there is none in the bytes so far."""
        search = _find_mark[self.order] if self.order else _find_far
        found = search(self._buffer, self._at - self._base)
        if found:
            self._at = self._base + found.start()
            return True
        rest = 0 if is_last else _MARK_BYTES_MAX - 1
        self._at = max(self._at, self.end - rest)
        return False

    def _record(self, *, is_last: bool) -> Record:
        """Return the next record; EOFError: more bytes are needed, ValueError: it is none."""
        start = self._at
        length, kind = self._header(start)
        end = start + HEADER_BYTES + length
        if not is_known(kind) and not self._is_followed(end, is_last=is_last):
            raise ValueError(f"no record at byte {start}: type {kind[0]}, subtype {kind[1]}")
        self._believed = None  # what it led to is a record
        body = self._bytes(start + HEADER_BYTES, end)
        self._at = end
        self._believed = None if kind in READ else start
        return Record(kind, body, start, end)

    def _header(self, start: int) -> tuple[int, Kind]:
        header = self._bytes(start, start + HEADER_BYTES)
        kind = header[2], header[3]
        if kind == FAR:
            if not _at_far(self._bytes(start, start + _FAR_BYTES)):
                raise ValueError(f"FAR at byte {start} in an unknown order of bytes")
            return _FAR_BYTES - HEADER_BYTES, kind
        if self.order is None:
            raise ValueError("no FAR record of STDF V4 before it")
        return int.from_bytes(header[:2], "big" if self.order == BIG else "little"), kind

    def _is_followed(self, end: int, *, is_last: bool) -> bool:
        """Tell whether a record that we do not know is followed by one that we do, or the end."""
        if is_last and end == self.end:
            return True
        header = self._bytes(end, end + HEADER_BYTES)
        return is_known((header[2], header[3]))

    def _bytes(self, start: int, end: int) -> bytes:
        if end > self.end:
            raise EOFError
        return bytes(self._buffer[start - self._base : end - self._base])

    def _damage(self, reason: str) -> Damage:
        return Damage(reason, self._at if self._believed is None else self._believed)

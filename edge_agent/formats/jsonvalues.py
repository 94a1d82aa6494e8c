"""Cut a stream of bytes into JSON objects, each where it closes, with their offsets. Pure: no I/O.

Only strings and brackets are followed, by regular expressions, and every byte is looked at once,
however the stream is cut. Whether an object is good JSON is for its reader to say. Damage shows by
what can stand nowhere outside of a string, by a control character inside one, and by brackets that
do not match. Then reading goes on at the next start mark: the `{` of an object that has every one
of the keys called heads. That mark inside of an object that has not closed says that its writer
died and began anew.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

from edge_agent.formats.items import Skipped, Unparsed

DEPTH_MAX: Final = 200
"""Objects and arrays in one another; the reader of JSON takes no more."""
_BOM: Final = b"\xef\xbb\xbf"
_LITERALS: Final = (b"true", b"false", b"null", b"NaN", b"Infinity")
_OPENING: Final = b"{["
_CLOSING: Final = b"}]"
_CLOSES_AFTER: Final = 2  # in ASCII, the closing bracket is the second after the opening one
_OBJECT_END, _QUOTE, _BACKSLASH, _COLON = b'}"\\:'

_BLANK: Final = re.compile(rb"(?:\s|\xef\xbb\xbf)*+")
_SPACES: Final = re.compile(rb"\s*+")
_STRING_REST: Final = re.compile(rb'(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+')
_SCALARS: Final = (
    rb"(?:[\s,:0-9+.eE-]++|true|false|null|NaN|Infinity"
    rb'|"(?!(?:%s)")(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+")*+'
)


class Value(NamedTuple):
    """One object, from its `{` to the `}` that closes it; not yet read as JSON."""

    content: bytes
    byte_start: int
    byte_end: int
    """One past its `}`."""


Piece: TypeAlias = Value | Unparsed | Skipped


class _Opened:
    """A bracket that has not closed."""

    __slots__ = ("byte_start", "closes_with", "heads", "is_object")

    def __init__(self, byte: int, byte_start: int) -> None:
        self.closes_with = byte + _CLOSES_AFTER
        self.is_object = self.closes_with == _OBJECT_END
        self.byte_start = byte_start
        self.heads = 0  # a bit for each of the head keys it has


class ValueCutter:
    """Bytes cut anywhere go in, objects and what lies between come out, without a gap.

    Holds at most one object of `bytes_max`, beside what was just added.
    """

    def __init__(self, offset: int, bytes_max: int, heads: tuple[str, ...]) -> None:
        self._bytes_max = bytes_max
        self._heads = {f'"{head}"'.encode(): 1 << bit for bit, head in enumerate(heads)}
        self._heads_all = (1 << len(heads)) - 1
        self._head_bytes_max = max(map(len, self._heads))
        self._scalars = re.compile(_SCALARS % "|".join(heads).encode())
        self._buffer = bytearray()
        self._base = offset  # of the buffer's first byte; as all that follow, in the file
        self._start = offset  # of the piece in hand
        self._at = offset  # the next byte to look at
        self._opened: list[_Opened] = []
        self._lost: str | None = None  # why bytes are passed over until a start mark; None: not
        self._seeks_brace = False  # lost, and not even sure what is a string
        self._string: int | None = None  # where the string in hand began
        self._key = 0  # the bit of a head just read, which is a key if a colon follows
        self._waits = False  # what to do shows only with more bytes

    def add(self, data: bytes) -> None:
        """Append the next bytes."""
        self._forget()
        self._buffer += data
        self._waits = False

    def pieces(self) -> Iterator[Piece]:
        """Yield every piece that is complete."""
        while self._at < self._end and not self._waits:
            if (piece := self._step()) is not None:
                yield piece
        self._forget()

    def rest(self) -> Iterator[Piece]:
        """Yield what is left: no more bytes will come."""
        yield from self.pieces()
        if self._is_between and self._start < self._at:
            yield self._skipped()
        if self._start < self._end:
            left = Unparsed(self._lost or "an object that is not closed", self._start, self._end)
            self._start = self._at = self._end
            self._opened.clear()
            self._lost, self._seeks_brace, self._string, self._key = None, False, None, 0
            yield left

    @property
    def _end(self) -> int:
        return self._base + len(self._buffer)

    @property
    def _is_between(self) -> bool:
        return not self._opened and self._lost is None

    def _byte(self) -> int:
        return self._buffer[self._at - self._base]

    def _step(self) -> Piece | None:
        if self._is_between:
            return self._begin()
        if self._string is not None:
            self._read_string(self._string)
        elif self._key:
            return self._read_key()
        elif self._seeks_brace:
            self._seek_brace()
        else:
            return self._read_brackets()
        return None

    def _pass(self, pattern: re.Pattern[bytes]) -> None:
        """Go on behind what matches here; each of the patterns matches nothing, too."""
        if found := pattern.match(self._buffer, self._at - self._base):
            self._at = self._base + found.end()

    def _begin(self) -> Skipped | None:
        """Pass blanks, then begin an object, or be lost."""
        buffer = self._buffer
        self._pass(_BLANK)
        if self._at == self._end or _is_begun(buffer, self._at - self._base, (_BOM,)):
            self._waits = True
            return None
        if self._start < self._at:
            return self._skipped()
        if buffer.startswith(b"{", self._at - self._base):
            self._open(buffer[self._at - self._base])
        else:
            self._lose("outside of any object")
        return None

    def _skipped(self) -> Skipped:
        start, self._start = self._start, self._at
        return Skipped("blank", start, self._at)

    def _read_brackets(self) -> Piece | None:
        """Pass numbers, words and whole strings, then take one bracket or begin a string."""
        self._pass(self._scalars)
        if self._at == self._end:
            return None
        byte = self._byte()
        if byte == _QUOTE:
            self._string = self._at
            self._at += 1
        elif byte in _OPENING:
            self._open(byte)
        elif byte in _CLOSING:
            return self._close(byte)
        elif _is_begun(self._buffer, self._at - self._base, _LITERALS):
            self._waits = True
        else:
            self._stumble(b'{"')
        return None

    def _open(self, byte: int) -> None:
        if len(self._opened) == DEPTH_MAX:
            self._lose(f"JSON with more than {DEPTH_MAX} brackets in one another")
        self._opened.append(_Opened(byte, self._at))
        self._at += 1

    def _close(self, byte: int) -> Piece | None:
        self._at += 1
        if self._opened and self._opened.pop().closes_with != byte:
            self._lose("damaged JSON: brackets that do not match")
        if self._opened or self._lost is not None:
            return None
        start, self._start = self._start, self._at
        size = self._at - start
        if size > self._bytes_max:
            reason = f"an object of {size} bytes, above max_unit_bytes ({self._bytes_max})"
            return Unparsed(reason, start, self._at)
        content = bytes(self._buffer[start - self._base : self._at - self._base])
        return Value(content, start, self._at)

    def _read_string(self, start: int) -> None:
        """Read on in a string that the buffer did not hold in whole, or that may be a head."""
        self._pass(_STRING_REST)
        if self._at == self._end:
            return
        byte = self._byte()
        if byte == _BACKSLASH and self._at + 1 == self._end:
            self._waits = True
        elif byte == _QUOTE:
            self._at += 1
            self._string = None
            if start >= self._base and self._at - start <= self._head_bytes_max:
                raw = bytes(self._buffer[start - self._base : self._at - self._base])
                self._key = self._heads.get(raw, 0)
        else:
            self._stumble(b"{")

    def _read_key(self) -> Unparsed | None:
        """Note a head if a colon follows; the last of them may make a start mark."""
        self._pass(_SPACES)
        if self._at == self._end:
            return None
        bit, self._key = self._key, 0
        if self._byte() != _COLON or not self._opened or not self._opened[-1].is_object:
            return None
        opened = self._opened[-1]
        opened.heads |= bit
        is_mark = opened.heads == self._heads_all and self._is_held(opened)
        if not is_mark or (self._lost is None and len(self._opened) == 1):
            return None
        start, self._start = self._start, opened.byte_start
        reason = self._lost or "an object cut off by the next one"
        self._opened, self._lost = [opened], None
        return Unparsed(reason, start, opened.byte_start)

    def _stumble(self, brace: bytes) -> None:
        """Be lost at a byte that can stand nowhere, and go on at a `{`.

        Args:
            brace: What stands before that byte if the writer died inside a string: the `{` of the
                next object then looks like the string's end.
        """
        self._lose("damaged JSON")
        self._string = None
        start = self._at - len(brace) - self._base
        if start >= 0 and self._buffer.startswith(brace, start):
            self._at -= len(brace)
        else:
            self._seeks_brace = True

    def _seek_brace(self) -> None:
        found = self._buffer.find(b"{", self._at - self._base)
        self._seeks_brace = found < 0
        self._at = self._end if found < 0 else self._base + found

    def _lose(self, reason: str) -> None:
        self._opened.clear()
        self._lost = self._lost or reason

    def _is_held(self, opened: _Opened) -> bool:
        return self._at - opened.byte_start <= self._bytes_max

    def _forget(self) -> None:
        """Drop the bytes that can be no part of a Value any more."""
        objects = (each for each in self._opened if each.is_object)
        keep = next((each.byte_start for each in objects if self._is_held(each)), self._at)
        keep = max(min(keep, self._at - len(b'{"')), self._base)
        del self._buffer[: keep - self._base]
        self._base = keep


def _is_begun(buffer: bytearray, at: int, words: tuple[bytes, ...]) -> bool:
    """Tell whether the bytes from `at` on are the beginning of a word, and more may come."""
    rest = bytes(buffer[at : at + len(_LITERALS[-1])])
    return at + len(rest) == len(buffer) and any(
        len(rest) < len(word) and word.startswith(rest) for word in words
    )

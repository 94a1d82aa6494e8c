"""UTF-16 logs: UTF-8 for the format's parser, the file's offsets for all others. Pure: no I/O.

A file that starts with a UTF-16 byte order mark is transcoded as it is fed. What is no UTF-16, half
a surrogate pair or half a character, is never replaced in silence: the item that holds it becomes
Unparsed. Without a byte order mark nothing is guessed.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from edge_agent.formats.items import JSON, Item, Parsed, Parser, Unparsed
from edge_agent.formats.runs import BuiltRun

_KEY: Final = "utf_16"
_ORDERS: Final[Mapping[bytes, str]] = {b"\xff\xfe": "le", b"\xfe\xff": "be"}
_CHARACTER_BYTES: Final = 2
_HIGH: Final = range(0xD800, 0xDC00)

# Stretches whose characters take equally many bytes, in UTF-8 and in the file.
_stretches = re.compile(
    "[\0-\x7f]+|[\x80-\u07ff]+|[\u0800-\uffff]+|[\U00010000-\U0010ffff]+"
).finditer
_lone: Final = re.compile("[\ud800-\udfff]")

Make = Callable[[int, Mapping[str, JSON]], Parser]
"""Makes the format's own parser from offset and state."""


def open_text(make: Make, offset: int, state: Mapping[str, JSON], *, maps_source: bool) -> Parser:
    """Return a parser of a text format that reads UTF-16 too.

    Args:
        make: Makes the format's own parser.
        offset: Byte at which the first `feed` begins.
        state: What `state` said at the offset; it knows the encoding once something was read.
        maps_source: The runs' `source` are offsets of the parser, not somebody else's.
    """
    order = state.get(_KEY)
    if isinstance(order, str):
        own = make(offset, own_state(state))
        return _Transcoder(own, order, offset, maps_source=maps_source)
    return make(offset, state) if offset else _Sniffer(make, maps_source=maps_source)


def as_utf8(raw: bytes, state: Mapping[str, JSON]) -> bytes:
    """Return bytes of a file as UTF-8, where the parser's `state` says that they are UTF-16."""
    order = state.get(_KEY)
    return raw.decode(f"utf-16-{order}", "replace").encode() if order else raw


def own_state(state: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """Return the state of the format's own parser, where a file is UTF-16 too."""
    if _KEY not in state:
        return state
    inner = state.get("inner")
    return inner if isinstance(inner, dict) else {}


class _Sniffer:
    """Waits for the first two bytes of a file, then is the parser that they ask for."""

    def __init__(self, make: Make, *, maps_source: bool) -> None:
        self._make, self._maps_source = make, maps_source
        self._held = b""
        self._parser: Parser | None = None

    def feed(self, data: bytes) -> Iterator[Item]:
        if self._parser is None:
            self._held += data
            if len(self._held) < _CHARACTER_BYTES:
                return iter(())
            data = self._held
            self._parser = self._chosen()
        return self._parser.feed(data)

    def finish(self) -> Iterator[Item]:
        if self._parser is None:
            self._parser = self._chosen()
            return chain(self._parser.feed(self._held), self._parser.finish())
        return self._parser.finish()

    def state(self) -> dict[str, JSON]:
        return {} if self._parser is None else self._parser.state()

    def _chosen(self) -> Parser:
        own, order = self._make(0, {}), _ORDERS.get(self._held[:_CHARACTER_BYTES])
        return own if order is None else _Transcoder(own, order, 0, maps_source=self._maps_source)


class _Transcoder:
    """Feeds UTF-8 to the format's parser and says the file's offsets of what that yields."""

    def __init__(self, own: Parser, order: str, offset: int, *, maps_source: bool) -> None:
        self._own, self._order, self._maps_source = own, order, maps_source
        self._held = b""  # half a character, or half a surrogate pair
        self._offsets = _Offsets(offset)
        self._bad: list[int] = []  # where the file is no UTF-16, not yet part of an item

    def feed(self, data: bytes) -> Iterator[Item]:
        data = self._held + data
        cut = len(data) - len(data) % _CHARACTER_BYTES
        if cut and self._is_high(data[cut - _CHARACTER_BYTES : cut]):
            cut -= _CHARACTER_BYTES
        self._held = data[cut:]
        return self._mapped(self._own.feed(self._utf8(data[:cut])))

    def finish(self) -> Iterator[Item]:
        rest, self._held = self._held, b""
        return self._mapped(chain(self._own.feed(self._utf8(rest)), self._own.finish()))

    def state(self) -> dict[str, JSON]:
        return {_KEY: self._order, "inner": self._own.state()}

    def _is_high(self, character: bytes) -> bool:
        return character[self._order == "le"] << 8 in _HIGH

    def _utf8(self, data: bytes) -> bytes:
        """Transcode; for what is none a U+FFFD stands in, and its place is remembered."""
        half = len(data) % _CHARACTER_BYTES
        text = data[: len(data) - half].decode(f"utf-16-{self._order}", "surrogatepass")
        place, seen = self._offsets.file_end, 0
        for found in _lone.finditer(text):
            place += sum(_bytes_in_file(each) for each in text[seen : found.start()])
            seen = found.start()
            self._bad.append(place)
        text = _lone.sub("\ufffd", text)
        self._offsets.add(text)
        if half:
            self._bad.append(self._offsets.file_end)
            self._offsets.add_half()
            text += "\ufffd"
        return text.encode()

    def _mapped(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            yield self._item(item)

    def _item(self, item: Item) -> Item:
        start, end = self._range(item)
        bad = [place for place in self._bad if place < end]
        mapped: Item
        if bad:
            del self._bad[: len(bad)]
            reason = f"no UTF-16 at byte {bad[0]}: half a character or half a surrogate pair"
            mapped = Unparsed(reason, start, end)
        elif isinstance(item, Parsed):
            holes = tuple(Unparsed(hole.reason, *self._range(hole)) for hole in item.holes)
            mapped = Parsed(tuple(self._mapped_run(each) for each in item.built), start, end, holes)
        else:
            mapped = type(item)(item.reason, start, end)
        self._offsets.forget_before(item.byte_end)
        return mapped

    def _range(self, item: Item) -> tuple[int, int]:
        return self._offsets.of(item.byte_start), self._offsets.of(item.byte_end)

    def _mapped_run(self, built: BuiltRun) -> BuiltRun:
        run = built.run
        source = run.source
        if source is None or not self._maps_source:
            return built
        start, end = source.byte_start, source.byte_end
        mapped = {
            "byte_start": None if start is None else self._offsets.of(start),
            "byte_end": None if end is None else self._offsets.of(end),
        }
        mapped_source = source.model_copy(update=mapped)
        return BuiltRun(run.model_copy(update={"source": mapped_source}))


class _Offsets:
    """Where each byte of the parser's UTF-8 begins in the file, since the last item."""

    def __init__(self, offset: int) -> None:
        self._own_starts = [offset]
        self._file_starts = [offset]
        self._sizes = [(1, _CHARACTER_BYTES)]  # a character's bytes, for the parser and in the file
        self._own_end = self.file_end = offset

    def add(self, text: str) -> None:
        for stretch in _stretches(text):
            first = stretch[0][0]
            self._add(len(stretch[0]), (len(first.encode()), _bytes_in_file(first)))

    def add_half(self) -> None:
        """Note a U+FFFD that stands for one byte."""
        self._add(1, (len("\ufffd".encode()), 1))

    def of(self, own: int) -> int:
        """Return the file's offset of the parser's offset `own`."""
        index = max(0, bisect_right(self._own_starts, own) - 1)
        bytes_own, bytes_in_file = self._sizes[index]
        characters = (own - self._own_starts[index]) // bytes_own
        return self._file_starts[index] + characters * bytes_in_file

    def forget_before(self, own: int) -> None:
        index = max(0, bisect_right(self._own_starts, own) - 1)
        for each in (self._own_starts, self._file_starts, self._sizes):
            del each[:index]

    def _add(self, count: int, sizes: tuple[int, int]) -> None:
        if self._sizes[-1] != sizes:
            self._own_starts.append(self._own_end)
            self._file_starts.append(self.file_end)
            self._sizes.append(sizes)
        self._own_end += count * sizes[0]
        self.file_end += count * sizes[1]


def _bytes_in_file(character: str) -> int:
    return _CHARACTER_BYTES * (1 + (character > "\uffff"))

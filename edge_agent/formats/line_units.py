"""What the formats that are read line by line have in common. Pure: no I/O.

A `LineParser` cuts bytes into lines and joins what stands outside of any unit; a `Draft` gathers
lines that belong together, a `UnitDraft` those of one unit. A format says what its lines mean.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from broker.messages import MEASUREMENTS_MAX
from edge_agent.formats import text
from edge_agent.formats.items import JSON, Item, Options, Parsed, Skipped, Unparsed
from edge_agent.formats.lines import Line, LineCutter
from edge_agent.formats.runs import build_run, no_measurement


class LineParser(ABC):
    """Lines in, items out. Keeps the laws of `edge_agent.formats` if `_read` only looks back."""

    _BLANKS: ClassVar[bytes | None] = None
    """What is trimmed off a line's ends; None: every white space."""
    _LITTER: ClassVar[str] = "outside of any unit"
    """Why a line outside of any unit is not understood."""

    def __init__(self, options: Options, file: str, offset: int, state: Mapping[str, JSON]) -> None:
        self._options = options
        self._file = text.base_name(file)
        self._cutter = LineCutter(offset, options.max_unit_bytes, self._BLANKS)
        self._draft: Draft | None = None
        self._litter: Unparsed | None = None  # lines outside of any unit, neighbours joined
        self._state: dict[str, JSON] = dict(state)

    def feed(self, data: bytes) -> Iterator[Item]:
        """Take the next bytes; an item for every unit and blank line they complete."""
        self._cutter.add(data)
        return self._items(self._cutter.lines())

    def finish(self) -> Iterator[Item]:
        """Read the last line, also without its newline; a half unit is Unparsed."""
        yield from self._items(self._cutter.rest())
        yield from self._close()

    def state(self) -> dict[str, JSON]:
        """Return what later units need of the lines before the end of the last item."""
        return dict(self._state)

    @abstractmethod
    def _read(self, line: Line, content: str) -> Iterator[Item]:
        """Take one line, decoded; yield what it completes."""

    @abstractmethod
    def _context(self) -> dict[str, JSON]:
        """Return what later units need of the lines so far."""

    def _items(self, lines: Iterator[Line]) -> Iterator[Item]:
        for line in lines:
            yield from self._read(line, text.decode(line.content, self._options.encoding))

    def _close(self) -> Iterator[Item]:
        """Yield the unit or litter in hand, if any."""
        found = self._litter if self._draft is None else self._draft.item()
        self._draft = self._litter = None
        if found is not None:
            yield self._said(found)

    def _said(self, item: Item) -> Item:
        """Return the item about to be yielded, with the state as it is after it."""
        self._state = self._context()
        return item

    def _skip(self, reason: str, line: Line) -> Item:
        return self._said(Skipped(reason, line.byte_start, line.byte_end))

    def _set_aside(self, line: Line, content: str, reason: str | None = None) -> Iterator[Item]:
        """Take a line outside of any unit: a blank one is Skipped, others are joined."""
        if self._litter is not None:
            self._litter = self._litter._replace(byte_end=line.byte_end)
        elif content:
            self._litter = Unparsed(reason or self._LITTER, line.byte_start, line.byte_end)
        else:
            yield self._skip("blank line", line)


class Draft(ABC):
    """Lines that belong together, as far as they were read; `item` says what they came to."""

    def __init__(self, options: Options, byte_start: int) -> None:
        self._options = options
        self._start = self._end = byte_start
        self._holes: list[Unparsed] = []

    def add(self, line: Line, content: str) -> None:
        """Take the next line; one that is not understood becomes a hole."""
        self._end = line.byte_end
        if self._is_too_large():
            self._forget()  # it can only become Unparsed: hold nothing of it
            return
        try:
            self._take(content)
        except ValueError as error:
            self._add_hole(f"{error}", line)

    @abstractmethod
    def item(self) -> Item:
        """Return the lines as one item; never raises."""

    @abstractmethod
    def _take(self, content: str) -> None:
        """Take one line, or raise ValueError with the sentence why it is not understood."""

    def _add_hole(self, reason: str, line: Line) -> None:
        start = line.byte_start
        if self._holes and self._holes[-1].byte_end == start:
            reason, start, _ = self._holes.pop()
        if len(self._holes) <= MEASUREMENTS_MAX:  # with more it can only become Unparsed
            self._holes.append(Unparsed(reason, start, line.byte_end))

    def _unparsed(self, reason: str) -> Unparsed:
        return Unparsed(reason, self._start, self._end)

    def _is_too_large(self) -> bool:
        return self._end - self._start > self._options.max_unit_bytes

    def _check_size(self) -> None:
        if self._is_too_large():
            size, size_max = self._end - self._start, self._options.max_unit_bytes
            raise ValueError(f"a unit of {size} bytes, above max_unit_bytes ({size_max})")
        if len(self._holes) > MEASUREMENTS_MAX:
            raise ValueError(f"more than {MEASUREMENTS_MAX} pieces that are not understood")

    def _forget(self) -> None:
        self._holes.clear()


class UnitDraft(Draft):
    """The lines of one unit, which becomes one Run."""

    def __init__(self, options: Options, file: str, byte_start: int) -> None:
        super().__init__(options, byte_start)
        self._file = file
        self._rows: list[dict[str, Any]] = []
        self._row_count = 0

    def item(self) -> Item:
        """Return the unit as one item; never raises."""
        try:
            self._check_size()
            source = {"file": self._file, "byte_start": self._start, "byte_end": self._end}
            fields = {**self._fields(), "source": source}
            run = build_run(fields, self._options.payload_bytes_max)
        except ValueError as error:
            return self._unparsed(f"{error}")
        return Parsed((run,), self._start, self._end, tuple(self._holes))

    @abstractmethod
    def _fields(self) -> dict[str, Any]:
        """Return the fields of the Run, or raise ValueError with the sentence why it is none."""

    def _add_row(self, row: dict[str, Any]) -> None:
        self._row_count += 1
        if self._row_count <= MEASUREMENTS_MAX:
            self._rows.append(row)

    def _measurements(self, status: str) -> list[dict[str, Any]]:
        """Return the rows; where the unit has none, its status as the tester says it."""
        if self._row_count > MEASUREMENTS_MAX:
            raise ValueError(f"{self._row_count} measurements; a run holds {MEASUREMENTS_MAX}")
        if self._holes and not self._rows:
            raise ValueError(f"no row was understood; the first: {self._holes[0].reason}")
        return self._rows or [no_measurement(text.clean(status))]

    def _forget(self) -> None:
        super()._forget()
        self._rows.clear()

"""STDF V4, the binary format of semiconductor testers (ATE): PIR to PRR is a unit. Pure: no I/O.

Sites are tested side by side and their records alternate, so the units that overlap are one item.
Records around them carry nothing of a unit; what they say of all units goes into the state.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final

from edge_agent.formats import text
from edge_agent.formats.items import JSON, Item, Options, Parsed, Skipped, Unparsed
from edge_agent.formats.stdf_cutter import Damage, RecordCutter
from edge_agent.formats.stdf_memory import Memory
from edge_agent.formats.stdf_parts import Touchdown
from edge_agent.formats.stdf_records import (
    FAR,
    MIR,
    PIR,
    PRR,
    TEST_READERS,
    WIR,
    Record,
    read_lot,
    read_order,
    read_part_end,
    read_site,
    read_wafer,
)

_NAMES: Final = {FAR: "FAR", MIR: "MIR", WIR: "WIR", PIR: "PIR", PRR: "PRR"}


class Stdf:
    """The parser of `stdf`: records in, parts out."""

    def __init__(self, options: Options, file: str, offset: int, state: Mapping[str, JSON]) -> None:
        self._options = options
        self._file = text.base_name(file)
        self._memory = Memory(state)
        self._cutter = RecordCutter(offset, self._memory.order)
        self._said = offset  # the end of the last item
        self._touchdown: Touchdown | None = None
        self._litter: str | None = None  # why bytes are passed over until a start mark; None: not
        self._pending: deque[tuple[Item, dict[str, JSON]]] = deque()
        self._state = self._memory.state()

    def feed(self, data: bytes) -> Iterator[Item]:
        """Take the next bytes; an item for all parts that end together, and what is before them."""
        self._cutter.add(data)
        self._read(is_last=False)
        return self._items()

    def finish(self) -> Iterator[Item]:
        """Read what is left; a part without its end is not understood."""
        self._read(is_last=True)
        end = self._cutter.end
        if self._litter is not None:
            self._say(Unparsed(self._litter, self._said, end))
        else:
            self._close(end)
        return self._items()

    def state(self) -> dict[str, JSON]:
        """Return order of bytes, lot, wafer and the limits of the tests so far."""
        return dict(self._state)

    def _items(self) -> Iterator[Item]:
        while self._pending:
            item, self._state = self._pending.popleft()
            yield item

    def _say(self, item: Item) -> None:
        self._said = item.byte_end
        self._memory.settle()
        self._pending.append((item, self._memory.state()))

    def _read(self, *, is_last: bool) -> None:
        """Take all records that the bytes so far hold."""
        while self._litter is None or self._leave_litter(is_last=is_last):
            found = self._cutter.next_record(is_last=is_last)
            if found is None:
                return
            if isinstance(found, Damage):
                self._pass_over(found)
                continue
            try:
                self._take(found)
            except ValueError as error:
                start = found.byte_start
                kind = _NAMES.get(found.kind, "test")
                self._pass_over(Damage(f"the {kind} record at byte {start} {error}", start))

    def _leave_litter(self, *, is_last: bool) -> bool:
        """Go on at the next start mark, if there is one."""
        if self._litter is None or not self._cutter.find_mark(is_last=is_last):
            return False
        self._say(Unparsed(self._litter, self._said, self._cutter.at))
        self._litter = None
        return True

    def _pass_over(self, damage: Damage) -> None:
        """Give up at damage: what is complete before it is said, the rest is passed over."""
        touchdown, self._touchdown = self._touchdown, None
        if touchdown is None:
            self._close(damage.byte_start)
        elif isinstance(item := touchdown.item(damage.byte_start, damage.reason), Parsed):
            self._say(item)
        self._litter = damage.reason
        self._cutter.seek(damage.byte_start + 1)

    def _close(self, end: int) -> None:
        """Say what was read up to `end` and not said yet, whether it is complete or not."""
        touchdown, self._touchdown = self._touchdown, None
        if touchdown is not None:
            self._say(touchdown.item(end))
        elif self._said < end:
            self._say(Skipped("records around parts", self._said, end))

    def _take(self, record: Record) -> None:
        """Take one record, or raise ValueError with what is wrong with it, and nothing changed."""
        body, order = record.body, self._cutter.order or ""
        if record.kind == FAR:
            self._begin_file(record)
        elif record.kind == MIR:
            self._memory.begin_lot(read_lot(body, order))
        elif record.kind == WIR:
            self._memory.begin_wafer(read_wafer(body, order))
        elif record.kind == PIR:
            self._begin_part(read_site(body, order), record)
        elif record.kind == PRR:
            self._end_part(record)
        elif record.kind in TEST_READERS:
            self._take_test(record)

    def _begin_file(self, record: Record) -> None:
        self._close(record.byte_start)
        self._cutter.order = None  # of an unknown version nothing is
        self._cutter.order = order = read_order(record.body)
        self._memory = Memory({"order": order})

    def _begin_part(self, site: tuple[int, int], record: Record) -> None:
        if self._touchdown is None or self._touchdown.is_alone(site):
            self._close(record.byte_start)
            self._touchdown = Touchdown(self._options, self._file, record.byte_start)
        self._touchdown.begin(site, record)

    def _end_part(self, record: Record) -> None:
        end = read_part_end(record.body, self._cutter.order or "")
        if self._touchdown is None:
            raise ValueError("ends a part that did not begin: no PIR before it")
        self._touchdown.end(end, self._memory, record)
        if self._touchdown.is_over:
            self._close(record.byte_end)

    def _take_test(self, record: Record) -> None:
        test = TEST_READERS[record.kind](record.body, self._cutter.order or "")
        if self._touchdown is not None:
            known = self._memory.known(record.kind, test)
            self._touchdown.test(test, known, record)
        elif test.is_executed:
            raise ValueError("is of no part: no PIR before it")
        self._memory.learn(record.kind, test)

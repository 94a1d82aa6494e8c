"""The parts of an STDF file that are tested side by side, one on each site. Pure: no I/O."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from broker.messages import MEASUREMENTS_MAX
from edge_agent.formats import text
from edge_agent.formats.items import Item, Options, Parsed, Unparsed
from edge_agent.formats.runs import BuiltRun, build_run, no_measurement
from edge_agent.formats.stdf_memory import Known, Memory
from edge_agent.formats.stdf_records import Lot, PartEnd, Record, Test
from edge_agent.formats.stdf_rows import Fields, rows, said

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the file counts in its own local time
_DEFAULT_PROCEDURE: Final = "ATE"
_CUT_OFF: Final = "a part without its PRR record"
_ENDED_MAX: Final = 1_000
"""Parts that are held because one beside them is open: more than any tester has sites."""

Site = tuple[int, int]
"""Head and site."""


class _Part:
    """What was read of one part so far."""

    def __init__(self, record: Record) -> None:
        self.byte_start = record.byte_start
        self.rows: list[Fields] = []
        self.row_count = 0
        self.forgotten_count = 0
        """Tests whose limits stood in a record that is no longer known."""
        self.ranges: list[tuple[int, int]] = []
        """Of its records, neighbours joined."""
        self.take(record)

    def take(self, record: Record) -> None:
        start = record.byte_start
        if self.ranges and self.ranges[-1][1] == start:
            start, _ = self.ranges.pop()
        self.ranges.append((start, record.byte_end))

    def add(self, found: list[Fields]) -> None:
        self.row_count += len(found)
        self.rows += found[: MEASUREMENTS_MAX - len(self.rows)]

    def refused(self, reason: str) -> Iterator[Unparsed]:
        """Yield its records, as what was not understood."""
        return (Unparsed(reason, start, end) for start, end in self.ranges)


class Touchdown:
    """Parts that overlap: from the first PIR until none is open. They end together, as one item."""

    def __init__(self, options: Options, file: str, byte_start: int) -> None:
        self._options, self._file = options, file
        self.byte_start = byte_start
        self._open: dict[Site, _Part] = {}
        self._ended_count = 0
        self._ended: set[Site] = set()
        self._is_endless = False
        self._runs: list[BuiltRun] = []
        self._holes: list[Unparsed] = []

    @property
    def is_over(self) -> bool:
        """Tell whether no part is open, or the one that is must have lost its end."""
        return not self._open or self._is_endless

    def is_alone(self, site: Site) -> bool:
        """Tell whether the part of this site is the only one that is open."""
        return self._open.keys() == {site}

    def begin(self, site: Site, record: Record) -> None:
        """Take PIR; a part that was open there has lost its end."""
        if lost := self._open.pop(site, None):
            self._holes.extend(lost.refused(_CUT_OFF))
        self._open[site] = _Part(record)
        self._bound(record)

    def test(self, test: Test, known: Known, record: Record) -> None:
        """Take PTR, MPR or FTR."""
        part = self._open.get((test.head, test.site))
        if part is None:
            if test.is_executed:
                self._refuse(record)
            return
        part.take(record)
        if test.is_executed:
            part.add(rows(test, test.limits.completed(known.limits), self._options))
            is_complete = test.limits.says_low and test.limits.says_high
            part.forgotten_count += known.is_forgotten and bool(test.results) and not is_complete
        self._bound(record)

    def end(self, end: PartEnd, memory: Memory, record: Record) -> None:
        """Take PRR, which completes a part."""
        part = self._open.pop((end.head, end.site), None)
        if part is None:
            self._refuse(record)
            return
        part.take(record)
        self._is_endless = self._lasts_too_long((end.head, end.site), record)
        self._bound(record)
        try:
            self._runs.append(self._run(part, end, memory, record.byte_end))
        except ValueError as error:
            self._holes.extend(part.refused(f"{error}"))

    def item(self, byte_end: int, reason: str = _CUT_OFF) -> Item:
        """Return what it came to; `reason` is why open parts have no end."""
        size, size_max = byte_end - self.byte_start, self._options.max_unit_bytes
        if size > size_max:
            told = f"parts of {size} bytes together, above max_unit_bytes ({size_max})"
            return Unparsed(told, self.byte_start, byte_end)
        for part in self._open.values():
            self._holes.extend(part.refused(reason))
        holes = _joined(self._holes)
        if not self._runs:
            return Unparsed(holes[0].reason, self.byte_start, byte_end)
        return Parsed(tuple(self._runs), self.byte_start, byte_end, tuple(holes))

    def _lasts_too_long(self, site: Site, record: Record) -> bool:
        """Take note that a part ended; tell whether the others need not wait for an open one.

        Sites that go on, one part after the other, are no touchdown: then half the bound is enough.
        """
        goes_on = site in self._ended
        self._ended.add(site)
        self._ended_count += 1
        size = record.byte_end - self.byte_start
        is_long = goes_on and size > self._options.max_unit_bytes // 2
        return is_long or self._ended_count >= _ENDED_MAX

    def _refuse(self, record: Record) -> None:
        reason = "a record of a site without PIR before it"
        self._holes.append(Unparsed(reason, record.byte_start, record.byte_end))
        self._bound(record)

    def _bound(self, record: Record) -> None:
        """Hold nothing of what can only become Unparsed."""
        if record.byte_end - self.byte_start > self._options.max_unit_bytes:
            self._runs.clear()
            self._holes.clear()
            for part in self._open.values():
                part.rows.clear()
                part.ranges.clear()

    def _run(self, part: _Part, end: PartEnd, memory: Memory, byte_end: int) -> BuiltRun:
        """Return a part as a Run, or raise ValueError with the sentence why it is none."""
        if memory.lot is None:
            raise ValueError("a part without lot: no MIR record before it")
        if part.row_count > MEASUREMENTS_MAX:
            raise ValueError(f"{part.row_count} measurements; a run holds {MEASUREMENTS_MAX}")
        lot, options = memory.lot, self._options
        lot_id, sublot, part_id = (
            said(each, options) for each in (lot.lot, lot.sublot, end.part_id)
        )
        if not lot_id or not part_id:
            raise ValueError(f"a part without {'part id (PRR)' if lot_id else 'lot id (MIR)'}")
        fields = {
            "barcode": ".".join(each for each in (lot_id, sublot, part_id) if each),
            **_lot_fields(lot, options),
            "reported_outcome": end.outcome,
            "panel": {"position": end.site},
            "attributes": _attributes(part, end, memory, options),
            "measurements": part.rows or [no_measurement(end.outcome or "no verdict")],
            "source": {"file": self._file, "byte_start": part.byte_start, "byte_end": byte_end},
        }
        return build_run(fields, options.payload_bytes_max)


def _lot_fields(lot: Lot, options: Options) -> Fields:
    """Return what all parts of a lot have in common."""
    job = said(lot.job, options)
    return {
        "product_id": options.product_id or text.name(said(lot.part_type, options) or job),
        "procedure": options.procedure or _DEFAULT_PROCEDURE,
        "started_at": _EPOCH + timedelta(seconds=lot.start_s),
        "program": text.clean(job) or None,
        "program_version": text.clean(said(lot.job_version, options)) or None,
        "operator": text.clean(said(lot.operator, options)) or None,
    }


def _attributes(part: _Part, end: PartEnd, memory: Memory, options: Options) -> Fields:
    """Return what distinguishes the part from others with the same barcode: ids repeat."""
    found = {
        "head": end.head,
        "site": end.site,
        "hard_bin": end.hard_bin,
        "soft_bin": end.soft_bin,
        "x": end.x,
        "y": end.y,
        "wafer": said(memory.wafer, options) or None,
        "test_ms": end.test_ms,
        "part_text": said(end.part_text, options) or None,
        "supersedes": end.supersedes or None,
        "limits_forgotten": part.forgotten_count or None,
    }
    return {key: each for key, each in found.items() if each is not None}


def _joined(holes: list[Unparsed]) -> list[Unparsed]:
    """Return holes in order, neighbours with the same reason as one."""
    joined: list[Unparsed] = []
    for hole in sorted(holes, key=lambda each: each.byte_start):
        last = joined[-1] if joined else None
        if last and (last.reason, last.byte_end) == (hole.reason, hole.byte_start):
            joined[-1] = last._replace(byte_end=hole.byte_end)
        else:
            joined.append(hole)
    return joined

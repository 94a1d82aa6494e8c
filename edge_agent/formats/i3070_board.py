"""Collect the records of one Keysight board into the fields of its Run. Pure: no I/O.

Braces are not counted, because some testers lose them: a BATCH, BTEST, BLOCK or test record
closes what cannot contain it.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from broker.messages import MEASUREMENTS_MAX
from edge_agent.formats import text
from edge_agent.formats.i3070_steps import (
    LIMIT_COUNTS,
    PASS_FAIL,
    UNITS,
    Ending,
    Limits,
    field,
    limits,
    match_plain_block,
    match_plain_test,
    measured_value,
    pass_fail_step,
    step_name,
    step_outcome,
    word,
)
from edge_agent.formats.items import Options, Unparsed
from edge_agent.formats.runs import no_measurement, pass_fail

_BATCH, _BTEST, _BLOCK, _TEST, _PART, _LIMITS = range(6)
"""Ranks of open records: one closes those of its own rank and above."""
_CUT_LIMITS: Final = ("", "L", "LI", "LIM")


class Record(NamedTuple):
    """One record, without its sub-records and closing brace."""

    type: str
    fields: Sequence[str]
    printed: str
    """As it stands, without brace."""
    byte_start: int
    byte_end: int
    ending: Ending = Ending.NONE


class _Block(NamedTuple):
    name: str
    status: str
    place: int
    """How many steps stand before it."""


_NO_BLOCK: Final = _Block("", "", 0)


class Board:
    """What was read of one board so far.

    Args:
        options: Of the source.
        is_in_batch: Its BATCH is open, and had a board before.
    """

    def __init__(self, options: Options, *, is_in_batch: bool) -> None:
        self._options = options
        self._open = [_BATCH] if is_in_batch else []
        self._row: dict[str, Any] | None = None  # of the A-xxx that is open
        self._block = _NO_BLOCK
        self._rows: list[dict[str, Any]] = []
        self._row_count = 0
        self._note_chars = 0
        self._units = {
            kind: name for kind, each in UNITS.items() if (name := text.unit(each, options.units))
        }
        self.head: Sequence[str] | None = None
        """Fields of its BTEST; None: not yet begun."""
        self.unproven: list[dict[str, Any]] = []
        """Its steps without those of a `PLAIN_BLOCK`, which the contract accepts as they are."""
        self.holes: list[Unparsed] = []
        self._report: list[str] = []
        self._records: list[str] = []

    @property
    def is_in_batch(self) -> bool:
        """Tell whether its BATCH is open: there may be another board in it."""
        return _BATCH in self._open

    @property
    def is_over(self) -> bool:
        """Tell whether its BTEST is closed, or a BATCH without one."""
        return (_BATCH if self.head is None else _BTEST) not in self._open

    def open(self, record: Record) -> None:
        """Take a record; what cannot contain it is closed."""
        if self._open and self._open[-1] == _LIMITS:
            self._pop()  # limits contain nothing
        kind = record.type
        if kind == "BATCH":
            self._open = [_BATCH]
        elif kind == "BTEST":
            self.head = record.fields
            self._push(_BTEST)
        elif kind == "BLOCK" or kind in PASS_FAIL or kind.startswith("A-"):
            self._open_test(record)
        elif kind in LIMIT_COUNTS and self._row is not None and self._open[-1] == _TEST:
            self._open_limits(record, self._row)
        else:
            self._open_part(record)

    def close(self) -> None:
        """Take a brace: it closes what is innermost."""
        self._pop()

    def end(self) -> None:
        """Close what is open in it: its brace, or the next BATCH or BTEST, has come."""
        self._close_from(_BTEST)

    def add_plain(self, log: str, at: int, end_max: int) -> int:
        """Take the plain blocks and plain tests from `at` on, and return where they end.

        They come to what `open` and `close` would make of them, only sooner.
        """
        while True:
            end = self._add_plain_tests(log, self._add_plain_blocks(log, at, end_max), end_max)
            if end == at:
                return end
            at = end

    def _add_plain_blocks(self, log: str, at: int, end_max: int) -> int:
        found = match_plain_block(log, at, end_max)
        if found:
            self._close_from(_BLOCK)
        units, rows = self._units, []
        while found:
            name, kind, value, subtest, nominal, high, low = found.groups()
            row = {
                "test_step": f"{name}%{subtest}" if subtest else name,
                "measured_value": float(value),
                "reported_outcome": "PASS",
            }
            if kind in units:
                row["unit"] = units[kind]
            if nominal:
                row["nominal"] = float(nominal)
            if high:
                row["high"] = float(high)
            if low:
                row["low"] = float(low)
            rows.append(row)
            at = found.end()
            found = match_plain_block(log, at, end_max)
        self._row_count += len(rows)
        self._rows += rows[: max(0, MEASUREMENTS_MAX - len(self._rows))]
        return at

    def _add_plain_tests(self, log: str, at: int, end_max: int) -> int:
        while found := match_plain_test(log, at, end_max):
            kind, fields = found.groups()
            self._open_pass_fail(kind, fields.split("|")[1:])
            self._pop()
            at = found.end()
        return at

    def add_hole(self, reason: str, byte_start: int, byte_end: int) -> None:
        """Note a piece that was not understood; neighbours are joined."""
        if self.holes and self.holes[-1].byte_end == byte_start:
            reason, byte_start, _ = self.holes.pop()
        if len(self.holes) <= MEASUREMENTS_MAX:  # more are refused
            self.holes.append(Unparsed(reason, byte_start, byte_end))

    def add_text(self, byte_start: int, byte_end: int, *, is_cut: bool) -> None:
        """Note text where a record should be; `is_cut`: one begins, and the line ends."""
        if is_cut and self._row is not None:
            self._end_cut_test(byte_start, byte_end)
        else:
            self.add_hole("text where a record should be", byte_start, byte_end)

    def measurements(self) -> list[dict[str, Any]]:
        """Return its steps in the order of the file; where it has none, its status, recorded.

        Raises:
            ValueError: There are too many, or none was understood.
        """
        if self._row_count > MEASUREMENTS_MAX:
            raise ValueError(f"{self._row_count} measurements; a run holds {MEASUREMENTS_MAX}")
        if len(self.holes) > MEASUREMENTS_MAX:
            raise ValueError(f"more than {MEASUREMENTS_MAX} pieces that are not understood")
        if self._note_chars > self._options.payload_bytes_max:
            raise ValueError(f"texts of {self._note_chars} characters, more than a message holds")
        if self.holes and not self._rows:
            raise ValueError(f"no test was understood; the first: {self.holes[0].reason}")
        return self._rows or [no_measurement(text.clean(self._word(field(self.head or (), 1))))]

    def texts(self) -> dict[str, Any]:
        """Return its report, and the records that the format does not name, as printed."""
        texts = {"report": "\n".join(self._report), "records": self._records}
        return {key: each for key, each in texts.items() if each}

    def _open_test(self, record: Record) -> None:
        fields = record.fields
        if self.head is None:
            self.add_hole(f"{record.type} before a BTEST", record.byte_start, record.byte_end)
            self._open.append(_PART)
        elif record.type == "BLOCK":
            self._open_block(step_name(self._word(field(fields, 0))), field(fields, 1))
        elif record.type in PASS_FAIL:
            self._open_pass_fail(record.type, fields)
        else:
            self._open_measured(record)

    def _open_block(self, name: str, status: str) -> None:
        self._push(_BLOCK)
        self._block = _Block(name, status, len(self._rows))

    def _open_pass_fail(self, kind: str, fields: Sequence[str]) -> None:
        self._push(_TEST)
        self._row = None  # it has no limits
        name = step_name(self._word(field(fields, PASS_FAIL[kind].designator)))
        name = name or self._block.name or kind
        self._add_row(pass_fail_step(kind, fields, text.name(name)))

    def _open_measured(self, record: Record) -> None:
        self._push(_TEST)
        fields, subtest = record.fields, self._word(field(record.fields, 2))
        name = "%".join(each for each in (self._block.name, subtest) if each) or record.type
        self._row = {
            "test_step": text.name(name),
            "measured_value": None,
            "reported_outcome": step_outcome(field(fields, 0)),
        }
        if unit := self._units.get(record.type.removeprefix("A-")):
            self._row["unit"] = unit
        self._add_row(self._row)
        try:
            self._row["measured_value"] = measured_value(fields, record.ending)
        except ValueError as error:
            self.add_hole(f"{record.type}: {error}", record.byte_start, record.byte_end)
        if record.ending is Ending.CUT:
            self._pop()

    def _open_limits(self, record: Record, row: dict[str, Any]) -> None:
        self._open.append(_LIMITS)
        try:
            found = limits(record.type, record.fields, record.ending)
        except ValueError as error:
            self.add_hole(f"{record.type}: {error}", record.byte_start, record.byte_end)
            found = Limits({})
        row.update(found.fields)
        if found.stump is not None:
            row["attributes"] = {"limit_cut": text.clean(self._word(found.stump))}
            end = record.byte_start + len(record.printed.rstrip()) + 1  # its brace is not printed
            start = end - len(found.stump)
            self.add_hole("a limit cut at the end of its line", start, max(end, start + 1))
        if found.stump is not None or record.ending is Ending.CUT:
            self._close_from(_TEST)

    def _open_part(self, record: Record) -> None:
        """Take a record that is no test; free text and what the format does not name."""
        ends_line = record.ending is not Ending.NONE
        if record.type in _CUT_LIMITS and ends_line and self._row is not None:
            self._end_cut_test(record.byte_start, record.byte_end)
            return
        self._open.append(_PART)
        is_report = record.type == "RPT"
        printed = "|".join(record.fields) if is_report else record.printed
        self._note_chars += len(printed)
        if self._note_chars <= self._options.payload_bytes_max:
            note = text.clean(self._word(printed), self._options.payload_bytes_max)
            (self._report if is_report else self._records).append(note)
        if is_report and record.ending is Ending.CUT:
            self._pop()

    def _end_cut_test(self, byte_start: int, byte_end: int) -> None:
        self.add_hole("limits cut at the end of their line", byte_start, byte_end)
        self._close_from(_TEST)

    def _push(self, rank: int) -> None:
        self._close_from(rank)
        self._open.append(rank)

    def _close_from(self, rank: int) -> None:
        """Close what a record of this rank cannot stand in."""
        while self._open and self._open[-1] >= rank:
            self._pop()

    def _pop(self) -> None:
        rank = self._open.pop()
        if rank == _TEST:
            self._row = None
        elif rank == _BLOCK:
            self._end_block()

    def _end_block(self) -> None:
        """Make a step of a block that failed if none in it did."""
        name, status, place = self._block
        self._block = _NO_BLOCK
        outcome = step_outcome(status)
        if outcome != "PASS" and all(
            row["reported_outcome"] == "PASS" for row in self._rows[place:]
        ):
            row = pass_fail(text.name(name or "BLOCK"), value=False, reported_outcome=outcome)
            self._row_count += 1
            self._rows.insert(place, row)
            self.unproven.append(row)

    def _add_row(self, row: dict[str, Any]) -> None:
        self._row_count += 1
        if self._row_count <= MEASUREMENTS_MAX:
            self._rows.append(row)
            self.unproven.append(row)

    def _word(self, printed: str) -> str:
        return word(printed, self._options.encoding)

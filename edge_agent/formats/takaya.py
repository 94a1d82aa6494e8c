"""Takaya flying probes (FPT), ATD files with tabs: a head, then a board per GROUP. Pure: no I/O.

A panel is a head between two `@` lines, its boards, and an `@` that ends it. The head says model
and date for all of its boards, so it is kept in the state until that `@`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from edge_agent.formats import text
from edge_agent.formats.items import JSON, Item, Options, Skipped
from edge_agent.formats.line_units import Draft, LineParser, UnitDraft
from edge_agent.formats.lines import Line
from edge_agent.formats.runs import panel
from edge_agent.formats.takaya_rows import CELLS, is_column_head, measurement

_AT: Final = "@"
_UNIT_OUTCOMES: Final = {"": None, "PASS": "PASS", "FAIL": "FAIL"}
_NOT_TESTED: Final = "NO-TEST"
_HEAD_CHARS: Final = {"Model": 128, "DATE": 40, "User name": 64, "Test time": 32, "Test ID": 32}
"""What is kept of the head, and how much of it: a state has 4 kB."""
_ATDX: Final = "the ATDX form of a Takaya log, which is not read; export ATD with tabs"
_QUOTED: Final = "the quoted form of APT-94xx testers, which is not read; export ATD with tabs"

_as_group = re.compile(r"\*\s*GROUP\s+No\.\s*([^\s*]+)\s*\*").fullmatch
_as_verdict = re.compile(r"\*\s*([A-Za-z][A-Za-z -]{0,30}?)\s*\*").fullmatch
_as_counters = re.compile(r"(?:[DG]\.[TPF]:\s*[0-9]{1,9}(?:\s+|$))+").fullmatch
_each_counter = re.compile(r"([DG]\.[TPF]):\s*([0-9]+)").findall
_as_named = re.compile(r"([A-Za-z][A-Za-z .]{0,30}?)\s*:\s*(.*)").fullmatch
_as_date = re.compile(r"(DATE)\s+(.*)").fullmatch
_is_quoted = re.compile(r'[0-9]+\s+"').match
_is_atdx = re.compile(r'#+"(?:Main|Group) header"#+').fullmatch


class Takaya(LineParser):
    """The parser of `takaya`: lines in, boards out."""

    _BLANKS = b" \r\n"  # tabs stay: the last cell of a row may be empty
    _LITTER = "outside of any panel: no @ line before it"

    def __init__(self, options: Options, file: str, offset: int, state: Mapping[str, JSON]) -> None:
        super().__init__(options, file, offset, state)
        head = state.get("head")
        self._head = head if isinstance(head, dict) else None  # of the panel under way
        self._draft: _Head | _Board | None = None

    def _read(self, line: Line, content: str) -> Iterator[Item]:
        content = content if "\t" in content.strip() else content.strip()
        if content == _AT:
            yield from self._read_at(line)
        elif group := _as_group(content):
            yield from self._close(is_complete=True)
            self._draft = _Board(self._options, self._file, line.byte_start)
            self._draft.position, self._draft.head = group[1], self._head
            self._draft.add(line, content)
        elif self._draft is not None:
            self._draft.add(line, content)
        elif self._begins_head(content):
            yield from self._begin_head(line, content)
        else:
            reason = _ATDX if _is_atdx(content) else None
            yield from self._set_aside(line, content, reason)

    def _read_at(self, line: Line) -> Iterator[Item]:
        """Take an `@`: the end of a panel where one is under way, else begin or end of its head."""
        if isinstance(self._draft, _Head) and self._draft.has_lines:
            self._draft.add(line, _AT)
            yield from self._close(is_complete=True)
            return
        yield from self._close(is_complete=True)
        if self._head is None:
            yield from self._begin_head(line, _AT)
        else:
            self._head = None
            yield self._skip("end of the panel", line)

    def _begin_head(self, line: Line, content: str) -> Iterator[Item]:
        yield from self._close()
        self._head = None
        self._draft = _Head(self._options, line.byte_start)
        self._draft.add(line, content)

    def _begins_head(self, content: str) -> bool:
        """Tell whether a line outside of everything begins a head.

        The `@` before it was taken for the end of a panel that had lost its own. Inside a panel
        only model and date tell a head from a board that lost its GROUP.
        """
        if self._litter is not None and self._litter.reason == _ATDX:
            return False
        if self._head is None and (_as_verdict(content) or _as_counters(content)):
            return True
        return content.startswith("Model:") or _as_date(content) is not None

    def _close(self, *, is_complete: bool = False) -> Iterator[Item]:
        """Yield what is in hand; `is_complete`: the line that follows ends it."""
        if self._draft is not None:
            self._draft.is_complete = is_complete
        if isinstance(self._draft, _Head):
            self._head = self._draft.found()
        yield from super()._close()

    def _context(self) -> dict[str, JSON]:
        return {} if self._head is None else {"head": self._head}


class _Head(Draft):
    """The head of a panel: what holds for all of its boards."""

    def __init__(self, options: Options, byte_start: int) -> None:
        super().__init__(options, byte_start)
        self.is_complete = False
        self.has_lines = False
        """There was more than its first `@`."""
        self._said: dict[str, JSON] = {}

    def found(self) -> dict[str, JSON] | None:
        """Return what it says; None without model or date: then it is no head."""
        return self._said if {"Model", "DATE"} <= self._said.keys() else None

    def item(self) -> Item:
        """Return Skipped for a whole head; never raises."""
        try:
            self._check_size()
        except ValueError as error:
            return self._unparsed(f"{error}")
        if self._holes:
            return self._unparsed(f"the head of a panel: {self._holes[0].reason}")
        if not self.has_lines:
            return Skipped("begin of a panel", self._start, self._end)
        if not self.is_complete or not self.found():
            return self._unparsed("half the head of a panel: without Model, DATE or the second @")
        return Skipped("head of a panel", self._start, self._end)

    def _take(self, content: str) -> None:
        self.has_lines = self.has_lines or content not in {"", _AT}
        if verdict := _as_verdict(content):
            self._said["verdict"] = verdict[1]
        elif _as_counters(content):
            self._said["counters"] = _counters(content)
        elif named := _as_date(content) or _as_named(content):
            if chars_max := _HEAD_CHARS.get(named[1]):
                self._said[named[1]] = text.clean(named[2], chars_max)
        elif content not in {"", _AT}:
            raise ValueError(f"unknown line {content[:20]!r}")

    def _forget(self) -> None:
        super()._forget()
        self._said.clear()


class _Board(UnitDraft):
    """What was read of one board so far."""

    def __init__(self, options: Options, file: str, byte_start: int) -> None:
        super().__init__(options, file, byte_start)
        self.position = ""
        self.head: Mapping[str, JSON] | None = None
        """What the head of its panel says."""
        self.is_complete = False
        self._said: dict[str, str] = {}
        self._trouble: str | None = None

    def item(self) -> Item:
        """Return the board as one item; never raises."""
        was_tested = self._said.get("verdict", "").upper() != _NOT_TESTED
        if was_tested or self._trouble or self._is_too_large() or not self.is_complete:
            return super().item()
        return Skipped(f"board not tested ({_NOT_TESTED})", self._start, self._end)

    def _take(self, content: str) -> None:
        if "\t" in content:
            self._take_cells([cell.strip() for cell in content.split("\t")])
        elif verdict := _as_verdict(content):
            self._once("verdict", verdict[1])
        elif _as_counters(content):
            self._once("counters", content)
        elif content.startswith("Serial No.:"):
            self._once("serial", content.partition(":")[2].strip())
        elif _is_quoted(content):
            self._trouble = _QUOTED
        elif content and not _as_group(content):
            raise ValueError(f"unknown line {content[:20]!r}")

    def _take_cells(self, cells: list[str]) -> None:
        if is_column_head(cells):
            self._once("columns", "known")
        elif "columns" not in self._said:
            raise ValueError("no column head with Group_No. in cell 1 and Function in cell 56")
        elif len(cells) != CELLS:
            raise ValueError(f"row with {len(cells)} cells instead of {CELLS}")
        elif row := measurement(cells, self._options.units):
            self._add_row(row)

    def _once(self, key: str, value: str) -> None:
        if key in self._said:
            self._trouble = f"two boards in one: a second {key} without a GROUP line before it"
        self._said[key] = value

    def _fields(self) -> dict[str, Any]:
        options, verdict = self._options, self._said.get("verdict", "")
        if not self.is_complete:
            raise ValueError("half a board: without the GROUP or @ line that ends it")
        if self._trouble:
            raise ValueError(self._trouble)
        if self.head is None:
            raise ValueError("a board without the head of its panel (Model, DATE) before it")
        barcode, operator = _serial(self._said.get("serial", ""))
        date, _, clock = f"{self.head.get('DATE', '')}".partition(" ")
        program = re.sub(r"\.SWX$", "", f"{self.head.get('Model', '')}", flags=re.IGNORECASE)
        return {
            "barcode": barcode,
            "product_id": options.product_id or program,
            "procedure": options.procedure or "FPT",
            "started_at": text.moment(date, clock.strip(), options.date_order or "dmy"),
            "reported_outcome": _UNIT_OUTCOMES.get(verdict.upper(), "ERROR"),
            "program": program or None,
            "operator": operator or self.head.get("User name") or None,
            "panel": panel(self.position),
            "attributes": self._attributes(),
            "measurements": self._measurements(verdict),
        }

    def _attributes(self) -> dict[str, JSON] | None:
        head = self.head or {}
        found: dict[str, JSON] = {
            "counters": _counters(self._said.get("counters", "")),
            "panel_verdict": head.get("verdict"),
            "panel_counters": head.get("counters"),
            "test_time": head.get("Test time"),
            "test_id": head.get("Test ID"),
        }
        return {key: each for key, each in found.items() if each} or None


def _counters(content: str) -> dict[str, JSON]:
    return {key: int(count) for key, count in _each_counter(content)}


def _serial(content: str) -> tuple[str, str]:
    """Return barcode and operator of `21272 - BU0296 (OP819)`; the operator may be empty."""
    barcode, operator = content, ""
    if content.endswith(")"):
        barcode, _, operator = content[:-1].rpartition("(")
    barcode = barcode.strip()
    if not barcode:
        raise ValueError("a board without a serial number (Serial No.:)")
    return barcode, text.clean(operator)

"""Teradyne GR228X board testers (ICT): `@date SN barcode`, lines, an event. Pure: no I/O.

A program is loaded for all units that follow; what stands between `@` and the event is one unit.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from edge_agent.formats import text
from edge_agent.formats.gr228x_lines import Nodes, begin_list, begins_step, measurement
from edge_agent.formats.items import JSON, Item, Options
from edge_agent.formats.line_units import LineParser, UnitDraft
from edge_agent.formats.lines import Line

_OUTCOMES: Final = {
    '"': "PASS",
    "/": "FAIL",
    "?": "ABORTED",
    "!": "ABORTED",
    "*": "ERROR",
    "&": "ERROR",
}
_RETURN_TO_DIAGNOSE: Final = "]"
_MONTHS: Final = (
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
)
_DATE: Final = r"([0-9]{1,2}-[A-Za-z]{3}-(?:[0-9]{2}|[0-9]{4}))\s+([0-9]{1,2}:[0-9]{2}:[0-9]{2})"

_as_program = re.compile(r"(.+)\.obc\[.*", re.IGNORECASE).fullmatch
_begins_unit = re.compile(r"@\s*[0-9]").match
_as_start = re.compile(rf"@\s*{_DATE}(?:\s+SN\b\s*(.*))?").fullmatch
_as_event = re.compile(rf'(["/?!*&\]])\s*{_DATE}').fullmatch
_as_override = re.compile(r"WATS_([A-Za-z0-9_]+)=\s*(.*)").fullmatch


class Gr228x(LineParser):
    """The parser of `gr228x`: lines in, units out."""

    _LITTER = "outside of any unit: no @ line before it"

    def __init__(self, options: Options, file: str, offset: int, state: Mapping[str, JSON]) -> None:
        super().__init__(options, file, offset, state)
        program = state.get("program")
        self._program = program if isinstance(program, str) else ""  # the last one loaded
        self._draft: _Unit | None = None

    def _read(self, line: Line, content: str) -> Iterator[Item]:
        if loaded := _as_program(content):
            yield from self._close()
            self._program = text.name(text.base_name(loaded[1]))
            yield self._skip("program loaded", line)
        elif _begins_unit(content):
            yield from self._close()
            self._draft = _Unit(self._options, self._file, line.byte_start)
            self._draft.program = self._program
            self._draft.add(line, content)
        elif self._draft is not None:
            self._draft.add(line, content)
            if _ends_unit(content):
                yield from self._close()
        elif _as_event(content) and content[0] == _RETURN_TO_DIAGNOSE:
            yield from self._close()
            yield self._skip("returned to diagnose", line)
        else:
            yield from self._set_aside(line, content)

    def _context(self) -> dict[str, JSON]:
        return {"program": self._program} if self._program else {}


class _Unit(UnitDraft):
    """What was read of one unit so far."""

    def __init__(self, options: Options, file: str, byte_start: int) -> None:
        super().__init__(options, file, byte_start)
        self.program = ""
        """Name of the program that was loaded before it."""
        self._start_line: str | None = None
        self._event: re.Match[str] | None = None
        self._nodes: Nodes | None = None  # a list that goes on in the next line
        self._overrides: dict[str, str] = {}

    def _take(self, content: str) -> None:
        event = _as_event(content)
        if self._nodes is not None and not event and not begins_step(content):
            self._go_on(self._nodes, content)
            return
        self._end_list()
        if event:
            self._event = event if _ends_unit(content) else self._event
        elif self._start_line is None:
            self._start_line = content
        elif override := _as_override(content):
            self._overrides[override[1]] = text.clean(override[2])
        elif begun := begin_list(content):
            self._go_on(*begun)
        elif content and (row := measurement(content, self._options.units)):
            self._add_row(row)

    def _go_on(self, nodes: Nodes, content: str) -> None:
        """Take the list's next line; it is complete unless that says that it goes on."""
        self._nodes = nodes
        if not nodes.add(content):
            self._end_list()

    def _end_list(self) -> None:
        if self._nodes is not None:
            self._add_row(self._nodes.measurement(self._options.payload_bytes_max))
        self._nodes = None

    def _forget(self) -> None:
        super()._forget()
        self._nodes = None
        self._overrides.clear()

    def _fields(self) -> dict[str, Any]:
        options, start, event = self._options, _as_start(self._start_line or ""), self._event
        if event is None:
            raise ValueError("a unit without the event that ends it")
        if start is None or not start[3]:
            raise ValueError(f"no barcode in {(self._start_line or '')[:60]!r} (@date SN barcode)")
        said = {key: each for key, each in self._overrides.items() if each}
        outcome = _OUTCOMES[event[1]]
        return {
            "barcode": start[3],
            "product_id": self._product(text.name(said.pop("partNumber", ""))),
            "procedure": options.procedure or "ICT",
            "started_at": _moment(start[1], start[2]),
            "ended_at": _moment(event[2], event[3]),
            "reported_outcome": outcome,
            "program": said.pop("sequenceName", self.program) or None,
            "program_version": said.pop("sequenceVersion", None),
            "operator": said.pop("operator", None),
            "attributes": {"event": event[1], **said},
            "measurements": self._measurements(outcome),
        }

    def _product(self, named: str) -> str:
        product = self._options.product_id or named or self.program
        if not product:
            raise ValueError("no program was loaded before the unit. Set option product_id")
        return product


def _ends_unit(content: str) -> bool:
    return _as_event(content) is not None and content[0] != _RETURN_TO_DIAGNOSE


def _moment(date: str, clock: str) -> datetime:
    day, month, year = date.upper().split("-")
    try:
        return text.moment(f"{day}-{_MONTHS.index(month) + 1}-{year}", clock, "dmy")
    except ValueError as error:  # its sentence names an option, which a month by name needs not
        raise ValueError(f"'{date} {clock}' is not a time such as 31-JUL-12 14:18:51") from error

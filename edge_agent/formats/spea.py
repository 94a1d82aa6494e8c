"""SPEA 3030 board testers (ICT): `FORMAT;mmdd`, `START;…`, rows, `SN;…`, `END;…`. Pure: no I/O.

The serial number comes after the rows, and only END makes a run of them. Lines are read as they
come: of a unit only its rows are held, at most as many as one message takes.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from edge_agent.formats import text
from edge_agent.formats.items import JSON, Item, Options
from edge_agent.formats.line_units import LineParser, UnitDraft
from edge_agent.formats.lines import Line
from edge_agent.formats.runs import panel, pass_fail

_ORDERS: Final = {"mmdd": "mdy", "ddmm": "dmy"}
_STEP_OUTCOMES: Final = {"": None, "PASS": "PASS"}  # anything else failed: FAIL(+), FAIL(-) ...
_UNIT_OUTCOMES: Final = {"": None, "PASS": "PASS", "FAIL": "FAIL"}
_ROW_CELLS: Final = {"ANL": 14, "FUNC": 13}
_TEXT_VALUE: Final = "automatic"


class Spea(LineParser):
    """The parser of `spea`: lines in, units out."""

    _LITTER = "outside of any unit: no START line before it"

    def __init__(self, options: Options, file: str, offset: int, state: Mapping[str, JSON]) -> None:
        super().__init__(options, file, offset, state)
        order = state.get("date_order")
        self._order = order if isinstance(order, str) else None  # of the last FORMAT line
        self._draft: _Unit | None = None

    def _read(self, line: Line, content: str) -> Iterator[Item]:
        kind, _, rest = content.partition(";")
        if self._begins_unit(kind):
            yield from self._close()
            self._draft = _Unit(self._options, self._file, line.byte_start)
        if kind == "FORMAT":
            self._order = _ORDERS.get(rest.strip(" ;"))
        if self._draft is None:
            yield from self._set_aside(line, content)
            return
        self._draft.order = self._order
        self._draft.add(line, content)
        if kind == "END":
            yield from self._close()

    def _begins_unit(self, kind: str) -> bool:
        if kind == "START":
            return self._draft is None or self._draft.has_started
        return kind == "FORMAT"

    def _context(self) -> dict[str, JSON]:
        return {"date_order": self._order} if self._order else {}


class _Unit(UnitDraft):
    """What was read of one unit so far."""

    def __init__(self, options: Options, file: str, byte_start: int) -> None:
        super().__init__(options, file, byte_start)
        self.order: str | None = None
        """The date order in force at its last line."""
        self._head: list[str] = []
        self._lot = self._board_result = ""
        self._barcodes: set[str] = set()
        self._sites: set[str] = set()
        self._foot: list[str] | None = None

    @property
    def has_started(self) -> bool:
        """Tell whether its START line was seen."""
        return bool(self._head)

    def _take(self, content: str) -> None:
        cells = [cell.strip() for cell in content.split(";")]
        match cells[0]:
            case "START":
                self._head = cells
            case "LOT":
                self._lot = ";".join(cells[1:]).strip(";")
            case "SN":
                self._barcodes.update(cell for cell in cells[1:2] if cell)
            case "BOARDRESULT":
                self._board_result = cells[1] if len(cells) > 1 else ""
            case "END":
                self._foot = cells
            case "ANL" | "FUNC":
                self._take_row(cells)
            case kind if kind not in {"", "FORMAT"}:
                raise ValueError(f"unknown record {kind[:20]!r}")

    def _take_row(self, cells: list[str]) -> None:
        count = _ROW_CELLS[cells[0]]
        if len(cells) < count or any(cells[count:]):
            raise ValueError(f"{cells[0]} row with {len(cells)} fields instead of {count}")
        try:
            row = _measurement(cells, self._options)
        except ValueError as error:
            raise ValueError(f"{cells[0]} row: {error}") from error
        self._sites.add(cells[1])
        self._add_row(row)

    def _fields(self) -> dict[str, Any]:
        self._check()
        options, head, foot = self._options, [*self._head, *[""] * 7][:8], self._foot or []
        _, _, program, version, product, operator, date, clock = head
        outcome = foot[1] if len(foot) > 1 else ""
        order = self.order or options.date_order
        return {
            "barcode": next(iter(self._barcodes)),
            "product_id": options.product_id or text.name(product or program),
            "procedure": options.procedure or "ICT",
            "started_at": text.moment(date, clock, order),
            "ended_at": _ended_at(foot, order),
            "reported_outcome": _UNIT_OUTCOMES.get(outcome.upper(), "ERROR"),
            "program": text.clean(program) or None,
            "program_version": text.clean(version) or None,
            "operator": text.clean(operator) or None,
            "panel": panel(next(iter(self._sites), "")),
            "attributes": self._attributes(outcome),
            "measurements": self._measurements(outcome),
        }

    def _check(self) -> None:
        barcodes = sorted(self._barcodes)
        if not self._head:
            raise ValueError("a unit without its START line")
        if self._foot is None:
            raise ValueError("a unit without its END line")
        if not barcodes:
            raise ValueError("a unit without a serial number (SN)")
        if len(barcodes) > 1:
            raise ValueError(f"a unit with two serial numbers, {barcodes[0]!r}, {barcodes[1]!r}")
        if len(self._sites) > 1:
            raise ValueError(f"rows of {len(self._sites)} sites in a unit; only one is understood")

    def _attributes(self, outcome: str) -> dict[str, str] | None:
        found = {"lot": text.clean(self._lot)}
        if self._board_result != outcome:
            found["board_result"] = text.clean(self._board_result)
        return {key: each for key, each in found.items() if each} or None


def _measurement(cells: list[str], options: Options) -> dict[str, Any]:
    """Return one row as the fields of a measurement; ValueError where a number is none."""
    kind, _, task, _, step, description, _, verdict, value, low, high, unit = cells[:12]
    test_step = text.name(f"{task}.{step}" if kind == "ANL" else description)
    if not test_step:
        raise ValueError("without a description, which names its step")
    said: dict[str, Any] = {}
    if outcome := _STEP_OUTCOMES.get(verdict.upper(), "FAIL"):
        said["reported_outcome"] = outcome
    if description:
        said["attributes"] = {"description": text.clean(description)}
    truth = None if outcome is None else outcome == "PASS"
    if value.lower() == _TEXT_VALUE:
        return pass_fail(test_step, truth, **said)  # its "high" is the step's id
    numbers = text.number(value), text.number(low), text.number(high)
    if numbers == (0, 0, 0):
        return pass_fail(test_step, truth, **said)
    limits = _limits(text.limit(low), text.limit(high))
    if name := text.unit(unit, options.units):
        said["unit"] = name
    return {"test_step": test_step, "measured_value": numbers[0], **limits, **said}


def _limits(low: float | None, high: float | None) -> dict[str, float]:
    if low is not None and high is not None and high < low:
        high = None  # the tester compares with low alone
    return {key: each for key, each in (("low", low), ("high", high)) if each is not None}


def _ended_at(foot: list[str], order: str | None) -> datetime | None:
    return text.moment(foot[2], foot[3], order) if len(foot) > 3 else None  # noqa: PLR2004

"""SPEA 3030 board testers (ICT): `FORMAT;mmdd`, `START;…`, rows, `SN;…`, `END;…`. Pure: no I/O.

The serial number comes after the rows, and only END makes a run of them. Lines are read as they
come: of a unit only its rows are held, at most as many as one message takes.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from broker.messages import MEASUREMENTS_MAX, Run
from edge_agent.formats import text
from edge_agent.formats.items import JSON, Item, Options, Parsed, Skipped, Unparsed
from edge_agent.formats.lines import Line, LineCutter
from edge_agent.formats.runs import build_run, no_measurement, pass_fail

_ORDERS: Final = {"mmdd": "mdy", "ddmm": "dmy"}
_STEP_OUTCOMES: Final = {"": None, "PASS": "PASS"}  # anything else failed: FAIL(+), FAIL(-) ...
_UNIT_OUTCOMES: Final = {"": None, "PASS": "PASS", "FAIL": "FAIL"}
_ROW_CELLS: Final = {"ANL": 14, "FUNC": 13}
_TEXT_VALUE: Final = "automatic"


class Spea:
    """The parser of `spea`: lines in, units out."""

    def __init__(self, options: Options, file: str, offset: int, state: Mapping[str, JSON]) -> None:
        self._options = options
        self._file = text.base_name(file)
        self._cutter = LineCutter(offset, options.max_unit_bytes)
        order = state.get("date_order")
        self._order = order if isinstance(order, str) else None  # of the last FORMAT line
        self._unit: _Unit | None = None
        self._litter: tuple[int, int] | None = None  # lines outside any unit, neighbours joined
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
        """Return the date order of the last FORMAT line before the end of the last item."""
        return dict(self._state)

    def _items(self, lines: Iterator[Line]) -> Iterator[Item]:
        for line in lines:
            yield from self._read(line)

    def _read(self, line: Line) -> Iterator[Item]:
        content = text.decode(line.content, self._options.encoding)
        kind, _, rest = content.partition(";")
        if self._begins_unit(kind):
            yield from self._close()
            self._unit = _Unit(self._options, self._file, line.byte_start)
        if kind == "FORMAT":
            self._order = _ORDERS.get(rest.strip(" ;"))
        if self._unit is not None:
            self._unit.add(line, content, self._order)
            if kind == "END":
                yield from self._close()
        elif content or self._litter:
            self._litter = (self._litter[0] if self._litter else line.byte_start, line.byte_end)
        else:
            self._remember()
            yield Skipped("blank line", line.byte_start, line.byte_end)

    def _begins_unit(self, kind: str) -> bool:
        if kind == "START":
            return self._unit is None or self._unit.has_started
        return kind == "FORMAT"

    def _close(self) -> Iterator[Item]:
        """Yield the unit or litter in hand, if any."""
        unit, litter = self._unit, self._litter
        self._unit = self._litter = None
        self._remember()
        if unit is not None:
            yield unit.item()
        elif litter is not None:
            yield Unparsed("outside of any unit: no START line before it", *litter)

    def _remember(self) -> None:
        self._state = {"date_order": self._order} if self._order else {}


class _Unit:
    """What was read of one unit so far; `item` says what it came to."""

    def __init__(self, options: Options, file: str, byte_start: int) -> None:
        self._options = options
        self._file = file
        self._start = self._end = byte_start
        self._order: str | None = None
        self._head: list[str] = []
        self._lot = self._board_result = ""
        self._barcodes: set[str] = set()
        self._sites: set[str] = set()
        self._rows: list[dict[str, Any]] = []
        self._row_count = 0
        self._holes: list[Unparsed] = []
        self._foot: list[str] | None = None

    @property
    def has_started(self) -> bool:
        """Tell whether its START line was seen."""
        return bool(self._head)

    def add(self, line: Line, content: str, order: str | None) -> None:
        """Take one line; `order` is the date order in force at it."""
        self._end, self._order = line.byte_end, order
        if self._end - self._start > self._options.max_unit_bytes:
            self._rows.clear()  # it can only become Unparsed: hold nothing of it
            self._holes.clear()
            return
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
                self._add_row(line, cells)
            case kind if kind not in {"", "FORMAT"}:
                self._add_hole(f"unknown record {kind[:20]!r}", line)

    def item(self) -> Item:
        """Return the unit as one item; never raises."""
        try:
            runs = (self._run(),)
        except ValueError as error:
            return Unparsed(f"{error}", self._start, self._end)
        return Parsed(runs, self._start, self._end, tuple(self._holes))

    def _add_row(self, line: Line, cells: list[str]) -> None:
        count = _ROW_CELLS[cells[0]]
        if len(cells) < count or any(cells[count:]):
            self._add_hole(f"{cells[0]} row with {len(cells)} fields instead of {count}", line)
            return
        try:
            row = _measurement(cells, self._options)
        except ValueError as error:
            self._add_hole(f"{cells[0]} row: {error}", line)
            return
        self._sites.add(cells[1])
        self._row_count += 1
        if self._row_count <= MEASUREMENTS_MAX:
            self._rows.append(row)

    def _add_hole(self, reason: str, line: Line) -> None:
        start = line.byte_start
        if self._holes and self._holes[-1].byte_end == start:
            reason, start, _ = self._holes.pop()
        self._holes.append(Unparsed(reason, start, line.byte_end))

    def _run(self) -> Run:
        """Return the unit as a Run, or raise ValueError with the sentence why it is none."""
        self._check()
        options, head, foot = self._options, [*self._head, *[""] * 7][:8], self._foot or []
        _, _, program, version, product, operator, date, clock = head
        outcome = foot[1] if len(foot) > 1 else ""
        order = self._order or options.date_order
        fields = {
            "barcode": next(iter(self._barcodes)),
            "product_id": options.product_id or text.name(product or program),
            "procedure": options.procedure or "ICT",
            "started_at": text.moment(date, clock, order),
            "ended_at": _ended_at(foot, order),
            "reported_outcome": _UNIT_OUTCOMES.get(outcome.upper(), "ERROR"),
            "program": text.clean(program) or None,
            "program_version": text.clean(version) or None,
            "operator": text.clean(operator) or None,
            "panel": _panel(self._sites),
            "attributes": self._attributes(outcome),
            "measurements": self._rows or [no_measurement(text.clean(outcome))],
            "source": {"file": self._file, "byte_start": self._start, "byte_end": self._end},
        }
        return build_run(fields, options.payload_bytes_max)

    def _check(self) -> None:
        size, size_max = self._end - self._start, self._options.max_unit_bytes
        barcodes = sorted(self._barcodes)
        if size > size_max:
            raise ValueError(f"a unit of {size} bytes, above max_unit_bytes ({size_max})")
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
        if self._row_count > MEASUREMENTS_MAX:
            raise ValueError(f"{self._row_count} measurements; a run holds {MEASUREMENTS_MAX}")
        if self._holes and not self._rows:
            raise ValueError(f"no row was understood; the first: {self._holes[0].reason}")

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


def _panel(sites: set[str]) -> dict[str, int | str] | None:
    site = next(iter(sites), "")
    if not site:
        return None
    is_plain = site.isascii() and site.isdigit() and len(site) < 10  # noqa: PLR2004
    return {"position": int(site) if is_plain else text.clean(site)}

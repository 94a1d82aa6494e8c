"""NI TestStand XML reports: `<Report Type='UUT' …>` to `</Report>` is a unit. Pure: no I/O.

A report is cut from the stream by its marks, then read as XML. Nothing outside of it matters, so
the parser has no state.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import PureWindowsPath
from typing import Any, Final

from edge_agent.formats import text
from edge_agent.formats.items import JSON, Item, Options, Parsed, Skipped, Unparsed
from edge_agent.formats.runs import build_run, no_measurement
from edge_agent.formats.teststand_pieces import Kind, Piece, ReportCutter
from edge_agent.formats.teststand_rows import OUTCOMES, measure
from edge_agent.formats.teststand_tree import Report, read_report

_UNIT_TYPE: Final = "UUT"
_NO_SOCKET: Final = -1
_CENTURY: Final = 100
_TIMES: Final = (
    "StartDate.Year",
    "StartDate.Month",
    "StartDate.MonthDay",
    "StartTime.Hours",
    "StartTime.Minutes",
    "StartTime.Seconds",
)
_REFUSED: Final = {
    Kind.LITTER: "outside of any <Report>",
    Kind.TS_REPORT: "a <TSReport>, which is not read: only <Report Type='UUT'> is",
    Kind.HALF_REPORT: "a <Report> without its </Report>",
}


class TestStand:
    """The parser of `teststand`: XML in, units out."""

    def __init__(self, options: Options, file: str, offset: int, state: Mapping[str, JSON]) -> None:
        del state  # a report says all of itself
        self._options = options
        self._file = text.base_name(file)
        self._cutter = ReportCutter(offset, options.max_unit_bytes)

    def feed(self, data: bytes) -> Iterator[Item]:
        """Take the next bytes; an item for every report they complete, and what is before it."""
        self._cutter.add(data)
        return (self._item(piece) for piece in self._cutter.pieces())

    def finish(self) -> Iterator[Item]:
        """Read what is left; half a report is Unparsed."""
        return (self._item(piece) for piece in self._cutter.pieces(is_last=True))

    def state(self) -> dict[str, JSON]:
        """Nothing: no report depends on another."""
        return {}

    def _item(self, piece: Piece) -> Item:
        start, end = piece.byte_start, piece.byte_end
        size, size_max = end - start, self._options.max_unit_bytes
        if piece.kind is Kind.FRAME:
            return Skipped("around reports", start, end)
        if piece.kind is not Kind.LITTER and size > size_max:
            reason = f"a report of {size} bytes, above max_unit_bytes ({size_max})"
            return Unparsed(reason, start, end)
        if piece.kind is not Kind.REPORT:
            return Unparsed(_REFUSED[piece.kind], start, end)
        try:
            return self._parsed(piece)
        except ValueError as error:
            return Unparsed(f"{error}", start, end)

    def _parsed(self, piece: Piece) -> Parsed:
        start, end = piece.byte_start, piece.byte_end
        report = read_report(piece.content, self._options.encoding)
        if report.type != _UNIT_TYPE:
            raise ValueError(f"a <Report> of type {report.type[:40]!r}; only 'UUT' is read")
        rows, found = measure(report, self._options.units)
        if found and not rows:
            raise ValueError(f"no step was understood; the first: {found[0].reason}")
        source = {"file": self._file, "byte_start": start, "byte_end": end}
        fields = {**_head(report, self._options), "measurements": rows, "source": source}
        if not rows:
            fields["measurements"] = [no_measurement(text.clean(report.outcome))]
        run = build_run(fields, self._options.payload_bytes_max)
        holes = (Unparsed(why, start + first, start + last) for why, first, last in found)
        return Parsed((run,), start, end, tuple(holes))


def _head(report: Report, options: Options) -> dict[str, Any]:
    """Return the fields of the Run, or raise ValueError with the sentence why it is none."""
    values = report.values
    outermost = next((step.values for step in report.steps if step.is_call), {})
    program = PureWindowsPath(outermost.get("TS.SequenceCall.SequenceFile", "")).stem
    station = text.clean(values.get("StationInfo.StationID", ""))
    barcode = values.get("UUT.SerialNumber", "")
    if not barcode:
        raise ValueError("a report without a serial number (UUT.SerialNumber)")
    product = options.product_id or text.name(values.get("UUT.PartNumber", "") or program)
    if not product:
        raise ValueError("neither a part number nor a sequence file. Set option product_id")
    procedure = options.procedure or text.name(program)
    if not procedure:
        raise ValueError("no sequence file, which names the procedure. Set option procedure")
    return {
        "barcode": barcode,
        "product_id": product,
        "procedure": procedure,
        "started_at": _started_at(values),
        "reported_outcome": OUTCOMES.get(report.outcome, "ERROR"),
        "panel": _panel(values),
        "program": text.clean(program) or None,
        "program_version": text.clean(outermost.get("TS.SequenceCall.SequenceFileVersion", ""))
        or None,
        "operator": text.clean(values.get("StationInfo.LoginName", "")) or None,
        "attributes": {"station": station} if station else None,
    }


def _started_at(values: Mapping[str, str]) -> datetime:
    """Return the start as its numbers say it; its texts depend on the language of Windows."""
    year, month, day, hours, minutes, seconds = (_start_part(values, key) for key in _TIMES)
    milliseconds = text.number(values.get("StartTime.Milliseconds", "")) or 0.0
    year += 2000 if year < _CENTURY else 0
    try:
        return datetime(  # noqa: DTZ001 - the file has no zone; the machine's setting applies
            year, month, day, hours, minutes, seconds, int(milliseconds * 1000)
        )
    except (ValueError, OverflowError) as error:
        said = f"{year}-{month}-{day} {hours}:{minutes}:{seconds}, {milliseconds:g} ms"
        raise ValueError(f"a start that is no time: {said}") from error


def _start_part(values: Mapping[str, str], key: str) -> int:
    part = _whole(values, key)
    if part is None:
        raise ValueError(f"a report without its start ({key})")
    return part


def _whole(values: Mapping[str, str], key: str) -> int | None:
    """Return a whole number, None where there is none."""
    value = text.number(values.get(key, ""))
    return None if value is None else int(value)


def _panel(values: Mapping[str, str]) -> dict[str, int | str] | None:
    found: dict[str, int | str] = {}
    if batch := text.clean(values.get("UUT.BatchSerialNumber", "")):
        found["id"] = batch
    socket = _whole(values, "UUT.TestSocketIndex")
    if socket is not None and socket != _NO_SOCKET:
        found["position"] = socket
    return found or None

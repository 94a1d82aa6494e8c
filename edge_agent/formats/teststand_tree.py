"""Read one TestStand report into its steps, with the standard library's expat. Pure: no I/O.

A report is a fragment that begins at its root element: there a document type is a syntax error, so
no entity can be declared, nothing is expanded and nothing fetched. Of the properties only those
that mean something to us are kept; depth is bounded.
"""

from array import array
from bisect import bisect_right
from typing import Final
from xml.parsers import expat

from edge_agent.formats import text

DEPTH_MAX: Final = 512
"""Elements in one another: a sequence call in a sequence call is five."""
_STEP_LISTS: Final = ("TS.SequenceCall.ResultList", "TS.PostAction.ResultList")
_WANTED: Final = frozenset(
    {
        # of a report
        "UUT.SerialNumber",
        "UUT.PartNumber",
        "UUT.TestSocketIndex",
        "UUT.BatchSerialNumber",
        "StationInfo.StationID",
        "StationInfo.LoginName",
        "StartDate.Year",
        "StartDate.Month",
        "StartDate.MonthDay",
        "StartTime.Hours",
        "StartTime.Minutes",
        "StartTime.Seconds",
        "StartTime.Milliseconds",
        # of a step or a measurement in it
        "TS.StepName",
        "TS.SequenceCall.SequenceFile",
        "TS.SequenceCall.SequenceFileVersion",
        "Status",
        "Error.Msg",
        "Numeric",
        "Data",
        "String",
        "StringData",
        "StringLimit",
        "PassFail",
        "Comp",
        "Units",
        "Limits.Low",
        "Limits.High",
        "Limits.Nominal",
        "Limits.String",
        "Limits.ThresholdType",
        "RawLimits.Low",
        "RawLimits.High",
        "RawLimits.Nominal",
    }
)


class Node:
    """A report, a step of it, or one of several measurements of a step."""

    __slots__ = ("byte_end", "byte_start", "is_call", "measurements", "name", "steps", "values")

    def __init__(self, byte_start: int, name: str = "") -> None:
        self.name = name
        """Of a measurement; a step has `TS.StepName`."""
        self.values: dict[str, str] = {}
        """Property by its path, such as `Limits.Low`; trimmed."""
        self.steps: list[Node] = []
        self.measurements: list[Node] = []
        self.is_call = False
        """It called a sequence."""
        self.byte_start = byte_start
        self.byte_end = byte_start


class Report(Node):
    """One `<Report>`; `byte_start` and `byte_end` of its nodes count from its own first byte."""

    __slots__ = ("outcome", "type")

    def __init__(self, attributes: dict[str, str]) -> None:
        super().__init__(0)
        self.type = attributes.get("Type", "").strip()
        self.outcome = attributes.get("UUTResult", "").strip()


def read_report(content: bytes, encoding: str) -> Report:
    """Return a report's steps and properties.

    Args:
        content: From `<Report` to `</Report>`.
        encoding: Of lines that are not UTF-8.

    Raises:
        ValueError: It is not well-formed, uses an entity of its own or is too deep; one sentence.
    """
    source = _Utf8(content, encoding)
    reader = _Reader(source)
    try:
        return reader.read()
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        raise ValueError(f"no well-formed XML: {reason}, line {error.lineno} of the report") from (
            error
        )


class _Utf8:
    """A report as UTF-8, and the way back to the offsets in its own bytes."""

    def __init__(self, raw: bytes, encoding: str) -> None:
        self.content = raw
        self._starts, self._own_starts = array("q", [0]), array("q", [0])
        self._is_same = _is_utf8(raw)
        if not self._is_same:
            self.content = self._transcoded(raw, encoding)

    def own_range(self, start: int, end: int) -> tuple[int, int]:
        """Return a range of the content in own bytes; whole lines where the two differ."""
        if self._is_same:
            return start, end
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, end - 1)
        return self._own_starts[first], self._own_starts[last]

    def _transcoded(self, raw: bytes, encoding: str) -> bytes:
        """Decode line by line, and note where each begins, here and there."""
        content = bytearray()
        for line in raw.split(b"\n"):
            content += text.decode(line, encoding).encode() + b"\n"
            self._starts.append(len(content))
            self._own_starts.append(self._own_starts[-1] + len(line) + 1)
        self._own_starts[-1] = len(raw)
        return bytes(content[:-1])


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Reader:
    """Turns the events of one report into nodes."""

    def __init__(self, source: _Utf8) -> None:
        self._source = source
        self._open: list[tuple[Node, str | None]] = []  # each element: whose it is, and its path
        self._report: Report | None = None
        self._text: list[str] = []
        self._text_depth = 0  # of the Value whose text is wanted; 0: of none
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def read(self) -> Report:
        self._parser.Parse(self._source.content, True)  # noqa: FBT003 - its only form
        if self._report is None:
            raise ValueError("no report in it")
        return self._report

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) == DEPTH_MAX:
            raise ValueError(f"more than {DEPTH_MAX} elements in one another")
        if not self._open:
            self._report = Report(attributes)
            self._open.append((self._report, ""))
            return
        node, path = self._open[-1]
        if path is None:
            self._open.append((node, None))
        elif tag == "Prop":
            self._open.append(self._property(node, path, attributes))
        elif tag == "Value":
            self._open.append((node, path))
            if path in _WANTED and path not in node.values:
                self._text_depth = len(self._open)
        else:  # a prototype, a comment: it looks like properties, but is of no step
            self._open.append((node, None))

    def _property(self, node: Node, path: str, attributes: dict[str, str]) -> tuple[Node, str]:
        name = attributes.get("Name", "")
        is_step = attributes.get("Type") == "TEResult"
        if is_step and (path in _STEP_LISTS or node is self._report):
            node.steps.append(step := Node(self._parser.CurrentByteIndex))
            return step, ""
        if path == "Measurement":
            node.measurements.append(part := Node(self._parser.CurrentByteIndex, name.strip()))
            return part, ""
        below = f"{path}.{name}" if path else name
        if below == "TS.SequenceCall":
            node.is_call = True
        return node, below

    def _end(self, tag: str) -> None:
        del tag
        node, path = self._open[-1]
        if len(self._open) == self._text_depth:
            node.values[path or ""] = "".join(self._text).strip()
            self._text.clear()
            self._text_depth = 0
        self._open.pop()
        if self._open and self._open[-1][0] is not node:
            index = self._parser.CurrentByteIndex
            end = self._source.content.find(b">", index) + 1
            node.byte_start, node.byte_end = self._source.own_range(node.byte_start, end)

    def _characters(self, characters: str) -> None:
        if len(self._open) == self._text_depth:
            self._text.append(characters)

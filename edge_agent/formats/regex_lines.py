"""Log lines that a plant describes itself by regular expressions (`regex`). Pure: no I/O.

The expressions are the plant's own. They see one line of bounded length at a time; one that
backtracks badly can still take for ever on it, and nothing here can stop it.
"""

import re
from collections.abc import Iterator, Mapping
from string import Formatter
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from edge_agent.formats.described import MEASUREMENT_FIELDS, RUN_FIELDS, VERDICT, fits_state
from edge_agent.formats.described_unit import DescribedUnit, is_no_measurement
from edge_agent.formats.items import JSON, Item
from edge_agent.formats.line_units import LineParser
from edge_agent.formats.lines import Line, LineCutter
from edge_agent.formats.regex_options import FIELDS, RegexOptions

LINE_BYTES_MAX: Final = 8_192
"""Longest line that an expression is tried on."""
_OF_UNIT: Final = frozenset({"start", "measurement", "end", "run"})
_OUTSIDE: Final = {
    "measurement": "a measurement outside of any unit: no start line before it",
    "end": "an end line outside of any unit: no start line before it",
}
_Groups = Mapping[str, str]


class _Hit(NamedTuple):
    """What a line is."""

    kind: str
    """As in the options, or blank, or unknown."""
    groups: _Groups = MappingProxyType({})
    """Text of the groups that took part."""
    trouble: str | None = None
    """Why it is unknown."""


class RegexLines(LineParser):
    """The parser of `regex`: the first expression that is found in a line says what it is."""

    _BLANKS = b"\r\n"  # an expression may look for the blanks at the start

    def __init__(
        self, options: RegexOptions, file: str, offset: int, state: Mapping[str, JSON]
    ) -> None:
        super().__init__(options, file, offset, state)
        self._described = options
        self._line_bytes_max = min(options.max_unit_bytes, LINE_BYTES_MAX)
        self._cutter = LineCutter(offset, self._line_bytes_max, self._BLANKS)
        self._searches = [(re.compile(each.match).search, each.kind) for each in options.line]
        self._starts = options.has_kind("start")
        self._draft: _Unit | None = None
        self._sticky = self._restored(state.get("context"))

    def _read(self, line: Line, content: str) -> Iterator[Item]:
        hit = self._hit(line, content)
        if self._begins_unit(hit.kind):
            yield from self._close()
            self._draft = _Unit(self._described, self._file, line.byte_start)
        if self._draft is None:
            yield from self._read_outside(line, content, hit)
            return
        if hit.kind == "context":
            hit = self._stick(hit)
        self._draft.add_hit(line, hit, self._sticky)
        if hit.kind in {"end", "run"}:
            yield from self._close()

    def _read_outside(self, line: Line, content: str, hit: _Hit) -> Iterator[Item]:
        if hit.kind in {"blank", "skip", "context"}:
            yield from self._close()
        if hit.kind == "context":
            hit = self._stick(hit)
        if hit.kind in {"blank", "skip", "context"}:
            yield self._skip(f"{hit.kind} line", line)
        else:
            reason = hit.trouble or _OUTSIDE[hit.kind]
            yield from self._set_aside(line, content, reason)

    def _begins_unit(self, kind: str) -> bool:
        if kind in {"start", "run"}:
            return True
        return self._draft is None and not self._starts and kind in {"measurement", "end"}

    def _hit(self, line: Line, content: str) -> _Hit:
        if line.is_cut:
            bound = self._line_bytes_max
            name = "max_unit_bytes " if bound < LINE_BYTES_MAX else ""
            return _Hit("unknown", trouble=f"a line above {name}({bound} bytes)")
        if not content.strip():
            return _Hit("blank")
        for search, kind in self._searches:
            if found := search(content):
                groups = found.groupdict().items()
                return _Hit(kind, {name: said.strip() for name, said in groups if said is not None})
        return _Hit("unknown", trouble="no line table matches")

    def _stick(self, hit: _Hit) -> _Hit:
        """Let the groups of a context line replace those before; not where they are too long."""
        sticky = {**self._sticky, **hit.groups}
        if fits_state({"context": dict(sticky)}):
            self._sticky = sticky
            return hit
        # The old ones must not stay: what comes would be taken for another unit's.
        self._sticky = {name: self._sticky[name] for name in self._sticky.keys() - hit.groups}
        return _Hit("unknown", trouble="context that is too long to keep")

    def _restored(self, context: JSON) -> dict[str, str]:
        known = frozenset[str]().union(*(each.groups() for each in self._described.line))
        said = context if isinstance(context, dict) else {}
        return {name: f"{each}" for name, each in said.items() if name in known}

    def _context(self) -> dict[str, JSON]:
        return {"context": dict(self._sticky)} if self._sticky else {}


class _Unit(DescribedUnit):
    """One unit, while it is read: from start to end, as far as there are such lines."""

    def __init__(self, options: RegexOptions, file: str, byte_start: int) -> None:
        super().__init__(options, file, byte_start)
        self._templates = {field: _Template(each) for field, each in options.fields.items()}
        self._is_half = options.has_kind("end")
        self._hit: _Hit
        self._context: _Groups = {}
        self._started: _Groups = {}
        self._first: _Groups = {}
        self._last: _Groups = {}
        self._others: _Groups = {}
        self._barcodes: set[str] = set()
        self._verdict = ""

    def add_hit(self, line: Line, hit: _Hit, context: _Groups) -> None:
        """Take the next line; `context` is what sticks at it."""
        self._hit = hit
        if hit.kind in _OF_UNIT:
            # Context behind the last line of a unit without an end is the next unit's already.
            self._context = context
            self._take_groups(hit)
        self.add(line, "")

    def _take_groups(self, hit: _Hit) -> None:
        groups = {name: said for name, said in hit.groups.items() if said}
        self._first = {**groups, **self._first}
        self._last = {**self._last, **groups}
        self._barcodes.update({groups["barcode"]} if "barcode" in groups else ())
        self._is_half &= hit.kind not in {"end", "run"}
        if hit.kind == "start":
            self._started = groups
        if hit.kind != "measurement":
            self._others = {**_beside_fields(groups), **self._others}
            self._verdict = self._said(VERDICT, groups) or self._verdict

    def _take(self, content: str) -> None:
        del content  # the hit has it
        hit = self._hit
        if hit.trouble:
            raise ValueError(hit.trouble)
        if hit.kind not in {"measurement", "run"}:
            return
        visible = {**self._context, **self._started, **hit.groups}
        found = {field: self._said(field, visible) for field in MEASUREMENT_FIELDS}
        found[VERDICT] = self._said(VERDICT, hit.groups)
        if hit.kind == "measurement":
            self._take_measurement(found, _beside_fields(hit.groups))
        elif not is_no_measurement(found):
            self._take_measurement(found, {})  # what is beside the fields is the run's

    def _fields(self) -> dict[str, Any]:
        if self._is_half:
            raise ValueError("a unit without its end line")
        if len(self._barcodes) > 1:
            first, second, *_ = sorted(self._barcodes)
            raise ValueError(f"a unit with two barcodes, {first[:40]!r} and {second[:40]!r}")
        visible = {**self._context, **self._first}
        found = {field: self._said(field, visible) for field in RUN_FIELDS}
        found["ended_at"] = self._said("ended_at", {**self._context, **self._last})
        found[VERDICT] = self._verdict
        return self._run(found, {**_beside_fields(self._context), **self._others})

    def _said(self, field: str, groups: _Groups) -> str:
        template = self._templates.get(field)
        return groups.get(field, "") if template is None else template.filled(groups)


class _Template:
    """Text with groups in it, such as `{job}/{piece}`."""

    def __init__(self, template: str) -> None:
        self._template = template
        self._names = [name for _, name, _, _ in Formatter().parse(template) if name]

    def filled(self, groups: _Groups) -> str:
        """Return the text; empty where a group has none, since half a name is another name."""
        if not all(groups.get(name) for name in self._names):
            return ""
        return self._template.format_map(groups)


def _beside_fields(groups: _Groups) -> dict[str, str]:
    return {name: said for name, said in groups.items() if name not in FIELDS}

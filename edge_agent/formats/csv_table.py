"""Table files that a plant describes itself (`csv`): reports of head lines and a table, or rows.

A line is a row, so a quoted cell cannot hold a newline: one quote too many would else swallow all
units up to the next quote. Lines are read as they come. Pure: no I/O.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from edge_agent.formats.csv_options import REPORT, Columns, CsvOptions, Row, cut_row
from edge_agent.formats.described import RUN_FIELDS, VERDICT, fits_state
from edge_agent.formats.described_unit import DescribedUnit, is_no_measurement
from edge_agent.formats.items import JSON, Item, Parser
from edge_agent.formats.line_units import LineParser
from edge_agent.formats.lines import Line, LineCutter

_LINE_BYTES_MAX: Final = 1_048_576
_PAIR: Final = 2


def open_table(options: CsvOptions, file: str, offset: int, state: Mapping[str, JSON]) -> Parser:
    """Return the parser of the layout that the options name; arguments as of `open_parser`."""
    layout = _Reports if options.layout == REPORT else _Rows
    return layout(options, file, offset, state)


class _Table(LineParser):
    """What both layouts do with a line."""

    _BLANKS = b"\r\n"  # a tab at the start may be an empty cell

    def __init__(
        self, options: CsvOptions, file: str, offset: int, state: Mapping[str, JSON]
    ) -> None:
        super().__init__(options, file, offset, state)
        self._described = options
        self._line_bytes_max = min(options.max_unit_bytes, _LINE_BYTES_MAX)
        self._cutter = LineCutter(offset, self._line_bytes_max, self._BLANKS)

    @abstractmethod
    def _read_row(self, line: Line, content: str, row: Row) -> Iterator[Item]:
        """Take one line that is not blank; yield what it completes."""

    def _read(self, line: Line, content: str) -> Iterator[Item]:
        row = cut_row(content, self._described)
        if line.is_cut:
            row = Row(row.cells, f"a line above {self._line_bytes_max} bytes")
        if any(row.cells) or row.damage:
            yield from self._read_row(line, content, row)
        elif self._draft is None:
            yield from self._close()
            yield self._skip("blank line", line)
        else:
            self._draft.add(line, "")


# -- report ----------------------------------------------------------------------------------------


class _Reports(_Table):
    """Head lines `key;value`, then a table, up to the next unit or the end of the file."""

    _LITTER = "outside of any unit: neither a head line nor the start of a table"

    def __init__(
        self, options: CsvOptions, file: str, offset: int, state: Mapping[str, JSON]
    ) -> None:
        super().__init__(options, file, offset, state)
        self._draft: _Report | None = None

    def _read_row(self, line: Line, content: str, row: Row) -> Iterator[Item]:
        if self._begins_unit(row):
            yield from self._close()
            self._draft = _Report(self._described, self._file, line.byte_start)
        if self._draft is None:
            yield from self._set_aside(line, content, row.damage)
        else:
            self._draft.add_row(line, content, row)

    def _begins_unit(self, row: Row) -> bool:
        draft, options = self._draft, self._described
        if row.key == options.head["barcode"]:
            return draft is None or draft.has_barcode or draft.has_table
        if draft is None:
            return not row.damage and (_is_pair(row) or row.key == options.table_starts_with)
        return draft.has_table and draft.is_head_line(row) and draft.has_head_line(row.key)

    def _context(self) -> dict[str, JSON]:
        return {}  # a unit says all of itself


class _Report(DescribedUnit):
    """One report, while it is read."""

    def __init__(self, options: CsvOptions, file: str, byte_start: int) -> None:
        super().__init__(options, file, byte_start)
        self.has_barcode = False
        """A line with the barcode's key was seen, whatever it says."""
        self.has_table = False
        self._table_options = options
        self._keys = frozenset(options.head.values())
        self._head: dict[str, list[str]] = {}
        self._columns: Columns | None = None
        self._trouble: str | None = None
        self._has_wide_line = False
        self._row: Row

    def add_row(self, line: Line, content: str, row: Row) -> None:
        """Take the next line that is not blank."""
        self._row = row
        self.has_barcode |= row.key == self._table_options.head["barcode"]
        self.has_table |= row.key == self._table_options.table_starts_with
        self.add(line, content)

    def has_head_line(self, key: str) -> bool:
        """Tell whether a head line with this key was seen."""
        return key in self._head

    def is_head_line(self, row: Row) -> bool:
        """Tell whether a line says something of the unit; behind a table only known keys do."""
        if row.damage or not row.key:
            return False
        if not self.has_table:
            return _is_pair(row) or (self.has_barcode and len(row.cells) > 1)
        column_count = self._columns.count if self._columns else 0
        is_known = row.key in self._keys or (row.key in self._head and column_count > _PAIR)
        return is_known and _is_pair(row)

    def _take(self, content: str) -> None:
        if not content:
            return
        try:
            self._take_row(self._row)
        except ValueError:
            self._has_bad_measurement |= self.has_table
            raise

    def _take_row(self, row: Row) -> None:
        if row.damage:
            raise ValueError(row.damage)
        if row.key == self._table_options.table_starts_with:
            self._begin_table(row)
        elif self.is_head_line(row):
            self._take_head_line(row)
        elif self._columns is None:
            raise ValueError("not a head line: a key and a value")
        else:
            self._take_measurement(self._columns.fields(row), self._columns.others(row))

    def _begin_table(self, row: Row) -> None:
        try:
            self._columns = Columns(row.cells, self._table_options)
        except ValueError as error:
            self._trouble = f"{error}"

    def _take_head_line(self, row: Row) -> None:
        said = self._table_options.delimiter.join(row.cells[1 : row.used_count])
        self._has_wide_line |= row.used_count > _PAIR
        self._head.setdefault(row.key, []).extend([said] if said else [])

    def _fields(self) -> dict[str, Any]:
        self._check_table()
        head = self._table_options.head
        found = {field: (self._head.get(key) or [""])[-1] for field, key in head.items()}
        others = {key: "; ".join(said) for key, said in self._head.items() if key not in self._keys}
        return self._run(found, others)

    def _check_table(self) -> None:
        if self._trouble:
            raise ValueError(self._trouble)
        if self.has_table and self._columns is None:
            raise ValueError("a unit whose column head is not understood")
        if self._has_wide_line and not self.has_table:
            start = self._table_options.table_starts_with
            raise ValueError(f"a unit without the line {start!r}. Check option table_starts_with")

    def _forget(self) -> None:
        super()._forget()
        # Which known keys it had still says where the next unit begins.
        self._head = {key: [] for key in self._head.keys() & self._keys}


def _is_pair(row: Row) -> bool:
    return bool(row.key) and len(row.cells) >= _PAIR and row.used_count <= _PAIR


# -- rows ------------------------------------------------------------------------------------------


class _Entry(NamedTuple):
    """What a row says."""

    found: dict[str, str]
    others: dict[str, str]
    trouble: str | None = None


class _Rows(_Table):
    """One table; adjacent rows with equal barcode and start are a unit."""

    def __init__(
        self, options: CsvOptions, file: str, offset: int, state: Mapping[str, JSON]
    ) -> None:
        super().__init__(options, file, offset, state)
        self._draft: _RowsOfUnit | None = None
        self._names = frozenset(each for each in options.columns.values() if isinstance(each, str))
        names = state.get("columns", [])
        self._columns = self._known_columns(names if isinstance(names, list) else [])

    def _read_row(self, line: Line, content: str, row: Row) -> Iterator[Item]:
        if self._described.header and self._names <= set(row.cells) and not row.damage:
            yield from self._read_head(line, content, row)
            return
        entry = self._entry(row)
        if entry.trouble is None and (self._draft is None or not self._draft.goes_on(entry)):
            yield from self._close()
            self._draft = _RowsOfUnit(self._described, self._file, line.byte_start)
        if self._draft is None:
            yield from self._set_aside(line, content, entry.trouble)
        else:
            self._draft.add_entry(line, content, entry)

    def _read_head(self, line: Line, content: str, row: Row) -> Iterator[Item]:
        yield from self._close()
        columns = Columns(row.cells, self._described)
        if not fits_state({"columns": list(columns.names)}):
            columns = columns.without_others(self._described)
        if fits_state({"columns": list(columns.names)}):
            self._columns = columns
            yield self._skip("column head", line)
        else:
            self._columns = None
            yield from self._set_aside(line, content, "a column head that is too long to keep")

    def _entry(self, row: Row) -> _Entry:
        if row.damage:
            return _Entry({}, {}, row.damage)
        try:
            columns = self._columns or Columns(row.cells, self._described)
            return _Entry(columns.fields(row), columns.others(row))
        except ValueError as error:
            return _Entry({}, {}, f"{error}")

    def _known_columns(self, names: list[JSON]) -> Columns | None:
        try:
            return Columns([f"{name}" for name in names], self._described)
        except ValueError:
            return None  # the column head is still to come

    def _context(self) -> dict[str, JSON]:
        return {"columns": list(self._columns.names)} if self._columns else {}


class _RowsOfUnit(DescribedUnit):
    """The rows of one unit, while they are read."""

    def __init__(self, options: CsvOptions, file: str, byte_start: int) -> None:
        super().__init__(options, file, byte_start)
        self._said: dict[str, str] = {}
        self._entry: _Entry

    def goes_on(self, entry: _Entry) -> bool:
        """Tell whether a row belongs to the unit."""
        return all(entry.found[name] == self._said[name] for name in ("barcode", "started_at"))

    def add_entry(self, line: Line, content: str, entry: _Entry) -> None:
        """Take the next row."""
        self._entry = entry
        for name in RUN_FIELDS & entry.found.keys():
            if name == "ended_at" or not self._said.get(name):
                self._said[name] = entry.found[name]
        self.add(line, content)

    def _take(self, content: str) -> None:
        if not content:
            return
        if self._entry.trouble:
            self._has_bad_measurement = True
            raise ValueError(self._entry.trouble)
        if is_no_measurement(self._entry.found):
            self._said[VERDICT] = self._entry.found.get(VERDICT, "")
        else:
            self._take_measurement(self._entry.found, self._entry.others)

    def _fields(self) -> dict[str, Any]:
        return self._run(self._said, {})

"""How a plant describes its table files, and what that makes of one line. Pure: no I/O."""

import csv
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, PlainValidator, StringConstraints, model_validator

from edge_agent.formats import closest
from edge_agent.formats.described import (
    MEASUREMENT_FIELDS,
    RUN_FIELDS,
    VERDICT,
    DescribedOptions,
    check_field,
)

REPORT: Final = "report"
_HEAD_FIELDS: Final = RUN_FIELDS | {VERDICT}
_ROW_FIELDS: Final = MEASUREMENT_FIELDS | {VERDICT}
_RUN_NAMES: Final = ("barcode", "started_at")


def _column(place: object) -> str | int:
    if isinstance(place, str) and place.strip():
        return place.strip()
    if isinstance(place, int) and not isinstance(place, bool) and place > 0:
        return place
    raise ValueError("not a column: give its name in the column head, or its number from 1")


def _sign(sign: object) -> str:
    if isinstance(sign, str) and len(sign) == 1 and (sign.isprintable() or sign == "\t"):
        return sign
    raise ValueError(f"{sign!r} is not one character that stands on a line")


_Sign = Annotated[str, PlainValidator(_sign)]
_Key = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
_HeadField = Annotated[str, AfterValidator(lambda name: check_field(name, _HEAD_FIELDS))]
_ColumnField = Annotated[
    str, AfterValidator(lambda name: check_field(name, _ROW_FIELDS | RUN_FIELDS))
]
_Place = Annotated[str | int, PlainValidator(_column)]


class CsvOptions(DescribedOptions):
    """The options of `csv`."""

    layout: Literal["report", "rows"] = Field(
        default=REPORT,
        description="report: head lines `key;value`, then a table, are one unit;"
        " rows: a table, of which the rows with equal barcode and started_at are one.",
    )
    delimiter: _Sign = Field(default=",", description="What parts the cells, one character.")
    quote: _Sign = Field(default='"', description="What a cell may stand in, one character.")
    header: bool = Field(
        default=True, description="The table has a column head; false: columns by number."
    )
    table_starts_with: _Key | None = Field(
        default=None, description="report: first cell of the line where the table begins."
    )
    head: dict[_HeadField, _Key] = Field(
        default_factory=dict, description="report: field = key of a head line."
    )
    columns: dict[_ColumnField, _Place] = Field(
        min_length=1, description="Field = column name; without header its number from 1."
    )

    @property
    def waits_for_next(self) -> bool:
        """Rows go on until others come: the tester may be in a long step."""
        return self.layout != REPORT and not self.ends_when_quiet

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.delimiter == self.quote:
            raise ValueError(f"delimiter and quote are both {self.quote!r}")
        self._check_layout()
        self._check_columns()
        names = self.head if self.layout == REPORT else self.columns
        if not (self.product_id or {"product_id", "program"} & names.keys()):
            table = "head" if self.layout == REPORT else "columns"
            raise ValueError(f"no product: set option product_id, or {table}.product_id")
        return self

    def _check_layout(self) -> None:
        if self.layout == REPORT:
            self._need("head", self.head, _RUN_NAMES)
            if not self.table_starts_with:
                raise ValueError(
                    "table_starts_with: layout report needs the first cell of the column head"
                )
            if not self.ends_when_quiet:
                raise ValueError("ends_when_quiet belongs to layout rows: a report always does")
            for name in self.columns.keys() & RUN_FIELDS:
                raise ValueError(f"columns.{name}: with layout report it belongs in [head]")
        else:
            self._need("columns", self.columns, _RUN_NAMES)
            if self.head or self.table_starts_with:
                raise ValueError("head and table_starts_with belong to layout report, not rows")

    def _check_columns(self) -> None:
        self._need("columns", self.columns, ("test_step",))
        if not self.columns.keys() & {"measured_value", VERDICT}:
            raise ValueError(f"columns: name measured_value or {VERDICT}, else nothing is measured")
        for name, place in self.columns.items():
            if self.header and isinstance(place, int):
                raise ValueError(
                    f"columns.{name}: give the column's name, or set header = false for numbers"
                )
            if not self.header and isinstance(place, str):
                raise ValueError(
                    f"columns.{name}: without header give the column's number from 1, not its name"
                )

    def _need(self, table: str, names: Mapping[str, Any], needed: Sequence[str]) -> None:
        for name in needed:
            if name not in names:
                raise ValueError(f"{table}.{name}: layout {self.layout} needs it")


class Row(NamedTuple):
    """One line, cut into cells."""

    cells: list[str]
    """Trimmed, at least one."""
    damage: str | None = None
    """Why the cells are only a guess."""

    @property
    def key(self) -> str:
        """Return its first cell."""
        return self.cells[0]

    @property
    def used_count(self) -> int:
        """Return how many cells it has, without empty ones at its end; at least one."""
        return next((at for at in range(len(self.cells), 1, -1) if self.cells[at - 1]), 1)


def cut_row(content: str, options: CsvOptions) -> Row:
    """Cut a line into cells; never raises. A quoted cell ends on its line."""
    if options.quote not in content:
        return _row(content.split(options.delimiter))
    try:
        (cells,) = csv.reader(
            (content.replace("\r", " "),),
            delimiter=options.delimiter,
            quotechar=options.quote,
            skipinitialspace=options.delimiter != " ",
            strict=True,
        )
    except (csv.Error, ValueError):
        bare = content.replace(options.quote, "").split(options.delimiter)
        return _row(bare, f"a quote {options.quote} that does not close, or closes too early")
    return _row(cells)


class Columns:
    """Where the fields stand in a row, by the column head or by number."""

    def __init__(self, names: Sequence[str], options: CsvOptions) -> None:
        """Find the columns.

        Args:
            names: The cells of the column head; ignored where there is none.
            options: Which column is which field.

        Raises:
            ValueError: A column is not there; the sentence names the closest.
        """
        self.names = tuple(names) if options.header else ()
        self._places = {
            field: place - 1 if isinstance(place, int) else self._find(place)
            for field, place in options.columns.items()
        }
        self.count = len(self.names) or max(self._places.values()) + 1
        measured = self._places.get("measured_value", self._places.get(VERDICT, 0))
        self._reach = max(measured, *(self._places.get(name, 0) for name in _RUN_NAMES)) + 1
        taken = set(self._places.values())
        self._others = [
            (place, name) for place, name in enumerate(self.names) if place not in taken and name
        ]

    def fields(self, row: Row) -> dict[str, str]:
        """Return a row's text by field.

        Raises:
            ValueError: It has more cells than the head, or ends before its value.
        """
        if len(row.cells) < self._reach or (self.names and row.used_count > self.count):
            raise ValueError(f"a row of {row.used_count} cells; the table has {self.count} columns")
        cells = row.cells
        return {field: cells[at] for field, at in self._places.items() if at < len(cells)}

    def others(self, row: Row) -> dict[str, str]:
        """Return a row's text that belongs to no field, by column name."""
        return {name: row.cells[at] for at, name in self._others if at < len(row.cells)}

    def without_others(self, options: CsvOptions) -> "Columns":
        """Return it with the names of the other columns left out."""
        taken = set(self._places.values())
        return Columns([name if at in taken else "" for at, name in enumerate(self.names)], options)

    def _find(self, name: str) -> int:
        if name not in self.names:
            known = frozenset(self.names) - {""}
            raise ValueError(f"the column head has no column {name!r}.{closest(name, known)}")
        return self.names.index(name)


def _row(cells: Sequence[str], damage: str | None = None) -> Row:
    return Row([cell.strip() for cell in cells], damage)

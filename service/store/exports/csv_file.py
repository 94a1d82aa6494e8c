"""An export as CSV (RFC 4180): UTF-8, a header line, CRLF. Pure: no I/O."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from service.store.exports.columns import Column, Kind, Page
from service.store.queries.base import as_time

_is_formula = re.compile(r"[ \n]*[=+\-@\t\r]").match


def safe_text(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: a ' goes before one that it might."""
    return f"'{text}" if _is_formula(text) else text


def _truth(value: bool) -> str:  # noqa: FBT001 - the value of a cell
    return "true" if value else "false"


_CELL: Final[dict[Kind, Callable[[Any], object]]] = {
    Kind.WHOLE: int,
    Kind.NUMBER: float,
    Kind.TEXT: safe_text,
    Kind.TRUTH: _truth,
    Kind.TIME: as_time,
}


def csv_chunks(columns: Sequence[Column], pages: Iterable[Page]) -> Iterator[bytes]:
    """Yield a CSV file in pieces: its header, then one piece a page. What is empty stays empty."""
    yield _written([[column.name for column in columns]])
    cells = [_CELL[column.kind] for column in columns]
    for page in pages:
        written = [_cells(cell, values) for cell, values in zip(cells, page, strict=True)]
        yield _written(zip(*written, strict=True))


def _cells(cell: Callable[[Any], object], values: Sequence[Any]) -> list[object]:
    """Return a column as it is written. Most values stand in many rows: each is made once."""
    if cell is float:  # they rarely repeat, and 0.0 would be -0.0
        return [None if each is None else float(each) for each in values]
    known = {each: None if each is None else cell(each) for each in set(values)}
    return [known[each] for each in values]


def _written(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()

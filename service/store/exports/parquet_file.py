"""An export as Apache Parquet, written row group by row group."""

import importlib
import io
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, Final

from broker.errors import SettingsError
from service.store.exports.columns import Column, Kind, Page

_ROWS_A_GROUP: Final = 50_000
_TYPE_NAMES: Final = {
    Kind.WHOLE: "int64",
    Kind.NUMBER: "float64",
    Kind.TEXT: "string",
    Kind.TRUTH: "bool_",
}


def need_pyarrow() -> tuple[Any, Any]:
    """Make sure that Parquet can be written; return pyarrow and its part for Parquet.

    Raises:
        SettingsError: It cannot: pyarrow is not installed.
    """
    return _import("pyarrow"), _import("pyarrow.parquet")


def fields_of(columns: Sequence[Column]) -> list[tuple[str, Any]]:
    """Return names and pyarrow's types of columns."""
    arrow = _import("pyarrow")
    return [(each.name, _type_of(arrow, each.kind)) for each in columns]


def parquet_chunks(columns: Sequence[Column], pages: Iterable[Page]) -> Iterator[bytes]:
    """Yield a Parquet file in pieces. Never more than a row group and a page are held.

    Times are UTC timestamps of microseconds, outcomes and names text; an export without rows is a
    file with a schema.

    Raises:
        SettingsError: pyarrow is not installed.
    """
    arrow, parquet = need_pyarrow()
    schema = arrow.schema(fields_of(columns))
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for group in _groups(_tables(arrow, schema, pages)):
            writer.write_table(arrow.concat_tables(group), row_group_size=_ROWS_A_GROUP * 2)
            yield sink.taken()
    yield sink.taken()


def _tables(arrow: Any, schema: Any, pages: Iterable[Page]) -> Iterator[Any]:  # noqa: ANN401 - its types are its own
    for page in pages:
        values = [
            arrow.array(column, field.type) for column, field in zip(page, schema, strict=True)
        ]
        yield arrow.Table.from_arrays(values, schema=schema)


def _groups(tables: Iterable[Any]) -> Iterator[list[Any]]:
    """Collect tables until they make a row group; the last one may be smaller."""
    group: list[Any] = []
    for table in tables:
        group.append(table)
        if sum(each.num_rows for each in group) >= _ROWS_A_GROUP:
            yield group
            group = []
    if group:
        yield group


def _type_of(arrow: Any, kind: Kind) -> Any:  # noqa: ANN401 - its types are its own
    if kind is Kind.TIME:
        return arrow.timestamp("us", "UTC")
    return getattr(arrow, _TYPE_NAMES[kind])()


class _Sink(io.RawIOBase):
    """What the writer takes for a file: keeps what was written until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, piece: bytes | memoryview) -> int:  # type: ignore[override]
        copied = bytes(piece)
        self._pieces.append(copied)
        self._size += len(copied)
        return len(copied)

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _import(name: str) -> ModuleType:
    """Return a module of pyarrow: a large library that only Parquet needs."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise SettingsError(
            "Parquet needs pyarrow, which is not installed."
            " Run: pip install 'yieldline[ui]', or export CSV."
        ) from error

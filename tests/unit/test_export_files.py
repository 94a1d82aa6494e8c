"""What an export writes: CSV that is safe in a spreadsheet, and Parquet in bounded pieces."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow.parquet
import pytest

from broker.errors import SettingsError
from service.store.exports import parquet_file
from service.store.exports.columns import COLUMNS, Column, Kind, Page, Rows
from service.store.exports.csv_file import csv_chunks, safe_text
from service.store.exports.parquet_file import parquet_chunks

ALL_KINDS = tuple(Column(kind.name.lower(), kind) for kind in Kind)
ROW = (7, 4.446e-06, 'µ, "x"\n', True, 1_795_426_937_123_456)
EMPTY = (None,) * len(ROW)


def page_of(*rows: tuple[object, ...]) -> Page:
    """Return rows by column."""
    return list(zip(*rows, strict=True))


def read_csv(pages: list[Page]) -> list[list[str]]:
    text = b"".join(csv_chunks(ALL_KINDS, pages)).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-5",
        "@SUM(A1)",
        "\tx",
        "\rx",
        " =1",
        "\n=1",
        " \n @x",
        "  \t",
        "=cmd|' /C'!A0",
    ],
)
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert safe_text(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=1", "5-3", "'=1", "  plain", "EC41-2647", "\n", "µ=1"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert safe_text(text) == text


def test_numbers_stay_numbers_in_csv() -> None:
    rows = [(-7, -4.446e-06, "-5", None, None), (0, 0.0, "", None, None), (0, -0.0, "", None, None)]
    head, first, *zeros = read_csv([page_of(*rows)])
    assert head == ["whole", "number", "text", "truth", "time"]
    assert first == ["-7", "-4.446e-06", "'-5", "", ""]
    assert [row[1] for row in zeros] == ["0.0", "-0.0"]


def test_csv_quotes_what_it_must_and_leaves_empty_what_is_empty() -> None:
    _, row, empty = read_csv([page_of(ROW, EMPTY)])
    assert row == ["7", "4.446e-06", 'µ, "x"\n', "true", "2026-11-23T09:42:17.123456Z"]
    assert empty == [""] * len(ROW)


def test_csv_comes_in_one_piece_a_page_after_its_header() -> None:
    pieces = list(csv_chunks(ALL_KINDS, [page_of(ROW), page_of(ROW, ROW)]))
    assert [piece.count(b"true") for piece in pieces] == [0, 1, 2]
    assert pieces[0] == b"whole,number,text,truth,time\r\n"


def test_parquet_keeps_types_and_values() -> None:
    whole = b"".join(parquet_chunks(ALL_KINDS, [page_of(ROW), page_of(EMPTY)]))
    table = pyarrow.parquet.read_table(io.BytesIO(whole))
    assert [str(field.type) for field in table.schema] == [
        "int64", "double", "string", "bool", "timestamp[us, tz=UTC]",
    ]  # fmt: skip
    first, second = table.to_pylist()
    assert list(first.values()) == [*ROW[:4], datetime(2026, 11, 23, 9, 42, 17, 123456, UTC)]
    assert set(second.values()) == {None}


def test_parquet_of_nothing_is_a_file_with_a_schema() -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(b"".join(parquet_chunks(ALL_KINDS, []))))
    assert (table.num_rows, table.column_names) == (0, [each.name for each in ALL_KINDS])


def test_parquet_leaves_in_row_groups_while_it_is_read() -> None:
    read = 0

    def pages() -> Iterator[Page]:
        nonlocal read
        for _ in range(30):
            read += 5_000
            yield page_of(*[ROW] * 5_000)

    pieces = parquet_chunks(ALL_KINDS, pages())
    first = next(pieces)
    assert len(first) > 1_000
    assert read == 50_000
    whole = first + b"".join(pieces)
    file = pyarrow.parquet.ParquetFile(io.BytesIO(whole))
    assert file.num_row_groups == 3
    assert file.metadata.num_rows == 150_000


def test_without_pyarrow_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(parquet_file.importlib, "import_module", missing)
    with pytest.raises(SettingsError, match=r"Run: pip install 'yieldline\[ui\]', or export CSV\."):
        parquet_file.need_pyarrow()


@pytest.mark.parametrize("rows", Rows)
def test_no_column_stands_twice(rows: Rows) -> None:
    names = [column.name for column in COLUMNS[rows]]
    assert len(names) == len(set(names))

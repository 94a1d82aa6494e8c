"""What an export is asked for, and its bytes: for the HTTP API and the command line."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from service.store.database import Database
from service.store.exports.columns import COLUMNS, Column, FileFormat, Page, Rows
from service.store.exports.csv_file import csv_chunks
from service.store.exports.parquet_file import need_pyarrow, parquet_chunks
from service.store.exports.rows import count_rows, pages
from service.store.queries.filters import Filters

_Write: TypeAlias = Callable[[Sequence[Column], Iterable[Page]], Iterator[bytes]]
_WRITERS: Final[dict[FileFormat, _Write]] = {
    FileFormat.CSV: csv_chunks,
    FileFormat.PARQUET: parquet_chunks,
}


@dataclass(frozen=True, slots=True)
class Export:
    """Which runs, what a row stands for, and how it is written."""

    file_format: FileFormat
    rows: Rows = Rows.RUNS
    filters: Filters = field(default_factory=Filters)

    def count(self, database: Database) -> int:
        """Return how many rows it has now. May take seconds on a large history."""
        return count_rows(database, self.filters, self.rows)

    def chunks(
        self, database: Database, progress: Callable[[int], None] = lambda _: None
    ) -> Iterator[bytes]:
        """Yield the file in pieces; memory does not grow with it.

        Args:
            database: Read page by page; no transaction stays open in between.
            progress: Called with how many rows have been read so far.

        Raises:
            SettingsError: Parquet, and pyarrow is not installed; before the first piece.
            StoreUnavailable, StoreRefused: Database trouble, at any piece.
        """
        if self.file_format is FileFormat.PARQUET:
            need_pyarrow()
        read = _counted(pages(database, self.filters, self.rows), progress)
        return _WRITERS[self.file_format](COLUMNS[self.rows], read)


def _counted(read: Iterator[Page], progress: Callable[[int], None]) -> Iterator[Page]:
    done = 0
    for page in read:
        yield page
        done += len(page[0])
        progress(done)

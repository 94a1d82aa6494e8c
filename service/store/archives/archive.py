"""A folder of Parquet files that retention fills before it deletes.

A file gets its name once it is whole on disk and what was written has been read back out of it.
Only then are its runs given on to be deleted. A run whose deletion did not come about is found in
its file the next time, and not written again.
"""

import contextlib
import re
import time
from collections.abc import Generator, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from broker.errors import StoreUnavailable
from broker.files import put_in_place
from service.store.archives.rows import Batch, read, schema
from service.store.archives.turn import archiving
from service.store.database import Database
from service.store.exports.parquet_file import need_pyarrow
from service.store.queries.old_runs import Portion
from service.store.times import moment

_RUNS_A_FILE: Final = 200_000
_BYTES_A_FILE: Final = 256_000_000
_BYTES_A_GROUP: Final = 16_000_000
NOTHING_YET: Final = Portion([], [])
_HOUR: Final = "%Y%m%dT%H"
_NAME: Final = re.compile(r"yieldline-(\d{8}T\d\d)-(\d{8}T\d\d)-.*\.parquet").fullmatch


class Archive:
    """Where to, and of which database. One pass at a time."""

    def __init__(self, database: Database, folder: Path) -> None:
        """Prepare; nothing is written yet.

        Raises:
            SettingsError: pyarrow is not installed.
        """
        need_pyarrow()
        self._database = database
        self._folder = folder

    def keeping(self, portions: Iterable[Portion]) -> Generator[Portion, None, None]:
        """Write portions to files; yield each of them once its file is whole.

        Many go into a file, so after each that was written an empty portion is yielded: who calls
        can stop there. Before, the database is left alone for as long as reading it took.

        Raises:
            StoreUnavailable: The folder cannot be written to, or the database is away. What was
                not yielded must not be deleted.
            ArchiveBusy: Another process is at it.
        """
        try:
            with archiving(self._database):
                yield from self._kept(portions)
        except _trouble() as error:
            said = getattr(error, "strerror", None) or str(error)
            raise StoreUnavailable(
                f"the archive {self._folder} cannot be written: {said}. What it does not hold is"
                " not deleted. Is its disk there, and has it room?"
            ) from error

    def _kept(self, portions: Iterable[Portion]) -> Iterator[Portion]:
        waiting: list[Portion] = []
        file: _File | None = None
        try:
            for portion in portions:
                begun = time.monotonic()
                batch = self._unarchived(portion)
                if file is not None and portion.slots and not file.takes(batch):
                    file.finish()
                    file = None
                    yield from waiting
                    waiting = []
                waiting.append(portion)
                if batch is not None:
                    file = file or _File(self._folder, _month_of(batch))
                    file.add(batch)
                time.sleep(time.monotonic() - begun)
                yield NOTHING_YET
            if file is not None:
                file.finish()
                file = None
            yield from waiting
        finally:
            if file is not None:
                file.give_up()

    def _unarchived(self, portion: Portion) -> Batch | None:
        """Return what of a portion is in no file yet; None: nothing."""
        if not self._folder.is_dir():  # made by us it would lie on another disk than meant
            raise FileNotFoundError(2, "the folder does not exist")
        batch = read(self._database, portion.run_ids)
        if batch is None:
            return None
        known = self._known(batch)
        hashes = batch.table["content_hash"].to_pylist()
        left = [
            run_id
            for run_id, content in zip(batch.run_ids, hashes, strict=True)
            if (run_id, content) not in known
        ]
        return batch if len(left) == len(hashes) else read(self._database, left) if left else None

    def _known(self, batch: Batch) -> set[tuple[int, bytes]]:
        """Return number and hash of those runs of a batch that a file holds."""
        _, parquet = need_pyarrow()
        first, last = _hours_of(batch)
        found: set[tuple[int, bytes]] = set()
        for file in (self._folder / _month_of(batch)).glob("*.parquet"):
            span = _NAME(file.name)
            if span is None or span[2] < first or span[1] > last:
                continue
            only = [("run_id", "in", list(batch.run_ids))]
            rows = parquet.read_table(file, columns=["run_id", "content_hash"], filters=only)
            columns = (rows[name].to_pylist() for name in ("run_id", "content_hash"))
            found.update(zip(*columns, strict=True))
        return found


class _File:
    """One file that is being written."""

    def __init__(self, folder: Path, month: str) -> None:
        _, parquet = need_pyarrow()
        self.month = month
        self._folder = folder / month
        self._folder.mkdir(exist_ok=True)
        self._part = self._folder / "next.part"
        self._run_ids: list[int] = []
        self._measurements = self._message_bytes = 0
        self._hours: list[str] = []
        self._group: list[Batch] = []
        self._writer = parquet.ParquetWriter(self._part, schema(), compression="zstd")

    def takes(self, batch: Batch | None) -> bool:
        """Tell whether a batch may still go into this file."""
        is_full = len(self._run_ids) >= _RUNS_A_FILE or self._message_bytes >= _BYTES_A_FILE
        return batch is None or (_month_of(batch) == self.month and not is_full)

    def add(self, batch: Batch) -> None:
        """Write a batch, or keep it for the next row group."""
        self._run_ids += batch.run_ids
        self._measurements += batch.measurements
        self._message_bytes += batch.message_bytes
        self._hours += _hours_of(batch)
        self._group.append(batch)
        if sum(each.table.nbytes for each in self._group) >= _BYTES_A_GROUP:
            self._write_group()

    def finish(self) -> None:
        """Write the rest, read all of it back, and give the file its name."""
        self._write_group()
        self._writer.close()
        self._read_back()
        put_in_place(self._part, self._free_name())

    def give_up(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(Exception):  # the disk that is full, again
            self._writer.close()
        with contextlib.suppress(OSError):
            self._part.unlink()

    def _write_group(self) -> None:
        arrow, _ = need_pyarrow()
        if self._group:
            self._writer.write_table(arrow.concat_tables([each.table for each in self._group]))
            self._group.clear()

    def _read_back(self) -> None:
        """Compare the file, as it is on disk, with what was to be written."""
        _, parquet = need_pyarrow()
        run_ids: list[int] = []
        measurements = message_bytes = 0
        with parquet.ParquetFile(self._part) as file:
            for number in range(file.num_row_groups):
                group = file.read_row_group(number)
                run_ids += group["run_id"].to_pylist()
                measurements += sum(len(each.flatten()) for each in group["measurements"].chunks)
                message_bytes += sum(len(each or b"") for each in group["message"].to_pylist())
        found = (run_ids, measurements, message_bytes)
        if found != (self._run_ids, self._measurements, self._message_bytes):
            raise OSError(5, "what was written does not come back")

    def _free_name(self) -> Path:
        span = f"yieldline-{min(self._hours)}-{max(self._hours)}"
        name = f"{span}-r{min(self._run_ids)}-{max(self._run_ids)}"
        file = self._folder / f"{name}.parquet"
        number = 1
        while file.exists():  # of another database that shares the folder
            number += 1
            file = self._folder / f"{name}-{number}.parquet"
        return file


def _hours_of(batch: Batch) -> tuple[str, str]:
    """Return the hours of the first and the last start, as they stand in the name of a file."""
    starts = batch.table["timestamp"]
    return _start(starts[0]).strftime(_HOUR), _start(starts[-1]).strftime(_HOUR)


def _month_of(batch: Batch) -> str:
    return _start(batch.table["timestamp"][0]).strftime("%Y-%m")


def _start(cell: Any) -> datetime:  # noqa: ANN401 - pyarrow's
    return moment(cell.value)


def _trouble() -> tuple[type[Exception], ...]:
    arrow, _ = need_pyarrow()
    return (OSError, arrow.ArrowException)

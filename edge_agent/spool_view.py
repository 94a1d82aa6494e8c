"""The spool as a person sees it: read-only, beside a running agent, without its lock."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

from broker.errors import SettingsError
from edge_agent.spool import Books


class Waiting(NamedTuple):
    """A machine's messages without receipt."""

    message_count: int = 0
    payload_bytes: int = 0
    oldest_at: float | None = None
    """Seconds since 1970; None without one."""


class RefusedRecord(NamedTuple):
    """A record that was not sent."""

    id: int
    machine_id: str
    file: str
    byte_start: int
    byte_end: int
    """One past the last byte."""
    reason: str
    refused_at: float
    """Seconds since 1970."""
    content: bytes | None
    """Its bytes, of a long one the first; None where only the position was kept."""


class SpoolView:
    """A spool file, to look at.

    Raises:
        SettingsError: It does not exist, or is no spool of this release.
    """

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise SettingsError(
                f"agent.spool_file {str(file)!r} does not exist. Has `yieldline agent run` ever"
                " started with this configuration?"
            )
        self._name = str(file)
        # Without a write-ahead log nobody has it open. Immutable then: a reader would leave a log
        # behind, perhaps as another user than the agent's.
        how = "mode=ro" if file.with_name(f"{file.name}-wal").exists() else "immutable=1"
        self._db = sqlite3.connect(f"{file.absolute().as_uri()}?{how}", uri=True, timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def books(self) -> dict[str, Books]:
        """Return each machine's counts since the spool was made."""
        rows = self._rows("SELECT machine_id, read, refused, spooled, receipted FROM books")
        return {row[0]: Books(*row[1:]) for row in rows}

    def waiting(self) -> dict[str, Waiting]:
        """Return the messages without receipt, of each machine that has one."""
        rows = self._rows(
            "SELECT machine_id, count(*), total(length(payload)), min(spooled_at) FROM messages"
            " GROUP BY machine_id"
        )
        return {row[0]: Waiting(row[1], int(row[2]), row[3]) for row in rows}

    def offsets(self) -> dict[tuple[str, str], int]:
        """Return, by machine and path, how many bytes of the file that stands there were read."""
        rows = self._rows("SELECT machine_id, path, offset FROM files WHERE is_current ORDER BY id")
        return {(machine_id, path): offset for machine_id, path, offset in rows}

    def last_refused(self, machine_id: str, count_max: int) -> list[RefusedRecord]:
        """Return a machine's refused records without their bytes, the newest first."""
        rows = self._rows(
            "SELECT id, machine_id, file, byte_start, byte_end, reason, refused_at, NULL"
            " FROM refused WHERE machine_id = ? ORDER BY id DESC LIMIT ?",
            (machine_id, count_max),
        )
        return [RefusedRecord(*row) for row in rows]

    def refused(self, machine_id: str | None = None) -> Iterator[RefusedRecord]:
        """Yield the refused records with their bytes, oldest first; of one machine or of all."""
        for row in self._rows(
            "SELECT id, machine_id, file, byte_start, byte_end, reason, refused_at, content"
            " FROM refused WHERE ?1 IS NULL OR machine_id = ?1 ORDER BY id",
            (machine_id,),
        ):
            yield RefusedRecord(*row)

    def last_refused_id(self) -> int:
        """Return the id of the newest refused record; 0 without one."""
        ((found,),) = self._rows("SELECT coalesce(max(id), 0) FROM refused")
        return int(found)

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[Any]:
        with self._explained():
            yield from self._db.execute(query, values)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SettingsError(
                f"agent.spool_file {self._name!r} cannot be read ({error})."
                " Is it the spool of this release?"
            ) from error

"""What the spool keeps of records that are not sent: position, reason and, to a bound, the bytes.

The table is written in the same transaction as the messages. The newest records are kept; how many
there were is counted in the books, not here.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final, NamedTuple, TypeAlias

from edge_agent.batch import Batch

SCHEMA: Final = """
CREATE TABLE refused (
  id INTEGER PRIMARY KEY AUTOINCREMENT, machine_id TEXT NOT NULL, file TEXT NOT NULL,
  byte_start INTEGER NOT NULL, byte_end INTEGER NOT NULL, reason TEXT NOT NULL,
  refused_at REAL NOT NULL, content BLOB);
"""
RECORDS_MAX: Final = 100_000
"""A log in the wrong format refuses every line, for ever: some 30 MB of positions and reasons."""

Row: TypeAlias = tuple[str, str, int, int, str, float, bytes | None]
"""Machine, file, first byte, end, reason, moment, and the bytes where they are kept."""


class Held(NamedTuple):
    """What is in the table."""

    record_count: int
    content_bytes: int


class RefusedBook:
    """The table of refused records.

    Args:
        transaction: Begins one on the spool's connection.
        bytes_max: Bound of the records' bytes; beyond it only position and reason are kept.
        count_max: How many are kept, the newest.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        bytes_max: int,
        count_max: int = RECORDS_MAX,
    ) -> None:
        self._transaction = transaction
        self._bytes_max, self._count_max = bytes_max, count_max
        self._held = Held(0, 0)
        self._version: int | None = None

    def rows(self, batch: Batch, file: str, now: float) -> list[Row]:
        """Return a batch's refused records as they can be kept, in order; often none.

        Args:
            batch: What was read.
            file: Its path.
            now: Seconds since 1970.
        """
        if not batch.refusals:
            return []
        with self._transaction() as db:
            self._look(db)
        found: list[Row] = []
        held_bytes = self._held.content_bytes
        for start, end, reason, content in batch.refusals:
            is_kept = held_bytes + len(content) <= self._bytes_max
            held_bytes += len(content) if is_kept else 0
            kept = content if is_kept else None
            found.append((batch.machine_id, file, start, end, reason, now, kept))
        return found

    def add(self, db: sqlite3.Connection, rows: Sequence[Row]) -> Held:
        """Add rows, drop the oldest beyond the bound.

        Args:
            db: In a transaction.
            rows: From `rows`.

        Returns:
            What is held then; for `committed`.
        """
        self._look(db)  # somebody may have forgotten some just now
        count, size = self._held
        db.executemany(
            "INSERT INTO refused (machine_id, file, byte_start, byte_end, reason, refused_at,"
            " content) VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        dropped = db.execute(
            "DELETE FROM refused WHERE id IN (SELECT id FROM refused ORDER BY id LIMIT ?)"
            " RETURNING length(content)",
            (max(0, count + len(rows) - self._count_max),),
        ).fetchall()
        added = sum(len(row[-1] or b"") for row in rows)
        freed = sum(length or 0 for (length,) in dropped)
        return Held(count + len(rows) - len(dropped), size + added - freed)

    def committed(self, held: Held) -> None:
        """Take note that what `add` returned is on the disk."""
        self._held = held

    def _look(self, db: sqlite3.Connection) -> None:
        """Count what is held, at first and after another connection has changed the file."""
        (version,) = db.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            row = db.execute("SELECT count(*), total(length(content)) FROM refused").fetchone()
            self._held, self._version = Held(row[0], int(row[1])), version


def disk_bytes(rows: Sequence[Row]) -> int:
    """Return about how many bytes rows take on the disk."""
    return sum(
        len(machine_id) + len(file) + len(reason) + len(content or b"")
        for machine_id, file, _, _, reason, _, content in rows
    )

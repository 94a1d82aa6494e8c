"""Where messages wait for their receipt: one SQLite file, one transaction a batch.

A transaction holds the messages, the refused records and the file's offset together, so a crash
between them does not exist. The books balance: records read = refused + spooled.
"""

import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from broker.errors import SpoolFull
from edge_agent.batch import Batch
from edge_agent.filebook import FileBook, KnownFile, Place
from edge_agent.payload import Numbering
from edge_agent.refusedbook import RefusedBook, disk_bytes
from edge_agent.spool_file import SpoolFile

_RECEIPTS_WITHOUT_ROOM: Final = 20
_RECEIPT_BYTES: Final = 24_576
"""What one may write to SQLite's log: the pages of a message, its ids and their indexes."""


class Books(NamedTuple):
    """A machine's counts since the spool was made."""

    read: int = 0
    refused: int = 0
    spooled: int = 0
    receipted: int = 0

    @property
    def depth(self) -> int:
        """Messages without a receipt."""
        return self.spooled - self.receipted


class Waiting(NamedTuple):
    """One spooled message."""

    id: int
    payload: bytes


class Spool:
    """The spool file, for one agent at a time. Safe to use from several threads.

    Args:
        file: Made when missing; its folder too.
        bytes_max: Bound of the messages' bytes. A batch is always taken when it is empty.
        refused_bytes_max: Bound of the refused records' bytes; positions are kept beyond it.

    Raises:
        SettingsError: Another agent uses it, or it is no spool.
        SpoolFull: Its disk is full.
    """

    def __init__(self, file: Path, bytes_max: int, refused_bytes_max: int = 67_108_864) -> None:
        self._bytes_max = bytes_max
        self._folder = file.parent
        self._file = SpoolFile(file)
        self._bytes = self._file.payload_bytes
        self._refused = RefusedBook(self._file.transaction, refused_bytes_max)
        self.files = FileBook(self._file.transaction)
        """What is remembered of the log files."""

    def close(self) -> None:
        """Close the file and let another agent use it."""
        self._file.close()

    # -- the reader's side ---------------------------------------------------------------------

    def batch(self, machine_id: str) -> Batch:
        """Return an empty batch that goes on counting where the last one stopped."""
        with self._file.transaction() as db:
            row = db.execute(
                "SELECT epoch, seq FROM books WHERE machine_id = ?", (machine_id,)
            ).fetchone()
        return Batch(machine_id, Numbering(*(row or (secrets.token_hex(4), 0))))

    def place(self, place: Place, known: KnownFile, *, is_anew: bool) -> int:
        """Say which file stands at a place now, before anything more of it is read.

        Args:
            place: Where it stands.
            known: The file; its id is 0 where it is a new one.
            is_anew: Another file stood there: the machine counts its messages in a new epoch.

        Returns:
            The file's id.

        Raises:
            SpoolFull: The disk takes no more.
        """
        with self._file.transaction() as db:
            if is_anew:
                db.execute(
                    "UPDATE books SET epoch = ?, seq = 0 WHERE machine_id = ?",
                    (secrets.token_hex(4), place.machine_id),
                )
            return self.files.put(db, place, known)

    def commit(self, batch: Batch, place: Place, known: KnownFile) -> int:
        """Keep a batch and how far the file was read, all or nothing, on the disk.

        Args:
            batch: What was read.
            place: Where its file stands.
            known: The file's new mark, first record and parser state.

        Returns:
            The file's id.

        Raises:
            SpoolFull: Its bound or the disk is reached; nothing was kept, try again later.
        """
        now = time.time()
        refused = self._refused.rows(batch, place.path, now)
        self._check_room(batch.payload_bytes, disk_bytes(refused))
        with self._file.transaction() as db:
            self._add_messages(db, batch, now)
            held = self._refused.add(db, refused) if refused else None
            file_id = self.files.put(db, place, known)
            counts = (batch.read_count, len(batch.refusals), len(batch.messages))
            db.execute(
                "INSERT INTO books (machine_id, epoch, seq, read, refused, spooled)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " epoch = excluded.epoch, seq = excluded.seq, read = read + excluded.read,"
                " refused = refused + excluded.refused, spooled = spooled + excluded.spooled",
                (batch.machine_id, *batch.numbering, *counts),
            )
        self._bytes += batch.payload_bytes
        if held:
            self._refused.committed(held)
        return file_id

    # -- the sender's side ---------------------------------------------------------------------

    def messages_after(
        self, machine_id: str, after: int, count_max: int, bytes_max: int
    ) -> list[Waiting]:
        """Return a machine's oldest messages with an id above `after`, at least one if any."""
        found: list[Waiting] = []
        with self._file.transaction() as db:
            size = 0
            for row in db.execute(
                "SELECT id, payload FROM messages WHERE machine_id = ? AND id > ? ORDER BY id"
                " LIMIT ?",
                (machine_id, after, count_max),
            ):
                size += len(row[1])
                if found and size > bytes_max:
                    break
                found.append(Waiting(*row))
        return found

    def message(self, identity: int) -> Waiting | None:
        """Return one message again, None when its receipt has come."""
        with self._file.transaction() as db:
            row = db.execute(
                "SELECT id, payload FROM messages WHERE id = ?", (identity,)
            ).fetchone()
        return Waiting(*row) if row else None

    def receipted(self, machine_id: str, message_ids: Sequence[str]) -> list[int]:
        """Forget what the service has stored. Returns the ids of messages that are done.

        Ids that nobody waits for are fine: a receipt may come twice.
        """
        done: list[int] = []
        for some in self._as_room_allows(message_ids):
            done += self._forget(machine_id, some)
        return done

    def _forget(self, machine_id: str, message_ids: Sequence[str]) -> list[int]:
        done: list[int] = []
        freed = 0
        with self._file.transaction() as db:
            for message_id in message_ids:
                for (message,) in db.execute(
                    "DELETE FROM awaiting WHERE machine_id = ? AND message_id = ?"
                    " RETURNING message",
                    (machine_id, message_id),
                ).fetchall():
                    row = db.execute(
                        "DELETE FROM messages WHERE id = ? AND NOT EXISTS"
                        " (SELECT 1 FROM awaiting WHERE message = messages.id)"
                        " RETURNING length(payload)",
                        (message,),
                    ).fetchone()
                    if row:
                        done.append(message)
                        freed += row[0]
            db.execute(
                "UPDATE books SET receipted = receipted + ? WHERE machine_id = ?",
                (len(done), machine_id),
            )
        self._bytes -= freed
        return done

    # -- what people ask -----------------------------------------------------------------------

    def books(self, machine_id: str | None = None) -> Books:
        """Return the counts of a machine, or of all."""
        where, values = ("WHERE machine_id = ?", (machine_id,)) if machine_id else ("", ())
        with self._file.transaction() as db:
            row = db.execute(
                f"SELECT sum(read), sum(refused), sum(spooled), sum(receipted) FROM books {where}",  # noqa: S608 - a literal
                values,
            ).fetchone()
        return Books(*(each or 0 for each in row))

    def lag_s(self, machine_id: str) -> float:
        """Return the age of the oldest message without receipt, in seconds; 0 without one."""
        with self._file.transaction() as db:
            row = db.execute(
                "SELECT spooled_at FROM messages WHERE machine_id = ? ORDER BY id LIMIT 1",
                (machine_id,),
            ).fetchone()
        return max(0.0, time.time() - row[0]) if row else 0.0

    @property
    def payload_bytes(self) -> int:
        """Bytes of all messages without receipt."""
        return self._bytes

    def _check_room(self, payload_bytes: int, refused_bytes: int) -> None:
        if self._bytes and self._bytes + payload_bytes > self._bytes_max:
            raise SpoolFull(
                f"the spool holds {self._bytes} of {self._bytes_max} bytes without receipt."
                " Reading stops until the service takes them."
            )
        added = payload_bytes + refused_bytes
        if self._file.lacking_bytes(added) > 0:
            self._file.shorten_log()
        if (lacking := self._file.lacking_bytes(added)) > 0:
            raise SpoolFull(
                f"the disk of the spool, {self._folder}, lacks {lacking} bytes."
                " Free some space; until then reading stops and nothing is lost."
            )

    def _as_room_allows(self, message_ids: Sequence[str]) -> Iterator[Sequence[str]]:
        """Yield all, or few at a time where the disk has no room for the log of more."""
        if self._file.lacking_bytes(len(message_ids) * _RECEIPT_BYTES) <= 0:
            yield message_ids
            return
        for at in range(0, len(message_ids), _RECEIPTS_WITHOUT_ROOM):
            self._file.shorten_log()
            yield message_ids[at : at + _RECEIPTS_WITHOUT_ROOM]

    @staticmethod
    def _add_messages(db: sqlite3.Connection, batch: Batch, now: float) -> None:
        if not batch.messages:
            return
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
        first = 1 + (row[0] if row else 0)  # numbered here: lastrowid would need one by one
        db.executemany(
            "INSERT INTO messages (id, machine_id, spooled_at, payload) VALUES (?, ?, ?, ?)",
            [
                (message, batch.machine_id, now, payload.body)
                for message, payload in enumerate(batch.messages, first)
            ],
        )
        db.executemany(
            "INSERT OR IGNORE INTO awaiting VALUES (?, ?, ?)",
            [
                (batch.machine_id, message_id, message)
                for message, payload in enumerate(batch.messages, first)
                for message_id in payload.message_ids
            ],
        )

"""Where messages wait for their receipt: one SQLite file, one transaction a batch.

A transaction holds the messages, the refused records and the file's offset together, so a crash
between them does not exist. The books balance: records read = refused + spooled.
"""

import contextlib
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from broker.errors import SettingsError, SpoolFull
from edge_agent.filelock import FileLock
from edge_agent.formats import JSON
from edge_agent.payload import Numbering, Payload
from edge_agent.tail import Mark

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE files (
  id INTEGER PRIMARY KEY, machine_id TEXT NOT NULL, path TEXT NOT NULL, node TEXT NOT NULL,
  is_current INTEGER NOT NULL, offset INTEGER NOT NULL, head BLOB NOT NULL, tail BLOB NOT NULL,
  first_record BLOB, state TEXT NOT NULL);
CREATE INDEX files_by_path ON files (machine_id, path) WHERE is_current;
CREATE INDEX files_by_node ON files (machine_id, node);
CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, machine_id TEXT NOT NULL, spooled_at REAL NOT NULL,
  payload BLOB NOT NULL);
CREATE INDEX messages_by_machine ON messages (machine_id, id);
CREATE TABLE awaiting (
  machine_id TEXT NOT NULL, message_id TEXT NOT NULL, message INTEGER NOT NULL,
  PRIMARY KEY (machine_id, message_id, message)) WITHOUT ROWID;
CREATE INDEX awaiting_by_message ON awaiting (message);
CREATE TABLE refused (
  id INTEGER PRIMARY KEY AUTOINCREMENT, machine_id TEXT NOT NULL, file TEXT NOT NULL,
  byte_start INTEGER NOT NULL, byte_end INTEGER NOT NULL, reason TEXT NOT NULL,
  refused_at REAL NOT NULL, content BLOB);
CREATE TABLE books (
  machine_id TEXT PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL DEFAULT 0,
  read INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0,
  spooled INTEGER NOT NULL DEFAULT 0, receipted INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
"""


class Refusal(NamedTuple):
    """A record that is not sent: it was not understood, or is too large."""

    byte_start: int
    byte_end: int
    reason: str
    content: bytes
    """Its bytes, of a very long one the first."""


class KnownFile(NamedTuple):
    """What the spool remembers of a file."""

    id: int
    mark: Mark
    first_record: bytes | None
    """Hash of its first record, None until there is one."""
    state: dict[str, JSON]
    """The parser's, at the offset."""


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


@dataclass
class Batch:
    """What one transaction adds: up to 200 records of one file."""

    machine_id: str
    numbering: Numbering
    messages: list[Payload] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    read_count: int = 0
    payload_bytes: int = 0

    def add(self, payload: Payload) -> None:
        """Take a message and the sequence numbers it used."""
        self.messages.append(payload)
        self.payload_bytes += len(payload.body)
        epoch, seq = self.numbering
        self.numbering = Numbering(epoch, seq + payload.numbers_used)


class Spool:
    """The spool file, for one agent at a time. Safe to use from several threads.

    Args:
        file: Made when missing; its folder too.
        bytes_max: Bound of the messages' bytes. A batch is always taken when it is empty.
        refused_bytes_max: Bound of the refused records' bytes; positions are kept beyond it.

    Raises:
        SettingsError: Another agent uses it, or it is no spool.
    """

    def __init__(self, file: Path, bytes_max: int, refused_bytes_max: int = 67_108_864) -> None:
        self._bytes_max, self._refused_bytes_max = bytes_max, refused_bytes_max
        self._guard = threading.Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(file.with_name(f"{file.name}.lock"))
        except OSError as error:
            raise SettingsError(
                f"agent.spool_file {str(file)!r} cannot be used ({error.strerror or error})."
                " Is another agent running? Else check the path and its rights."
            ) from error
        try:
            self._connection = _open(file)
            self._bytes = self._total("SELECT total(length(payload)) FROM messages")
            self._refused_bytes = self._total("SELECT total(length(content)) FROM refused")
        except (sqlite3.Error, SettingsError) as error:
            self._lock.release()
            if isinstance(error, SettingsError):
                raise
            raise SettingsError(
                f"agent.spool_file {str(file)!r} cannot be used ({error})."
                " Move it away; the agent then reads the logs again, the service drops repeats."
            ) from error

    def close(self) -> None:
        """Close the file and let another agent use it."""
        with self._guard:
            self._connection.close()
        self._lock.release()

    # -- the reader's side ---------------------------------------------------------------------

    def batch(self, machine_id: str) -> Batch:
        """Return an empty batch that goes on counting where the last one stopped."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO books (machine_id, epoch) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (machine_id, _new_epoch()),
            )
            row = db.execute(
                "SELECT epoch, seq FROM books WHERE machine_id = ?", (machine_id,)
            ).fetchone()
        return Batch(machine_id, Numbering(*row))

    def known_files(self, machine_id: str, path: str, node: str) -> list[KnownFile]:
        """Return what may be this file, the likeliest first: of this path, then of this inode."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT id, offset, head, tail, first_record, state FROM files"
                " WHERE machine_id = ? AND ((path = ? AND is_current) OR (node = ? AND offset > 0))"
                " ORDER BY (path = ? AND is_current) DESC, id DESC",
                (machine_id, path, node, path),
            ).fetchall()
        return [KnownFile(row[0], Mark(*row[1:4]), row[4], json.loads(row[5])) for row in rows]

    def claim(self, machine_id: str, path: str, node: str, known: KnownFile | None) -> int:
        """Say which file stands at `path` now, and return its id.

        Args:
            machine_id: Whose file.
            path: Where it stands.
            node: Its device and inode.
            known: The file as remembered; None for a new one, which begins at 0. Where another
                file stood at this path, the machine counts its messages anew (a new epoch).
        """
        with self._transaction() as db:
            replaced = db.execute(
                "UPDATE files SET is_current = 0"
                " WHERE machine_id = ? AND path = ? AND is_current AND id != ?",
                (machine_id, path, known.id if known else 0),
            ).rowcount
            if known:
                db.execute(
                    "UPDATE files SET path = ?, node = ?, is_current = 1 WHERE id = ?",
                    (path, node, known.id),
                )
                return known.id
            if replaced:
                db.execute(
                    "UPDATE books SET epoch = ?, seq = 0 WHERE machine_id = ?",
                    (_new_epoch(), machine_id),
                )
            row = db.execute(
                "INSERT INTO files (machine_id, path, node, is_current, offset, head, tail, state)"
                " VALUES (?, ?, ?, 1, 0, ?, ?, '{}') RETURNING id",
                (machine_id, path, node, *Mark.nothing()[1:]),
            ).fetchone()
            return int(row[0])

    def commit(self, batch: Batch, path: str, known: KnownFile) -> None:
        """Keep a batch and how far the file was read, all or nothing, on the disk.

        Args:
            batch: What was read.
            path: Its file, as refused records shall name it.
            known: The file's new mark, first record and parser state.

        Raises:
            SpoolFull: Its bound or the disk is reached; nothing was kept, try again later.
        """
        if self._bytes and self._bytes + batch.payload_bytes > self._bytes_max:
            raise SpoolFull(
                f"the spool holds {self._bytes} of {self._bytes_max} bytes without receipt."
                " Reading stops until the service takes them."
            )
        now, refused_bytes = time.time(), self._refused_bytes
        with self._transaction() as db:
            for payload in batch.messages:
                self._add_message(db, batch.machine_id, payload, now)
            for refusal in batch.refusals:
                has_room = refused_bytes + len(refusal.content) <= self._refused_bytes_max
                refused_bytes += len(refusal.content) if has_room else 0
                db.execute(
                    "INSERT INTO refused (machine_id, file, byte_start, byte_end, reason,"
                    " content, refused_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        batch.machine_id,
                        path,
                        *refusal[:3],
                        refusal.content if has_room else None,
                        now,
                    ),
                )
            db.execute(
                "UPDATE files SET offset = ?, head = ?, tail = ?, first_record = ?, state = ?"
                " WHERE id = ?",
                (*known.mark, known.first_record, json.dumps(known.state), known.id),
            )
            db.execute(
                "UPDATE books SET epoch = ?, seq = ?, read = read + ?, refused = refused + ?,"
                " spooled = spooled + ? WHERE machine_id = ?",
                (
                    *batch.numbering,
                    batch.read_count,
                    len(batch.refusals),
                    len(batch.messages),
                    batch.machine_id,
                ),
            )
        self._bytes += batch.payload_bytes
        self._refused_bytes = refused_bytes

    # -- the sender's side ---------------------------------------------------------------------

    def messages_after(
        self, machine_id: str, after: int, count_max: int, bytes_max: int
    ) -> list[Waiting]:
        """Return a machine's oldest messages with an id above `after`, at least one if any."""
        found: list[Waiting] = []
        with self._transaction() as db:
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
        with self._transaction() as db:
            row = db.execute(
                "SELECT id, payload FROM messages WHERE id = ?", (identity,)
            ).fetchone()
        return Waiting(*row) if row else None

    def receipted(self, machine_id: str, message_ids: Sequence[str]) -> list[int]:
        """Forget what the service has stored. Returns the ids of messages that are done.

        Ids that nobody waits for are fine: a receipt may come twice.
        """
        done: list[int] = []
        freed = 0
        with self._transaction() as db:
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
        with self._transaction() as db:
            row = db.execute(
                f"SELECT sum(read), sum(refused), sum(spooled), sum(receipted) FROM books {where}",  # noqa: S608 - a literal
                values,
            ).fetchone()
        return Books(*(each or 0 for each in row))

    def lag_s(self, machine_id: str) -> float:
        """Return the age of the oldest message without receipt, in seconds; 0 without one."""
        with self._transaction() as db:
            row = db.execute(
                "SELECT spooled_at FROM messages WHERE machine_id = ? ORDER BY id LIMIT 1",
                (machine_id,),
            ).fetchone()
        return max(0.0, time.time() - row[0]) if row else 0.0

    @property
    def payload_bytes(self) -> int:
        """Bytes of all messages without receipt."""
        return self._bytes

    def _total(self, query: str) -> int:
        return int(self._connection.execute(query).fetchone()[0])

    def _add_message(
        self, db: sqlite3.Connection, machine_id: str, payload: Payload, now: float
    ) -> None:
        message = db.execute(
            "INSERT INTO messages (machine_id, spooled_at, payload) VALUES (?, ?, ?)",
            (machine_id, now, payload.body),
        ).lastrowid
        db.executemany(
            "INSERT OR IGNORE INTO awaiting VALUES (?, ?, ?)",
            [(machine_id, message_id, message) for message_id in payload.message_ids],
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Begin, then commit to the disk or roll back; a full disk becomes SpoolFull."""
        with self._guard:
            try:
                with self._connection:
                    yield self._connection
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
                    raise SpoolFull(
                        f"the spool's disk takes no more ({error}). Free some space; until then"
                        " reading stops and nothing is lost."
                    ) from error
                raise


def _open(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=30, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _prepare(connection, file)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    """Make the tables in a new file; refuse those of another release."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
    elif version != _VERSION:
        raise SettingsError(
            f"agent.spool_file {str(file)!r} was made by another release (version {version})."
            " Use that release, or name another file."
        )


def _new_epoch() -> str:
    return secrets.token_hex(4)

"""The spool's SQLite file: opened for one agent, written in transactions that reach the disk."""

import contextlib
import errno
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from broker.errors import SettingsError, SpoolFull
from edge_agent import filebook, refusedbook
from edge_agent.diskroom import lacking_bytes
from edge_agent.filelock import FileLock

_VERSION: Final = 2
_SCHEMA: Final = f"""
{filebook.SCHEMA}
CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, machine_id TEXT NOT NULL, spooled_at REAL NOT NULL,
  payload BLOB NOT NULL);
CREATE INDEX messages_by_machine ON messages (machine_id, id);
CREATE TABLE awaiting (
  machine_id TEXT NOT NULL, message_id TEXT NOT NULL, message INTEGER NOT NULL,
  PRIMARY KEY (machine_id, message_id, message)) WITHOUT ROWID;
CREATE INDEX awaiting_by_message ON awaiting (message);
{refusedbook.SCHEMA}
CREATE TABLE books (
  machine_id TEXT PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL DEFAULT 0,
  read INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0,
  spooled INTEGER NOT NULL DEFAULT 0, receipted INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
"""
_PAGE_BYTES: Final = 4_096
_LOG_PAGES: Final = 4_000
"""Two of the largest batches are written to the database together."""
_DISK_ERRORS: Final = (
    "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_BUSY",
)  # fmt: skip
FULL_DISK_ERRORS: Final = ("SQLITE_FULL", "SQLITE_IOERR")
"""What a full disk says to who opens a file on it."""
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
_DAMAGE_ERRORS: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_MOVE_AWAY: Final = "Move it away; the agent then reads the logs again, the service drops repeats."


class SpoolFile:
    """The file, for one agent at a time. Safe to use from several threads.

    Args:
        file: Made when missing; its folder too.

    Raises:
        SettingsError: Another agent uses it, or it is no spool.
        SpoolFull: Its disk is full: even to open it takes some room.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._guard = threading.Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(file.with_name(f"{file.name}.lock"))
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise _no_room(file, error) from error
            raise SettingsError(
                f"agent.spool_file {str(file)!r} cannot be used ({error.strerror or error})."
                " Is another agent running? Else check the path and its rights."
            ) from error
        try:
            self._connection = _open(file)
            total = self._connection.execute("SELECT total(length(payload)) FROM messages")
            self.payload_bytes = int(total.fetchone()[0])
            """Bytes of the messages that it held when it was opened."""
        except (sqlite3.Error, SettingsError) as error:
            self._lock.release()
            if isinstance(error, SettingsError):
                raise
            name = getattr(error, "sqlite_errorname", "")
            if name.startswith(FULL_DISK_ERRORS) or _takes_no_file(file.parent):
                raise _no_room(file, error) from error
            raise SettingsError(
                f"agent.spool_file {str(file)!r} cannot be used ({error}). {_MOVE_AWAY}"
            ) from error

    def close(self) -> None:
        """Close the file and let another agent use it."""
        with self._guard:
            self._connection.close()
        self._lock.release()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Begin, then commit to the disk or roll back; what ails the disk becomes SpoolFull.

        Raises:
            SpoolFull: The disk takes no more; nothing was kept.
            SettingsError: The file is damaged.
        """
        with self._guard:
            try:
                with self._connection:
                    yield self._connection
            except sqlite3.DatabaseError as error:
                name = getattr(error, "sqlite_errorname", "")
                if name.startswith(_DISK_ERRORS):
                    raise SpoolFull(
                        f"the spool cannot be written ({error}). Free some space on its disk, check"
                        " its rights; until then reading stops and nothing is lost."
                    ) from error
                if name.startswith(_DAMAGE_ERRORS):
                    raise SettingsError(
                        f"agent.spool_file {str(self._file)!r} is damaged ({error}). {_MOVE_AWAY}"
                    ) from error
                raise

    def lacking_bytes(self, payload_bytes: int) -> int:
        """Return how many bytes the disk lacks for messages of that size; 0 or less: none.

        Raises:
            SpoolFull: The spool or its folder cannot be looked at.
        """
        with self.transaction() as db:
            (spare_pages,) = db.execute("PRAGMA freelist_count").fetchone()
        try:
            return lacking_bytes(self._file, payload_bytes, spare_pages * _PAGE_BYTES)
        except OSError as error:
            raise SpoolFull(
                f"the folder of the spool, {self._file.parent}, cannot be looked at"
                f" ({error.strerror or error}). Bring it back, or restart the agent; until then"
                " reading stops and nothing is lost."
            ) from error

    def shorten_log(self) -> None:
        """Give back what SQLite's log takes of the disk, where nobody reads from it."""
        with self._guard, contextlib.suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _no_room(file: Path, error: Exception) -> SpoolFull:
    return SpoolFull(
        f"agent.spool_file {str(file)!r} cannot be opened ({error}). Free some space on its disk;"
        " until then nothing is read and nothing is lost."
    )


def _takes_no_file(folder: Path) -> bool:
    """Tell whether a disk is full for new files, which it may be with bytes to spare."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return error.errno in _NO_ROOM
    return False


def _open(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=30, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = OFF")  # on, it writes all it deletes once more
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
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

"""What the spool remembers of log files: which they were, how far they were read, where they stood.

A row is a file's content; its path is only where that stood last. The table is written in the same
transaction as the messages.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

from edge_agent.formats import JSON
from edge_agent.tail import HEAD_BYTES, Mark, Signature, hash_of

SCHEMA: Final = """
CREATE TABLE files (
  id INTEGER PRIMARY KEY, machine_id TEXT NOT NULL, path TEXT NOT NULL, node TEXT NOT NULL,
  is_current INTEGER NOT NULL, offset INTEGER NOT NULL, head BLOB NOT NULL, tail BLOB NOT NULL,
  whole INTEGER NOT NULL, first_record BLOB, state TEXT NOT NULL, pattern TEXT NOT NULL,
  size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, was_at TEXT, ended_at REAL);
CREATE INDEX files_by_path ON files (machine_id, path) WHERE is_current;
CREATE INDEX files_by_node ON files (machine_id, node);
CREATE INDEX files_by_head ON files (machine_id, head, offset);
CREATE INDEX files_by_end ON files (ended_at) WHERE ended_at IS NOT NULL;
"""
_ALIKE_MAX: Final = 32
_KNOWN: Final = (
    "SELECT id, offset, head, tail, whole, first_record, state, path, node, is_current, was_at,"
    " size FROM files"
)


class Place(NamedTuple):
    """Where a file stands."""

    machine_id: str
    pattern: str
    """Of the source that found it."""
    path: str
    signature: Signature

    @property
    def node(self) -> str:
        """Device and inode."""
        return self.signature.node


class KnownFile(NamedTuple):
    """What is remembered of a file."""

    id: int
    """0: nothing yet."""
    mark: Mark
    first_record: bytes | None = None
    """Hash of its first record, None until there is one."""
    state: dict[str, JSON] = {}  # noqa: RUF012 - never changed
    """The parser's, at the offset."""
    path: str = ""
    node: str = ""
    is_current: bool = False
    """It stood at its path when that was last looked at."""
    was_at: str | None = None
    """The path it was first found at, where it was renamed since."""
    size: int = 0
    """In bytes, when it was last read."""

    def at(self, place: Place) -> "KnownFile":
        """Return it as it is known once it was found at a place."""
        first = self.was_at or (self.path if self.id else place.path)
        was_at = None if first == place.path else first
        return self._replace(path=place.path, node=place.node, is_current=True, was_at=was_at)


class Standing(NamedTuple):
    """A file as it stood when it was last read."""

    id: int
    path: str
    signature: Signature
    offset: int
    was_at: str | None
    is_current: bool
    """False: another file stands at its path now."""
    is_ended: bool
    """Nothing more is expected of it."""


class FileBook:
    """The table of files.

    Args:
        transaction: Begins one on the spool's connection.
    """

    def __init__(
        self, transaction: Callable[[], AbstractContextManager[sqlite3.Connection]]
    ) -> None:
        self._transaction = transaction
        self._small_offsets: dict[str, set[int]] = {}  # by machine, as far as it was asked for

    def likely(self, place: Place) -> list[KnownFile]:
        """Return what may be the file at a place: of its inode, then of its path."""
        with self._transaction() as db:
            rows = db.execute(
                f"{_KNOWN} WHERE machine_id = ?1"
                " AND ((path = ?2 AND is_current) OR (node = ?3 AND offset > 0))"
                " ORDER BY node = ?3 DESC, is_current DESC, offset DESC",
                (place.machine_id, place.path, place.node),
            ).fetchall()
        return [_known(row) for row in rows]

    def alike(self, machine_id: str, first: bytes, size: int | None) -> list[KnownFile]:
        """Return what begins like a file, wherever it stood, the longest first, not all of many.

        Args:
            machine_id: Whose file.
            first: Its first bytes, `HEAD_BYTES` if it has them.
            size: How long it is; None where that is not known.
        """
        small = [each for each in self._small(machine_id) if each <= len(first)]
        exact = [(hash_of(first[:each]), each, each) for each in sorted(small, reverse=True)]
        longer = [(hash_of(first), HEAD_BYTES, size if size is not None else 2**62)]
        found: list[KnownFile] = []
        with self._transaction() as db:
            for head, least, most in (longer if len(first) == HEAD_BYTES else []) + exact:
                rows = db.execute(
                    f"{_KNOWN} WHERE machine_id = ? AND head = ? AND offset BETWEEN ? AND ?"
                    " ORDER BY offset DESC, id DESC LIMIT ?",
                    (machine_id, head, least, most, _ALIKE_MAX),
                ).fetchall()
                found += [_known(row) for row in rows]
        return found

    def known(self, file_id: int) -> KnownFile | None:
        """Return one file; None when it is forgotten."""
        with self._transaction() as db:
            row = db.execute(f"{_KNOWN} WHERE id = ?", (file_id,)).fetchone()
        return _known(row) if row else None

    def standing(self, machine_id: str, pattern: str) -> list[Standing]:
        """Return a source's files that stand at their path, or went from it and are not found."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT id, path, size, modified_ns, node, offset, was_at, is_current,"
                " ended_at IS NOT NULL FROM files WHERE machine_id = ? AND pattern = ?"
                " AND (is_current OR ended_at IS NULL)",
                (machine_id, pattern),
            ).fetchall()
        return [
            Standing(
                row[0], row[1], Signature(*row[2:5]), row[5], row[6], bool(row[7]), bool(row[8])
            )
            for row in rows
        ]

    def put(self, db: sqlite3.Connection, place: Place, known: KnownFile) -> int:
        """Remember which file stands at a place; what stood there before does not any more.

        Args:
            db: In a transaction.
            place: Where it stands.
            known: The file; its id is 0 where it is a new one.

        Returns:
            The file's id.
        """
        db.execute(
            "UPDATE files SET is_current = 0"
            " WHERE machine_id = ? AND path = ? AND is_current AND id != ?",
            (place.machine_id, place.path, known.id),
        )
        fields = {
            "machine_id": place.machine_id,
            "path": place.path,
            "node": place.node,
            "is_current": 1,
            **known.mark._asdict(),
            "first_record": known.first_record,
            "state": json.dumps(known.state),
            "pattern": place.pattern,
            "size": place.signature.size,
            "modified_ns": place.signature.modified_ns,
            "was_at": known.at(place).was_at,
            "ended_at": None,
        }
        if 0 < known.mark.offset < HEAD_BYTES:
            self._small(place.machine_id, db).add(known.mark.offset)
        if known.id:
            names = ", ".join(f"{name} = :{name}" for name in fields)
            db.execute(f"UPDATE files SET {names} WHERE id = :id", {**fields, "id": known.id})  # noqa: S608 - our names
            return known.id
        names, values = ", ".join(fields), ", ".join(f":{name}" for name in fields)
        row = db.execute(
            f"INSERT INTO files ({names}) VALUES ({values}) RETURNING id",  # noqa: S608
            fields,
        ).fetchone()
        return int(row[0])

    def end(self, file_ids: Collection[int]) -> None:
        """Say that nothing more is expected of files; after a time they may be forgotten."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE files SET ended_at = ? WHERE id = ?",
                [(time.time(), each) for each in file_ids],
            )

    def forget(self, ended_before: float, standing: Collection[int]) -> int:
        """Forget files that ended before a time, but for those that stand. Returns how many."""
        with self._transaction() as db:
            return db.execute(
                "DELETE FROM files WHERE ended_at < ?"
                " AND id NOT IN (SELECT value FROM json_each(?))",
                (ended_before, json.dumps(sorted(standing))),
            ).rowcount

    def _small(self, machine_id: str, db: sqlite3.Connection | None = None) -> set[int]:
        """Return the offsets below `HEAD_BYTES` that a machine's files were read to."""
        if machine_id not in self._small_offsets:
            query = (
                "SELECT DISTINCT offset FROM files WHERE machine_id = ? AND offset BETWEEN 1 AND ?"
            )
            values = (machine_id, HEAD_BYTES - 1)
            if db is None:
                with self._transaction() as own:
                    rows = own.execute(query, values).fetchall()
            else:
                rows = db.execute(query, values).fetchall()
            self._small_offsets[machine_id] = {row[0] for row in rows}
        return self._small_offsets[machine_id]


def text_of(path: str) -> str:
    """Return a path as text that can be stored, also where its name is no Unicode."""
    return path.encode("utf-8", "backslashreplace").decode()


def _known(row: Any) -> KnownFile:  # noqa: ANN401 - of SQLite
    mark, state = Mark(*row[1:5]), json.loads(row[6])
    return KnownFile(row[0], mark, row[5], state, row[7], row[8], bool(row[9]), row[10], row[11])

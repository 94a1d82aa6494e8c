"""`agent refused`: the records that were not sent: list, write out with their bytes, forget."""

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, TextIO

from broker.errors import SettingsError, SpoolFull
from edge_agent.formats.text import base_name
from edge_agent.spool_file import FULL_DISK_ERRORS
from edge_agent.spool_view import RefusedRecord
from edge_agent.words import moment

_FORGOTTEN_AT_ONCE: Final = 200
_LOG_PAGES: Final = 100


def refused_lines(records: Iterable[RefusedRecord]) -> Iterator[str]:
    """Yield each record in a line: when, machine, file, position, reason."""
    for record in records:
        yield (
            f"{moment(record.refused_at)}  {record.machine_id}  {record.file}"
            f" {record.byte_start}-{record.byte_end}: {record.reason}"
        )


def export_refused(records: Iterable[RefusedRecord], folder: Path) -> int:
    """Write each record's bytes to a file of its own, and `index.jsonl` that says what they are.

    Args:
        records: With their bytes. Where only the position was kept, the index alone names it.
        folder: Made when missing; must be empty.

    Returns:
        How many files of bytes there are.

    Raises:
        SettingsError: The folder is not empty, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise SettingsError(f"--export {folder} is not empty. Name a new folder.")
        with (folder / "index.jsonl").open("w", encoding="utf-8") as index:
            return sum(_export(record, folder, index) for record in records)
    except OSError as error:
        raise SettingsError(
            f"--export {folder} cannot be written ({error.strerror or error})."
        ) from error


def forget_refused(spool_file: Path, machine_id: str | None, last_id: int) -> int:
    """Delete refused records, also of an agent that runs; its books go on counting them.

    Args:
        spool_file: The spool.
        machine_id: Whose; None for all.
        last_id: The newest to delete: what was refused since somebody looked stays.

    Returns:
        How many were deleted.

    Raises:
        SpoolFull: Its disk has not even the room that deleting takes.
        SettingsError: The spool cannot be written.
    """
    name = f"{spool_file.absolute().as_uri()}?mode=rw"
    try:
        with contextlib.closing(sqlite3.connect(name, uri=True, timeout=30)) as db:
            db.execute("PRAGMA secure_delete = OFF")  # on, it writes all it deletes once more
            db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            return sum(iter(lambda: _forget_some(db, machine_id, last_id), 0))
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "").startswith(FULL_DISK_ERRORS):
            raise SpoolFull(
                f"agent.spool_file {str(spool_file)!r} cannot be written ({error}). Free some space"
                " on its disk; to delete takes a little."
            ) from error
        raise SettingsError(
            f"agent.spool_file {str(spool_file)!r} cannot be written ({error})."
            " Run it as the agent's user."
        ) from error


def _forget_some(db: sqlite3.Connection, machine_id: str | None, last_id: int) -> int:
    """Delete the oldest, few at once: SQLite's log has to fit a disk that is nearly full."""
    with db:
        return db.execute(
            "DELETE FROM refused WHERE id IN (SELECT id FROM refused"
            " WHERE id <= ?1 AND (?2 IS NULL OR machine_id = ?2) ORDER BY id LIMIT ?3)",
            (last_id, machine_id, _FORGOTTEN_AT_ONCE),
        ).rowcount


def _export(record: RefusedRecord, folder: Path, index: TextIO) -> bool:
    """Write one; tell whether its bytes were there."""
    file = f"{record.id:06}-{base_name(record.file)}" if record.content is not None else None
    if file and record.content is not None:
        (folder / file).write_bytes(record.content)
    entry = {
        "export": file,
        "machine_id": record.machine_id,
        "file": record.file,
        "byte_start": record.byte_start,
        "byte_end": record.byte_end,
        "kept_bytes": len(record.content or b""),
        "reason": record.reason,
        "refused_at": moment(record.refused_at),
    }
    index.write(f"{json.dumps(entry, ensure_ascii=False)}\n")
    return file is not None

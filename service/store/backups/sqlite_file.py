"""SQLite: copied page by page, with its own backup interface, as of one moment."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from broker.errors import SettingsError, StoreRefused, StoreUnavailable
from broker.files import make_private
from broker.sections import DatabaseSettings
from service.store.backups.manifest import Contents, Progress
from service.store.database import Database

_PAGES_A_STEP: Final = 2_000


def take(database: Database, part: Path, progress: Progress) -> Contents:
    """Copy the database into a new file; return what the copy holds.

    A reader's transaction stays open meanwhile: it fixes the moment that is copied, so that a
    service that writes neither waits nor has the copy begin anew.
    Source: SQLite, backup.c: a step restarts when its source was changed since the last one, and
    begins a transaction of its own only where the connection has none.

    Raises:
        StoreUnavailable: The database cannot be read.
        SettingsError: What was read is damaged.
    """
    with (
        database.translated(),
        opened(database.file, database.timeout_s) as source,
        contextlib.closing(sqlite3.connect(part)) as copy,
    ):
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        page_bytes = int(source.execute("PRAGMA page_size").fetchone()[0])
        source.backup(
            copy,
            pages=_PAGES_A_STEP,
            progress=lambda _, left, total: progress(
                (total - left) * page_bytes, total * page_bytes
            ),
            sleep=0,
        )
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        return _look(copy, database.file)


def look_into(file: Path) -> Contents:
    """Return what a copy holds, after SQLite has checked its structure.

    Raises:
        SettingsError: It is no database, or a damaged one.
    """
    try:
        uri = f"{file.resolve().as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as copy:
            return _look(copy, file)
    except sqlite3.Error as error:
        raise SettingsError(f"{file} is damaged: {error}. Use another backup.") from error


@contextlib.contextmanager
def opened(file: Path, timeout_s: float) -> Iterator[sqlite3.Connection]:
    """Give a connection to a file that exists: SQLite would make one that does not."""
    uri = f"{file.resolve().as_uri()}?mode=rw"
    with contextlib.closing(
        sqlite3.connect(uri, uri=True, timeout=timeout_s, isolation_level=None)
    ) as connection:
        yield connection


def replace_all(database: Database, prepared: Path, progress: Progress) -> None:
    """Make the database what `prepared` is, in one transaction: killed in between, it is as it was.

    Its file stays the same one, so that nobody goes on reading an old one that has no name any
    more. Nobody else may have it open.

    Raises:
        StoreRefused: Somebody has.
    """
    make_private(database.file)
    with (
        database.translated(),
        contextlib.closing(sqlite3.connect(prepared)) as source,
        contextlib.closing(sqlite3.connect(database.file, timeout=0.5)) as target,
    ):
        _keep_others_out(target, database)
        source.backup(
            target,
            pages=_PAGES_A_STEP,
            progress=lambda _, left, total: progress(total - left, total),
            sleep=0,
        )


def _keep_others_out(target: sqlite3.Connection, database: Database) -> None:
    """Leave the write-ahead log, which SQLite allows only to the one who has the file open."""
    try:
        mode = target.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise StoreUnavailable(f"database {database.label} is away: {error}") from error
        mode = "wal"
    if mode != "delete":
        raise StoreRefused(
            f"another program has {database.file} open. Stop the service and the web app first,"
            " then restore."
        )


def _look(connection: sqlite3.Connection, file: Path) -> Contents:
    said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if said != "ok":
        raise SettingsError(f"{file} is damaged: {said}. Use another backup.")
    return Contents(revision_of(connection), count_rows(connection), sqlite3.sqlite_version)


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many rows each table has."""
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    return {
        name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608 - SQLite's own words
        for (name,) in sorted(names)
    }


def revision_of(connection: sqlite3.Connection) -> str | None:
    """Return the schema's revision; None: the file has no tables of ours."""
    with contextlib.suppress(sqlite3.OperationalError):
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])
    return None


def as_database(file: Path) -> Database:
    """Return a copy as a database of its own."""
    return Database(DatabaseSettings.model_validate({"url": f"sqlite:///{file}"}))

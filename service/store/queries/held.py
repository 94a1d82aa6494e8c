"""Why a service that lives says nothing: what keeps it from writing, as the database tells."""

import contextlib
import shutil
import sqlite3
from typing import Final

from sqlalchemy import text

from service.store.database import Database
from service.store.queries.base import connected

_ROOM_MIN_BYTES: Final = 1_000_000
_BLOCKER: Final = text("""
    SELECT b.pid, b.application_name, b.usename
    FROM pg_stat_activity w
    CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS p (pid)
    JOIN pg_stat_activity b ON b.pid = p.pid
    WHERE w.datname = current_database() AND w.application_name = 'yieldline service'
    AND b.application_name NOT LIKE 'yieldline %' LIMIT 1""")


def why_held(database: Database) -> str | None:
    """Return what keeps services from writing, and what to do; None: nothing that shows.

    To be asked when no service works: on SQLite it takes the write lock for a moment.

    Raises:
        StoreUnavailable, StoreRefused: The database is away: then that is why.
    """
    return _of_sqlite(database) if database.is_sqlite else _of_postgres(database)


def _of_postgres(database: Database) -> str | None:
    with connected(database) as connection:
        if connection.execute(text("SHOW transaction_read_only")).scalar_one() == "on":
            return (
                "the database takes no writes: it is a standby, or default_transaction_read_only"
                " is on. Promote it, or point YIELDLINE_DATABASE__URL at the primary."
            )
        blocker = connection.execute(_BLOCKER).first()
    if blocker is None:
        return None
    return (
        f"it waits for a lock that session {blocker.pid} ({blocker.application_name or 'no name'},"
        f" user {blocker.usename}) holds. End that session or its transaction."
    )


def _of_sqlite(database: Database) -> str | None:
    file = database.file
    with database.translated():
        if not file.exists():
            return None
        if shutil.disk_usage(file.parent).free < _ROOM_MIN_BYTES:
            return f"the disk of {file} is full. Make room, or move what fills it."
        uri = f"{file.resolve().as_uri()}?mode=rw"
        with contextlib.closing(
            sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)
        ) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                return f"another program holds {file} ({error}). End it, or its transaction."
            connection.execute("ROLLBACK")
    return None

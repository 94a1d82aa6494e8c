"""One watcher, whatever the number of service processes: the database elects it.

On PostgreSQL it is whoever holds a session advisory lock, and what it concludes goes through the
very connection that holds it: a watcher that has lost its lock can write nothing. On SQLite it is
the one service that may write to the file.
"""

import contextlib
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text

from broker.errors import StoreUnavailable
from service.store.database import Database
from service.store.lease import claim_file
from service.store.session_lock import try_session_lock

_WATCHER_LOCK: Final = 0x59_4C_00_04  # "YL": PostgreSQL's advisory lock of the watcher


class Mandate:
    """The right to conclude, while it lasts. One thread at a time."""

    def __init__(self, database: Database, connection: Connection | None) -> None:
        self._database = database
        self._connection = connection
        """Holds the lock; None on SQLite."""

    @contextlib.contextmanager
    def changing(self) -> Iterator[Connection]:
        """Give a transaction for alerts: alone, as `Database.changing` is, and only while elected.

        Raises:
            StoreUnavailable: The database is away, and with it perhaps the mandate. End it.
        """
        if self._connection is None:
            with self._database.changing() as connection:
                yield connection
            return
        if self._connection.invalidated:  # it would connect anew by itself, without the lock
            raise StoreUnavailable("the watcher lost its connection to the database.")
        with self._database.translated(), self._connection.begin():
            self._database.await_other_changes(self._connection)
            yield self._connection

    def end(self) -> None:
        """Give it back, for another process to take."""
        if self._connection is not None:
            self._connection.close()


def stand(database: Database) -> Mandate | None:
    """Return the mandate if nobody holds it; None: another process does.

    Raises:
        StoreUnavailable: The database is away.
        StoreRefused: Another service process writes to the same SQLite file.
    """
    if database.is_sqlite:
        claim_file(database)
        return Mandate(database, None)
    connection = try_session_lock(database, _WATCHER_LOCK)
    return None if connection is None else Mandate(database, connection)


def is_watched(database: Database) -> bool | None:
    """Tell whether a service process holds the mandate; None: SQLite does not tell.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble.
    """
    if database.is_sqlite:
        return None
    query = text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0"
        " AND objid = :lock"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with database.translated(), database.engine.connect() as connection:
        return bool(connection.execute(query, {"lock": _WATCHER_LOCK}).scalar())

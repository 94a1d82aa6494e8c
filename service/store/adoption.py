"""Service numbers that nobody holds any more: a survivor takes one and clears up behind it.

A row of the table `service` says that the broker may keep a queue under that number; it goes when
the queue is known to be gone. Only PostgreSQL has several services; a SQLite file has number 0.
"""

import contextlib
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from sqlalchemy import text

from broker.envelopes import Outgoing
from service.store import outbox
from service.store.database import Database
from service.store.lease import LOCK_CLASS, SERVICE_NAME, try_lock

_ROWS: Final = text("SELECT service, reported_us FROM service")
_HELD: Final = text(
    "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = :lock"
    " AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def ownerless(database: Database) -> set[tuple[int, int]]:
    """Return the numbers that may have a queue and have no process, with their last report's time.

    The time (microseconds) tells a number that is still free from one that is free again.

    Raises:
        StoreUnavailable: The database is away.
    """
    with database.translated(), database.engine.connect() as connection:
        held = {int(row[0]) for row in connection.execute(_HELD, {"lock": LOCK_CLASS})}
        rows = connection.execute(_ROWS).all()
    known = {(int(name.removeprefix(SERVICE_NAME)), reported_us) for name, reported_us in rows}
    return {(number, reported_us) for number, reported_us in known if number not in held}


class Custody:
    """The lease of a number that is not our own, while its connection lives."""

    def __init__(
        self, database: Database, connection: psycopg.Connection[Any], number: int
    ) -> None:
        self._database = database
        self._connection = connection
        self.client_id = f"{SERVICE_NAME}{number}"

    def check(self) -> None:
        """Make sure that the lease is still ours.

        Raises:
            StoreUnavailable: The connection that holds it is lost.
        """
        with self._database.translated():
            self._connection.execute("SELECT 1")

    def unpublished(self) -> list[tuple[int, list[Outgoing]]]:
        """Return (outbox id, messages) that the number committed and never saw confirmed.

        Raises:
            StoreUnavailable: The database is away.
        """
        with self._database.translated():
            rows = self._connection.execute(
                "SELECT id, body FROM outbox WHERE service = %s ORDER BY id", (self.client_id,)
            ).fetchall()
        return [(number, list(outbox.unpack(bytes(body)))) for number, body in rows]

    def published(self, outbox_ids: Sequence[int]) -> None:
        """Remove what is confirmed.

        Raises:
            StoreUnavailable: The database is away.
        """
        with self._database.translated():
            self._connection.execute("DELETE FROM outbox WHERE id = ANY(%s)", (list(outbox_ids),))

    def forget(self) -> None:
        """Remove the number's row: the broker keeps nothing under it any more.

        Raises:
            StoreUnavailable: The database is away.
        """
        with self._database.translated():
            self._connection.execute("DELETE FROM service WHERE service = %s", (self.client_id,))

    def end(self) -> None:
        """Give the lease back."""
        with contextlib.suppress(psycopg.Error):
            self._connection.close()


def take(database: Database, number: int) -> Custody | None:
    """Take the lease of a number that nobody holds; None: somebody was quicker.

    Raises:
        StoreUnavailable: The database is away.
    """
    with database.translated():
        connection = database.connect_postgres()
        try:
            is_ours = try_lock(connection, number)
        except BaseException:
            connection.close()
            raise
    if not is_ours:
        connection.close()
        return None
    return Custody(database, connection, number)

"""Which of the service processes this is: a number that only one can hold at a time.

The number is in the MQTT client id, and so in the name of the queue that the broker keeps for us: a
restarted process takes the lowest free number, and with it its predecessor's messages.
"""

import os
import sys
import threading
import time
from typing import Any, Final

import psycopg

from broker.errors import StoreRefused, StoreUnavailable
from service.store.database import Database

LOCK_CLASS: Final = 0x59_4C_01
"""The first half ("YL") of PostgreSQL's advisory lock; the second is the number."""
SERVICE_NAME: Final = "yieldline-service-"
"""With the number behind it, a service's client id and its name in the database."""
_NUMBERS_MAX = 1_000
_PREDECESSOR_WAIT_S = 2.0
"""How long PostgreSQL may take to notice that the process before us is dead."""

_TAKEN_WAIT_S = 60.0
"""How long we wait for a number that was ours: it may be our own dead connection that holds it,
which PostgreSQL notices sooner (database.py asks it to look)."""

_held_files: dict[str, int] = {}
_claiming = threading.Lock()
"""The writer and the watcher claim in threads of their own; to a file lock they would be two."""


def claim_file(database: Database) -> int:
    """Claim the one number, 0, of a SQLite file; held until the process ends.

    Raises:
        StoreRefused: Another service process holds it, or we may not write there.
    """
    path = f"{os.path.realpath(database.file)}.service-lock"
    with _claiming:
        if path not in _held_files:
            _held_files[path] = _claimed(path, database)
    return 0


def _claimed(path: str, database: Database) -> int:
    """Return the descriptor of the locked file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreRefused(
            f"the lock file {path} cannot be opened ({error.strerror})."
            " Let the service's user write there, or choose another YIELDLINE_DATABASE__URL."
        ) from error
    if not lock_file(descriptor):
        os.close(descriptor)
        raise StoreRefused(
            f"another service already writes to {database.file}. Stop it first, or use PostgreSQL,"
            " which takes several."
        )
    return descriptor


class Lease:
    """The number of this process on PostgreSQL, over all connections of its writer."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.claim_count = 0
        """How often it was claimed; it was not ours in between."""
        self._taken_since: float | None = None

    @property
    def is_taken(self) -> bool:
        """Tell whether another connection held our number when we last tried to claim it."""
        return self._taken_since is not None

    def claim(self, connection: psycopg.Connection[Any]) -> int:
        """Claim the number we had, else the lowest free one; held while `connection` lives.

        Args:
            connection: The writer's own: if it is lost, so is the number, and nothing is written.

        Raises:
            StoreUnavailable: Somebody holds the number we had. Call again: after a minute it is
                taken for another process's, and we claim a new one.
        """
        if self.number is None or self._is_given_up(connection, self.number):
            self.number = _lowest_free(connection)
        self._taken_since = None
        self.claim_count += 1
        return self.number

    def _is_given_up(self, connection: psycopg.Connection[Any], number: int) -> bool:
        if try_lock(connection, number):
            return False
        now = time.monotonic()
        self._taken_since = self._taken_since or now
        if now - self._taken_since < _TAKEN_WAIT_S:
            raise StoreUnavailable(
                f"service number {number} is held by another connection. It was ours until"
                " the database was away; a new number is claimed if that lasts a minute."
            )
        return True


def _lowest_free(connection: psycopg.Connection[Any]) -> int:
    deadline = time.monotonic() + _PREDECESSOR_WAIT_S
    while not try_lock(connection, 0):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    else:
        return 0
    for number in range(1, _NUMBERS_MAX):
        if try_lock(connection, number):
            return number
    raise StoreUnavailable(f"all {_NUMBERS_MAX} service numbers are taken.")


def try_lock(connection: psycopg.Connection[Any], number: int) -> bool:
    """Take the lease of a number, held while `connection` lives; False: another one holds it."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCK_CLASS, number)).fetchone()
    return bool(row and row[0])


def lock_file(descriptor: int) -> bool:
    """Lock an open file for this process, until it is closed; tell whether that was possible."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - exists only there

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - exists only elsewhere

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

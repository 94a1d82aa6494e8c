"""Which of the service processes this is: a number that only one can hold at a time.

The number is in the MQTT client id, and so in the name of the queue that the broker keeps for us: a
restarted process takes the lowest free number, and with it its predecessor's messages.
"""

import os
import sys
import time
from typing import Any, Final

import psycopg

from broker.errors import StoreRefused, StoreUnavailable
from service.store.database import Database

_LOCK_CLASS: Final = 0x59_4C_01  # "YL": the first half of PostgreSQL's advisory lock
_NUMBERS_MAX = 1_000
_PREDECESSOR_WAIT_S = 2.0
"""How long PostgreSQL may take to notice that the process before us is dead."""

_held_files: dict[str, int] = {}


def claim_file(database: Database) -> int:
    """Claim the one number, 0, of a SQLite file; held until the process ends.

    Raises:
        StoreRefused: Another service process holds it.
    """
    path = f"{database.file}.service-lock"
    if path in _held_files:
        return 0
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    if not _lock_file(descriptor):
        os.close(descriptor)
        raise StoreRefused(
            f"another service already writes to {database.file}. Stop it first, or use PostgreSQL,"
            " which takes several."
        )
    _held_files[path] = descriptor
    return 0


def release_file(database: Database) -> None:
    """Let another process claim the number again."""
    descriptor = _held_files.pop(f"{database.file}.service-lock", None)
    if descriptor is not None:
        os.close(descriptor)


def claim_lock(connection: psycopg.Connection[Any], before: int | None) -> int:
    """Claim the lowest free number of a PostgreSQL database; held while `connection` lives.

    Args:
        connection: The writer's own: if it is lost, so is the number, and nothing can be written.
        before: The number that this process held until its last connection was lost.

    Raises:
        StoreUnavailable: That number is another's now. Restarting helps: it gets a new one.
    """
    if before is not None:
        if _try_lock(connection, before):
            return before
        raise StoreUnavailable(f"service number {before} was taken by another process meanwhile.")
    deadline = time.monotonic() + _PREDECESSOR_WAIT_S
    while not _try_lock(connection, 0):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    else:
        return 0
    for number in range(1, _NUMBERS_MAX):
        if _try_lock(connection, number):
            return number
    raise StoreUnavailable(f"all {_NUMBERS_MAX} service numbers are taken.")


def _try_lock(connection: psycopg.Connection[Any], number: int) -> bool:
    row = connection.execute(
        "SELECT pg_try_advisory_lock(%s, %s)", (_LOCK_CLASS, number)
    ).fetchone()
    return bool(row and row[0])


def _lock_file(descriptor: int) -> bool:
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

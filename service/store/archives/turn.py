"""One process archives at a time, on whichever computer: else a run would stand in two files."""

import contextlib
import os
from collections.abc import Iterator
from typing import Final

from broker.errors import StoreUnavailable
from service.store.database import Database
from service.store.lease import lock_file
from service.store.session_lock import try_session_lock

_LOCK: Final = 0x59_4C_00_05  # "YL": PostgreSQL's advisory lock for archiving


class ArchiveBusy(StoreUnavailable):
    """Another process is archiving old runs of the same database."""


@contextlib.contextmanager
def archiving(database: Database) -> Iterator[None]:
    """Hold the turn for the block.

    Raises:
        ArchiveBusy: Somebody else has it.
        StoreUnavailable: The database is away.
    """
    holds = _by_file(database) if database.is_sqlite else _by_session(database)
    with holds as is_ours:
        if not is_ours:
            raise ArchiveBusy(
                f"another process is archiving old runs of {database.label} at this moment."
                " Wait until it has finished, and call again."
            )
        yield


@contextlib.contextmanager
def _by_file(database: Database) -> Iterator[bool]:
    path = f"{os.path.realpath(database.file)}.archive-lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield lock_file(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _by_session(database: Database) -> Iterator[bool]:
    connection = try_session_lock(database, _LOCK)
    try:
        yield connection is not None
    finally:
        if connection is not None:
            connection.close()

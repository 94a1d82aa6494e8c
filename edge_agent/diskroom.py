"""Room on the spool's disk: a database on a full disk may stay full, as deleting takes room too."""

import shutil
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 1_048_576
"""The database does not grow into this. Half of it is for receipts: what they write goes to
SQLite's log before it gives any room; the other half lets batches in again after that."""


def lacking_bytes(database: Path, payload_bytes: int, spare_bytes: int) -> int:
    """Return how much more room a disk needs for a batch and for the receipts after it.

    What is written goes to SQLite's log first, and all of the log into the database later, where
    it fills spare pages, then makes the file longer.

    Args:
        database: In SQLite's WAL mode.
        payload_bytes: Of the batch.
        spare_bytes: Of pages in the database that hold nothing.

    Returns:
        Zero or less where there is room.
    """
    try:
        log_bytes = database.with_name(f"{database.name}-wal").stat().st_size
    except FileNotFoundError:
        log_bytes = 0
    growth = max(0, log_bytes + payload_bytes - spare_bytes)
    reserve = RESERVE_BYTES if growth else RESERVE_BYTES // 2
    needed = payload_bytes + growth + reserve
    return needed - shutil.disk_usage(database.parent).free

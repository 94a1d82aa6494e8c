"""What strains the house before it breaks: answers that pile up, a disk that fills, a clock off."""

import shutil
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import func, select

from service.store.database import Database
from service.store.queries.base import OUTBOX, connected


class Strain(NamedTuple):
    """As the database, and the computer this process runs on, tell it."""

    outbox_count: int
    """Committed batches whose answers no broker has confirmed, and a few that were just now."""
    free_bytes: int | None
    """Room on the disk of the SQLite file; None: PostgreSQL does not tell of its disk."""
    clock_ahead_s: float
    """How far our clock is ahead of the database's; 0 on SQLite, which has none of its own."""


def read_strain(database: Database) -> Strain:
    """Ask for all of it.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble.
    """
    with connected(database) as connection:
        count = connection.execute(select(func.count()).select_from(OUTBOX)).scalar_one()
        if database.is_sqlite:
            return Strain(count, shutil.disk_usage(database.file.parent).free, 0.0)
        theirs = connection.execute(select(func.clock_timestamp())).scalar_one()
        return Strain(count, None, (datetime.now(UTC) - theirs).total_seconds())

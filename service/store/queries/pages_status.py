"""The status line of every page: the rulebook in force, and how long the answer took."""

from datetime import datetime
from time import perf_counter
from typing import Final, NamedTuple

from sqlalchemy import select

from service.store.database import Database
from service.store.queries.base import RULEBOOK, connected
from service.store.queries.settlements import open_count
from service.store.times import moment

OPEN_MAX: Final = 1_000


class StatusFacts(NamedTuple):
    """The status line."""

    rulebook_version: int | None
    rulebook_at: datetime | None
    database_ms: float
    """How long the smallest of these questions took."""
    rejections_open: int
    """That nobody has resubmitted or closed; beyond `OPEN_MAX` nobody counts on."""


def read_status(database: Database) -> StatusFacts:
    """Return what is in force now, and how the database does."""
    rulebook = select(RULEBOOK.c.version, RULEBOOK.c.created_us)
    with connected(database) as connection:
        connection.execute(select(1))  # a fresh connection is not counted
        begun = perf_counter()
        newest = connection.execute(rulebook.order_by(RULEBOOK.c.version.desc()).limit(1)).first()
        took_ms = (perf_counter() - begun) * 1000
        waiting = open_count(database, connection, OPEN_MAX)
    return StatusFacts(
        newest.version if newest else None,
        moment(newest.created_us) if newest else None,
        took_ms,
        waiting,
    )

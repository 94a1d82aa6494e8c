"""Rulebook versions in the database: numbered, immutable, the highest is active."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func
from sqlmodel import col, select

from service.store.database import Database
from service.store.rows import microseconds
from service.store.tables import RulebookRow


class StoredRulebook(NamedTuple):
    """One version as it was activated."""

    version: int
    body: str
    """TOML."""


def active_rulebook(database: Database) -> StoredRulebook | None:
    """Return the highest version; None while there is none.

    Raises:
        StoreUnavailable: The database is away.
    """
    with database.reading() as session:
        row = session.exec(
            select(RulebookRow).order_by(col(RulebookRow.version).desc()).limit(1)
        ).first()
        return None if row is None else StoredRulebook(row.version, row.body)


def add_rulebook(
    database: Database, body: str, *, author: str, reason: str, now: datetime
) -> StoredRulebook:
    """Store `body` as the next version and so activate it.

    Two services that start at once with the same file make two versions of one content at worst:
    the key refuses the second, which then finds the first.

    Raises:
        StoreUnavailable: The database is away, or another process took the number: call again.
    """
    with database.reading() as session:
        highest = session.exec(select(func.max(RulebookRow.version))).one()
        row = RulebookRow(
            version=(highest or 0) + 1,
            body=body,
            author=author,
            reason=reason,
            created_us=microseconds(now),
        )
        session.add(row)
        session.commit()
        return StoredRulebook(row.version, row.body)

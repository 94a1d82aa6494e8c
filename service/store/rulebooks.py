"""Rulebook versions in the database: numbered, immutable, the highest is active."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, insert, select

from service.store.database import Database
from service.store.queries.base import RULEBOOK, connected
from service.store.times import microseconds, moment


class StoredRulebook(NamedTuple):
    """One version as it was activated."""

    version: int
    body: str
    """TOML, as its author wrote it."""
    author: str
    reason: str
    activated_at: datetime


def active_rulebook(database: Database) -> StoredRulebook | None:
    """Return the highest version; None while there is none.

    Raises:
        StoreUnavailable: The database is away.
    """
    with connected(database) as connection:
        return newest_rulebook(connection)


def active_version(database: Database) -> int:
    """Return the number of the active version; 0 while there is none."""
    with connected(database) as connection:
        return int(connection.execute(select(func.max(RULEBOOK.c.version))).scalar() or 0)


def newest_versions(database: Database, count: int) -> list[int]:
    """Return the numbers of the newest versions, the active one first; at most `count`."""
    query = select(RULEBOOK.c.version).order_by(RULEBOOK.c.version.desc()).limit(count)
    with connected(database) as connection:
        return list(connection.execute(query).scalars())


def rulebook(database: Database, version: int) -> StoredRulebook | None:
    """Return one version; None where there is none of this number."""
    with connected(database) as connection:
        row = connection.execute(select(RULEBOOK).where(RULEBOOK.c.version == version)).first()
        return None if row is None else _stored(row)


def list_rulebooks(database: Database) -> list[StoredRulebook]:
    """Return every version, the active one first; may be empty."""
    with connected(database) as connection:
        rows = connection.execute(select(RULEBOOK).order_by(RULEBOOK.c.version.desc()))
        return [_stored(row) for row in rows]


def newest_rulebook(connection: Connection, author: str | None = None) -> StoredRulebook | None:
    """Return the highest version, of one author where one is given; None: there is none."""
    query = select(RULEBOOK).order_by(RULEBOOK.c.version.desc()).limit(1)
    if author is not None:
        query = query.where(RULEBOOK.c.author == author)
    row = connection.execute(query).first()
    return None if row is None else _stored(row)


def add_rulebook(
    connection: Connection, body: str, *, author: str, reason: str, now: datetime
) -> StoredRulebook:
    """Store `body` as the next version and so activate it.

    Args:
        connection: From `Database.changing`, so that nobody else takes the number.
        body: TOML that was checked.
        author: Who.
        reason: Why, in the author's words.
        now: When, aware.
    """
    newest = newest_rulebook(connection)
    version = 1 if newest is None else newest.version + 1
    connection.execute(
        insert(RULEBOOK).values(
            version=version, body=body, author=author, reason=reason, created_us=microseconds(now)
        )
    )
    return StoredRulebook(version, body, author, reason, now)


def _stored(row: Row[Any]) -> StoredRulebook:
    return StoredRulebook(row.version, row.body, row.author, row.reason, moment(row.created_us))

"""The database itself: what it is, how large, and how far back it reaches."""

from sqlalchemy import Connection, Table, func, select, text

from service.store.database import Database
from service.store.queries.base import REJECTION, RUN, Facts, as_time, connected


def database_facts(database: Database) -> Facts:
    """Return kind, version, address, size_bytes, runs, rejections and oldest_result_at.

    `runs` and `rejections` are the span of their numbers, which no query has to count: right as
    long as only the oldest are deleted. `size_bytes` is that of the data, with its indexes.
    """
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    with connected(database) as connection:
        if database.is_sqlite:
            version, size_bytes = _of_sqlite(connection)
        else:
            version, size_bytes = _of_postgres(connection)
        oldest = select(RUN.c.received_us).order_by(RUN.c.id).limit(1)
        return {
            "kind": kind,
            "version": version,
            "address": database.label,
            "size_bytes": size_bytes,
            "runs": _span(connection, RUN),
            "rejections": _span(connection, REJECTION),
            "oldest_result_at": as_time(connection.execute(oldest).scalar()),
        }


def _of_sqlite(connection: Connection) -> tuple[str, int]:
    version = connection.execute(text("SELECT sqlite_version()")).scalar_one()
    pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    page_bytes = connection.execute(text("PRAGMA page_size")).scalar_one()
    return str(version), int(pages) * int(page_bytes)


def _of_postgres(connection: Connection) -> tuple[str, int]:
    version = connection.execute(text("SHOW server_version")).scalar_one()
    size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    return str(version).split()[0], int(size)


def _span(connection: Connection, table: Table) -> int:
    """Return how many numbers lie between a table's oldest and newest row, both counted."""
    oldest = connection.execute(select(func.min(table.c.id))).scalar()
    newest = connection.execute(select(func.max(table.c.id))).scalar()
    return 0 if oldest is None or newest is None else int(newest) - int(oldest) + 1

"""Is the rest of the house alive: what services last said, the books, the rulebook in force."""

import json
from datetime import datetime

from sqlalchemy import func, select

from service.store.database import Database
from service.store.queries.base import (
    MACHINE,
    RULEBOOK,
    RUN,
    SERVICE,
    Facts,
    as_time,
    connected,
    names_of,
)
from service.store.times import moment


def services(database: Database, now: datetime) -> list[Facts]:
    """Return what each service process last said of itself, by name.

    Each has service, reported_at, age_s (seconds; never below 0) and `facts`, the object it left.
    """
    with connected(database) as connection:
        rows = connection.execute(select(SERVICE).order_by(SERVICE.c.service)).all()
    return [
        {
            "service": row.service,
            "reported_at": as_time(row.reported_us),
            "age_s": max(0.0, (now - moment(row.reported_us)).total_seconds()),
            "facts": json.loads(row.facts),
        }
        for row in rows
    ]


def books(database: Database) -> list[Facts]:
    """Return per sender what the service received, and what became of it, by machine_id.

    received = stored + rejected + duplicates, always. Messages of no known machine are booked under
    `(unknown)`.
    """
    with connected(database) as connection:
        rows = connection.execute(select(MACHINE)).all()
        ids = {each for row in rows for each in (row.machine, row.line)}
        names = names_of(database, connection, ids)
    entries = [
        {
            "machine_id": names[row.machine],
            "line": names[row.line],
            "last_received_at": as_time(row.last_received_us),
            "received": row.received,
            "stored": row.stored,
            "rejected": row.rejected,
            "duplicates": row.duplicates,
        }
        for row in rows
    ]
    return sorted(entries, key=lambda entry: str(entry["machine_id"]))


def overview(database: Database) -> Facts:
    """Return the active rulebook_version (0: none) and when the newest result was taken in."""
    with connected(database) as connection:
        version = connection.execute(select(func.max(RULEBOOK.c.version))).scalar()
        newest = select(RUN.c.received_us).order_by(RUN.c.id.desc()).limit(1)
        received_us = connection.execute(newest).scalar()
    return {"rulebook_version": version or 0, "newest_result_at": as_time(received_us)}

"""The audit trail, for reading."""

import json
from typing import Any

from sqlalchemy import Row, select

from service.store.audit import is_linked
from service.store.database import Database
from service.store.queries.base import AUDIT, Facts, as_time, connected
from service.store.queries.results import LIMIT_MAX


def list_changes(
    database: Database, limit: int = 100, before: int | None = None
) -> tuple[list[Facts], int | None]:
    """Return what people changed, newest first, and the number to go on before (None at the end).

    Each has audit_id, at, actor, action, subject, reason and details.
    """
    shown_max = min(limit, LIMIT_MAX)
    query = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(shown_max + 1)
    if before is not None:
        query = query.where(AUDIT.c.id < before)
    with connected(database) as connection:
        rows = connection.execute(query).all()
    shown = rows[:shown_max]
    return [_change(row) for row in shown], shown[-1].id if len(rows) > len(shown) else None


def first_forged_change(database: Database) -> int | None:
    """Return the number of the first row that does not fit the one before it; None: all do."""
    chain, number = b"", 0
    with connected(database) as connection:
        for row in connection.execute(select(AUDIT).order_by(AUDIT.c.id)):
            number += 1
            if row.id != number or not is_linked(chain, row):
                return number
            chain = bytes(row.chain)
    return None


def _change(row: Row[Any]) -> Facts:
    return {
        "audit_id": row.id,
        "at": as_time(row.at_us),
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "reason": row.reason,
        "details": json.loads(row.details),
    }

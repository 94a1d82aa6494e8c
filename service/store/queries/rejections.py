"""What could not be understood: as a list, one by one, and its bytes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, func, select

from broker.messages import RejectionCode
from service.core.payload import preview
from service.store.codes import NameKind
from service.store.database import Database
from service.store.queries.base import (
    REJECTION,
    Facts,
    as_time,
    connected,
    id_of,
    microseconds,
    names_of,
)
from service.store.queries.filters import Condition, before, encode_cursor
from service.store.queries.results import LIMIT_MAX

_PREVIEWED_BYTES = 1_024  # enough for 200 characters of four bytes
_COLUMNS: tuple[ColumnElement[Any], ...] = (
    *(column for column in REJECTION.c if column.name not in {"payload", "content_hash"}),
    func.length(REJECTION.c.payload).label("size"),
    func.substr(REJECTION.c.payload, 1, _PREVIEWED_BYTES).label("head"),
)


class RejectionFilters(NamedTuple):
    """Which rejections; what is None does not matter."""

    machine_id: str | None = None
    code: RejectionCode | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_rejections(
    database: Database,
    filters: RejectionFilters,
    limit: int = 100,
    cursor: str | None = None,
) -> tuple[list[Facts], str | None]:
    """Return Rejections, newest first, and the cursor of what follows (None at the end).

    Beside the contract's fields each has `element` (its place in an array) and `repeats` (how
    often the very same bytes came again).

    Raises:
        ValueError: The cursor is none of ours.
    """
    after = before(REJECTION, "received_us", cursor)
    shown_max = min(limit, LIMIT_MAX)
    with connected(database) as connection:
        conditions = [*_times(filters), *after]
        if filters.machine_id is not None:
            number = id_of(connection, NameKind.MACHINE, filters.machine_id)
            conditions.append(REJECTION.c.machine == number)
        query = select(*_COLUMNS).where(*conditions)
        newest_first = query.order_by(REJECTION.c.received_us.desc(), REJECTION.c.id.desc())
        rows = connection.execute(newest_first.limit(shown_max + 1)).all()
        names = names_of(database, connection, {row.machine for row in rows})
    shown = rows[:shown_max]
    has_more = len(rows) > len(shown)
    following = encode_cursor(shown[-1].received_us, shown[-1].id) if has_more else None
    return [_rejection(row, names) for row in shown], following


def rejection(database: Database, rejection_id: int) -> Facts | None:
    """Return one Rejection; None where there is none of this id."""
    with connected(database) as connection:
        row = connection.execute(
            select(*_COLUMNS).where(REJECTION.c.id == rejection_id)
        ).one_or_none()
        names = names_of(database, connection, [row.machine] if row else [])
    return None if row is None else _rejection(row, names)


def rejection_bytes(database: Database, rejection_id: int) -> bytes | None:
    """Return the exact bytes that were refused; None where there is none of this id."""
    with connected(database) as connection:
        query = select(REJECTION.c.payload).where(REJECTION.c.id == rejection_id)
        payload = connection.execute(query).scalar()
    return None if payload is None else bytes(payload)


def _times(filters: RejectionFilters) -> list[Condition]:
    conditions: list[Condition] = []
    if filters.code is not None:
        conditions.append(REJECTION.c.code == filters.code.value)
    if filters.since is not None:
        conditions.append(REJECTION.c.received_us >= microseconds(filters.since))
    if filters.until is not None:
        conditions.append(REJECTION.c.received_us < microseconds(filters.until))
    return conditions


def _rejection(row: Row[Any], names: Mapping[int | None, str]) -> Facts:
    return {
        "rejection_id": row.id,
        "message_id": row.message_id,
        "topic": row.topic,
        "machine_id": names.get(row.machine),
        "received_at": as_time(row.received_us),
        "code": row.code,
        "reason": row.reason,
        "payload_size": row.size,
        "payload_preview": preview(bytes(row.head)),
        "element": row.element,
        "repeats": row.repeats,
    }

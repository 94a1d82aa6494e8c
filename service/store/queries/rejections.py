"""What could not be understood: as a list, one by one, and its bytes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, case, func, not_, select

from broker.messages import RejectionCode
from service.core.error_place import error_place
from service.core.payload import preview
from service.store.codes import NameKind
from service.store.database import Database
from service.store.queries.base import REJECTION, Facts, as_time, connected, id_of, names_of
from service.store.queries.filters import Condition, before, encode_cursor
from service.store.queries.results import LIMIT_MAX
from service.store.queries.settlements import IS_OPEN, WITH_SETTLED, settlements
from service.store.times import microseconds

GROUPS_MAX: Final = 500
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
    is_open: bool | None = None
    """Nobody resubmitted or closed it; or somebody did."""


def list_rejections(
    database: Database,
    filters: RejectionFilters,
    limit: int = 100,
    cursor: str | None = None,
) -> tuple[list[Facts], str | None]:
    """Return Rejections, newest first, and the cursor of what follows (None at the end).

    Beside the contract's fields each has `element` (its place in an array), `repeats` (how often
    the very same bytes came again) and `settled` (what was done with it; null while it is open).

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
        source = REJECTION if filters.is_open is None else WITH_SETTLED
        query = select(*_COLUMNS).select_from(source).where(*conditions)
        newest_first = query.order_by(REJECTION.c.received_us.desc(), REJECTION.c.id.desc())
        rows = connection.execute(newest_first.limit(shown_max + 1)).all()
        names = names_of(database, connection, {row.machine for row in rows})
        shown = rows[:shown_max]
        settled = settlements(connection, [row.id for row in shown])
    has_more = len(rows) > len(shown)
    following = encode_cursor(shown[-1].received_us, shown[-1].id) if has_more else None
    return [_rejection(row, names, settled) for row in shown], following


def rejection(database: Database, rejection_id: int) -> Facts | None:
    """Return one Rejection; None where there is none of this id.

    Beside what the list says: `error_start` and `error_end`, the bytes that it is about (see
    `service.core.error_place`); null where that is not known.
    """
    with connected(database) as connection:
        columns = (*_COLUMNS, REJECTION.c.payload)
        row = connection.execute(
            select(*columns).where(REJECTION.c.id == rejection_id)
        ).one_or_none()
        if row is None:
            return None
        names = names_of(database, connection, [row.machine])
        settled = settlements(connection, [rejection_id])
    place = error_place(bytes(row.payload), RejectionCode(row.code), row.reason)
    start, end = place or (None, None)
    return {**_rejection(row, names, settled), "error_start": start, "error_end": end}


def rejection_groups(database: Database, filters: RejectionFilters) -> list[Facts]:
    """Return how many rejections each code and machine has; those with open ones first.

    Returns:
        code, machine_id (null where the topic names none), total, open, first_at, last_at, and of
        the newest `rejection_id` and `reason`. At most `GROUPS_MAX`.
    """
    table, counted = REJECTION.c, func.sum(case((IS_OPEN, 1), else_=0))
    seen = (func.min(table.received_us).label("first"), func.max(table.received_us).label("last"))
    query = (
        select(table.code, table.machine, func.count().label("total"), counted.label("open"), *seen)
        .add_columns(func.max(table.id).label("newest"))
        .select_from(WITH_SETTLED)
        .where(*_times(filters))
        .group_by(table.code, table.machine)
        .order_by(case((counted > 0, 0), else_=1), func.max(table.received_us).desc())
    )
    with connected(database) as connection:
        rows = connection.execute(query.limit(GROUPS_MAX)).all()
        names = names_of(database, connection, {row.machine for row in rows})
        newest = select(table.id, table.reason).where(table.id.in_([row.newest for row in rows]))
        reasons = {row.id: row.reason for row in connection.execute(newest)}
    return [
        {
            "code": row.code,
            "machine_id": names.get(row.machine),
            "total": int(row.total),
            "open": int(row.open),
            "first_at": as_time(row.first),
            "last_at": as_time(row.last),
            "rejection_id": row.newest,
            "reason": reasons[row.newest],
        }
        for row in rows
    ]


class RefusedMessage(NamedTuple):
    """What is needed to send a rejection again."""

    topic: str
    code: RejectionCode
    reason: str
    payload: bytes


def refused_message(database: Database, rejection_id: int) -> RefusedMessage | None:
    """Return a refused message as it came; None where there is none of this id."""
    table = REJECTION.c
    query = select(table.topic, table.code, table.reason, table.payload)
    with connected(database) as connection:
        row = connection.execute(query.where(table.id == rejection_id)).one_or_none()
    if row is None:
        return None
    return RefusedMessage(row.topic, RejectionCode(row.code), row.reason, bytes(row.payload))


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
    if filters.is_open is not None:
        conditions.append(IS_OPEN if filters.is_open else not_(IS_OPEN))
    return conditions


def _rejection(
    row: Row[Any], names: Mapping[int | None, str], settled: Mapping[int, Facts]
) -> Facts:
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
        "settled": settled.get(row.id),
    }

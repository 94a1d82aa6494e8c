"""What people did with rejections, as the audit trail says it: resubmitted, or closed."""

import weakref
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, func, select

from service.store.database import Database
from service.store.queries.base import AUDIT, REJECTION, Facts, as_time

RESUBMIT: Final = "resubmit"
CLOSE: Final = "close"
_SUBJECT: Final = "rejection "
_IS_OURS: Final = (AUDIT.c.action.in_((RESUBMIT, CLOSE)), AUDIT.c.subject.like(f"{_SUBJECT}%"))
_ID: Final = cast(func.substr(AUDIT.c.subject, len(_SUBJECT) + 1), BigInteger).label("id")
_SETTLED: Final = select(_ID).where(*_IS_OURS).distinct().subquery("settled")

WITH_SETTLED: Final = REJECTION.outerjoin(_SETTLED, _SETTLED.c.id == REJECTION.c.id)
"""Where `IS_OPEN` can be asked: one look through what people changed answers for all rejections.

A join, because PostgreSQL hashes what NOT IN compares with only while it fits its memory: with more
than some 260,000 it looks through all of them for every rejection.
"""

IS_OPEN: Final[ColumnElement[bool]] = _SETTLED.c.id.is_(None)
"""Nobody has resubmitted or closed it yet."""


class _Settled(NamedTuple):
    """How many rejections people had settled when an entry was the newest of the trail."""

    newest: bytes | None
    total: int


_settled_counts: weakref.WeakKeyDictionary[Database, _Settled] = weakref.WeakKeyDictionary()


def subject_of(rejection_id: int) -> str:
    """Return what the audit trail calls a rejection."""
    return f"{_SUBJECT}{rejection_id}"


def settlements(connection: Connection, rejection_ids: Sequence[int]) -> dict[int, Facts]:
    """Return what was done last with each of some rejections; those that are open are left out."""
    subjects = [subject_of(each) for each in rejection_ids]
    query = select(AUDIT).where(*_IS_OURS, AUDIT.c.subject.in_(subjects)).order_by(AUDIT.c.id)
    found: dict[int, Facts] = {}
    for row in connection.execute(query):
        found[int(row.subject.removeprefix(_SUBJECT))] = {
            "action": row.action,
            "at": as_time(row.at_us),
            "actor": row.actor,
            "reason": row.reason,
        }
    return found


def open_count(database: Database, connection: Connection, count_max: int) -> int:
    """Return how many rejections are open; beyond `count_max` nobody counts on.

    A difference: nothing is ever deleted from the two tables, and only what is stored is settled.
    """
    settled = _settled_count(database, connection)
    some: Any = select(REJECTION.c.id).limit(settled + count_max).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar() or 0) - settled


def _settled_count(database: Database, connection: Connection) -> int:
    """Return how many are not open: read anew only when something was added to the trail."""
    newest = connection.execute(
        select(AUDIT.c.chain).order_by(AUDIT.c.id.desc()).limit(1)
    ).scalar()  # stands for the whole trail before it
    known = _settled_counts.get(database)
    if known is None or known.newest != newest:
        subjects: Any = select(AUDIT.c.subject).where(*_IS_OURS).distinct().subquery()
        count = connection.execute(select(func.count()).select_from(subjects)).scalar()
        known = _settled_counts[database] = _Settled(newest, int(count or 0))
    return known.total

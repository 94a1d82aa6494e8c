"""What people did with rejections, as the audit trail says it: resubmitted, or closed."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, func, select

from service.store.queries.base import AUDIT, REJECTION, Facts, as_time

RESUBMIT: Final = "resubmit"
CLOSE: Final = "close"
_SUBJECT: Final = "rejection "
_IS_OURS: Final = (AUDIT.c.action.in_((RESUBMIT, CLOSE)), AUDIT.c.subject.like(f"{_SUBJECT}%"))
_SETTLED: Final = select(cast(func.substr(AUDIT.c.subject, len(_SUBJECT) + 1), BigInteger)).where(
    *_IS_OURS
)
"""One look through what people changed, which is little, answers for all rejections."""

IS_OPEN: Final[ColumnElement[bool]] = REJECTION.c.id.not_in(_SETTLED)
"""Nobody has resubmitted or closed it yet."""


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


def open_count(connection: Connection, count_max: int) -> int:
    """Return how many rejections are open; beyond `count_max` nobody counts on."""
    some: Any = select(REJECTION.c.id).where(IS_OPEN).limit(count_max).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar() or 0)

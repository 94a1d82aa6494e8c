"""What retests cost: the time that machines spent on runs beyond a unit's first."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select

from service.store.database import Database
from service.store.queries.base import RUN, connected, names_of, unordered
from service.store.times import microseconds

_SECOND_US = 1_000_000


class RetestTime(NamedTuple):
    """The retests of a line that say when they ended."""

    runs: int
    seconds: float


def retest_times(database: Database, since: datetime) -> dict[str, RetestTime]:
    """Return by line what retests that began since then took, by their own start and end.

    A run without an end, or one that ended before it began, says nothing and is left out.
    """
    line, took_us = unordered(RUN.c.line), RUN.c.ended_us - RUN.c.started_us
    query = (
        select(line, func.count(), func.sum(took_us))
        .where(RUN.c.started_us >= microseconds(since), RUN.c.attempt > 1)
        .where(RUN.c.is_golden.is_(False), took_us >= 0)
        .group_by(line)
    )
    with connected(database) as connection:
        rows = connection.execute(query).all()
        names = names_of(database, connection, [row[0] for row in rows])
    return {names[key]: RetestTime(runs, float(total) / _SECOND_US) for key, runs, total in rows}

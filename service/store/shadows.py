"""Shadow rulebooks in the database: which one runs, its counts, and what it says of a batch."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Row, insert, select, update

from service.core.shadow import Shadowed
from service.store.batches import StoredRun
from service.store.codes import OUTCOME_CODE, NameKind
from service.store.database import Database
from service.store.drivers import Driver, table
from service.store.names import Names
from service.store.queries.base import SHADOW, connected
from service.store.times import microseconds, moment

_VERDICT = table(
    "shadow_verdict", shadow_id="int4", run_id="int8", outcome="int2", first_failure="int4"
)


class StoredShadow(NamedTuple):
    """One shadow."""

    shadow_id: int
    body: str
    """TOML."""
    author: str
    reason: str
    started_at: datetime
    stopped_at: datetime | None
    """None: it runs."""
    judged: int
    """Runs judged by it."""
    differed: int
    """Runs on which it and the active rulebook differ."""


def running_shadow(database: Database) -> StoredShadow | None:
    """Return the shadow that runs; None while none does."""
    with connected(database) as connection:
        return newest_shadow(connection, only_running=True)


def list_shadows(database: Database) -> list[StoredShadow]:
    """Return every shadow there ever was, newest first."""
    with connected(database) as connection:
        rows = connection.execute(select(SHADOW).order_by(SHADOW.c.id.desc()))
        return [_stored(row) for row in rows]


def newest_shadow(connection: Connection, *, only_running: bool = False) -> StoredShadow | None:
    """Return the newest shadow, or the one that runs; None: there is none."""
    query = select(SHADOW).order_by(SHADOW.c.id.desc()).limit(1)
    if only_running:
        query = query.where(SHADOW.c.stopped_us.is_(None))
    row = connection.execute(query).first()
    return None if row is None else _stored(row)


def add_shadow(
    connection: Connection, body: str, *, author: str, reason: str, now: datetime
) -> StoredShadow:
    """Let a checked draft judge live runs from now on. The one before must be stopped."""
    newest = newest_shadow(connection)
    number = 1 if newest is None else newest.shadow_id + 1
    connection.execute(
        insert(SHADOW).values(
            id=number,
            body=body,
            author=author,
            reason=reason,
            started_us=microseconds(now),
            stopped_us=None,
            judged=0,
            differed=0,
        )
    )
    return StoredShadow(number, body, author, reason, now, None, 0, 0)


def end_shadow(connection: Connection, shadow_id: int, now: datetime) -> None:
    """Stop a shadow; what it found stays."""
    ended = update(SHADOW).where(SHADOW.c.id == shadow_id).values(stopped_us=microseconds(now))
    connection.execute(ended)


def keep_shadowed(
    driver: Driver, names: Names, shadowed: Shadowed, runs: Sequence[StoredRun]
) -> None:
    """Keep what a shadow says of newly stored runs, in their transaction.

    Raises:
        KeyError: A name is not known yet; learn the names of the batch and call again.
    """
    steps = names.of[NameKind.STEP]
    rows = []
    for run in runs:
        key = (run.judged.run.machine_id, run.judged.run.message_id)
        verdict = shadowed.differing.get(key)
        if verdict is not None:
            first = None if verdict.first_failure is None else steps[verdict.first_failure]
            rows.append((shadowed.shadow_id, run.run_id, OUTCOME_CODE[verdict.outcome], first))
    driver.insert(_VERDICT, rows)
    driver.change(
        "UPDATE shadow SET judged = judged + ?, differed = differed + ? WHERE id = ?",
        (len(runs), len(rows), shadowed.shadow_id),
    )


def _stored(row: Row[object]) -> StoredShadow:
    return StoredShadow(
        row.id,
        row.body,
        row.author,
        row.reason,
        moment(row.started_us),
        None if row.stopped_us is None else moment(row.stopped_us),
        row.judged,
        row.differed,
    )

"""The runs on which a shadow rulebook and the active one differ."""

from sqlalchemy import select

from service.store.codes import OUTCOME_OF
from service.store.database import Database
from service.store.queries.base import (
    RUN,
    SHADOW_VERDICT,
    UNIT,
    Facts,
    as_time,
    connected,
    names_of,
)
from service.store.queries.results import LIMIT_MAX


def differing_runs(
    database: Database, shadow_id: int, limit: int = 100, before: int | None = None
) -> tuple[list[Facts], int | None]:
    """Return the runs on which a shadow differs, newest first, and the run_id to go on before.

    Each has run_id, barcode, machine_id, product_id, procedure, timestamp, outcome and
    first_failure as stored, shadow_outcome and shadow_first_failure. The second value is None at
    the end.
    """
    verdict = SHADOW_VERDICT.c
    shown_max = min(limit, LIMIT_MAX)
    query = (
        select(
            RUN,
            UNIT.c.barcode,
            verdict.outcome.label("shadow_outcome"),
            verdict.first_failure.label("shadow_first_failure"),
        )
        .select_from(SHADOW_VERDICT)
        .join(RUN, RUN.c.id == verdict.run_id)
        .join(UNIT, UNIT.c.id == RUN.c.unit_id)
        .where(verdict.shadow_id == shadow_id)
        .order_by(verdict.run_id.desc())
        .limit(shown_max + 1)
    )
    if before is not None:
        query = query.where(verdict.run_id < before)
    with connected(database) as connection:
        rows = connection.execute(query).all()
        ids = (
            each
            for row in rows
            for each in (
                row.machine,
                row.product,
                row.procedure,
                row.first_failure,
                row.shadow_first_failure,
            )
        )
        names = names_of(database, connection, ids)
    shown = rows[:shown_max]
    items = [
        {
            "run_id": row.id,
            "barcode": row.barcode,
            "machine_id": names[row.machine],
            "product_id": names[row.product],
            "procedure": names[row.procedure],
            "timestamp": as_time(row.started_us),
            "outcome": OUTCOME_OF[row.outcome],
            "first_failure": names.get(row.first_failure),
            "shadow_outcome": OUTCOME_OF[row.shadow_outcome],
            "shadow_first_failure": names.get(row.shadow_first_failure),
        }
        for row in shown
    ]
    return items, shown[-1].id if len(rows) > len(shown) else None

"""Golden samples on their own: in no yield, but they tell whether a machine still measures well."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row, Select, case, func, select

from broker.messages import Outcome
from service.store.codes import OUTCOME_CODE, OUTCOME_OF
from service.store.database import Database
from service.store.queries.base import RUN, UNIT, Facts, as_time, connected, names_of, unordered
from service.store.queries.filters import Condition, Filters, run_conditions

LIMIT_MAX: Final = 1_000
_IS_PASS = case((RUN.c.outcome == OUTCOME_CODE[Outcome.PASS], 1), else_=0)


def golden_samples(database: Database, filters: Filters, limit: int = 100) -> list[Facts]:
    """Return the golden samples with a run that matches, by procedure; that of the last run first.

    Each has its runs that match, how many of them were PASS, their share, and the last of them.
    """
    with connected(database) as connection:
        conditions = run_conditions(connection, replace(filters, golden=True))
        rows = connection.execute(_last_runs(conditions, min(limit, LIMIT_MAX))).all()
        ids = {each for row in rows for each in (row.machine, row.product, row.procedure)}
        names = names_of(database, connection, ids | {row.first_failure for row in rows})
    return [_entry(row, names) for row in rows]


def _last_runs(conditions: list[Condition], limit: int) -> Select[Any]:
    of_sample = (unordered(RUN.c.unit_id), RUN.c.procedure)
    newest_first = (RUN.c.started_us.desc(), RUN.c.id.desc())
    numbered = (
        select(
            RUN,
            UNIT.c.barcode,
            func.row_number().over(partition_by=of_sample, order_by=newest_first).label("place"),
            func.count().over(partition_by=of_sample).label("runs"),
            func.sum(_IS_PASS).over(partition_by=of_sample).label("pass_count"),
        )
        .join(UNIT, UNIT.c.id == RUN.c.unit_id)
        .where(*conditions)
        .subquery()
    )
    return (
        select(numbered)
        .where(numbered.c.place == 1)
        .order_by(numbered.c.started_us.desc(), numbered.c.id.desc())
        .limit(limit)
    )


def _entry(row: Row[Any], names: Mapping[int | None, str]) -> Facts:
    return {
        "barcode": row.barcode,
        "product_id": names[row.product],
        "procedure": names[row.procedure],
        "runs": row.runs,
        "pass_count": int(row.pass_count),
        "pass_rate": int(row.pass_count) / row.runs,
        "last_result": {
            "run_id": row.id,
            "machine_id": names[row.machine],
            "timestamp": as_time(row.started_us),
            "outcome": OUTCOME_OF[row.outcome].value,
            "first_failure": names.get(row.first_failure),
        },
    }

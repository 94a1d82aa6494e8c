"""Values that bad units never showed: machines that stop at the first failure leave steps out."""

from dataclasses import replace
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from broker.messages import Outcome
from service.store.codes import NameKind
from service.store.queries.base import MEASUREMENT, RUN, id_of
from service.store.queries.filters import Filters, run_conditions

RUNS_MAX: Final = 200
"""Of each outcome the newest so many are looked at."""
_FACTOR: Final = 2
"""A step that runs that passed leave out half as often is no step of every unit."""


class Missing(NamedTuple):
    """Runs of one outcome in which a step was not measured."""

    runs: int
    """Looked at."""
    missing: int


def missing_in_failures(connection: Connection, filters: Filters) -> Missing | None:
    """Count the failed runs without the step of `filters`, which is required; the newest 200.

    Returns:
        None where no failed run lacks it, or where runs that passed lack it about as often.
    """
    step = id_of(connection, NameKind.STEP, filters.step or "")
    failed = _count(connection, filters, step, Outcome.FAIL)
    if not failed.missing:
        return None
    passed = _count(connection, filters, step, Outcome.PASS)
    is_usual = passed.missing * failed.runs * _FACTOR >= failed.missing * passed.runs
    return None if passed.missing and is_usual else failed


def _count(connection: Connection, filters: Filters, step: int | None, outcome: Outcome) -> Missing:
    conditions = run_conditions(connection, replace(filters, step=None, outcome=outcome).counting)
    newest = (
        select(RUN.c.id)
        .where(*conditions)
        .order_by(RUN.c.started_us.desc(), RUN.c.id.desc())
        .limit(RUNS_MAX)
        .subquery()
    )
    measured = select(MEASUREMENT.c.run_id).where(
        MEASUREMENT.c.run_id == newest.c.id, MEASUREMENT.c.step == step
    )
    is_there = measured.limit(1).scalar_subquery()
    counts = select(func.count(), func.count(is_there)).select_from(newest)
    all_runs, with_step = connection.execute(counts).one()
    return Missing(all_runs, all_runs - with_step)

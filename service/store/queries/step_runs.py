"""Whether every run holds a step, so that roll-ups of runs can answer for those that hold it.

They do not know a run's steps. But the roll-up of steps knows how often a step was measured: where
no run measured a step twice, and there are as many measurements of it as runs, each run holds it.
"""

from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, Table, and_, exists, func, or_, select

from service.store.codes import NameKind
from service.store.queries.base import RUN_HOUR, STEP_HOUR, id_of
from service.store.queries.filters import Condition, Filters, name_conditions
from service.store.queries.spans import Span

_SLOT = ("hour", "machine", "line", "product", "procedure")


def is_in_every_run(connection: Connection, filters: Filters, span: Span) -> bool:
    """Tell whether the filters' step is in every run of its slots: hour, machine … procedure.

    A test that stops at its first failure leaves steps out, and one that loops repeats them.
    """
    assert filters.step is not None
    of_slots = replace(filters, fixture=None, operator=None)  # steps are not counted by them
    slot = [STEP_HOUR.c[name] for name in _SLOT]
    measured = (
        select(*slot, func.sum(_by_outcome(STEP_HOUR)).label("measured"))
        .where(
            STEP_HOUR.c.step == id_of(connection, NameKind.STEP, filters.step),
            *span.of_hours(STEP_HOUR),
            *name_conditions(connection, of_slots, STEP_HOUR),
        )
        .group_by(*slot)
        .having(func.sum(_by_outcome(STEP_HOUR)) > 0)  # not only first failures: it was missing
        .subquery()
    )
    differs = or_(RUN_HOUR.c.repeating > 0, measured.c.measured != _by_outcome(RUN_HOUR))
    same = [measured.c[name] == RUN_HOUR.c[name] for name in _SLOT]
    query = select(RUN_HOUR.c.hour).join_from(measured, RUN_HOUR, onclause=and_(*same))
    return connection.execute(query.where(differs).limit(1)).first() is None


def in_slots_of(connection: Connection, step: str, hours: Table) -> Condition:
    """Return what a row of a roll-up must hold to be of a slot in which a step was measured."""
    of_step = STEP_HOUR.c.step == id_of(connection, NameKind.STEP, step)
    same = [STEP_HOUR.c[name] == hours.c[name] for name in _SLOT]
    return exists().where(of_step, _by_outcome(STEP_HOUR) > 0, *same)


def _by_outcome(table: Table) -> ColumnElement[int]:
    counts: ColumnElement[int] = table.c.passed + table.c.failed
    return counts + table.c.errors + table.c.unjudged

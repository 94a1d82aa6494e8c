"""When machines changed the test program: what a yield may have moved with."""

from typing import Final

from sqlalchemy import func, or_, select

from service.store.database import Database
from service.store.queries.base import RUN, Facts, as_time, connected, names_of
from service.store.queries.filters import Filters, run_conditions

CHANGES_MAX: Final = 200
"""The newest so many; more is a machine that runs two programs by turns."""
_PROGRAM: Final = (RUN.c.program, RUN.c.program_version)
_PLACE: Final = (RUN.c.machine, RUN.c.product, RUN.c.procedure)


def program_changes(database: Database, filters: Filters) -> list[Facts]:
    """Return each run that began with another program than the one before it, oldest first.

    The one before: at the same machine, of the same product and procedure, within the filters; so
    the first runs of a range are no change. Each has at, run_id, machine_id, product_id, procedure,
    program, program_version, and old_program, old_program_version. No roll-up knows programs: give
    a short range.
    """
    order = (RUN.c.started_us, RUN.c.id)
    before = [
        func.lag(each).over(partition_by=_PLACE, order_by=order).label(f"old_{each.name}")
        for each in _PROGRAM
    ]
    place = func.row_number().over(partition_by=_PLACE, order_by=order).label("place")
    with connected(database) as connection:
        conditions = run_conditions(connection, filters.counting)
        columns = (*order, *_PLACE, *_PROGRAM, *before, place)
        runs = select(*columns).where(*conditions).subquery()
        is_other = (
            runs.c[each.name].is_distinct_from(runs.c[f"old_{each.name}"]) for each in _PROGRAM
        )
        newest = (
            select(runs)
            .where(runs.c.place > 1, or_(*is_other))
            .order_by(runs.c.started_us.desc(), runs.c.id.desc())
            .limit(CHANGES_MAX)
        )
        rows = connection.execute(newest).all()
        ids = {
            each
            for row in rows
            for each in (row.machine, row.product, row.procedure, row.program, row.old_program)
        }
        names = names_of(database, connection, ids)
    return [
        {
            "at": as_time(row.started_us),
            "run_id": row.id,
            "machine_id": names[row.machine],
            "product_id": names[row.product],
            "procedure": names[row.procedure],
            "program": names.get(row.program),
            "program_version": row.program_version,
            "old_program": names.get(row.old_program),
            "old_program_version": row.old_program_version,
        }
        for row in reversed(rows)
    ]

"""Machines as last seen, and their figures since a moment."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, select

from service.core.yields import YieldCounts
from service.store.batches import UNKNOWN_MACHINE
from service.store.codes import OUTCOME_OF, NameKind
from service.store.database import Database
from service.store.queries.base import (
    MACHINE,
    NAME,
    RUN,
    UNIT,
    Facts,
    as_time,
    connected,
    id_of,
    names_of,
)
from service.store.queries.figures import count_runs_by, run_figures
from service.store.queries.filters import Filters
from service.store.queries.unit_totals import unit_figures, units_by

_TOPICS_MAX: Final = 10_000


def machines(database: Database, since: datetime) -> list[Facts]:
    """Return every machine that ever sent something, by name.

    Each has machine_id, line, last_received_at, last_result (None: all it sent was rejected), its
    books (received = stored + rejected + duplicates) and `figures` since the moment.
    """
    with connected(database) as connection:
        rows = connection.execute(_machines()).all()
        entries = _entries(database, connection, rows, Filters(since=since))
    return sorted(entries, key=lambda entry: str(entry["machine_id"]))  # by code point on both


def machine(database: Database, machine_id: str, since: datetime) -> Facts | None:
    """Return one machine; None where it never sent anything."""
    with connected(database) as connection:
        rows = connection.execute(_machines().where(NAME.c.text == machine_id)).all()
        found = _entries(database, connection, rows, Filters(machine_id=machine_id, since=since))
    return found[0] if found else None


def line_of(database: Database, machine_id: str) -> str | None:
    """Return the line a machine was last seen at; None where it never sent anything."""
    with connected(database) as connection:
        number = id_of(connection, NameKind.MACHINE, machine_id)
        query = select(NAME.c.text).join(MACHINE, MACHINE.c.line == NAME.c.id)
        found: str | None = connection.execute(query.where(MACHINE.c.machine == number)).scalar()
    return found


def topics_heard(database: Database) -> list[str]:
    """Return the topics that messages came from, at most 10,000, the newest names first."""
    query = select(NAME.c.text).where(NAME.c.kind == NameKind.TOPIC.value)
    with connected(database) as connection:
        newest = query.order_by(NAME.c.id.desc()).limit(_TOPICS_MAX)
        return list(connection.execute(newest).scalars())


def _machines() -> Select[Any]:
    return (
        select(
            MACHINE,
            NAME.c.text.label("machine_id"),
            UNIT.c.barcode,
            RUN.c.product,
            RUN.c.procedure,
            RUN.c.outcome,
            RUN.c.started_us,
            RUN.c.received_us,
            RUN.c.first_failure,
        )
        .select_from(MACHINE)
        .join(NAME, NAME.c.id == MACHINE.c.machine)
        .outerjoin(RUN, RUN.c.id == MACHINE.c.last_run_id)
        .outerjoin(UNIT, UNIT.c.id == RUN.c.unit_id)
        .where(NAME.c.text != UNKNOWN_MACHINE)
    )


def _entries(
    database: Database,
    connection: Connection,
    rows: Sequence[Row[Any]],
    filters: Filters,
) -> list[Facts]:
    runs = count_runs_by(connection, filters, "machine")
    units = units_by(connection, filters, "machine")
    ids = {
        each for row in rows for each in (row.line, row.product, row.procedure, row.first_failure)
    }
    names = names_of(database, connection, ids)
    return [
        {
            "machine_id": row.machine_id,
            "line": names[row.line],
            "last_received_at": as_time(row.last_received_us),
            "last_result": _last_result(row, names),
            "books": {
                "received": row.received,
                "stored": row.stored,
                "rejected": row.rejected,
                "duplicates": row.duplicates,
            },
            "figures": run_figures(runs.get(row.machine, [0, 0, 0, 0]))
            | _unit_figures(units.get(row.machine, YieldCounts())),
        }
        for row in rows
    ]


def _last_result(row: Row[Any], names: Mapping[int | None, str]) -> Facts | None:
    if row.last_run_id is None or row.outcome is None:
        return None
    return {
        "run_id": row.last_run_id,
        "barcode": row.barcode,
        "product_id": names[row.product],
        "procedure": names[row.procedure],
        "outcome": OUTCOME_OF[row.outcome].value,
        "first_failure": names.get(row.first_failure),
        "timestamp": as_time(row.started_us),
        "received_at": as_time(row.received_us),
    }


def _unit_figures(counts: YieldCounts) -> Facts:
    return unit_figures(counts.units, counts.first_passed, counts.last_passed)

"""Stored runs with their messages, to judge them again: which, and in what form."""

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, select

from broker.messages import Outcome
from service.store.codes import OUTCOME_OF
from service.store.database import Database
from service.store.queries.base import RAW_MESSAGE, RUN, UNIT_STATE, connected, names_of
from service.store.queries.filters import Filters
from service.store.queries.unit_sets import unit_states
from service.store.times import moment

_UNITS_AT_ONCE: Final = 500


class LatestRun(NamedTuple):
    """A unit's last run of all, by start time: what became of it."""

    run_id: int
    procedure: str
    outcome: Outcome
    started_at: datetime


class StoredRun(NamedTuple):
    """One run as it is stored, and what its unit's state says of it."""

    run_id: int
    unit_id: int
    machine_id: str
    line: str
    started_at: datetime
    outcome: Outcome
    rulebook_version: int
    is_first: bool
    is_second: bool
    is_last: bool
    raw_id: int
    element: int | None


def runs_of_units(database: Database, filters: Filters) -> list[int]:
    """Return the ids of every run of the units that count, sorted.

    A unit counts at a procedure where its first run matches the filters; then all its runs of that
    procedure are here, whenever they were. That is what yields are made of.
    """
    with connected(database) as connection:
        states = unit_states(connection, filters, UNIT_STATE.c.unit_id, UNIT_STATE.c.procedure)
        chosen = states.subquery()
        joined = (RUN.c.unit_id == chosen.c.unit_id) & (RUN.c.procedure == chosen.c.procedure)
        query = select(RUN.c.id).select_from(chosen).join(RUN, joined)
        return sorted(connection.execute(query).scalars())


def stored_runs(database: Database, run_ids: Sequence[int]) -> list[StoredRun]:
    """Return runs, by id."""
    state = UNIT_STATE.c
    of_state = (state.unit_id == RUN.c.unit_id) & (state.procedure == RUN.c.procedure)
    query = (
        select(RUN, state.first_run_id, state.second_run_id, state.last_run_id)
        .join(UNIT_STATE, of_state)
        .where(RUN.c.id.in_(run_ids))
        .order_by(RUN.c.id)
    )
    with connected(database) as connection:
        rows = connection.execute(query).all()
        names = names_of(
            database, connection, {each for row in rows for each in (row.machine, row.line)}
        )
    return [_stored(row, names[row.machine], names[row.line]) for row in rows]


def payloads(database: Database, raw_ids: Sequence[int]) -> dict[int, bytes]:
    """Return messages byte for byte, by their id."""
    query = select(RAW_MESSAGE).where(RAW_MESSAGE.c.id.in_(sorted(set(raw_ids))))
    with connected(database) as connection:
        rows = connection.execute(query).all()
    return {
        row.id: zlib.decompress(row.payload) if row.is_compressed else bytes(row.payload)
        for row in rows
    }


def latest_runs(database: Database, unit_ids: Iterable[int]) -> dict[int, LatestRun]:
    """Return the last run of each unit, whatever its procedure; a golden sample's too."""
    state = UNIT_STATE.c
    columns = (
        state.unit_id,
        state.procedure,
        state.last_run_id,
        state.last_outcome,
        state.last_started_us,
    )
    latest: dict[int, Row[*tuple[Any, ...]]] = {}
    wanted = iter(sorted(set(unit_ids)))
    with connected(database) as connection:
        while chunk := list(islice(wanted, _UNITS_AT_ONCE)):
            for row in connection.execute(select(*columns).where(state.unit_id.in_(chunk))):
                known = latest.get(row.unit_id)
                if known is None or _place(row) > _place(known):
                    latest[row.unit_id] = row
        names = names_of(database, connection, {row.procedure for row in latest.values()})
    return {
        unit_id: LatestRun(
            row.last_run_id,
            names[row.procedure],
            OUTCOME_OF[row.last_outcome],
            moment(row.last_started_us),
        )
        for unit_id, row in latest.items()
    }


def _place(state: Row[*tuple[Any, ...]]) -> tuple[int, int]:
    """Return what puts the last runs of a unit's procedures in order."""
    return state.last_started_us, state.last_run_id


def _stored(row: Row[object], machine_id: str, line: str) -> StoredRun:
    return StoredRun(
        row.id,
        row.unit_id,
        machine_id,
        line,
        moment(row.started_us),
        OUTCOME_OF[row.outcome],
        row.rulebook_version,
        row.id == row.first_run_id,
        row.id == row.second_run_id,
        row.id == row.last_run_id,
        row.raw_id,
        row.element,
    )

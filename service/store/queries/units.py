"""A unit's life: what was run on it, in order, and what became of it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from service.store.codes import OUTCOME_OF
from service.store.database import Database
from service.store.queries.base import RUN, UNIT, UNIT_STATE, Facts, as_time, connected, names_of
from service.store.queries.results import reported_of

_Names = Mapping[int | None, str]
_RUNS_MAX = 5_000  # a barcode with more is no unit but a sender's mistake; the newest are kept


def unit_life(database: Database, barcode: str) -> Facts | None:
    """Return every run of the units with this barcode, by start time; None: never tested.

    A barcode may belong to units of several products: `units` has one entry each, with its
    procedures (first, last and number of runs), `first_pass` (the first run of every procedure was
    PASS), `good` (the last of every was) and current outcome: that of its last run of all.
    `attempt` of a run is its place by start time, so a late arrival may move others.
    """
    with connected(database) as connection:
        units = connection.execute(select(UNIT).where(UNIT.c.barcode == barcode)).all()
        if not units:
            return None
        ids = [unit.id for unit in units]
        runs = _newest_runs(connection, ids)
        # After the runs: a run that is stored meanwhile may be counted, but is never missing.
        states = connection.execute(select(UNIT_STATE).where(UNIT_STATE.c.unit_id.in_(ids))).all()
        names = names_of(database, connection, _name_ids(runs, states))
    attempts = Counter({(each.unit_id, each.procedure): each.runs for each in states})
    by_unit: dict[int, list[Facts]] = defaultdict(list)
    for run in runs:  # newest first, so that attempts count down
        key = (run.unit_id, run.procedure)
        if attempts[key] > 0:  # else it was deleted since we read it
            by_unit[run.unit_id].insert(0, _run(run, names, attempts[key]))
            attempts[key] -= 1
    if not by_unit:
        return None
    procedures: dict[int, list[Facts]] = defaultdict(list)
    for state in sorted(states, key=lambda row: (row.first_started_us, row.first_run_id)):
        procedures[state.unit_id].append(_procedure(state, names))
    lives = [_unit(each, procedures[unit_id]) for unit_id, each in by_unit.items()]
    lives.sort(key=lambda life: life["runs"][-1]["timestamp"])
    return {"barcode": barcode, "outcome": lives[-1]["outcome"], "units": lives}


def _newest_runs(connection: Connection, unit_ids: list[int]) -> Sequence[Row[Any]]:
    query = (
        select(RUN)
        .where(RUN.c.unit_id.in_(unit_ids))
        .order_by(RUN.c.started_us.desc(), RUN.c.id.desc())
        .limit(_RUNS_MAX)
    )
    return connection.execute(query).all()


def _name_ids(runs: Sequence[Row[Any]], states: Sequence[Row[Any]]) -> set[int | None]:
    ids: set[int | None] = {state.procedure for state in states}
    for run in runs:
        ids.update((run.machine, run.line, run.product, run.procedure, run.first_failure))
        ids.update((run.fixture, run.operator, run.program))
    return ids


def _unit(runs: list[Facts], procedures: list[Facts]) -> Facts:
    return {
        "product_id": runs[-1]["product_id"],
        "outcome": runs[-1]["outcome"],
        "first_pass": all(each["first_outcome"] == "PASS" for each in procedures),
        "good": all(each["last_outcome"] == "PASS" for each in procedures),
        "procedures": procedures,
        "runs": runs,
    }


def _procedure(state: Row[Any], names: _Names) -> Facts:
    return {
        "procedure": names[state.procedure],
        "runs": state.runs,
        "first_run_id": state.first_run_id,
        "first_timestamp": as_time(state.first_started_us),
        "first_outcome": OUTCOME_OF[state.first_outcome].value,
        "last_run_id": state.last_run_id,
        "last_timestamp": as_time(state.last_started_us),
        "last_outcome": OUTCOME_OF[state.last_outcome].value,
    }


def _panel(run: Row[Any]) -> Facts | None:
    panel = {"id": run.panel_id, "position": run.panel_position}
    return panel if any(each is not None for each in panel.values()) else None


def _run(run: Row[Any], names: _Names, attempt: int) -> Facts:
    return {
        "run_id": run.id,
        "machine_id": names[run.machine],
        "line": names[run.line],
        "product_id": names[run.product],
        "procedure": names[run.procedure],
        "attempt": attempt,
        "timestamp": as_time(run.started_us),
        "ended_at": as_time(run.ended_us),
        "received_at": as_time(run.received_us),
        "outcome": OUTCOME_OF[run.outcome].value,
        "reported_outcome": reported_of(run.reported),
        "agrees": run.agrees,
        "first_failure": names.get(run.first_failure),
        "counts": {
            "PASS": run.passed,
            "FAIL": run.failed,
            "ERROR": run.errors,
            "UNJUDGED": run.unjudged,
        },
        "fixture": names.get(run.fixture),
        "operator": names.get(run.operator),
        "program": names.get(run.program),
        "program_version": run.program_version,
        "panel": _panel(run),
        "rulebook_version": run.rulebook_version,
        "clock_suspect": run.clock_suspect,
    }

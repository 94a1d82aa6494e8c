"""What becomes of a unit at a procedure, run by run. Pure: no I/O.

First and last are by start time, so yields do not depend on the order of arrival; of two runs with
one start the one that arrived later is the last.
"""

from typing import NamedTuple

from service.store.drivers import table

UNIT_STATE = table(
    "unit_state",
    unit_id="int8",
    procedure="int4",
    product="int4",
    machine="int4",
    line="int4",
    first_run_id="int8",
    first_started_us="int8",
    first_outcome="int2",
    last_run_id="int8",
    last_started_us="int8",
    last_outcome="int2",
    runs="int4",
)
UNIT_STATE_REPLACE = "ON CONFLICT (unit_id, procedure) DO UPDATE SET " + ", ".join(
    f"{column} = excluded.{column}" for column in UNIT_STATE.columns[3:]
)
"""For rows that are locked since they were read."""
_IS_EARLIER = "excluded.first_started_us < unit_state.first_started_us"
_IS_LATER = "excluded.last_started_us >= unit_state.last_started_us"
_MERGED = {
    **dict.fromkeys(UNIT_STATE.columns[3:8], _IS_EARLIER),
    **dict.fromkeys(UNIT_STATE.columns[8:11], _IS_LATER),
}
UNIT_STATE_MERGE = (
    "ON CONFLICT (unit_id, procedure) DO UPDATE SET runs = unit_state.runs + excluded.runs, "
    + ", ".join(
        f"{name} = CASE WHEN {wins} THEN excluded.{name} ELSE unit_state.{name} END"
        for name, wins in _MERGED.items()
    )
)
"""For rows that were not there when we looked: another service may have added them since."""


class UnitState(NamedTuple):
    """One row of `unit_state`."""

    unit_id: int
    procedure: int
    product: int
    machine: int
    line: int
    first_run_id: int
    first_started_us: int
    first_outcome: int
    last_run_id: int
    last_started_us: int
    last_outcome: int
    runs: int


class NewRun(NamedTuple):
    """What of a run matters to its unit's state."""

    unit_id: int
    procedure: int
    product: int
    machine: int
    line: int
    run_id: int
    started_us: int
    outcome: int


def with_run(state: UnitState | None, run: NewRun) -> UnitState:
    """Return the state after one more run; None: it is the unit's first at this procedure."""
    if state is None:
        once = (run.run_id, run.started_us, run.outcome)
        return UnitState(
            run.unit_id, run.procedure, run.product, run.machine, run.line, *once, *once, 1
        )
    changed = state._replace(runs=state.runs + 1)
    if run.started_us < state.first_started_us:
        changed = changed._replace(
            machine=run.machine,
            line=run.line,
            first_run_id=run.run_id,
            first_started_us=run.started_us,
            first_outcome=run.outcome,
        )
    if run.started_us >= state.last_started_us:
        changed = changed._replace(
            last_run_id=run.run_id, last_started_us=run.started_us, last_outcome=run.outcome
        )
    return changed

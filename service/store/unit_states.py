"""What becomes of a unit at a procedure, run by run, and what that adds to its hour. Pure: no I/O.

First, second and last are by start time, so yields do not depend on the order of arrival; of two
runs with one start the one that arrived later is the later one.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

from broker.messages import Outcome
from service.store.codes import HOUR_US, OUTCOME_CODE
from service.store.drivers import table

_PASS: Final = OUTCOME_CODE[Outcome.PASS]

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
    second_run_id="int8",
    second_started_us="int8",
    second_outcome="int2",
    is_golden="bool",
    fixture="int4",
    operator="int4",
    is_further="bool",
)
UNIT_STATE_REPLACE = "ON CONFLICT (unit_id, procedure) DO UPDATE SET " + ", ".join(
    f"{column} = excluded.{column}" for column in UNIT_STATE.columns[3:]
)
"""For units that are locked since their states were read."""

SLOT: Final = dict.fromkeys(("hour", "machine", "line", "product", "procedure"), "int4")
"""The key of what is rolled up by the hour."""
WHO: Final = dict.fromkeys(("fixture", "operator"), "int4")
"""What details add to it."""
_UNIT_COUNTS: Final = dict.fromkeys(
    ("units", "first_passed", "second_passed", "last_passed", "retested", "runs"), "int4"
)
UNIT_HOUR = table("unit_hour", **SLOT, **_UNIT_COUNTS)
UNIT_HOUR_DETAIL = table("unit_hour_detail", **SLOT, **WHO, **_UNIT_COUNTS)


def _add_to(name: str, *key: str) -> str:
    """Return what adds to a row of units that is there."""
    added = ", ".join(f"{each} = {name}.{each} + excluded.{each}" for each in _UNIT_COUNTS)
    return f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {added}"


UNIT_HOUR_ADD = _add_to("unit_hour", *SLOT)
UNIT_HOUR_DETAIL_ADD = _add_to("unit_hour_detail", *SLOT, *WHO)

_Sums: TypeAlias = dict[tuple[int, ...], list[int]]
_NO_SECOND: Final = (None, None, None)


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
    second_run_id: int | None = None
    second_started_us: int | None = None
    second_outcome: int | None = None
    is_golden: bool = False
    fixture: int | None = None
    """Of the first run, like `operator`."""
    operator: int | None = None
    is_further: bool = False
    """The unit was at another procedure before this state began."""


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
    is_golden: bool = False
    fixture: int | None = None
    operator: int | None = None
    is_further: bool = False
    """What the state says of it, if this run begins one."""


def with_run(state: UnitState | None, run: NewRun) -> UnitState:
    """Return the state after one more run; None: it is the unit's first at this procedure."""
    once = (run.run_id, run.started_us, run.outcome)
    if state is None:
        who = (run.fixture, run.operator)
        return UnitState(
            *run[:5], *once, *once, 1, *_NO_SECOND, run.is_golden, *who, run.is_further
        )
    changed = state._replace(runs=state.runs + 1, is_golden=run.is_golden)
    if run.started_us < state.first_started_us:
        before = (state.first_run_id, state.first_started_us, state.first_outcome)
        changed = _with_second(_with_first(changed, run), before)
    elif state.second_started_us is None or run.started_us < state.second_started_us:
        changed = _with_second(changed, once)
    if run.started_us >= state.last_started_us:
        changed = changed._replace(
            last_run_id=run.run_id, last_started_us=run.started_us, last_outcome=run.outcome
        )
    return changed


def _with_first(state: UnitState, run: NewRun) -> UnitState:
    return state._replace(
        machine=run.machine,
        line=run.line,
        first_run_id=run.run_id,
        first_started_us=run.started_us,
        first_outcome=run.outcome,
        fixture=run.fixture,
        operator=run.operator,
    )


def _with_second(
    state: UnitState, second: tuple[int, int, int] | tuple[None, None, None]
) -> UnitState:
    run_id, started_us, outcome = second
    return state._replace(
        second_run_id=run_id, second_started_us=started_us, second_outcome=outcome
    )


def with_runs_left(
    state: UnitState, count: int, first: NewRun, second: NewRun | None, last: NewRun
) -> UnitState:
    """Return the state after runs were deleted; it stays golden or not.

    Args:
        state: As it was.
        count: How many runs are left, at least one.
        first: The first of them, by start.
        second: The second; None where one is left.
        last: The last.
    """
    changed = _with_first(state._replace(runs=count), first)._replace(
        last_run_id=last.run_id, last_started_us=last.started_us, last_outcome=last.outcome
    )
    if second is None:
        return _with_second(changed, _NO_SECOND)
    return _with_second(changed, (second.run_id, second.started_us, second.outcome))


class UnitHours(NamedTuple):
    """What changed states add to `UNIT_HOUR` and `UNIT_HOUR_DETAIL`, sorted by key."""

    hours: list[tuple[int, ...]]
    details: list[tuple[int, ...]]


def unit_hours(changes: Iterable[tuple[UnitState | None, UnitState | None]]) -> UnitHours:
    """Return what changed states add to their hours.

    Args:
        changes: Each state before and after; None: there was or is none.
    """
    hours: _Sums = {}
    details: _Sums = {}
    for before, after in changes:
        if before is not None and not before.is_golden:
            _add(hours, details, before, -1)
        if after is not None and not after.is_golden:
            _add(hours, details, after, 1)
    return UnitHours(_rows(hours), _rows(details))


def _rows(sums: _Sums) -> list[tuple[int, ...]]:
    return [(*key, *sums[key]) for key in sorted(sums) if any(sums[key])]


def _add(hours: _Sums, details: _Sums, state: UnitState, sign: int) -> None:
    """Add what a state counts, or take it away."""
    hour = state.first_started_us // HOUR_US
    key = (hour, state.machine, state.line, state.product, state.procedure)
    _count(hours, key, state, sign)
    if state.fixture or state.operator:
        _count(details, (*key, state.fixture or 0, state.operator or 0), state, sign)


def _count(sums: _Sums, key: tuple[int, ...], state: UnitState, sign: int) -> None:
    """Count a state under a key. Written out: it runs for every flat result."""
    total = sums.get(key)
    if total is None:
        total = sums[key] = [0, 0, 0, 0, 0, 0]
    total[0] += sign
    if state.first_outcome == _PASS:
        total[1] += sign
        total[2] += sign
    elif state.second_outcome == _PASS:
        total[2] += sign
    if state.last_outcome == _PASS:
        total[3] += sign
    if state.runs > 1:
        total[4] += sign
    total[5] += sign * state.runs

"""What becomes of a unit at a procedure: first and last by start time, whatever the arrival."""

import sqlite3
from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from service.store.unit_states import UNIT_STATE, UNIT_STATE_MERGE, NewRun, UnitState, with_run

starts = st.lists(st.integers(0, 1_000), min_size=1, max_size=10, unique=True)


def run(number: int, started_us: int) -> NewRun:
    """Return a run whose machine, line and outcome tell which one it is."""
    return NewRun(1, 2, 3, 10 + number, 20 + number, 100 + number, started_us, 1 + number % 4)


def add_all(runs: Sequence[NewRun]) -> UnitState:
    state: UnitState | None = None
    for each in runs:
        state = with_run(state, each)
    assert state is not None
    return state


def test_the_first_run_is_first_and_last() -> None:
    state = with_run(None, run(0, 50))
    assert (state.first_run_id, state.last_run_id, state.runs) == (100, 100, 1)
    assert (state.machine, state.line, state.product) == (10, 20, 3)


def test_a_run_that_arrives_late_becomes_the_first_and_brings_its_machine_and_line() -> None:
    state = add_all([run(0, 50), run(1, 40)])
    assert (state.first_run_id, state.first_started_us, state.first_outcome) == (101, 40, 2)
    assert (state.machine, state.line) == (11, 21)
    assert (state.last_run_id, state.last_outcome, state.runs) == (100, 1, 2)


def test_a_run_in_between_only_counts() -> None:
    before = add_all([run(0, 10), run(1, 90)])
    assert with_run(before, run(2, 50)) == before._replace(runs=3)


def test_of_two_runs_with_one_start_the_later_arrival_is_the_last_and_not_the_first() -> None:
    state = add_all([run(0, 50), run(1, 50)])
    assert (state.first_run_id, state.last_run_id) == (100, 101)


@given(starts, st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_state(order: list[int], random: Random) -> None:
    runs = [run(number, started_us) for number, started_us in enumerate(order)]
    shuffled = list(runs)
    random.shuffle(shuffled)
    state = add_all(shuffled)
    assert state == add_all(runs)
    first, last = (pick(runs, key=lambda each: each.started_us) for pick in (min, max))
    assert (state.first_run_id, state.machine, state.line) == (
        first.run_id,
        first.machine,
        first.line,
    )
    assert (state.last_run_id, state.last_outcome) == (last.run_id, last.outcome)
    assert state.runs == len(runs)


@given(starts, st.integers(1, 9))
def test_states_of_two_services_merge_to_the_state_of_one(order: list[int], cut: int) -> None:
    runs = [run(number, started_us) for number, started_us in enumerate(order)]
    mine, theirs = runs[:cut], runs[cut:]
    columns, marks = ", ".join(UNIT_STATE.columns), ", ".join("?" * len(UNIT_STATE.columns))
    with sqlite3.connect(":memory:") as connection:
        connection.execute(f"CREATE TABLE unit_state ({columns}, PRIMARY KEY (unit_id, procedure))")
        for part in filter(None, (mine, theirs)):
            sql = f"INSERT INTO unit_state ({columns}) VALUES ({marks}) {UNIT_STATE_MERGE}"
            connection.execute(sql, add_all(part))
        merged = UnitState(*connection.execute("SELECT * FROM unit_state").fetchone())
    connection.close()
    assert merged == add_all(runs)

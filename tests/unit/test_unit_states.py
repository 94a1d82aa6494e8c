"""What becomes of a unit at a procedure: first and last by start time, whatever the arrival."""

from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from service.store.codes import HOUR_US
from service.store.unit_states import NewRun, UnitState, unit_hours, with_run

starts = st.lists(st.integers(0, 1_000), min_size=1, max_size=10, unique=True)


def run(number: int, started_us: int) -> NewRun:
    """Return a run whose machine, line, outcome, fixture and operator tell which one it is."""
    where = (10 + number, 20 + number)
    plain = NewRun(1, 2, 3, *where, 100 + number, started_us, 1 + number % 4)
    return plain._replace(fixture=30 + number, operator=40 + number)


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
    assert (state.machine, state.line, state.fixture, state.operator) == (11, 21, 31, 41)
    assert (state.last_run_id, state.last_outcome, state.runs) == (100, 1, 2)


def test_a_run_between_the_second_and_the_last_only_counts() -> None:
    before = add_all([run(0, 10), run(1, 20), run(3, 90)])
    assert with_run(before, run(2, 50)) == before._replace(runs=4)


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


@given(starts, st.randoms(use_true_random=False))
def test_the_second_run_is_by_start_whatever_the_arrival(order: list[int], random: Random) -> None:
    runs = [run(number, started_us) for number, started_us in enumerate(order)]
    random.shuffle(runs)
    state = add_all(runs)
    second = sorted(runs, key=lambda each: each.started_us)[1:2]
    assert [state.second_run_id, state.second_started_us, state.second_outcome] == (
        [second[0].run_id, second[0].started_us, second[0].outcome] if second else [None] * 3
    )


units = st.lists(
    st.tuples(
        st.integers(0, 3),  # unit
        st.integers(-3, 3),  # hour
        st.integers(1, 4),  # outcome
        st.integers(0, 1),  # machine
    ),
    max_size=30,
)


@given(units, st.integers(1, 5))
def test_what_is_added_to_hours_batch_by_batch_is_what_the_states_say(
    runs: list[tuple[int, int, int, int]], batch_size: int
) -> None:
    states: dict[int, UnitState] = {}
    added: dict[tuple[int, ...], list[int]] = {}
    for start in range(0, len(runs), batch_size):
        before = dict(states)
        for offset, (unit, hour, outcome, machine) in enumerate(runs[start : start + batch_size]):
            number = start + offset
            started_us = hour * HOUR_US + number
            fixture = outcome if outcome > 1 else None
            new = NewRun(unit, 2, 3, machine, 4, number, started_us, outcome, unit == 3, fixture)
            states[unit] = with_run(states.get(unit), new)
        changes = [(before.get(unit), state) for unit, state in states.items()]
        changed = unit_hours(changes)
        for width, rows in ((5, changed.hours), (7, changed.details)):
            for row in rows:
                sums = added.setdefault(row[:width], [0] * 6)
                added[row[:width]] = [a + b for a, b in zip(sums, row[width:], strict=True)]
    meant: dict[tuple[int, ...], list[int]] = {}
    for state in states.values():
        if state.unit_id == 3:
            continue  # the golden sample
        key: tuple[int, ...] = (state.first_started_us // HOUR_US, state.machine, 4, 3, 2)
        passes = [state.first_outcome == 1, state.second_outcome == 1, state.last_outcome == 1]
        counts = [1, passes[0], passes[0] or passes[1], passes[2], state.runs > 1, state.runs]
        detail = () if state.fixture is None else ((*key, state.fixture, 0),)
        for each in (key, *detail):
            meant[each] = [a + b for a, b in zip(meant.get(each, [0] * 6), counts, strict=True)]
    assert {key: sums for key, sums in added.items() if any(sums)} == meant

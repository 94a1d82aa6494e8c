"""Random histories: whatever came, came again, came late or went, roll-ups equal a scan."""

import random
import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
import pytest
from sqlalchemy import text

from broker.errors import StoreUnavailable
from service.core.lookup import Rulebook
from service.rulebook import parse_rulebook
from service.store.codes import HOUR_US
from service.store.database import Database
from service.store.queries import old_runs
from service.store.queries.old_runs import (
    OldRuns,
    Portion,
    count_old_runs,
    horizon_us,
    old_portions,
)
from service.store.retention import connect, forget
from service.store.times import microseconds
from tests.support.stored import NOON, Stored, run_message

Rows = list[dict[str, Any]]
KeyOf = Callable[[dict[str, Any]], tuple[int, ...]]
KEY = ("machine", "line", "product", "procedure")
OUTCOMES = (1, 2, 3, 4)
DAY = timedelta(days=1)
RULES = """
[[rule]]
id = "seal"
test_step = "s2"
procedure = "FCT"
comparator = "LOG"
required = true
"""


def rows(database: Database, sql: str) -> Rows:
    with database.reading() as session:
        return [dict(row) for row in session.connection().execute(text(sql)).mappings()]


# -- the brute force -------------------------------------------------------------------------------


class Scanned(NamedTuple):
    """All that is derived from runs and measurements, by key."""

    run_hours: dict[Any, Any]
    run_details: dict[Any, Any]
    repeating: dict[Any, Any]
    step_hours: dict[Any, Any]
    unit_states: dict[Any, Any]
    unit_hours: dict[Any, Any]
    unit_details: dict[Any, Any]
    units: set[int]
    raw_messages: set[int]
    """Of these tables only which rows there are: no more and no fewer than runs refer to."""
    measured_runs: set[int]


def scan(database: Database) -> Scanned:
    runs = rows(database, "SELECT * FROM run ORDER BY started_us, id")
    measurements = rows(database, "SELECT * FROM measurement ORDER BY run_id, position")
    states = states_of(runs)
    return Scanned(
        run_hours_of(runs, key_of),
        run_hours_of([run for run in runs if is_detailed(run)], detail_of),
        repeating_of(runs, measurements),
        step_hours_of(runs, measurements),
        states,
        unit_hours_of(states, key_of),
        {key: counts for key, counts in unit_hours_of(states, detail_of).items() if any(key[5:])},
        {run["unit_id"] for run in runs},
        {run["raw_id"] for run in runs},
        {run["id"] for run in runs},
    )


def kept(database: Database) -> Scanned:
    """What the tables hold."""
    run_hours = rows(database, "SELECT * FROM run_hour")
    run_details = rows(database, "SELECT * FROM run_hour_detail")
    step_hours = rows(database, "SELECT * FROM step_hour")
    states = rows(database, "SELECT * FROM unit_state")
    unit_hours = rows(database, "SELECT * FROM unit_hour WHERE units <> 0")
    unit_details = rows(database, "SELECT * FROM unit_hour_detail WHERE units <> 0")
    return Scanned(
        {key_of(row): tuple(row[name] for name in RUN_COUNTS) for row in run_hours},
        {detail_of(row): tuple(row[name] for name in RUN_COUNTS) for row in run_details},
        {key_of(row): row["repeating"] for row in run_hours},
        {(*key_of(row), row["step"], row["measure_unit"]): sums_in(row) for row in step_hours},
        {(row["unit_id"], row["procedure"]): {**row, "is_further": None} for row in states},
        {key_of(row): [row[name] for name in UNIT_COUNTS] for row in unit_hours},
        {detail_of(row): [row[name] for name in UNIT_COUNTS] for row in unit_details},
        ids(database, "SELECT id FROM unit"),
        ids(database, "SELECT id FROM raw_message"),
        ids(database, "SELECT DISTINCT run_id AS id FROM measurement"),
    )


def ids(database: Database, sql: str) -> set[int]:
    return {row["id"] for row in rows(database, sql)}


def key_of(row: dict[str, Any]) -> tuple[int, ...]:
    hour = row["hour"] if "hour" in row else row["started_us"] // HOUR_US
    return (hour, *(row[name] for name in KEY))


def detail_of(row: dict[str, Any]) -> tuple[int, ...]:
    return (*key_of(row), row["fixture"] or 0, row["operator"] or 0)


RUN_COUNTS = (
    *("passed", "failed", "errors", "unjudged", "late", "last_late_us"),
    *("measured_passed", "measured_failed"),
)


def is_late(run: dict[str, Any]) -> bool:
    return run["received_us"] // HOUR_US > run["started_us"] // HOUR_US + 1


def is_detailed(run: dict[str, Any]) -> bool:
    return run["fixture"] is not None or run["operator"] is not None or is_late(run)


def repeating_of(runs: Rows, measurements: Rows) -> dict[Any, int]:
    steps: dict[int, list[int]] = defaultdict(list)
    for each in measurements:
        steps[each["run_id"]].append(each["step"])
    found: dict[Any, int] = defaultdict(int)
    for run in runs:
        if not run["is_golden"]:
            found[key_of(run)] += len(steps[run["id"]]) > len(set(steps[run["id"]]))
    return dict(found)


def run_hours_of(runs: Rows, key_in: KeyOf) -> dict[Any, Any]:
    found: dict[Any, Rows] = defaultdict(list)
    for run in runs:
        if not run["is_golden"]:
            found[key_in(run)].append(run)
    result = {}
    for key, of_hour in found.items():
        outcomes = [run["outcome"] for run in of_hour]
        late = [run["received_us"] for run in of_hour if is_late(run)]
        counts = [outcomes.count(code) for code in OUTCOMES]
        measured = [sum(run[name] for run in of_hour) for name in ("passed", "failed")]
        result[key] = (*counts, len(late), max(late, default=None), *measured)
    return result


def step_hours_of(runs: Rows, measurements: Rows) -> dict[Any, Any]:
    by_id = {run["id"]: run for run in runs if not run["is_golden"]}
    found: dict[Any, Rows] = defaultdict(list)
    first_failures: dict[Any, int] = defaultdict(int)
    explained = set()
    for each in measurements:
        run = by_id.get(each["run_id"])
        if run is None:
            continue
        key = (*key_of(run), each["step"], each["measure_unit"] or 0)
        found[key].append(each)
        if each["step"] == run["first_failure"] and run["id"] not in explained:
            explained.add(run["id"])
            first_failures[key] += 1
    for run in by_id.values():  # a required step that was missing has no measurement
        if run["first_failure"] is not None and run["id"] not in explained:
            key = (*key_of(run), run["first_failure"], 0)
            first_failures[key] += 1
            found[key] += []
    return {key: sums_of(of_step, first_failures[key]) for key, of_step in found.items()}


def sums_of(measurements: Rows, first_failures: int) -> tuple[Any, ...]:
    outcomes = [each["outcome"] for each in measurements]
    values = [each["number"] for each in measurements if each["value_kind"] == 1]
    mean = sum(values) / len(values) if values else 0.0
    return (
        *(outcomes.count(code) for code in OUTCOMES),
        first_failures,
        len(values),
        pytest.approx(mean, rel=1e-9, abs=1e-12),
        pytest.approx(sum((value - mean) ** 2 for value in values), rel=1e-6, abs=1e-9),
        min(values, default=None),
        max(values, default=None),
    )


def sums_in(row: dict[str, Any]) -> tuple[Any, ...]:
    names = ("passed", "failed", "errors", "unjudged", "first_failures", "value_count")
    return tuple(row[name] for name in (*names, "mean", "squares", "least", "greatest"))


def states_of(runs: Rows) -> dict[Any, Any]:
    found: dict[Any, Rows] = defaultdict(list)
    for run in runs:
        found[run["unit_id"], run["procedure"]].append(run)
    return {key: state_of(key, of_unit) for key, of_unit in found.items()}


def state_of(key: tuple[int, int], runs: Rows) -> dict[str, Any]:
    state = {"unit_id": key[0], "procedure": key[1], "runs": len(runs), "is_further": None}
    of_first = ("product", "machine", "line", "is_golden", "fixture", "operator")
    state |= {name: runs[0][name] for name in of_first}
    places = {"first": runs[0], "second": runs[1] if runs[1:] else None, "last": runs[-1]}
    for place, run in places.items():
        for column, name in (("id", "run_id"), ("started_us",) * 2, ("outcome",) * 2):
            state[f"{place}_{name}"] = run and run[column]
    return state


UNIT_COUNTS = ("units", "first_passed", "second_passed", "last_passed", "retested", "runs")


def unit_hours_of(states: dict[Any, Any], key_in: KeyOf) -> dict[Any, Any]:
    sums: dict[Any, list[int]] = {}
    for state in states.values():
        if state["is_golden"]:
            continue
        passed = [state[f"{place}_outcome"] == 1 for place in ("first", "second", "last")]
        retested = state["runs"] > 1
        counts = [1, passed[0], passed[0] or passed[1], passed[2], retested, state["runs"]]
        key = key_in(state | {"started_us": state["first_started_us"]})
        sums[key] = [a + b for a, b in zip(sums.get(key, [0] * 6), counts, strict=True)]
    return sums


def assert_rolled_up(database: Database) -> None:
    meant, is_kept = scan(database), kept(database)
    for name in Scanned._fields:
        assert getattr(is_kept, name) == getattr(meant, name), name
    unmarked = "SELECT unit_id FROM unit_state WHERE NOT is_further GROUP BY unit_id"
    assert rows(database, f"{unmarked} HAVING count(*) > 1") == []


# -- the histories ---------------------------------------------------------------------------------


class History:
    """A plant that goes on from day to day, with everything that can happen to a message."""

    def __init__(self, stored: Stored, seed: int) -> None:
        self.dice = random.Random(seed)
        self.stored = stored
        self.rules = Rulebook(1, parse_rulebook(RULES, "rules.toml"))
        self.now = NOON
        self.sent: list[tuple[Any, str, bool]] = []
        self.number = 0

    def live_a_day(self) -> None:
        for _ in range(6):
            self.now += timedelta(hours=self.dice.choice([1, 3, 8]))
            if self.sent and self.dice.random() < 0.3:
                messages, machine_id, golden = self.dice.choice(self.sent)
                self._send(messages, machine_id, golden=golden)  # again: duplicates
            golden = self.dice.random() < 0.1
            messages = [self._message(golden=golden) for _ in range(self.dice.randint(1, 5))]
            machine_id = f"M{self.dice.randrange(2)}"
            if self.dice.random() < 0.4:
                self._send([orjson.dumps(messages)], machine_id, golden=golden)
            else:
                self._send(messages, machine_id, golden=golden)

    def _message(self, *, golden: bool) -> dict[str, Any]:
        """One run; some start in the same microsecond, some days ago, some before 1970."""
        self.number += 1
        ago = self.dice.choice([0, 0, 0, 0, 1, 30, 24 * 60 * self.dice.randrange(12)])
        if self.dice.random() < 0.03:
            ago += 60 * 24 * 365 * 60
        start = (self.now - NOON) / timedelta(minutes=1) - ago
        steps = [
            {
                "test_step": f"s{self.dice.randrange(3)}",
                "measured_value": self.dice.choice([1e-9, 0.5, 2.0, 1e6, None, "x", True]),
                "unit": self.dice.choice([None, "V", "mV"]),
                **self.dice.choice([{}, {"high": 1.0}]),
            }
            for _ in range(self.dice.randint(1, 4))
        ]
        message = run_message(
            f"{'GOLD' if golden else 'U'}{self.dice.randrange(9)}",
            procedure=self.dice.choice(["ICT", "FCT"]),
            minutes=start,
            steps=steps,
            fixture=self.dice.choice([None, "F1", "F2"]),
            operator=self.dice.choice([None, "ann", "bob"]),
        )
        return message | {"message_id": f"m{self.number}"}

    def _send(self, messages: Any, machine_id: str, *, golden: bool) -> None:  # noqa: ANN401
        self.sent.append((messages, machine_id, golden))
        line = "L1" if machine_id == "M0" else self.dice.choice(["L1", "L2"])
        self.stored.save(
            *messages,
            machine_id=machine_id,
            line=line,
            at=self.now,
            rules=self.rules,
            is_golden=golden,
        )

    def horizon(self, days: int) -> int:
        return horizon_us(microseconds(self.now), days)


def test_roll_ups_are_what_a_scan_gives_whatever_came_and_went(stored: Stored) -> None:
    history = History(stored, 11)
    driver = connect(stored.database)
    forgotten = 0
    for day in range(12):
        history.live_a_day()
        assert_rolled_up(stored.database)
        if day % 3 == 2:
            horizon = history.horizon(3)
            counted = count_old_runs(stored.database, horizon)
            gone = 0
            for portion in old_portions(stored.database, horizon):
                gone += forget(driver, portion, horizon) or 0
                assert_rolled_up(stored.database)
            assert counted.runs == gone
            assert count_old_runs(stored.database, horizon) == OldRuns(0, 0)
            forgotten += gone
    driver.close()
    assert forgotten > 100
    assert len(scan(stored.database).measured_runs) > 20


@pytest.mark.parametrize("seed", range(3))
def test_slots_that_are_too_large_for_a_transaction_go_in_several(
    stored: Stored, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(old_runs, "_RUNS_MAX", 2)
    monkeypatch.setattr(old_runs, "_MEASUREMENTS_MAX", 5)
    history = History(stored, seed)
    for _ in range(5):
        history.live_a_day()
    horizon = history.horizon(2)
    portions = list(old_portions(stored.database, horizon))
    assert any(not portion.slots for portion in portions), "none was cut"
    for portion in portions:
        assert stored.writer.forget(portion, horizon) == len(portion.run_ids)
    assert_rolled_up(stored.database)


def delete_old(stored: Stored, at: datetime, days: int) -> list[int | None]:
    horizon = horizon_us(microseconds(at), days)
    return [
        stored.writer.forget(portion, horizon) for portion in old_portions(stored.database, horizon)
    ]


def test_what_started_long_ago_but_has_just_arrived_is_kept(stored: Stored) -> None:
    stored.save(run_message("U1", minutes=-60 * 24 * 40), at=NOON)
    assert delete_old(stored, NOON + 29 * DAY, 30) == []
    assert delete_old(stored, NOON + 31 * DAY, 30) == [1]


def test_a_run_that_comes_to_a_slot_under_deletion_keeps_it(stored: Stored) -> None:
    stored.save(run_message("U1"), at=NOON)
    later = NOON + 31 * DAY
    horizon = horizon_us(microseconds(later), 30)
    (portion,) = old_portions(stored.database, horizon)
    stored.save(run_message("U2", minutes=1), at=later)
    assert stored.writer.forget(portion, horizon) == 0
    assert list(old_portions(stored.database, horizon)) == []
    assert_rolled_up(stored.database)


def test_a_message_goes_with_the_last_of_its_runs(stored: Stored) -> None:
    array = [run_message("U1", minutes=-90), run_message("U2", minutes=0)]
    stored.save(orjson.dumps(array), at=NOON)
    assert delete_old(stored, NOON + 30 * DAY + timedelta(minutes=1), 30) == []
    horizon = horizon_us(microseconds(NOON + 31 * DAY), 30)
    first, second = (
        Portion([run_id], [slot])
        for portion in old_portions(stored.database, horizon)
        for run_id, slot in zip(portion.run_ids, portion.slots, strict=True)
    )
    stored.writer.forget(first, horizon)
    assert len(rows(stored.database, "SELECT id FROM raw_message")) == 1
    stored.writer.forget(second, horizon)
    assert rows(stored.database, "SELECT id FROM raw_message") == []
    assert rows(stored.database, "SELECT id FROM unit") == []


def test_what_shadows_said_of_a_run_goes_with_it(stored: Stored) -> None:
    later = NOON + 31 * DAY
    (old,) = stored.save(run_message("U1"), at=NOON).saved.runs
    (new,) = stored.save(run_message("U2", minutes=31 * 24 * 60), at=later).saved.runs
    with stored.database.engine.begin() as connection:
        for shadow in (1, 2):
            connection.execute(
                text(f"INSERT INTO shadow VALUES ({shadow}, '', 'ann', 'trial', 0, 0, 2, 2)")
            )
            for run in (old, new):
                connection.execute(
                    text(f"INSERT INTO shadow_verdict VALUES ({shadow}, {run.run_id}, 2, NULL)")
                )
    assert delete_old(stored, later, 30) == [1]
    left = rows(stored.database, "SELECT shadow_id, run_id FROM shadow_verdict ORDER BY shadow_id")
    assert left == [{"shadow_id": 1, "run_id": new.run_id}, {"shadow_id": 2, "run_id": new.run_id}]


def test_a_number_of_a_run_is_never_given_again(stored: Stored) -> None:
    (before,) = stored.save(run_message("U1"), at=NOON).saved.runs
    assert delete_old(stored, NOON + 31 * DAY, 30) == [1]
    stored.writer.close()  # a new process knows only what the database holds
    (after,) = stored.save(run_message("U2"), at=NOON).saved.runs
    assert after.run_id > before.run_id


@pytest.mark.postgres
def test_services_may_store_into_the_very_slots_that_are_deleted(postgres_store_url: str) -> None:
    """Two writers and a third process that deletes, at the same units and in the same hours."""
    stores = [Stored(postgres_store_url) for _ in range(2)]
    for number in range(300):
        stores[0].save(run_message(f"U{number % 20}", minutes=number * 3), at=NOON)
    later = NOON + 31 * DAY
    horizon = horizon_us(microseconds(later), 30)
    done = threading.Event()

    def store(writer: int) -> None:
        dice = random.Random(writer)
        for number in range(150):
            message = run_message(f"U{dice.randrange(20)}", minutes=dice.randrange(60 * 24 * 40))
            again_and_again(stores[writer], message | {"message_id": f"{writer}-{number}"}, later)

    threads = [threading.Thread(target=store, args=(writer,)) for writer in range(2)]
    threads.append(threading.Thread(target=delete_until, args=(postgres_store_url, horizon, done)))
    for thread in threads:
        thread.start()
    for thread in threads[:2]:
        thread.join()
    done.set()
    threads[2].join()
    assert_rolled_up(stores[0].database)
    stored_later = rows(stores[0].database, f"SELECT id FROM run WHERE received_us > {horizon}")
    assert len(stored_later) == 300
    for each in stores:
        each.close()


def again_and_again(stored: Stored, message: dict[str, Any], at: datetime) -> None:
    """Save as the service does: a deadlock is an outage that is tried again."""
    while True:
        try:
            stored.save(message, at=at)
        except StoreUnavailable:
            continue
        return


def delete_until(url: str, horizon: int, done: threading.Event) -> None:
    store = Stored(url)
    with store.database.translated():
        driver = connect(store.database)
        while not done.is_set():
            for portion in old_portions(store.database, horizon):
                forget(driver, portion, horizon)
        driver.close()
    store.close()

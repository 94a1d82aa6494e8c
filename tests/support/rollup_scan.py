"""The brute force: what roll-ups must hold, worked out from every run and measurement."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from sqlalchemy import text

from service.store.codes import HOUR_US
from service.store.database import Database

Rows = list[dict[str, Any]]
KeyOf = Callable[[dict[str, Any]], tuple[int, ...]]
KEY = ("machine", "line", "product", "procedure")
OUTCOMES = (1, 2, 3, 4)


def rows(database: Database, sql: str) -> Rows:
    """Return what the database itself answers."""
    with database.reading() as session:
        return [dict(row) for row in session.connection().execute(text(sql)).mappings()]


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
    """Return what the runs and measurements of a database come to, by looking at each."""
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
    """Fail where the tables hold anything else than a scan finds."""
    meant, is_kept = scan(database), kept(database)
    for name in Scanned._fields:
        assert getattr(is_kept, name) == getattr(meant, name), name
    unmarked = "SELECT unit_id FROM unit_state WHERE NOT is_further GROUP BY unit_id"
    assert rows(database, f"{unmarked} HAVING count(*) > 1") == []

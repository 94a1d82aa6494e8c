"""The writer on both databases: every message once and whole, in any order."""

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import pytest

from broker.messages import RejectionCode
from broker.topics import UNASSIGNED_LINE
from service.store import names
from service.store.queries.machines import line_of
from service.store.queries.rejections import rejection_bytes
from tests.support.stored import (
    NOON,
    OK_STEP,
    Stored,
    assert_books_balance,
    one,
    rows,
    run_message,
    summary,
)

# -- exactly once ----------------------------------------------------------------------------------


def many_messages() -> list[Any]:
    """Return 40 messages of 12 units over three hours and two procedures, some of them arrays."""
    runs: list[Any] = [
        run_message(
            f"U{number % 12}",
            procedure=("ICT", "FCT")[number % 5 == 0],
            minutes=number * 3.7,
            steps=[
                {**OK_STEP, "measured_value": 4.7 + (number * 7 % 10) / 10},
                {
                    "test_step": "r1",
                    "measured_value": 1e-7 * number,
                    "unit": ("F", "uF")[number % 2],
                },
                {"test_step": "text", "measured_value": "x"},
            ],
        )
        for number in range(60)
    ]
    return [*runs[:30], *([*runs[at : at + 3]] for at in range(30, 60, 3))]


def what_is_stored(stored: Stored) -> dict[str, Any]:
    """Return all that must not depend on order and repeats, in words instead of numbers."""
    runs = {row["id"]: row["message_id"] for row in rows(stored, "SELECT id, message_id FROM run")}
    text_of = {row["id"]: row["text"] for row in rows(stored, "SELECT id, text FROM name")}
    barcodes = {row["id"]: row["barcode"] for row in rows(stored, "SELECT id, barcode FROM unit")}
    states = {
        (barcodes[row["unit_id"]], text_of[row["procedure"]]): (
            runs[row["first_run_id"]],
            row["first_outcome"],
            runs[row["last_run_id"]],
            row["last_outcome"],
            row["runs"],
        )
        for row in rows(stored, "SELECT * FROM unit_state")
    }
    run_hours = {
        (row["hour"], text_of[row["procedure"]]): (row["passed"], row["failed"], row["unjudged"])
        for row in rows(stored, "SELECT * FROM run_hour")
    }
    return {"runs": sorted(runs.values()), "states": states, "run_hours": run_hours}


def step_hours(stored: Stored) -> dict[tuple[Any, ...], dict[str, Any]]:
    text_of = {row["id"]: row["text"] for row in rows(stored, "SELECT id, text FROM name")}
    return {
        (
            row["hour"],
            text_of[row["procedure"]],
            text_of[row["step"]],
            text_of.get(row["measure_unit"]),
        ): row
        for row in rows(stored, "SELECT * FROM step_hour")
    }


def brute_step_hours(stored: Stored) -> dict[tuple[Any, ...], list[float]]:
    """Add up the measurements themselves."""
    sql = (
        "SELECT r.started_us, p.text AS procedure, s.text AS step, u.text AS unit, m.number,"
        " m.value_kind FROM measurement m JOIN run r ON r.id = m.run_id"
        " JOIN name p ON p.id = r.procedure JOIN name s ON s.id = m.step"
        " LEFT JOIN name u ON u.id = m.measure_unit"
    )
    values: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for row in rows(stored, sql):
        key = (row["started_us"] // 3_600_000_000, row["procedure"], row["step"], row["unit"])
        values[key] += [row["number"]] if row["value_kind"] == 1 else []
    return values


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_repeats_in_any_order_store_everything_once(stored: Stored, seed: int) -> None:
    messages = many_messages()
    order = messages * 3
    random.Random(seed).shuffle(order)
    counted = Counter[str]()
    while order:
        size = random.Random(seed + len(order)).randint(1, 20)
        runs, duplicates, rejections = summary(stored.save(*order[:size]))
        counted += Counter(runs=runs, duplicates=duplicates, rejections=rejections)
        order = order[size:]
    assert counted == {"runs": 60, "duplicates": 120}
    assert one(stored, "SELECT count(*) FROM run") == 60
    assert one(stored, "SELECT count(DISTINCT message_id) FROM run") == 60
    assert one(stored, "SELECT count(*) FROM measurement") == 180
    assert_books_balance(stored)

    found, meant = what_is_stored(stored), expected(messages)
    assert found == meant
    for key, values in brute_step_hours(stored).items():
        row = step_hours(stored)[key]
        assert row["value_count"] == len(values)
        if values:
            mean = sum(values) / len(values)
            assert row["mean"] == pytest.approx(mean, rel=1e-9)
            spread = sum((each - mean) ** 2 for each in values)
            assert row["squares"] == pytest.approx(spread, rel=1e-6, abs=1e-20)
            assert (row["least"], row["greatest"]) == (min(values), max(values))
    assert step_hours(stored).keys() == brute_step_hours(stored).keys()


def expected(messages: Sequence[Any]) -> dict[str, Any]:
    """Work out by hand what `what_is_stored` finds."""
    every = [run for each in messages for run in (each if isinstance(each, list) else [each])]
    states: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    hours: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for run in every:
        states[run["barcode"], run["procedure"]].append(run)
        hour = int(datetime.fromisoformat(run["started_at"]).timestamp()) // 3_600
        hours[hour, run["procedure"]][outcome_of(run) - 1] += 1
    return {
        "runs": sorted(run["message_id"] for run in every),
        "states": {key: state_of(runs) for key, runs in states.items()},
        "run_hours": {key: tuple(counts) for key, counts in hours.items()},
    }


def outcome_of(run: dict[str, Any]) -> int:
    return 1 if 4.75 <= run["measurements"][0]["measured_value"] <= 5.25 else 2


def state_of(runs: list[dict[str, Any]]) -> tuple[Any, ...]:
    in_order = sorted(runs, key=lambda run: str(run["started_at"]))
    first, last = in_order[0], in_order[-1]
    ids = first["message_id"], outcome_of(first), last["message_id"], outcome_of(last)
    return (*ids, len(runs))


def test_repeats_within_a_batch_are_duplicates_of_the_first(stored: Stored) -> None:
    message = run_message("A")
    committed = stored.save(message, run_message("B"), message, message)
    assert summary(committed) == (2, 2, 0)
    stored_id = committed.saved.runs[0].run_id
    assert [each.run_id for each in committed.saved.duplicates] == [stored_id, stored_id]


def test_a_message_without_an_id_is_known_by_its_content(stored: Stored) -> None:
    message = run_message("A")
    del message["message_id"]
    again = dict(reversed(list(message.items())))
    assert summary(stored.save(message)) == (1, 0, 0)
    assert summary(stored.save(again, run_message("A", minutes=1))) == (1, 1, 0)


def test_one_id_on_two_machines_is_two_messages(stored: Stored) -> None:
    assert summary(stored.save(run_message("A"), machine_id="M1")) == (1, 0, 0)
    assert summary(stored.save(run_message("A"), machine_id="M2")) == (1, 0, 0)


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two"])
def test_the_same_id_with_other_content_is_a_conflicting_duplicate(
    stored: Stored,
    together: bool,  # noqa: FBT001
) -> None:
    first, other = run_message("A"), {**run_message("A"), "barcode": "B"}
    if together:
        committed = stored.save(first, other)
    else:
        stored.save(first)
        committed = stored.save(other)
    (rejection,) = committed.saved.rejections
    assert rejection.refused.code is RejectionCode.CONFLICTING_DUPLICATE
    assert "message_id 'A-FCT-0' is stored already with other content" in rejection.refused.reason
    assert rejection_bytes(stored.database, rejection.rejection_id) == orjson.dumps(other)
    assert one(stored, "SELECT barcode FROM unit") == "A"
    assert_books_balance(stored)


def test_one_id_for_a_whole_array_keeps_each_elements_own_bytes(stored: Stored) -> None:
    elements = [{**run_message(f"S{number}"), "message_id": "same"} for number in range(40)]
    committed = stored.save(orjson.dumps(elements))
    assert summary(committed) == (1, 0, 39)
    for number, each in enumerate(committed.saved.rejections, start=1):
        assert each.refused.element == number
        assert orjson.loads(each.refused.payload) == elements[number]
    assert_books_balance(stored)


# -- units and machines ----------------------------------------------------------------------------


def test_a_message_that_names_no_line_does_not_move_its_machine(stored: Stored) -> None:
    def line_after(*messages: Any, line: str) -> str | None:  # noqa: ANN401
        stored.save(*messages, line=line)
        return line_of(stored.database, "M1")

    assert line_after(run_message("A"), line=UNASSIGNED_LINE) == UNASSIGNED_LINE
    assert line_after(run_message("B"), line="L1") == "L1"
    assert line_after(run_message("B"), line=UNASSIGNED_LINE) == "L1"  # a duplicate
    assert line_after(run_message("C"), b"{", line=UNASSIGNED_LINE) == "L1"
    assert line_after(run_message("C"), line="L2") == "L2"


def test_unit_states_go_by_start_time_in_any_order_of_arrival(stored: Stored) -> None:
    runs = [run_message("?", minutes=at, passes=at % 2 == 0) for at in range(4)]
    for number, order in enumerate(itertools.permutations(runs)):
        unit = f"U{number}"
        messages = [
            {**run, "barcode": unit, "message_id": f"{unit}{run['message_id']}"} for run in order
        ]
        split = number % 5
        stored.save(*messages[:split])
        stored.save(*messages[split:])
    states = rows(stored, "SELECT * FROM unit_state")
    assert len(states) == 24
    for state in states:
        assert (state["first_outcome"], state["last_outcome"], state["runs"]) == (1, 2, 4)
        assert state["last_started_us"] - state["first_started_us"] == 180_000_000


def test_attempts_count_up_per_unit_and_procedure(stored: Stored) -> None:
    committed = stored.save(
        run_message("A"), run_message("A", minutes=1), run_message("A", procedure="ICT")
    )
    assert [run.attempt for run in committed.saved.runs] == [1, 2, 1]
    assert stored.save(run_message("A", minutes=-5)).saved.runs[0].attempt == 3


# -- names -----------------------------------------------------------------------------------------


def test_a_full_name_cache_starts_anew(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_NAMES_MAX", 6)
    for number in range(8):
        steps = [{**OK_STEP, "test_step": f"s{number}"}]
        assert summary(stored.save(run_message(f"U{number}", steps=steps))) == (1, 0, 0)
    assert one(stored, "SELECT count(*) FROM name WHERE text LIKE 's%'") == 8


def test_new_names_cost_one_commit_not_one_each(sqlite_store_url: str) -> None:
    stored = Stored(sqlite_store_url)
    stored.writer.open()
    said: list[str] = []
    stored.writer._driver._connection.set_trace_callback(said.append)  # type: ignore[union-attr]
    stored.save(run_message("A", steps=[{**OK_STEP, "test_step": f"s{at}"} for at in range(50)]))
    learning = next(at for at, sql in enumerate(said) if sql.startswith("INSERT INTO name"))
    assert said[learning - 1].startswith("BEGIN")
    assert sum(sql == "COMMIT" for sql in said) == 2
    stored.close()


# -- the schema ------------------------------------------------------------------------------------


def test_a_health_line_is_one_a_process(stored: Stored) -> None:
    for facts in ("{}", '{"connected":true}'):
        stored.writer.report(facts, NOON)
    assert rows(stored, "SELECT service, facts FROM service") == [
        {"service": "yieldline-service-0", "facts": '{"connected":true}'}
    ]

"""The writer on both databases: once, whole, in any order, whatever the rows hold."""

import itertools
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from broker.envelopes import Outgoing
from broker.messages import RejectionCode
from broker.topics import UNASSIGNED_LINE
from service.store import names
from service.store.batches import Committed, Saved
from service.store.queries.health import books
from service.store.queries.machines import line_of
from service.store.queries.rejections import rejection_bytes
from service.store.queries.run_details import run_details
from tests.support.stored import (
    NOON,
    Stored,
    assert_books_balance,
    one,
    rows,
    run_message,
    second_writer,
    summary,
)

OK = {"test_step": "vcc", "measured_value": 5.0, "low": 4.75, "high": 5.25}
LONG_TEXT = "".join(chr(0x4E00 + at * 7 % 20_000) for at in range(1_024))  # does not compress


def codes(committed: Committed) -> list[RejectionCode]:
    return [each.refused.code for each in committed.saved.rejections]


# -- exactly once ----------------------------------------------------------------------------------


def many_messages() -> list[Any]:
    """Return 40 messages of 12 units over three hours and two procedures, some of them arrays."""
    runs: list[Any] = [
        run_message(
            f"U{number % 12}",
            procedure=("ICT", "FCT")[number % 5 == 0],
            minutes=number * 3.7,
            steps=[
                {**OK, "measured_value": 4.7 + (number * 7 % 10) / 10},
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


# -- rejections ------------------------------------------------------------------------------------


def test_a_rejection_that_comes_again_is_counted_not_stored_again(stored: Stored) -> None:
    first = stored.save(b"{", b"{", run_message("A"), b"not json")
    again = stored.save(b"{", at=NOON + timedelta(minutes=5))
    numbers = [each.rejection_id for each in first.saved.rejections]
    assert numbers[0] == numbers[1] != numbers[2]
    assert [each.rejection_id for each in again.saved.rejections] == [numbers[0]]
    repeats = {
        row["id"]: row["repeats"] for row in rows(stored, "SELECT id, repeats FROM rejection")
    }
    assert repeats == {numbers[0]: 2, numbers[2]: 0}
    (book,) = books(stored.database)
    assert (book["received"], book["stored"], book["rejected"]) == (5, 1, 4)


def test_books_balance_per_machine(stored: Stored) -> None:
    message, conflict = run_message("A"), {**run_message("A"), "barcode": "B"}
    sent: dict[str, list[Any]] = {
        "M1": [message, message, b"{", [run_message("C"), {}, run_message("A")]],
        "M2": [message, conflict, b"[]"],
        "M3": [b"\xff"],
    }
    for machine_id, messages in sent.items():
        stored.save(*messages, machine_id=machine_id)
        stored.save(*messages, machine_id=machine_id)
    found = {
        book["machine_id"]: (book["received"], book["stored"], book["rejected"], book["duplicates"])
        for book in books(stored.database)
    }
    assert found == {"M1": (12, 2, 4, 6), "M2": (6, 1, 4, 1), "M3": (2, 0, 2, 0)}
    assert_books_balance(stored)


def test_a_message_that_names_no_line_does_not_move_its_machine(stored: Stored) -> None:
    def line_after(*messages: Any, line: str) -> str | None:  # noqa: ANN401
        stored.save(*messages, line=line)
        return line_of(stored.database, "M1")

    assert line_after(run_message("A"), line=UNASSIGNED_LINE) == UNASSIGNED_LINE
    assert line_after(run_message("B"), line="L1") == "L1"
    assert line_after(run_message("B"), line=UNASSIGNED_LINE) == "L1"  # a duplicate
    assert line_after(run_message("C"), b"{", line=UNASSIGNED_LINE) == "L1"
    assert line_after(run_message("C"), line="L2") == "L2"


def test_thousands_of_refusals_take_seconds(stored: Stored) -> None:
    started = time.process_time()
    committed = stored.save(*(b"[" + b",".join([b"%d" % n] * 5_000) + b"]" for n in range(4)))
    assert summary(committed) == (0, 0, 20_000)
    assert time.process_time() - started < 10
    assert one(stored, "SELECT count(*) FROM rejection") == 20_000


# -- what cannot be stored -------------------------------------------------------------------------


def too_large(barcode: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return run_message(barcode, sequence={"epoch": "e", "seq": 2**63}, **fields)


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_a_number_beyond_64_bits_is_rejected_and_its_neighbours_are_stored(
    stored: Stored, count: int
) -> None:
    messages: list[Any] = [run_message(f"N{number}") for number in range(count)]
    messages.insert(count // 2, too_large("BAD"))
    committed = stored.save(*messages)
    assert (summary(committed), codes(committed)) == (
        (count, 0, 1),
        [RejectionCode.NOT_STORABLE],
    )
    (rejection,) = committed.saved.rejections
    assert "the database cannot hold this message" in rejection.refused.reason
    assert "Correct the value and send it again" in rejection.refused.reason
    assert rejection.refused.message_id == "BAD-FCT-0", "so that its sender gets a receipt"
    assert rejection_bytes(stored.database, rejection.rejection_id) == orjson.dumps(
        messages[count // 2]
    )
    assert one(stored, "SELECT count(*) FROM run") == count
    assert summary(stored.save(*messages)) == (0, count, 1)
    assert_books_balance(stored)


def test_in_an_array_only_what_cannot_be_stored_is_rejected(stored: Stored) -> None:
    elements = [run_message(f"N{number}") for number in range(300)]
    elements[17], elements[250] = too_large("BAD1"), too_large("BAD2")
    payload = orjson.dumps(elements)
    committed = stored.save(payload)
    assert summary(committed) == (298, 0, 2)
    assert [each.refused.element for each in committed.saved.rejections] == [17, 250]
    assert [orjson.loads(each.refused.payload) for each in committed.saved.rejections] == [
        elements[17],
        elements[250],
    ]
    assert one(stored, "SELECT count(*) FROM raw_message") < 25, "few copies of the whole array"
    assert one(stored, "SELECT count(DISTINCT element) FROM run") == 298


def test_a_batch_of_nothing_but_bad_ones_ends(stored: Stored) -> None:
    committed = stored.save(*(too_large(f"BAD{number}") for number in range(20)))
    assert summary(committed) == (0, 0, 20)
    assert summary(stored.save(run_message("A"))) == (1, 0, 0)


def test_an_integer_beyond_64_bits_in_attributes_is_kept(stored: Stored) -> None:
    huge = 2**200
    message = run_message("A", attributes={"serial": huge}, steps=[{**OK, "batch": -huge}])
    committed = stored.save(json.dumps(message).encode(), run_message("B"))
    assert summary(committed) == (2, 0, 0)
    assert one(stored, "SELECT attributes FROM run WHERE attributes IS NOT NULL") == (
        f'{{"serial":{huge}}}'
    )
    run_id = committed.saved.runs[0].run_id
    assert run_details(stored.database, run_id) is not None


@pytest.mark.parametrize("field", ["operator", "fixture", "program"])
def test_a_text_that_an_index_cannot_hold_is_no_outage(stored: Stored, field: str) -> None:
    committed = stored.save(run_message("A"), {**run_message("B"), field: LONG_TEXT})
    stored_count, _, rejected_count = summary(committed)
    if stored.database.is_sqlite:
        assert (stored_count, rejected_count) == (2, 0)
    else:
        assert (stored_count, rejected_count) == (1, 1)
        assert codes(committed) == [RejectionCode.NOT_STORABLE]
    assert_books_balance(stored)


@pytest.mark.parametrize("value", [5e-324, 6.9e-310, -1e-200, 1.7976931348623157e308, -1e308])
def test_values_at_the_ends_of_a_double_are_stored_and_rolled_up(
    stored: Stored, value: float
) -> None:
    for number, each in enumerate((value, 0.0, value / 2, 1.0, value)):
        step = {"test_step": "leak", "measured_value": each, "low": -1e300}
        committed = stored.save(run_message(f"U{number}", steps=[step]))
        assert summary(committed) == (1, 0, 0)
    found = sorted(row["number"] for row in rows(stored, "SELECT number FROM measurement"))
    assert found == sorted([value, 0.0, value / 2, 1.0, value])


# -- units -----------------------------------------------------------------------------------------


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
        steps = [{**OK, "test_step": f"s{number}"}]
        assert summary(stored.save(run_message(f"U{number}", steps=steps))) == (1, 0, 0)
    assert one(stored, "SELECT count(*) FROM name WHERE text LIKE 's%'") == 8


def test_new_names_cost_one_commit_not_one_each(sqlite_store_url: str) -> None:
    stored = Stored(sqlite_store_url)
    stored.writer.open()
    said: list[str] = []
    stored.writer._driver._connection.set_trace_callback(said.append)  # type: ignore[union-attr]
    stored.save(run_message("A", steps=[{**OK, "test_step": f"s{at}"} for at in range(50)]))
    learning = next(at for at, sql in enumerate(said) if sql.startswith("INSERT INTO name"))
    assert said[learning - 1].startswith("BEGIN")
    assert sum(sql == "COMMIT" for sql in said) == 2
    stored.close()


# -- the outbox ------------------------------------------------------------------------------------


def answer_each(saved: Saved) -> list[Outgoing]:
    runs = [Outgoing("t/result", run.judged.run.message_id.encode()) for run in saved.runs]
    return runs + [Outgoing("t/rejected", each.refused.payload) for each in saved.rejections]


def test_answers_stay_in_the_outbox_until_they_are_published(stored: Stored) -> None:
    stored.writer = second_writer(stored, answer_each)
    first, second = stored.save(run_message("A")), stored.save(run_message("B"), b"{")
    waiting = list(stored.writer.unpublished())
    assert [messages for _, messages in waiting] == [first.answers, second.answers]
    assert [messages[0].payload for _, messages in waiting] == [b"A-FCT-0", b"B-FCT-0"]
    stored.writer.published(first.outbox_ids)
    assert [messages for _, messages in stored.writer.unpublished()] == [second.answers]
    stored.writer.tidy()
    assert one(stored, "SELECT count(*) FROM outbox") == 1
    stored.writer.published(second.outbox_ids)
    stored.save(run_message("C"))
    assert one(stored, "SELECT count(*) FROM outbox") == 1, "the second went with the third"


def test_a_new_writer_of_the_same_number_finds_what_was_not_confirmed(stored: Stored) -> None:
    dying = second_writer(stored, answer_each)
    stored.writer = dying
    committed = stored.save(run_message("A"))
    dying._drop()  # as a killed process would: nothing tidied
    heir = second_writer(stored)
    assert heir.open() == 0
    ((outbox_id, messages),) = heir.unpublished()
    assert messages == committed.answers
    heir.published([outbox_id])
    heir.close()
    assert one(stored, "SELECT count(*) FROM outbox") == 0


def test_a_batch_stored_in_parts_leaves_nothing_in_the_outbox(stored: Stored) -> None:
    stored.writer = second_writer(stored, answer_each)
    committed = stored.save(*(run_message(f"U{number}") for number in range(9)), too_large("BAD"))
    assert len(committed.answers) == 10
    waiting = [each for _, messages in stored.writer.unpublished() for each in messages]
    assert Counter(waiting) == Counter(committed.answers)
    stored.writer.published(committed.outbox_ids)
    stored.writer.tidy()
    assert one(stored, "SELECT count(*) FROM outbox") == 0


def test_a_duplicate_leaves_nothing_in_the_outbox(stored: Stored) -> None:
    stored.writer = second_writer(stored, answer_each)
    stored.save(run_message("A"))
    again = stored.save(run_message("A"))
    assert (again.answers, again.outbox_ids) == ([], ())


# -- the schema ------------------------------------------------------------------------------------


def test_a_health_line_is_one_a_process(stored: Stored) -> None:
    for facts in ("{}", '{"connected":true}'):
        stored.writer.report(facts, NOON)
    assert rows(stored, "SELECT service, facts FROM service") == [
        {"service": "yieldline-service-0", "facts": '{"connected":true}'}
    ]

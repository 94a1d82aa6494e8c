"""What the writer cannot store, or only just: it is rejected once, its neighbours are stored."""

import json
import time
from datetime import timedelta
from typing import Any

import orjson
import pytest

from broker.messages import RejectionCode
from service.store.batches import Committed
from service.store.queries.health import books
from service.store.queries.rejections import rejection_bytes
from service.store.queries.run_details import run_details
from tests.support.stored import (
    NOON,
    OK_STEP,
    Stored,
    assert_books_balance,
    one,
    rows,
    run_message,
    summary,
    too_large,
)

LONG_TEXT = "".join(chr(0x4E00 + at * 7 % 20_000) for at in range(1_024))  # does not compress


def codes(committed: Committed) -> list[RejectionCode]:
    return [each.refused.code for each in committed.saved.rejections]


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


def test_thousands_of_refusals_take_seconds(stored: Stored) -> None:
    started = time.process_time()
    committed = stored.save(*(b"[" + b",".join([b"%d" % n] * 5_000) + b"]" for n in range(4)))
    assert summary(committed) == (0, 0, 20_000)
    assert time.process_time() - started < 10
    assert one(stored, "SELECT count(*) FROM rejection") == 20_000


# -- what cannot be stored -------------------------------------------------------------------------


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
    message = run_message("A", attributes={"serial": huge}, steps=[{**OK_STEP, "batch": -huge}])
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

"""What an answer of the service settles, and what it does not."""

import json

import pytest

from broker.topics import Channel
from edge_agent.receipts import answer_of, message_ids_of


def answer(channel: Channel, body: object) -> tuple[str, ...]:
    return answer_of(channel, json.dumps(body).encode()).settled_ids


def test_a_receipt_settles_the_ids_it_names() -> None:
    assert answer(Channel.RECEIPT, {"message_ids": ["a", "b"]}) == ("a", "b")


@pytest.mark.parametrize("body", [{}, [], "a", None, {"message_ids": "ab"}, {"message_ids": None}])
def test_what_is_no_receipt_settles_nothing(body: object) -> None:
    assert answer(Channel.RECEIPT, body) == ()


def test_what_is_no_json_settles_nothing() -> None:
    assert answer_of(Channel.RECEIPT, b"\xff{").settled_ids == ()
    assert answer(Channel.RECEIPT, {"message_ids": [1, "a", None]}) == ("a",)


def test_a_rejection_that_names_its_message_waits_for_the_receipt() -> None:
    body = {"message_id": "a", "payload_preview": '{"message_id":"a"', "reason": "bad"}
    found = answer_of(Channel.REJECTED, json.dumps(body).encode())
    assert found.settled_ids == ()
    assert found.rejection == body


def test_a_rejection_without_id_settles_what_its_preview_shows() -> None:
    preview = '{"message_id" : "a-1", "barcode": ""'
    assert answer(Channel.REJECTED, {"message_id": None, "payload_preview": preview}) == ("a-1",)
    assert answer(Channel.REJECTED, {"message_id": None, "payload_preview": "?"}) == ()


def test_a_message_waits_for_the_ids_of_its_elements() -> None:
    assert message_ids_of(b'{"message_id": "a"}') == ["a"]
    assert message_ids_of(b'[{"message_id": "a"}, {"message_id": "b"}]') == ["a", "b"]

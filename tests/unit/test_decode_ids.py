"""The ids of messages: the sender's own or the content, and what changes neither."""

import json
from typing import Any

import pytest

from broker.identity import content_hash, message_id_of
from tests.support.core import FLAT, FLAT_BYTES, refused, to_bytes, understood, with_value


@pytest.mark.parametrize(
    "payload",
    [
        to_bytes({**FLAT, "barcode": "", "message_id": "m1"}),
        with_value("NaN")[:-1] + b', "message_id": "m1"}',
        FLAT_BYTES[:-1] + b', "barcode": "twice", "message_id": "m1"}',
        with_value("1e999")[:-1] + b', "message_id": "m1"}',
        b'{"message_id": "m1", "measurements": []}',
    ],
)
def test_the_id_of_a_refused_message_is_read_where_it_can_be(payload: bytes) -> None:
    assert refused(payload).message_id == "m1"


@pytest.mark.parametrize("message_id", ["", "x" * 129, 7, None, "a\u0000b"])
def test_an_id_that_is_no_id_is_not_read(message_id: object) -> None:
    assert refused({"message_id": message_id}).message_id is None


def test_the_senders_id_is_kept_and_asks_for_a_receipt() -> None:
    run = understood({**FLAT, "message_id": "m1"})
    assert (run.message_id, run.wants_receipt) == ("m1", True)


def test_without_an_id_the_content_is_the_id() -> None:
    run = understood(FLAT)
    assert (run.message_id, run.wants_receipt) == (content_hash(FLAT).hex(), False)
    assert message_id_of(FLAT) == run.message_id
    assert len(run.content_hash) == 16


def test_the_order_of_keys_and_spaces_do_not_change_the_identity() -> None:
    turned = json.dumps(dict(reversed(FLAT.items())), indent=3).encode()
    assert understood(turned).content_hash == understood(FLAT).content_hash


@pytest.mark.parametrize(
    "transport",
    [
        {"message_id": "other"},
        {"machine_id": "MACH-01"},
        {"sequence": {"epoch": "8c1e", "seq": 2034}},
        {"source": {"file": "lot77.ict", "byte_start": 1, "byte_end": 2}},
    ],
)
def test_how_a_message_travelled_does_not_change_its_content(transport: dict[str, Any]) -> None:
    assert understood({**FLAT, **transport}).content_hash == understood(FLAT).content_hash


@pytest.mark.parametrize("change", [{"measured_value": 85.6}, {"operator": "7"}, {"x": None}])
def test_other_content_under_the_same_id_has_another_hash(change: dict[str, Any]) -> None:
    one = understood({**FLAT, "message_id": "m1"})
    other = understood({**FLAT, "message_id": "m1", **change})
    assert one.message_id == other.message_id
    assert one.content_hash != other.content_hash


def test_an_integer_beyond_64_bits_is_a_number_like_any_other() -> None:
    run = understood(with_value("1" + "0" * 25))
    assert run.measurements[0].measured_value == 1e25
    assert run.content_hash != understood(with_value("1" + "0" * 24)).content_hash

"""The message of a record: its id, its number, its bytes."""

import json
from typing import Any

import pytest

from broker.messages import RUN, Run
from edge_agent.formats.jsonl import runs_of
from edge_agent.formats.runs import BuiltRun
from edge_agent.payload import (
    Numbering,
    Payload,
    first_record_hash,
    line_payload,
    message_id,
    run_payload,
)

COUNT = Numbering("8c1e", 2033)
FLAT: dict[str, Any] = {
    "barcode": "S1",
    "product_id": "P",
    "test_step": "v",
    "measured_value": 1.50,
    "timestamp": "2026-11-23T10:00:00Z",
}


def forwarded(line: bytes) -> Payload:
    runs = runs_of(line.removeprefix(b"\xef\xbb\xbf").strip())
    return line_payload(line, runs, [f"own{index}" for index in range(len(runs))], COUNT)


def test_a_run_gets_its_id_and_the_next_number() -> None:
    run: Run = RUN.validate_python(
        {
            "barcode": "S1",
            "product_id": "P",
            "procedure": "ICT",
            "started_at": "2025-03-04T06:11:09",
            "measurements": [{"test_step": "a", "measured_value": None}],
        }
    )
    payload = run_payload(BuiltRun(run), "abc", COUNT)
    body = json.loads(payload.body)
    assert body["message_id"] == "abc"
    assert body["sequence"] == {"epoch": "8c1e", "seq": 2034}
    assert body["measurements"] == [{"test_step": "a", "measured_value": None}]
    assert payload.numbers_used == 1
    assert RUN.validate_json(payload.body).barcode == "S1"


def test_a_line_with_its_own_id_is_sent_as_it_stands() -> None:
    line = b'  {"message_id" : "m1",' + json.dumps(FLAT).encode()[1:]
    payload = forwarded(line + b"\r\n")
    assert payload == Payload(line.strip(), ("m1",), 0)


def test_a_line_without_id_keeps_its_bytes_behind_one() -> None:
    line = b'{ "measured_value": 1.50, ' + json.dumps(FLAT).encode()[1:].replace(
        b'"measured_value": 1.5, ', b""
    )
    payload = forwarded(b"\xef\xbb\xbf" + line)
    head = b'{"message_id":"own0","sequence":{"epoch":"8c1e","seq":2034},'
    assert payload == Payload(head + line[1:], ("own0",), 1)
    assert json.loads(payload.body)["barcode"] == "S1"


@pytest.mark.parametrize("field", ["message_id", "sequence"])
def test_an_explicit_null_does_not_become_a_key_twice(field: str) -> None:
    payload = forwarded(json.dumps({field: None, **FLAT}).encode())
    body = json.loads(payload.body, object_pairs_hook=lambda pairs: pairs)
    names = [name for name, _ in body]
    assert len(names) == len(set(names))
    assert payload.message_ids == ("own0",)
    assert dict(body)["message_id"] == "own0"


def test_of_an_array_each_element_without_id_gets_one() -> None:
    payload = forwarded(json.dumps([FLAT, {**FLAT, "message_id": "m7"}, FLAT]).encode())
    elements = json.loads(payload.body)
    assert [each["message_id"] for each in elements] == ["own0", "m7", "own2"]
    assert [each.get("sequence", {}).get("seq") for each in elements] == [2034, None, 2035]
    assert payload.message_ids == ("own0", "m7", "own2")
    assert payload.numbers_used == 2


def test_an_array_whose_elements_have_ids_is_sent_as_it_stands() -> None:
    line = json.dumps([{**FLAT, "message_id": "a"}, {**FLAT, "message_id": "b"}]).encode()
    assert forwarded(line) == Payload(line, ("a", "b"), 0)


def test_an_id_depends_on_file_place_bytes_and_element_but_not_on_the_line_end() -> None:
    head = first_record_hash(b"first\n")
    same = message_id(head, 10, b"raw\r\n")
    assert same == message_id(first_record_hash(b"first"), 10, b"raw")
    others = [
        message_id(first_record_hash(b"other"), 10, b"raw"),
        message_id(head, 11, b"raw"),
        message_id(head, 10, b"row"),
        message_id(head, 10, b"raw", 1),
    ]
    assert len({same, *others}) == 5
    assert len(same) == 40

"""The bytes of a message on the unit page: which are shown, and which are marked."""

import json

import pytest

from ui.message_view import WHOLE_BYTES_MAX, excerpt


def message(steps: int, barcode: str = "A") -> bytes:
    measurements = [{"test_step": f"s{i % 5}", "measured_value": float(i)} for i in range(steps)]
    return json.dumps({"barcode": barcode, "measurements": measurements}).encode()


def test_a_message_is_shown_byte_for_byte_with_offsets() -> None:
    payload = message(9)
    part = excerpt(payload, "A", "s3", 0)
    assert part.is_whole
    assert "".join(line.text for line in part.lines).encode() == payload
    assert [payload[line.offset : line.offset + 4] for line in part.lines] == [
        line.text[:4].encode() for line in part.lines
    ]


def test_the_value_in_question_is_marked_also_where_its_name_repeats() -> None:
    part = excerpt(message(9), "A", "s3", 1)
    assert ['"measured_value": 8.0' in line.text for line in part.lines if line.marked] == [True]


def test_in_an_array_the_value_of_the_right_unit_is_marked() -> None:
    payload = b"[" + message(5, "A") + b"," + message(5, "B") + b"]"
    marked = [line for line in excerpt(payload, "B", "s3").lines if line.marked]
    assert len(marked) == 1
    assert marked[0].offset > len(payload) / 2


def test_of_a_long_message_only_what_stands_around_the_value_is_shown() -> None:
    payload = message(5000)
    assert len(payload) > WHOLE_BYTES_MAX
    part = excerpt(payload, "A", "s4", 500)
    assert not part.is_whole
    assert part.size_bytes == len(payload)
    assert sum(line.marked for line in part.lines) == 1
    assert part.lines[0].offset > 1000
    assert sum(len(line.text) for line in part.lines) < 10_000


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff\xfe", b'"test_step": "s3"', b"[" * 9])
def test_no_bytes_are_too_strange_to_show(payload: bytes) -> None:
    assert excerpt(payload, "A", "s3").size_bytes == len(payload)
    assert excerpt(payload, "A", None).size_bytes == len(payload)

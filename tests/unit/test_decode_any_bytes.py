"""Decoding whatever the bytes: it never raises, takes linear time and room, and keeps nothing."""

import json
import tracemalloc
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.payload import split_array
from tests.support.core import FLAT, FLAT_BYTES, RUN, judge_content, refused, to_bytes, with_extra
from tests.support.laws import check_decoding

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
FIELDS = st.sampled_from([*FLAT, *RUN, "message_id", "sequence", "source", "low", "nominal"])


@settings(deadline=None)
@given(st.binary())
def test_decoding_never_raises_whatever_the_bytes(payload: bytes) -> None:
    check_decoding(payload)
    check_decoding(b"[" + payload + b"," + FLAT_BYTES + b"]")


@settings(deadline=None)
@given(st.text())
def test_decoding_never_raises_whatever_the_topic(topic: str) -> None:
    check_decoding(FLAT_BYTES, topic)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_decoding_never_raises_whatever_the_json(content: object) -> None:
    check_decoding(json.dumps(content).encode())


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(FIELDS, JSON), st.sampled_from([FLAT, RUN]))
def test_decoding_never_raises_whatever_the_fields(
    fields: dict[str, Any], base: dict[str, Any]
) -> None:
    check_decoding(json.dumps({**base, **fields}).encode())


@settings(deadline=None)
@given(st.binary(max_size=40), st.integers(0, 200), st.integers(0, 200))
def test_decoding_never_raises_on_damaged_messages(noise: bytes, start: int, length: int) -> None:
    payload = to_bytes([FLAT, RUN])
    check_decoding(payload[:start] + noise + payload[start + length :])


@settings(deadline=None)
@given(st.lists(JSON, min_size=1))
def test_an_array_is_cut_where_its_elements_end(elements: list[Any]) -> None:
    text = json.dumps(elements, allow_nan=True)
    pieces = split_array(text.encode())
    assert pieces is not None
    assert [repr(json.loads(each)) for each in pieces] == [repr(each) for each in json.loads(text)]


def test_brackets_without_end_take_linear_time() -> None:
    payload = b'["' + b'\\"' * 500_000
    assert refused(payload).code == "not_json"


def test_a_long_name_above_many_values_takes_linear_room() -> None:
    payload = with_extra('{"' + "k" * 400_000 + '": [' + "1," * 250_000 + '"a\\u0000"]}')
    reason = refused(payload).reason
    assert "holds U+0000" in reason
    assert len(reason) < 200


def test_no_memory_keeps_what_is_longer_than_any_good_topic_or_pattern() -> None:
    tracemalloc.start()
    try:
        for number in range(100):
            text = f"{number}" * 20_000
            assert refused(FLAT, f"factory/v1/{text}/M1/test").code == "bad_topic"
            pattern = {"measured_value": "x", "comparator": "REGEX", "nominal": text}
            assert judge_content(FLAT | pattern).outcome == "ERROR"
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 500_000

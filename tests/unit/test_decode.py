import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.identity import content_hash, message_id_of
from broker.messages import RejectionCode
from service.core.decode import decode
from service.core.payload import split_array
from service.core.records import DecodedRun, Refused
from tests.support.core import (
    FLAT,
    NOW,
    RUN,
    SETTINGS,
    TOPIC,
    decode_all,
    judge_content,
    refused,
    run_with,
    to_bytes,
    understood,
)
from tests.support.laws import check_decoding

DEEP = b"[" * 100_000 + b"]" * 100_000
FLAT_BYTES = json.dumps(FLAT).encode()


def with_value(text: str) -> bytes:
    return FLAT_BYTES.replace(b"85.5", text.encode())


def with_extra(text: str) -> bytes:
    return FLAT_BYTES[:-1] + b', "humidity": ' + text.encode() + b"}"


def test_a_flat_measurement_becomes_a_run_of_one() -> None:
    run = understood({**FLAT, "machine_id": "MACH-01"})
    assert (run.machine_id, run.line, run.procedure) == ("MACH-01", "line-1", "voltage_test")
    assert [each.measured_value for each in run.measurements] == [85.5]
    assert run.started_at == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert (run.ended_at, run.element, run.clock_suspect) == (None, None, False)


def test_a_flat_measurement_keeps_the_procedure_it_names() -> None:
    assert understood({**FLAT, "procedure": "EOL"}).procedure == "EOL"


def test_a_message_with_measurements_is_a_run() -> None:
    run = understood({**RUN, "ended_at": "2026-11-23T11:00:10+01:00"})
    assert run.procedure == "ICT"
    assert run.ended_at == datetime(2026, 11, 23, 10, 0, 10, tzinfo=UTC)


def test_unknown_fields_are_kept() -> None:
    assert understood({**FLAT, "humidity": 41}).message.model_extra == {"humidity": 41}


@pytest.mark.parametrize(
    ("payload", "code", "words"),
    [
        (b"", "not_json", "empty"),
        (b"{not json", "not_json", "not JSON"),
        (b"   ", "not_json", "not JSON"),
        (b"\xef\xbb\xbf" + FLAT_BYTES, "not_json", "BOM"),
        (with_value("NaN"), "not_json", "NaN"),
        (with_value("-Infinity"), "not_json", "Infinity"),
        (with_value("1" * 5_000), "not_json", "number out of range"),
        (with_value('"\\ud800"'), "not_json", "not JSON"),
        (FLAT_BYTES[:-1] + b', "barcode": "again"}', "not_json", "twice"),
        (DEEP, "not_json", "200 levels"),
        (with_extra("[" * 300 + "]" * 300), "not_json", "200 levels"),
        (b"[oops, what, ever]", "not_json", "not JSON"),
        (b"[" + FLAT_BYTES + b"] and more", "not_json", "trailing"),
        (b"\xff\xfe", "not_utf8", "UTF-16"),
        (FLAT_BYTES.decode().encode("utf-16-le"), "not_utf8", "UTF-16"),
        (FLAT_BYTES.decode().encode("utf-16"), "not_utf8", "UTF-16"),
        (FLAT_BYTES.replace(b"SN-", b"SN\xe9"), "not_utf8", "0xe9"),
        (b"7", "schema", "a number, not an object"),
        (b"null", "schema", "null, not an object"),
        (b"[]", "schema", "empty"),
        (b"[[]]", "schema", "element 0: it is a list"),
        (with_value("1e999"), "schema", "measured_value does not fit a double"),
        (with_value("-1E+0999"), "schema", "measured_value does not fit a double"),
        (with_value("\n-1.5e309"), "schema", "measured_value does not fit a double"),
        (with_extra("[1e308,1e309]"), "schema", "humidity[1] does not fit a double"),
        (b"[1e999]", "schema", "element 0: it is a number, not an object"),
        (with_value("1" * 400), "schema", "measured_value does not fit a double"),
        (with_value("1" * 400 + ".5"), "schema", "measured_value does not fit a double"),
        (with_extra('[1, {"x": 1e999}]'), "schema", "humidity[1].x does not fit a double"),
        (with_extra("9" * 400), "schema", "humidity does not fit a double"),
        (with_extra('"a\\u0000b"'), "schema", "humidity holds U+0000"),
        (with_extra('{"a":' * 198 + '"\\u0000"' + "}" * 198), "schema", "holds U+0000"),
        (FLAT_BYTES[:-1] + b', "a\\u0000": 1}', "schema", "the name 'a\\x00' holds U+0000"),
        (FLAT_BYTES.replace(b"SN-1001", b"a\\u0000b"), "schema", "barcode holds U+0000"),
        (b'{"barcode": "x"}', "schema", "is missing"),
        (to_bytes({**FLAT, "barcode": ""}), "schema", "barcode is empty"),
        (to_bytes({**FLAT, "barcode": "x" * 129}), "schema", "more than 128 characters"),
        (to_bytes({**FLAT, "barcode": "a\tb"}), "schema", "holds a control character"),
        (to_bytes({**FLAT, "barcode": 7}), "schema", "barcode is a number"),
        (to_bytes({**FLAT, "machine_id": "a/b"}), "schema", "machine_id 'a/b' is not made of"),
        (to_bytes({**FLAT, "measured_value": [1]}), "schema", "measured_value is a list, not a"),
        (to_bytes({**FLAT, "comparator": "GEL"}), "schema", "comparator is 'GEL', not 'EQ'"),
        (to_bytes({**FLAT, "low": "80"}), "schema", "low is text"),
        (to_bytes({**FLAT, "low": True}), "schema", "low is a boolean"),
        (to_bytes({**FLAT, "timestamp": "23.11.2026"}), "schema", "ISO 8601"),
        (to_bytes({**FLAT, "timestamp": "2026-02-30T10:00:00Z"}), "schema", "ISO 8601"),
        (to_bytes({**FLAT, "timestamp": "0001-01-01T00:00:00+14:00"}), "schema", "years 1 to"),
        (to_bytes({**RUN, "measurements": []}), "schema", "measurements is empty"),
        (to_bytes(run_with(*[{}] * 5_001)), "schema", "more than 5000 elements"),
        (to_bytes(run_with({}, {"unit": 5})), "schema", "measurements[1].unit is a number"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_a_reason(
    payload: bytes, code: str, words: str
) -> None:
    one = refused(payload)
    assert one.code == code
    assert words in one.reason
    assert one.payload == payload or one.element == 0
    assert one.machine_id == "MACH-01"


def test_a_reason_names_the_first_fields_and_counts_the_others() -> None:
    reason = refused({"barcode": "x"}).reason
    assert reason.count("is missing") == 3
    assert "and 1 more" in reason


def test_a_reason_stays_short_whatever_the_text() -> None:
    one = refused({**FLAT, "reported_outcome": "x" * 100_000, "comparator": "y" * 100_000})
    assert len(one.reason) < 600


def test_a_message_above_the_size_limit_is_too_large() -> None:
    small = SETTINGS._replace(payload_bytes_max=100)
    (one,) = decode(TOPIC, to_bytes({**FLAT, "message_id": "m1"}), small, NOW)
    assert isinstance(one, Refused)
    assert one.code is RejectionCode.TOO_LARGE
    assert one.message_id == "m1"
    assert "payload_bytes_max" in one.reason


def test_a_message_as_large_as_the_limit_is_taken() -> None:
    payload = to_bytes(FLAT)
    exact = SETTINGS._replace(payload_bytes_max=len(payload))
    assert isinstance(decode(TOPIC, payload, exact, NOW)[0], DecodedRun)


@pytest.mark.parametrize(
    "topic",
    [
        "factory/v1/line-1/test",
        "factory/v1/line-1/MACH-01/result",
        "factory/v1/line-1/MACH+1/test",
        "factory/v1/line-1/MACH#/test",
        "factory/v1/line 1/MACH-01/test",
        "factory/v1/line-1/$SYS/test",
        "factory/v1/line-1/a\x01b/test",
        f"factory/v1/line-1/{'m' * 300}/test",
        "",
    ],
)
def test_a_topic_that_is_no_machines_test_topic_is_a_bad_topic(topic: str) -> None:
    one = refused(FLAT, topic)
    assert (one.code, one.machine_id) == (RejectionCode.BAD_TOPIC, None)


@settings(deadline=None)
@given(
    prefix=st.sampled_from(["", "M", "machine."]),
    bad=st.sampled_from([*"+#/$ ", "\x00", "\x1f", "\x7f", "é", "x" * 300]),
    suffix=st.sampled_from(["", "1"]),
)
def test_ids_that_may_not_stand_in_a_topic_are_refused(prefix: str, bad: str, suffix: str) -> None:
    machine_id = prefix + bad + suffix
    assert refused(FLAT, f"factory/v1/line-1/{machine_id}/test").code == "bad_topic"
    assert refused({**FLAT, "machine_id": machine_id}).code == "schema"


def test_a_topic_against_the_payload_names_both_machines() -> None:
    one = refused({**FLAT, "machine_id": "OTHER", "message_id": "m1"})
    assert one.code is RejectionCode.MACHINE_MISMATCH
    assert "'MACH-01'" in one.reason
    assert "'OTHER'" in one.reason
    assert one.message_id == "m1"


# -- message ids ---------------------------------------------------------------------------------


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


# -- times ---------------------------------------------------------------------------------------


def test_a_time_without_offset_is_in_the_machines_zone() -> None:
    berlin = SETTINGS._replace(zone_of=lambda _: ZoneInfo("Europe/Berlin"))
    naive = {**FLAT, "timestamp": "2026-11-23T10:00:00"}
    assert understood(naive, berlin).started_at == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert understood(naive).started_at == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert understood(FLAT, berlin).started_at == datetime(2026, 11, 23, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age", "source", "is_suspect"),
    [
        (timedelta(minutes=-5), False, False),
        (timedelta(minutes=-5, microseconds=-1), False, True),
        (timedelta(minutes=-6), True, True),
        (timedelta(days=30), False, False),
        (timedelta(days=30, microseconds=1), False, True),
        (timedelta(days=4_000), True, False),
    ],
)
def test_a_clock_far_from_ours_is_suspect_unless_a_log_file_explains_it(
    age: timedelta, *, source: bool, is_suspect: bool
) -> None:
    content = {**FLAT, "timestamp": (NOW - age).isoformat()}
    if source:
        content["source"] = {"file": "old.log"}
    assert understood(content).clock_suspect is is_suspect


# -- arrays --------------------------------------------------------------------------------------


def test_in_an_array_each_element_is_judged_alone() -> None:
    found = decode_all([FLAT, {"message_id": "m1"}, RUN, 7])
    assert [type(each) for each in found] == [DecodedRun, Refused, DecodedRun, Refused]
    assert [each.element for each in found] == [0, 1, 2, 3]
    assert found[1].message_id == "m1"
    assert found[1].reason.startswith("element 1: ")
    assert orjson.loads(found[1].payload) == {"message_id": "m1"}
    assert found[3].payload == b"7"


def test_an_array_may_hold_5000_elements_and_no_more() -> None:
    assert len(decode_all([FLAT] * 5_000)) == 5_000
    one = refused([FLAT] * 5_001)
    assert (one.code, one.element) == (RejectionCode.SCHEMA, None)
    assert "5,001" in one.reason


BAD_ELEMENTS = {
    "not JSON": b"{not json}",
    "NaN": with_value("NaN"),
    "1e999": with_value("1e999"),
    "5,000 digits": with_value("1" * 5_000),
    "depth 100k": DEEP,
    "double keys": FLAT_BYTES[:-1] + b', "barcode": "again"}',
    "lone surrogate": with_value('"\\udc00"'),
    "BOM": b"\xef\xbb\xbf" + FLAT_BYTES,
    "UTF-16": FLAT_BYTES.decode().encode("utf-16"),
    "not UTF-8": FLAT_BYTES.replace(b"SN-", b"\xff\xfe"),
    "U+0000": with_value('"a\\u0000"'),
    "brackets in a text": with_value('"]},{\\"["').replace(b"SN-1001", b""),
}


@pytest.mark.parametrize("bad", BAD_ELEMENTS.values(), ids=BAD_ELEMENTS.keys())
@pytest.mark.parametrize("place", [0, 50, 99])
def test_one_bad_element_does_not_stop_its_99_neighbours(bad: str, place: int) -> None:
    neighbours = [to_bytes({**FLAT, "barcode": f"SN-{number}"}) for number in range(99)]
    neighbours.insert(place, bad)
    found = decode_all(b"[" + b",\n".join(neighbours) + b"]")
    assert [each.element for each in found if isinstance(each, Refused)] == [place]
    assert found[place].payload == bad
    assert len([each for each in found if isinstance(each, DecodedRun)]) == 99


def test_an_array_cut_on_its_way_keeps_what_arrived_whole() -> None:
    found = decode_all(b"[" + FLAT_BYTES + b", " + FLAT_BYTES[:-20])
    assert isinstance(found[0], DecodedRun)
    assert found[1].payload == FLAT_BYTES[:-20]


# -- whatever the bytes --------------------------------------------------------------------------

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

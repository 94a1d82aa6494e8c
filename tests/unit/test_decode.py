"""Messages decoded: what is understood, what is refused and why, and whose time it is."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.messages import RejectionCode
from service.core.decode import decode
from service.core.records import DecodedRun, Refused
from tests.support.core import (
    DEEP,
    FLAT,
    FLAT_BYTES,
    NOW,
    RUN,
    SETTINGS,
    TOPIC,
    refused,
    run_with,
    to_bytes,
    understood,
    with_extra,
    with_value,
)


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

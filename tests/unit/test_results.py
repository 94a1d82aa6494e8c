import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.answers import Receipt, Rejection, Result
from broker.messages import Comparator
from service.core.judge import judge
from service.core.lookup import NO_RULES
from service.core.records import JudgedRun
from service.core.results import (
    encode_receipt,
    encode_rejection,
    encode_result,
    encode_stored,
)
from service.core.rules import Rule
from tests.support.core import FLAT, NOW, judge_content, refused, run_with, understood

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
PASSED: dict[str, Any] = {"low": 0.0, "high": 2.0}
FAILED: dict[str, Any] = {"low": 0.0, "high": 0.5}


def encode(judged: JudgedRun, **options: int) -> bytes:
    return encode_result(judged, run_id=7, attempt=2, received_at=NOW, **options)


def listed(judged: JudgedRun) -> tuple[list[str], bool]:
    result = Result.model_validate_json(encode(judged))
    return [each.test_step for each in result.measurements], result.measurements_complete


def test_a_result_says_what_was_judged_and_by_which_rule() -> None:
    rule = Rule("voltage", Comparator.GE, test_step="voltage_test", low=80.0, unit="V")
    judged = judge_content({**FLAT, "measured_value": 75, "message_id": "m1"}, [rule])
    assert json.loads(encode(judged)) == {
        "message_id": "m1",
        "run_id": 7,
        "barcode": "SN-1001",
        "machine_id": "MACH-01",
        "line": "line-1",
        "product_id": "PROD-A",
        "procedure": "voltage_test",
        "outcome": "FAIL",
        "reported_outcome": None,
        "agrees": None,
        "timestamp": "2026-11-23T10:00:00Z",
        "received_at": "2026-11-23T10:00:01Z",
        "attempt": 2,
        "first_failure": "voltage_test",
        "rulebook_version": 3,
        "clock_suspect": False,
        "counts": {"PASS": 0, "FAIL": 1, "ERROR": 0, "UNJUDGED": 0},
        "measurements": [
            {
                "test_step": "voltage_test",
                "measured_value": 75,
                "unit": None,
                "outcome": "FAIL",
                "comparator": "GE",
                "low": 80,
                "high": None,
                "rule_id": "voltage",
                "reason": "75 V is below 80 V",
                "reported_outcome": None,
                "marginal": False,
            }
        ],
        "measurements_complete": True,
    }


def test_times_are_utc_with_z_and_microseconds_where_there_are_some() -> None:
    judged = judge_content({**FLAT, "timestamp": "2026-11-23T11:30:00.5+01:30"})
    result = json.loads(encode(judged))
    assert result["timestamp"] == "2026-11-23T10:00:00.500000Z"


def test_up_to_50_measurements_are_all_listed() -> None:
    steps, is_complete = listed(judge_content(run_with(*[PASSED] * 50)))
    assert (len(steps), is_complete) == (50, True)


def test_of_more_than_50_only_those_that_are_not_pass_are_listed() -> None:
    judged = judge_content(run_with(*[PASSED] * 40, FAILED, *[PASSED] * 9, {}))
    assert listed(judged) == (["s41", "s51"], False)


def test_of_51_that_did_not_pass_all_are_listed() -> None:
    steps, is_complete = listed(judge_content(run_with(*[FAILED] * 51)))
    assert (len(steps), is_complete) == (51, False)


def test_at_most_200_measurements_are_listed_in_order() -> None:
    steps, is_complete = listed(judge_content(run_with(*[FAILED] * 300)))
    assert (steps, is_complete) == ([f"s{number}" for number in range(1, 201)], False)


@pytest.mark.parametrize("count", [1, 3, 60])
def test_a_result_that_would_not_fit_a_packet_lists_fewer(count: int) -> None:
    long = {"measured_value": "x" * 10_000, "comparator": "EQ", "nominal": "y"}
    judged = judge_content(run_with({"low": 2.0}, *[long] * count))
    encoded = encode(judged, bytes_max=25_000)
    assert len(encoded) <= 25_000
    result = Result.model_validate_json(encoded)
    assert result.measurements_complete is (count == 1)
    assert len(result.measurements) == (2 if count == 1 else 3)
    assert result.measurements[0].test_step == "s1"
    assert result.counts.model_dump()["FAIL"] == count + 1


def test_a_stored_result_that_would_not_fit_a_packet_lists_fewer() -> None:
    stored = json.loads(encode(judge_content({**FLAT, "measured_value": "é" * 5_000})))
    assert json.loads(encode_stored(stored)) == stored
    shorter = Result.model_validate_json(encode_stored(stored, bytes_max=4_000))
    assert not shorter.measurements
    assert not shorter.measurements_complete
    assert stored["measurements"], "the caller's result is not changed"


def test_a_single_text_as_large_as_a_packet_is_left_out() -> None:
    judged = judge_content({**FLAT, "measured_value": "é" * 5_000})
    result = Result.model_validate_json(encode(judged, bytes_max=4_000))
    assert not result.measurements
    assert not result.measurements_complete


@settings(deadline=None)
@given(
    measurements=st.lists(
        st.fixed_dictionaries(
            {"measured_value": st.none() | st.booleans() | TEXTS | st.floats(-1e9, 1e9)},
            optional={
                "low": st.floats(-1e9, 1e9),
                "high": st.floats(-1e9, 1e9),
                "unit": st.sampled_from(["V", "mV", "A", "x"]),
                "limit_unit": st.sampled_from(["V", "kV"]),
                "comparator": st.sampled_from(list(Comparator)),
                "nominal": st.booleans() | TEXTS | st.floats(-9, 9) | st.lists(TEXTS),
                "tolerance": st.floats(0, 9),
                "reported_outcome": st.sampled_from(["PASS", "FAIL", "ERROR", "ABORTED"]),
            },
        ),
        min_size=1,
        max_size=8,
    ),
    reported=st.sampled_from([None, "PASS", "FAIL", "ERROR", "ABORTED"]),
)
def test_every_result_is_as_the_contract_describes_it(
    measurements: list[dict[str, Any]], reported: str | None
) -> None:
    run = understood(run_with(*measurements, reported_outcome=reported))
    result = Result.model_validate_json(encode(judge(run, NO_RULES)))
    assert sum(result.counts.model_dump().values()) == len(measurements)
    assert result.received_at - result.timestamp == timedelta(minutes=1, seconds=1)


# -- rejections and receipts ---------------------------------------------------------------------


def test_a_rejection_carries_the_reason_and_a_preview() -> None:
    payload = b'{"message_id": "m1",\n "barcode": "\xc3\xa9\x07"}'.replace(b"\x07", b"\\u0007")
    encoded = encode_rejection(refused(payload), rejection_id=1042, received_at=NOW)
    rejection = Rejection.model_validate_json(encoded)
    assert (rejection.rejection_id, rejection.message_id, rejection.code) == (1042, "m1", "schema")
    assert (rejection.topic, rejection.machine_id) == (
        "factory/v1/line-1/MACH-01/test",
        "MACH-01",
    )
    assert rejection.payload_size == len(payload)
    assert rejection.payload_preview == '{"message_id": "m1",  "barcode": "é\\u0007"}'


@settings(deadline=None)
@given(st.binary(max_size=3_000))
def test_a_preview_is_readable_and_short_whatever_the_bytes(payload: bytes) -> None:
    one = refused(b"\xff" + payload)
    encoded = encode_rejection(one, rejection_id=1, received_at=NOW)
    shown = Rejection.model_validate_json(encoded).payload_preview
    assert len(shown) <= 200
    assert shown.isprintable()


def test_a_receipt_names_the_messages() -> None:
    receipt = Receipt.model_validate_json(encode_receipt(["a", "b"], NOW))
    assert (receipt.message_ids, receipt.received_at) == (("a", "b"), NOW)

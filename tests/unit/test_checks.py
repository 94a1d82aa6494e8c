"""A check: what is understood, and where its answer goes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.messages import Check
from broker.topics import Topic, TopicTemplate
from service.core.checks import CHECK_BYTES_MAX, BadCheck, read_check, verdict_topic

TEMPLATE = TopicTemplate("factory/v1/{line}/{machine_id}/{channel}")
CHECK_TOPIC = "factory/v1/L1/FCT-12/check"
GOOD = {"request_id": "r1", "barcode": "SN-1", "product_id": "PCB-7", "procedure": "FCT"}


def read(**changes: Any) -> Check | BadCheck:  # noqa: ANN401 - any JSON
    body = {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}
    topic = TEMPLATE.parse(CHECK_TOPIC)
    assert topic
    return read_check(json.dumps(body).encode(), topic)


def test_a_check_with_its_machine_and_more_is_understood() -> None:
    found = read(machine_id="FCT-12", operator="0417")
    assert isinstance(found, Check)
    assert (found.request_id, found.procedure) == ("r1", "FCT")


@pytest.mark.parametrize(
    ("changes", "request_id", "reason"),
    [
        ({"barcode": ...}, "r1", "barcode is missing. Correct it and send it again."),
        (
            {"procedure": "", "product_id": 7},
            "r1",
            "product_id is a number: input should be a valid string; procedure is empty. Correct",
        ),
        ({"request_id": ...}, None, "request_id is missing. Correct it and send it again."),
        ({"request_id": "x" * 129}, None, "request_id has more than 128 characters."),
        (
            {"machine_id": "FCT-13"},
            "r1",
            "the topic says machine FCT-12, the check 'FCT-13'. Correct one of them, or leave",
        ),
        ({"machine_id": 12}, "r1", "the topic says machine FCT-12, the check '12'."),
        ({"barcode": "x" * CHECK_BYTES_MAX}, None, "a check of 16"),
    ],
)
def test_what_is_wrong_with_a_check_is_said(
    changes: dict[str, Any], request_id: str | None, reason: str
) -> None:
    found = read(**changes)
    assert isinstance(found, BadCheck)
    assert found.request_id == request_id
    assert found.reason.startswith(reason)


@given(payload=st.binary(max_size=300) | st.just(b"[" * 5_000) | st.just(b'{"request_id": NaN}'))
def test_reading_a_check_never_raises(payload: bytes) -> None:
    found = read_check(payload, Topic("FCT-12", TEMPLATE.parse(CHECK_TOPIC).channel))  # type: ignore[union-attr]
    assert isinstance(found, BadCheck)
    assert found.reason


@pytest.mark.parametrize(
    ("wanted", "topic"),
    [
        (None, "factory/v1/L1/FCT-12/verdict"),
        ("replies/fct-12", "replies/fct-12"),
        ("factory/v1/L2/FCT-12/verdict", "factory/v1/L2/FCT-12/verdict"),
        ("factory/v1/L1/FCT-13/verdict", "factory/v1/L1/FCT-12/verdict"),
        ("factory/v1/L1/FCT-12/test", "factory/v1/L1/FCT-12/verdict"),
        ("factory/v1/L1/FCT-12/alert", "factory/v1/L1/FCT-12/verdict"),
        ("replies/+", "factory/v1/L1/FCT-12/verdict"),
        ("replies/#", "factory/v1/L1/FCT-12/verdict"),
        ("$SYS/broker", "factory/v1/L1/FCT-12/verdict"),
        ("", "factory/v1/L1/FCT-12/verdict"),
        ("x" * 1_025, "factory/v1/L1/FCT-12/verdict"),
    ],
)
def test_a_response_topic_is_believed_unless_it_is_somebody_elses(
    wanted: str | None, topic: str
) -> None:
    assert verdict_topic(TEMPLATE, CHECK_TOPIC, "FCT-12", wanted) == topic

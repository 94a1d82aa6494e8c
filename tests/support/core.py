"""Short ways into the pure core for tests: decode, judge and encode with fixed settings."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from broker.topics import TopicTemplate
from service.core.decode import DecodeSettings, decode
from service.core.judge import judge
from service.core.lookup import Rulebook
from service.core.records import DecodedRun, JudgedRun, Refused
from service.core.rules import Rule

NOW = datetime(2026, 11, 23, 10, 0, 1, tzinfo=UTC)
TOPIC = "factory/v1/line-1/MACH-01/test"
SETTINGS = DecodeSettings(
    TopicTemplate("factory/v1/{line}/{machine_id}/{channel}"), 1_048_576, lambda _: UTC
)
FLAT: dict[str, Any] = {
    "barcode": "SN-1001",
    "product_id": "PROD-A",
    "test_step": "voltage_test",
    "measured_value": 85.5,
    "timestamp": "2026-11-23T10:00:00Z",
}
FLAT_BYTES = json.dumps(FLAT).encode()
RUN: dict[str, Any] = {
    "barcode": "B1",
    "product_id": "PCB-7",
    "procedure": "ICT",
    "started_at": "2026-11-23T09:59:00Z",
    "measurements": [{"test_step": "r1", "measured_value": 1.0}],
}
DEEP = b"[" * 100_000 + b"]" * 100_000


def to_bytes(content: object) -> bytes:
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def with_value(text: str) -> bytes:
    """Return `FLAT` with these characters as its value, JSON or not."""
    return FLAT_BYTES.replace(b"85.5", text.encode())


def with_extra(text: str) -> bytes:
    """Return `FLAT` with these characters as one more field, JSON or not."""
    return FLAT_BYTES[:-1] + b', "humidity": ' + text.encode() + b"}"


def decode_all(
    content: object, topic: str = TOPIC, settings: DecodeSettings = SETTINGS
) -> list[DecodedRun | Refused]:
    return decode(topic, to_bytes(content), settings, NOW)


def understood(content: object, settings: DecodeSettings = SETTINGS) -> DecodedRun:
    (one,) = decode_all(content, settings=settings)
    assert isinstance(one, DecodedRun), one
    return one


def refused(content: object, topic: str = TOPIC) -> Refused:
    (one,) = decode_all(content, topic)
    assert isinstance(one, Refused), one
    return one


def judge_content(content: object, rules: Sequence[Rule] = ()) -> JudgedRun:
    return judge(understood(content), Rulebook(3, rules))


def run_with(*measurements: dict[str, Any], **fields: object) -> dict[str, Any]:
    named = [
        {"test_step": f"s{index}", "measured_value": 1.0, **each}
        for index, each in enumerate(measurements, start=1)
    ]
    return {**RUN, "measurements": named, **fields}

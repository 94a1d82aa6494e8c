"""How a parser's fields become a run: checked once, and its JSON made from them."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from broker.messages import RUN
from edge_agent.formats.items import PAYLOAD_BYTES_MAX
from edge_agent.formats.runs import build_run, run_json

GOOD: dict[str, Any] = {"test_step": "r1", "measured_value": 1.5, "low": 1, "unit": "V"}
BAD: dict[str, Any] = {"test_step": "r2", "measured_value": float("inf")}


def fields(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "barcode": "B1",
        "product_id": "P",
        "procedure": "ICT",
        "started_at": datetime(2026, 11, 23, 10, 0, 0, 250_000),  # noqa: DTZ001 - no zone
        "operator": None,
        "measurements": list(rows or (GOOD,)),
        **more,
    }


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"started_at": datetime(2026, 11, 23, 10, tzinfo=UTC)},
        {"started_at": datetime(2026, 11, 23, 10, tzinfo=timezone(timedelta(hours=5, minutes=30)))},
        {"started_at": "2026-11-23T10:00:00+01:00", "ended_at": "2026-11-23 10:00"},
        {"measurements": [{"test_step": "a", "measured_value": None, "unit": None, "low": 2}]},
        {"attributes": {"left": None, "huge": 2**70, "text": "a:null"}},
        {"attributes": {"nested": [{"a": [1, "\u2126"]}]}, "panel": {"position": 3, "id": None}},
        {"measurements": [{**GOOD, "comparator": "IN", "nominal": ["a", True, 2]}]},
    ],
)
def test_the_json_of_a_run_is_that_of_its_model(more: dict[str, Any]) -> None:
    built = build_run(fields(**more), PAYLOAD_BYTES_MAX)
    assert json.loads(built.json) == json.loads(run_json(built.run))
    assert RUN.validate_json(built.json) == built.run


def test_a_refused_step_is_named_by_its_place_among_all() -> None:
    with pytest.raises(ValueError, match=r"^measurements\.2\.measured_value"):
        build_run(fields(GOOD, GOOD, BAD), PAYLOAD_BYTES_MAX, [BAD])


def test_a_run_is_checked_even_if_the_parser_vouches_for_all_its_steps() -> None:
    with pytest.raises(ValueError, match=r"^barcode"):
        build_run(fields(GOOD, barcode=""), PAYLOAD_BYTES_MAX, [])


def test_two_built_runs_are_equal_by_what_they_say() -> None:
    vouched = build_run(fields(GOOD), PAYLOAD_BYTES_MAX, [])
    assert vouched == build_run(fields(GOOD), PAYLOAD_BYTES_MAX)
    assert vouched != build_run(fields(GOOD, barcode="B2"), PAYLOAD_BYTES_MAX)

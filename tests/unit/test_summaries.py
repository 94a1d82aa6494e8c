"""A machine's live figures in one message."""

import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.answers import MachineSummary, Verdict
from broker.messages import Check
from broker.settings import Settings
from service.core.alert_facts import MachineFacts
from service.core.intervals import wilson_interval
from service.core.summaries import status_of, summarise

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
SILENCE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("silent_s", "is_offline", "status"),
    [
        (0, False, "live"),
        (60, False, "live"),
        (61, False, "stale"),
        (None, False, "never"),
        (0, True, "offline"),
        (None, True, "offline"),
    ],
)
def test_a_machine_is_live_until_it_is_silent_or_says_its_last_will(
    silent_s: float | None, status: str, *, is_offline: bool
) -> None:
    last = None if silent_s is None else NOW - timedelta(seconds=silent_s)
    machine = MachineFacts("M1", "L1", "factory/v1/L1/M1/alert", last)
    assert status_of(machine, SILENCE, NOW, is_offline=is_offline) == status


def entry(units: int, passed: int) -> dict[str, Any]:
    return {
        "machine_id": "M1",
        "line": "L1",
        "last_result": None,
        "figures": {
            "total_tests": 40,
            "pass_count": 30,
            "fail_count": 8,
            "error_count": 2,
            "unjudged_count": 0,
            "pass_rate": 0.75,
            "units": units,
            "first_pass_yield": passed / units if units else None,
            "final_yield": 1.0 if units else None,
        },
    }


@pytest.mark.parametrize(("units", "passed"), [(1, 0), (3, 1), (35, 30), (49, 49), (999_983, 7)])
def test_a_yield_has_the_interval_of_its_units(units: int, passed: int) -> None:
    found = summarise(entry(units, passed), "live", NOW, NOW)
    interval = (found.first_pass_yield_low, found.first_pass_yield_high)
    assert interval == wilson_interval(passed, units)


def test_a_yield_of_no_units_is_null() -> None:
    found = summarise(entry(0, 0), "stale", NOW, NOW)
    assert (found.units, found.first_pass_yield, found.first_pass_yield_low) == (0, None, None)
    assert found.total_tests == 40


def test_the_page_on_topics_shows_messages_and_settings_that_are_right() -> None:
    page = Path(__file__).parents[2].joinpath("docs/topics.md").read_text("utf-8")
    bodies = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    for model, body in zip((Check, Verdict, MachineSummary), bodies, strict=True):
        model.model_validate_json(body)
    summary = MachineSummary.model_validate_json(bodies[-1])
    assert summary.first_pass_yield is not None
    interval = wilson_interval(round(summary.first_pass_yield * summary.units), summary.units)
    assert interval == pytest.approx(
        (summary.first_pass_yield_low, summary.first_pass_yield_high), abs=5e-4
    )
    (toml,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    settings = Settings.model_validate(tomllib.loads(toml))
    assert settings.products["PCB-7"].route == ("ICT", "FCT", "EOL")

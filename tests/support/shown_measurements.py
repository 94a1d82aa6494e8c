"""Measurements for tests of what the unit page shows."""

from typing import Any


def measured(name: str, outcome: str = "PASS", **changes: object) -> dict[str, Any]:
    """Return a measurement as the API tells it: 5 V between 4 and 6, passed."""
    return {
        "test_step": name,
        "measured_value": 5.0,
        "unit": "V",
        "outcome": outcome,
        "comparator": "GELE",
        "low": 4.0,
        "high": 6.0,
        "rule_id": None,
        "reason": None,
        "reported_outcome": None,
        "marginal": False,
        **changes,
    }

"""The examples of the contract, to the letter: they validate, and are judged as it says."""

import json
from typing import Any

import pytest

from broker.answers import Result
from broker.messages import Comparator, Outcome, Severity
from service.core.judge import judge
from service.core.lookup import NO_RULES, Rulebook
from service.core.records import DecodedRun
from service.core.results import encode_result
from service.rulebook import parse_rulebook
from tests.support.core import NOW, decode_all

FLAT = """
{"barcode": "SN-1001", "machine_id": "MACH-01", "product_id": "PROD-A", "test_step": "voltage_test",
 "measured_value": 85.5, "timestamp": "2026-11-23T10:00:00Z"}
"""
RUN = """
{"barcode": "PCB7-000217", "machine_id": "ICT-3", "product_id": "PCB-7", "procedure": "ICT",
 "started_at": "2025-03-04T06:11:09+01:00", "ended_at": "2025-03-04T06:11:40+01:00", "reported_outcome": "FAIL",
 "panel": {"id": "PCB7-P0031", "position": 2}, "program": "pcb7_ict", "program_version": "1.4",
 "measurements": [
   {"test_step": "c17", "measured_value": 1.0231e-07, "unit": "F", "low": 8.0e-08, "high": 1.0e-07,
    "reported_outcome": "FAIL"},
   {"test_step": "shorts", "measured_value": true, "comparator": "EQ", "nominal": true, "reported_outcome": "PASS"}],
 "message_id": "ict3-0007f2", "sequence": {"epoch": "8c1e", "seq": 2034},
 "source": {"file": "lot77.ict", "byte_start": 40112, "byte_end": 81960}}
"""  # noqa: E501 - to the letter
RULEBOOK = """
[[rule]]
id = "voltage"
test_step = "voltage_test"     # selectors are globs; left out means "*"
product = "PROD-A"
comparator = "GE"
low = 80.0
unit = "V"
required = false
marginal_percent = 5           # PASS within 5 % of the limit span is marked marginal
severity = "critical"          # critical | major | minor
"""
BOOK = Rulebook(1, parse_rulebook(RULEBOOK, "contract"))


def judged(text: str, machine_id: str, rulebook: Rulebook = NO_RULES, **fields: object) -> Result:
    content: dict[str, Any] = {**json.loads(text), **fields}
    (run,) = decode_all(content, f"factory/v1/line-1/{machine_id}/test")
    assert isinstance(run, DecodedRun), run
    verdict = judge(run, rulebook)
    return Result.model_validate_json(encode_result(verdict, run_id=1, attempt=1, received_at=NOW))


def test_the_rulebook_is_read_as_it_is_written() -> None:
    (rule,) = BOOK.rules
    assert (rule.id, rule.test_step, rule.product) == ("voltage", "voltage_test", "PROD-A")
    assert (rule.procedure, rule.machine) == ("*", "*")
    assert (rule.comparator, rule.low, rule.unit) == (Comparator.GE, 80.0, "V")
    assert (rule.required, rule.marginal_percent, rule.severity) == (False, 5.0, Severity.CRITICAL)


@pytest.mark.parametrize(
    ("value", "outcome", "reason", "is_marginal"),
    [
        (85.5, "PASS", None, False),
        (84, "PASS", None, True),
        (80, "PASS", None, True),
        (75, "FAIL", "75 V is below 80 V", False),
        (None, "ERROR", "no value", False),
        ("85.5", "ERROR", "'85.5' is not a number, but the limit is", False),
        (True, "ERROR", "true is not a number, but the limit is", False),
    ],
)
def test_the_flat_example_is_judged_by_the_rule(
    value: object, outcome: str, reason: str | None, *, is_marginal: bool
) -> None:
    result = judged(FLAT, "MACH-01", BOOK, measured_value=value)
    (measurement,) = result.measurements
    assert (result.outcome, measurement.outcome) == (outcome, outcome)
    assert (measurement.rule_id, measurement.comparator, measurement.low) == ("voltage", "GE", 80)
    assert (measurement.reason, measurement.marginal) == (reason, is_marginal)
    assert result.procedure == "voltage_test"
    assert result.first_failure == ("voltage_test" if outcome == "FAIL" else None)


def test_the_flat_example_without_a_rule_is_unjudged() -> None:
    assert judged(FLAT, "MACH-01").outcome is Outcome.UNJUDGED


def test_the_run_example_fails_by_the_machines_word_and_our_arithmetic_agrees() -> None:
    result = judged(RUN, "ICT-3", BOOK)
    assert (result.outcome, result.reported_outcome, result.agrees) == ("FAIL", "FAIL", True)
    assert (result.message_id, result.procedure, result.first_failure) == (
        "ict3-0007f2",
        "ICT",
        "c17",
    )
    assert result.counts.model_dump() == {"PASS": 1, "FAIL": 1, "ERROR": 0, "UNJUDGED": 0}
    assert [each.outcome for each in result.measurements] == ["FAIL", "PASS"]
    assert result.measurements[0].comparator is Comparator.GELE
    assert result.clock_suspect is False  # 2025, but from a log file
    assert result.timestamp.isoformat() == "2025-03-04T05:11:09+00:00"


def test_28300_ohm_against_28_to_28_4_kiloohm_is_a_pass() -> None:
    fields = {"measured_value": 28300, "unit": "Ohm", "low": 28.0, "high": 28.4}
    assert judged(FLAT, "MACH-01", **fields, limit_unit="kOhm").outcome is Outcome.PASS
    assert judged(FLAT, "MACH-01", **fields).outcome is Outcome.FAIL

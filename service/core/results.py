"""Encode what the service says: results, rejections, receipts. Pure: no I/O.

Straight from the tuples to JSON, without the models of broker/answers.py, which only describe it:
validating what we made ourselves would double the price of a result.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from broker.messages import Outcome
from service.core.payload import preview
from service.core.records import JudgedMeasurement, JudgedRun, Refused

LISTED_ALL_MAX: Final = 50
"""Runs of up to this many measurements list them all."""
LISTED_NOT_PASS_MAX: Final = 200
_BYTES_MAX: Final = 1_048_576
_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


def encode_result(
    judged: JudgedRun,
    *,
    run_id: int,
    attempt: int,
    received_at: datetime,
    bytes_max: int = _BYTES_MAX,
) -> bytes:
    """Encode the Result of one judged run.

    Of more than 50 measurements only those that are not PASS are listed, at most 200, and
    `measurements_complete` is false; fewer where the result would not fit a packet.

    Args:
        judged: The run and our verdict.
        run_id: The store's number for it.
        attempt: 1 for the unit's first run of this procedure.
        received_at: Aware UTC.
        bytes_max: Largest result in bytes.

    Returns:
        JSON that `broker.answers.Result` validates.
    """
    every = judged.measurements
    lists_all = len(every) <= LISTED_ALL_MAX
    listed = every if lists_all else _not_passed(every)
    run, message = judged.run, judged.run.message
    counts = judged.counts
    result = {
        "message_id": run.message_id,
        "run_id": run_id,
        "barcode": message.barcode,
        "machine_id": run.machine_id,
        "line": run.line,
        "product_id": message.product_id,
        "procedure": run.procedure,
        "outcome": judged.outcome,
        "reported_outcome": message.reported_outcome,
        "agrees": judged.agrees,
        "timestamp": run.started_at,
        "received_at": received_at,
        "attempt": attempt,
        "first_failure": judged.first_failure,
        "rulebook_version": judged.rulebook_version,
        "clock_suspect": run.clock_suspect,
        "counts": {
            "PASS": counts.passed,
            "FAIL": counts.failed,
            "ERROR": counts.errors,
            "UNJUDGED": counts.unjudged,
        },
        "measurements": [_describe(each) for each in listed],
        "measurements_complete": lists_all,
    }
    encoded = orjson.dumps(result, option=_OPTIONS)
    return encoded if len(encoded) <= bytes_max else _encode_shorter(result, bytes_max)


def encode_stored(result: Mapping[str, Any], *, bytes_max: int = _BYTES_MAX) -> bytes:
    """Encode a Result that comes from the store, already cut to what the topic carries.

    Args:
        result: As `broker.answers.Result` describes it, times as text.
        bytes_max: Largest result in bytes; beyond it fewer measurements are listed.
    """
    encoded = orjson.dumps(result)
    return encoded if len(encoded) <= bytes_max else _encode_shorter(dict(result), bytes_max)


def encode_rejection(refused: Refused, *, rejection_id: int, received_at: datetime) -> bytes:
    """Encode the Rejection of one refused message; `rejection_id` is the store's number."""
    rejection = {
        "rejection_id": rejection_id,
        "message_id": refused.message_id,
        "topic": refused.topic,
        "machine_id": refused.machine_id,
        "received_at": received_at,
        "code": refused.code,
        "reason": refused.reason,
        "payload_size": len(refused.payload),
        "payload_preview": preview(refused.payload),
    }
    return orjson.dumps(rejection, option=_OPTIONS)


def encode_receipt(message_ids: Sequence[str], received_at: datetime) -> bytes:
    """Encode one Receipt for any number of messages of one machine."""
    receipt = {"message_ids": list(message_ids), "received_at": received_at}
    return orjson.dumps(receipt, option=_OPTIONS)


def _not_passed(every: Sequence[JudgedMeasurement]) -> Sequence[JudgedMeasurement]:
    return [each for each in every if each.outcome is not Outcome.PASS][:LISTED_NOT_PASS_MAX]


def _describe(judged: JudgedMeasurement) -> dict[str, Any]:
    measurement = judged.measurement
    return {
        "test_step": measurement.test_step,
        "measured_value": measurement.measured_value,
        "unit": measurement.unit,
        "outcome": judged.outcome,
        "comparator": judged.comparator,
        "low": judged.low,
        "high": judged.high,
        "rule_id": judged.rule_id,
        "reason": judged.reason,
        "reported_outcome": measurement.reported_outcome,
        "marginal": judged.marginal,
    }


def _encode_shorter(result: dict[str, Any], bytes_max: int) -> bytes:
    """List as many of the first measurements as fit; long texts are what makes it so large."""
    listed = result["measurements"]
    result["measurements_complete"] = False
    result["measurements"] = []
    left = bytes_max - len(orjson.dumps(result, option=_OPTIONS))
    for each in listed:
        left -= len(orjson.dumps(each, option=_OPTIONS)) + 1  # and a comma
        if left < 0:
            break
        result["measurements"].append(each)
    return orjson.dumps(result, option=_OPTIONS)

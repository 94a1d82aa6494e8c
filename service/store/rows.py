"""Judged runs as rows: which names they need, and the tuples to insert. Pure: no I/O.

Written out flat, because a row is built for every measurement of every board.
"""

import json
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from broker.messages import Measurement, Run, attributes_of
from service.core.records import JudgedMeasurement, JudgedRun
from service.store.codes import (
    COMPARATOR_CODE,
    OUTCOME_CODE,
    REPORTED_CODE,
    NameKind,
    ValueKind,
)
from service.store.drivers import table
from service.store.names import Names
from service.store.times import microseconds

_COMPRESS_BYTES = 2_048  # below it zlib gains less than its own time is worth

RUN = table(
    "run",
    id="int8",
    machine="int4",
    message_id="text",
    content_hash="bytea",
    line="int4",
    unit_id="int8",
    product="int4",
    procedure="int4",
    started_us="int8",
    ended_us="int8",
    received_us="int8",
    outcome="int2",
    reported="int2",
    agrees="bool",
    attempt="int4",
    first_failure="int4",
    rulebook_version="int4",
    clock_suspect="bool",
    passed="int4",
    failed="int4",
    errors="int4",
    unjudged="int4",
    raw_id="int8",
    element="int4",
    fixture="int4",
    operator="int4",
    sequence_epoch="text",
    sequence_seq="int8",
    source_file="text",
    source_start="int8",
    source_end="int8",
    attributes="text",
    program="int4",
    program_version="text",
    panel_id="text",
    panel_position="text",
    is_golden="bool",
)
MEASUREMENT = table(
    "measurement",
    run_id="int8",
    position="int4",
    step="int4",
    value_kind="int2",
    number="float8",
    text="text",
    measure_unit="int4",
    outcome="int2",
    reported="int2",
    agrees="bool",
    comparator="int2",
    low="float8",
    high="float8",
    nominal="text",
    rule="int4",
    reason="text",
    marginal="bool",
    attributes="text",
)
RAW_MESSAGE = table("raw_message", id="int8", topic="int4", is_compressed="bool", payload="bytea")

# Bound once: a member of an enumeration takes 0.1 µs to look up, a dozen times a result.
_STEP, _MEASURE_UNIT, _RULE = NameKind.STEP, NameKind.MEASURE_UNIT, NameKind.RULE
_FIXTURE, _OPERATOR, _PROGRAM = NameKind.FIXTURE, NameKind.OPERATOR, NameKind.PROGRAM
_NONE, _NUMBER = ValueKind.NONE.value, ValueKind.NUMBER.value
_TEXT, _TRUTH = ValueKind.TEXT.value, ValueKind.TRUTH.value
_NO_DETAILS = (None,) * 8
_NO_PROGRAM = (None,) * 4


class RunKeys(NamedTuple):
    """The integer keys of one run, found before its row is built."""

    run_id: int
    machine: int
    line: int
    unit_id: int
    product: int
    procedure: int
    attempt: int
    raw_id: int
    started_us: int
    """Not a key, but three tables want it and it takes a while to work out."""


def names_of(judged: JudgedRun) -> Iterator[tuple[NameKind, str]]:
    """Yield every name a run's rows refer to."""
    run = judged.run
    message = run.message
    yield NameKind.MACHINE, run.machine_id
    yield NameKind.LINE, run.line
    yield NameKind.PRODUCT, message.product_id
    yield NameKind.PROCEDURE, run.procedure
    if judged.first_failure is not None:
        yield NameKind.STEP, judged.first_failure
    if message.fixture is not None:
        yield NameKind.FIXTURE, message.fixture
    if message.operator is not None:
        yield NameKind.OPERATOR, message.operator
    if isinstance(message, Run) and message.program is not None:
        yield NameKind.PROGRAM, message.program
    for each in judged.measurements:
        yield NameKind.STEP, each.measurement.test_step
        if each.measurement.unit is not None:
            yield NameKind.MEASURE_UNIT, each.measurement.unit
        if each.rule_id is not None:
            yield NameKind.RULE, each.rule_id


def run_row(judged: JudgedRun, keys: RunKeys, received_us: int, names: Names) -> tuple[Any, ...]:
    """Return the row of `RUN`.

    Raises:
        KeyError: A name is not known yet; learn `names_of` and build again.
    """
    run = judged.run
    message = run.message
    reported = message.reported_outcome
    return (
        keys.run_id,
        keys.machine,
        run.message_id,
        run.content_hash,
        keys.line,
        keys.unit_id,
        keys.product,
        keys.procedure,
        keys.started_us,
        None if run.ended_at is None else microseconds(run.ended_at),
        received_us,
        OUTCOME_CODE[judged.outcome],
        None if reported is None else REPORTED_CODE[reported],
        judged.agrees,
        keys.attempt,
        None if judged.first_failure is None else names.of[_STEP][judged.first_failure],
        judged.rulebook_version,
        run.clock_suspect,
        *judged.counts,
        keys.raw_id,
        run.element,
        *_details(message, names),
        *(_program(message, names) if isinstance(message, Run) else _NO_PROGRAM),
        run.is_golden,
    )


def measurement_row(
    run_id: int, position: int, judged: JudgedMeasurement, names: Names
) -> tuple[Any, ...]:
    """Return the row of `MEASUREMENT`.

    Raises:
        KeyError: A name is not known yet; learn `names_of` and build again.
    """
    measurement = judged.measurement
    reported = measurement.reported_outcome
    comparator = judged.comparator
    # A flat measurement is its whole message: what else it carried stands with the run.
    attributes = None if isinstance(measurement, Measurement) else attributes_of(measurement)
    return (
        run_id,
        position,
        names.of[_STEP][measurement.test_step],
        *_value(measurement.measured_value),
        None if measurement.unit is None else names.of[_MEASURE_UNIT][measurement.unit],
        OUTCOME_CODE[judged.outcome],
        None if reported is None else REPORTED_CODE[reported],
        judged.agrees,
        None if comparator is None else COMPARATOR_CODE[comparator],
        judged.low,
        judged.high,
        None if judged.nominal is None else _json(judged.nominal),
        None if judged.rule_id is None else names.of[_RULE][judged.rule_id],
        judged.reason,
        judged.marginal,
        None if attributes is None else _json(attributes),
    )


def raw_row(raw_id: int, topic: int, payload: bytes) -> tuple[Any, ...]:
    """Return the row of `RAW_MESSAGE`, compressed where that is worth it."""
    if len(payload) < _COMPRESS_BYTES:
        return raw_id, topic, False, payload
    return raw_id, topic, True, zlib.compress(payload, 1)


def _value(value: object) -> tuple[int, float | None, str | None]:
    """Return (value_kind, number, text). A truth is kept as the number 1 or 0."""
    if type(value) is float:  # nearly always
        return _NUMBER, value, None
    if value is None:
        return _NONE, None, None
    if isinstance(value, bool):
        return _TRUTH, float(value), None
    if isinstance(value, str):
        return _TEXT, None, value
    assert isinstance(value, float | int)
    return _NUMBER, float(value), None


def _details(message: Measurement | Run, names: Names) -> tuple[Any, ...]:
    """Return fixture to attributes; most messages of a simple machine have none of them."""
    attributes = attributes_of(message)
    sequence, source = message.sequence, message.source
    fixture, operator = message.fixture, message.operator
    if not (fixture or operator or sequence or source or attributes):
        return _NO_DETAILS
    return (
        None if fixture is None else names.of[_FIXTURE][fixture],
        None if operator is None else names.of[_OPERATOR][operator],
        None if sequence is None else sequence.epoch,
        None if sequence is None else sequence.seq,
        None if source is None else source.file,
        None if source is None else source.byte_start,
        None if source is None else source.byte_end,
        None if attributes is None else _json(attributes),
    )


def _program(message: Run, names: Names) -> tuple[Any, ...]:
    panel = message.panel
    position = None if panel is None else panel.position
    return (
        None if message.program is None else names.of[_PROGRAM][message.program],
        message.program_version,
        None if panel is None else panel.id,
        None if position is None else str(position),
    )


def _json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer beyond 64 bits: JSON allows it, orjson does not write it
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

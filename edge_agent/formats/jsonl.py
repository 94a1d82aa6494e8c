"""Lines that are contract messages already: Measurement, Run, or an array of them. Pure: no I/O.

A line is checked here, so that a bad one is refused with its position in the file, and then sent
as it stands. What the service would refuse must not pass: it could not be receipted.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import jiter
from pydantic import ValidationError

from broker.messages import ELEMENTS_MAX, MEASUREMENT, RUN, Measurement, Run
from edge_agent.formats.items import JSON, Item, Options, Parsed, Skipped, Unparsed
from edge_agent.formats.lines import Line, LineCutter
from edge_agent.formats.runs import BuiltRun, sentence

# Only these can hide a number that does not fit a double, or U+0000; a walk finds out.
_is_suspect = re.compile(rb"[eE]\+?[0-9]{3}|[0-9]{300}|\\u0000").search
_DESCRIBES_VALUE: Final = (
    "test_step",
    "measured_value",
    "unit",
    "low",
    "high",
    "nominal",
    "comparator",
    "limit_unit",
    "tolerance",
    "tolerance_percent",
    "tolerance_ppm",
    "reported_outcome",
    "attributes",
)
_DESCRIBES_RUN: Final = (
    "barcode",
    "product_id",
    "machine_id",
    "operator",
    "fixture",
    "message_id",
    "sequence",
    "source",
)


class JsonLines:
    """The parser of `jsonl`: every line is a unit of its own."""

    def __init__(self, options: Options, file: str, offset: int, state: Mapping[str, JSON]) -> None:
        del file, state  # a line says all of itself
        self._bytes_max = options.max_unit_bytes
        self._cutter = LineCutter(offset, options.max_unit_bytes)

    def feed(self, data: bytes) -> Iterator[Item]:
        """Take the next bytes; an item for every line that is complete."""
        self._cutter.add(data)
        return (self._item(line) for line in self._cutter.lines())

    def finish(self) -> Iterator[Item]:
        """Read the last line, also without its newline."""
        return (self._item(line) for line in self._cutter.rest())

    def state(self) -> dict[str, JSON]:
        """Nothing: no line depends on another."""
        return {}

    def _item(self, line: Line) -> Item:
        if line.is_cut:
            reason = f"a line above max_unit_bytes ({self._bytes_max})"
            return Unparsed(reason, line.byte_start, line.byte_end)
        if not line.content:
            return Skipped("blank line", line.byte_start, line.byte_end)
        try:
            built = tuple(BuiltRun(run) for run in runs_of(line.content))
        except ValueError as error:
            return Unparsed(str(error), line.byte_start, line.byte_end)
        return Parsed(built, line.byte_start, line.byte_end)


def runs_of(content: bytes) -> list[Run]:
    """Return the runs of one message, in order; a Measurement as a run of one.

    Raises:
        ValueError: The contract refuses it; one sentence.
    """
    try:
        value = jiter.from_json(content, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if _is_suspect(content):
        _check_values(value)
    elements = value if isinstance(value, list) else [value]
    if not 1 <= len(elements) <= ELEMENTS_MAX:
        raise ValueError(f"an array of {len(elements)} elements; 1 to {ELEMENTS_MAX} may be sent")
    return [_run(element) for element in elements]


def _run(element: Any) -> Run:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(element, dict):
        raise ValueError("neither a Measurement nor a Run: an object is needed")  # noqa: TRY004
    try:
        if "measurements" in element:
            return RUN.validate_python(element)
        return as_run(MEASUREMENT.validate_python(element))
    except ValidationError as error:
        raise ValueError(sentence(error)) from error


def as_run(flat: Measurement) -> Run:
    """Return a flat measurement as the run of one that it is (the procedure may be its step)."""
    value = {key: getattr(flat, key) for key in _DESCRIBES_VALUE if key in flat.model_fields_set}
    fields = {key: getattr(flat, key) for key in _DESCRIBES_RUN if key in flat.model_fields_set}
    return RUN.validate_python(
        {
            **fields,
            "procedure": flat.procedure or flat.test_step,
            "started_at": flat.timestamp,
            "measurements": [{**(flat.model_extra or {}), **value}],
        }
    )


def _check_values(value: Any) -> None:  # noqa: ANN401
    """Refuse what JSON can write and the service cannot store. Depth is bounded by jiter."""
    if isinstance(value, dict):
        for key, each in value.items():
            _check_values(key)
            _check_values(each)
    elif isinstance(value, list):
        for each in value:
            _check_values(each)
    elif isinstance(value, str):
        if "\0" in value:
            raise ValueError("U+0000 in a text; it cannot be stored")
    elif isinstance(value, int | float) and not _fits_double(value):
        raise ValueError("a number that does not fit a double")


def _fits_double(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False

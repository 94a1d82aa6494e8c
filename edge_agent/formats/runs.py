"""Build Runs that the contract accepts and the message limit allows. Pure: no I/O."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import orjson
from pydantic import ValidationError

from broker.messages import MEASUREMENTS_MAX, RUN, Run, format_time
from edge_agent.formats import text

ENVELOPE_BYTES = 256
"""What the agent adds to a Run before it sends it: message_id and sequence."""
_PLAIN_DIGITS_MAX = 10
_TIMES: Final = ("started_at", "ended_at")


class BuiltRun:
    """One run that the contract accepts. Equal to another one if their models are.

    Args:
        content: The run, or its fields as the contract has them, without those that are None.
        json: The contract's JSON of it; None: made from the model when asked for.
    """

    __hash__: Final = None  # type: ignore[assignment]

    def __init__(self, content: Run | dict[str, Any], json: bytes | None = None) -> None:
        self._content, self._json = content, json

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BuiltRun) and self.run == other.run

    def __repr__(self) -> str:
        return f"BuiltRun({self.run!r})"

    @cached_property
    def run(self) -> Run:
        """Its model. Whoever only sends it needs none: of most boards it is never made."""
        return RUN.validate_python(self._content)

    @cached_property
    def json(self) -> bytes:
        """The contract's JSON of it, fields that are None left out."""
        return run_json(self.run) if self._json is None else self._json


def pass_fail(test_step: str, value: bool | None, **others: Any) -> dict[str, Any]:  # noqa: ANN401, FBT001
    """Return the fields of a step without a number: true or false, expected true."""
    fields = {"test_step": test_step, "measured_value": value}
    return {**fields, "comparator": "EQ", "nominal": True, **others}


def no_measurement(status: str) -> dict[str, Any]:
    """Return the one measurement of a run that has none: the tester's status, recorded."""
    return {"test_step": "run", "measured_value": status, "comparator": "LOG"}


def panel(position: str) -> dict[str, int | str] | None:
    """Return the panel by the position that the tester prints; a plain number as one.

    Returns:
        None where it prints none.
    """
    is_plain = position.isascii() and position.isdigit() and len(position) < _PLAIN_DIGITS_MAX
    return {"position": int(position) if is_plain else text.clean(position)} if position else None


def build_run(
    fields: dict[str, Any],
    payload_bytes_max: int,
    unproven: Sequence[dict[str, Any]] | None = None,
) -> BuiltRun:
    """Validate the fields of a Run; without measurement attributes where it would be too large.

    Args:
        fields: As in the contract; None means absent.
        payload_bytes_max: Largest message, in bytes of JSON.
        unproven: Those of its measurements that are to be validated; the parser vouches for the
            others, because they cannot be written otherwise. None: all.

    Raises:
        ValueError: The contract refuses it, or it is too large; one sentence without full stop.
    """
    if len(fields["measurements"]) > MEASUREMENTS_MAX:
        raise ValueError(f"more than {MEASUREMENTS_MAX} measurements, which one message may hold")
    fields = {key: each for key, each in fields.items() if each is not None}
    try:
        built = _built(fields, unproven)
        if len(built.json) + ENVELOPE_BYTES > payload_bytes_max:
            built = _built(_without_attributes(fields), unproven=None)
    except ValidationError as error:
        raise ValueError(sentence(error)) from error
    size = len(built.json) + ENVELOPE_BYTES
    if size > payload_bytes_max:
        raise ValueError(f"a message of {size} bytes, above the limit of {payload_bytes_max}")
    return built


def run_json(run: Run) -> bytes:
    """Return the contract's JSON of a run, fields that are None left out.

    Only defaults are left out: `measured_value` has none, and null says something there.
    """
    return RUN.dump_json(run, exclude_defaults=True)


def sentence(error: ValidationError) -> str:
    """Return where the contract refuses a message and why; no full stop."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "message"
    return f"{where}: {first['msg']}"


def _built(fields: dict[str, Any], unproven: Sequence[dict[str, Any]] | None) -> BuiltRun:
    rows = fields["measurements"]
    if unproven is not None:
        some = {**fields, "measurements": unproven or rows[:1]}
        with suppress(ValidationError):  # said below, with its place among all of them
            return BuiltRun(fields, _json(fields, RUN.validate_python(some)))
    run = RUN.validate_python(fields)
    return BuiltRun(run, _json(fields, run))


def _json(fields: dict[str, Any], run: Run) -> bytes | None:
    """Return the contract's JSON straight from the fields, ten times quicker than from the model.

    Returns:
        None where only the model knows it: something is None and may have to be left out, or is of
        a kind that JSON has not, such as an integer beyond 64 bits in attributes.
    """
    times = {key: _time(getattr(run, key)) for key in _TIMES if key in fields}
    try:
        body = orjson.dumps({**fields, **times})
    except TypeError:
        return None
    return None if b":null" in body else body


def _time(moment: datetime) -> str:
    return format_time(moment) if moment.tzinfo else moment.isoformat()


def _without_attributes(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the run with bare measurements."""
    rows = [
        {key: each for key, each in row.items() if key != "attributes"}
        for row in fields["measurements"]
    ]
    return {**fields, "measurements": rows}

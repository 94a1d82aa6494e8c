"""Build Runs that the contract accepts and the message limit allows. Pure: no I/O."""

from typing import Any

import orjson
from pydantic import ValidationError

from broker.messages import MEASUREMENTS_MAX, RUN, Run
from edge_agent.formats import text

ENVELOPE_BYTES = 256
"""What the agent adds to a Run before it sends it: message_id and sequence."""
_PLAIN_DIGITS_MAX = 10


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


def build_run(fields: dict[str, Any], payload_bytes_max: int) -> Run:
    """Validate the fields of a Run; without measurement attributes where it would be too large.

    Args:
        fields: As in the contract; None means absent.
        payload_bytes_max: Largest message, in bytes of JSON.

    Raises:
        ValueError: The contract refuses it, or it is too large; one sentence without full stop.
    """
    rows = fields["measurements"]
    if len(rows) > MEASUREMENTS_MAX:
        raise ValueError(f"more than {MEASUREMENTS_MAX} measurements, which one message may hold")
    try:
        run = RUN.validate_python({key: each for key, each in fields.items() if each is not None})
        if _is_small(fields, payload_bytes_max):
            return run
        if len(run_json(run)) + ENVELOPE_BYTES <= payload_bytes_max:
            return run
        run = without_attributes(run)
    except ValidationError as error:
        raise ValueError(sentence(error)) from error
    size = len(run_json(run)) + ENVELOPE_BYTES
    if size > payload_bytes_max:
        raise ValueError(f"a message of {size} bytes, above the limit of {payload_bytes_max}")
    return run


def without_attributes(run: Run) -> Run:
    """Return the run with bare measurements."""
    bare = tuple(each.model_copy(update={"attributes": None}) for each in run.measurements)
    return run.model_copy(update={"measurements": bare})


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


def _is_small(fields: dict[str, Any], payload_bytes_max: int) -> bool:
    """Tell whether the run fits for sure: a guess that is quick, and at least half of its size."""
    try:
        return 2 * len(orjson.dumps(fields)) + ENVELOPE_BYTES <= payload_bytes_max
    except TypeError:  # an integer beyond 64 bits, in attributes
        return False

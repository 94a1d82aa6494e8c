"""Check messages that come over HTTP as strictly as those that come over MQTT. Pure: no I/O.

Here, and not in the web app, because only the store's side may use the checks of `service.core`.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from broker.identity import message_id_of
from broker.messages import MEASUREMENT, RUN, Measurement, Run
from service.core.complaints import complaints_of, kind_of
from service.core.payload import (
    explain_unreadable,
    find_unstorable,
    may_hold_unstorable,
    parse_json,
    split_array,
)


class Element(NamedTuple):
    """One understood Measurement or Run."""

    machine_id: str
    message_id: str
    """The sender's, or the hash of the content."""
    payload: bytes
    """Its bytes as they came."""


class FieldTrouble(NamedTuple):
    """One thing that is wrong."""

    field: str
    """Such as `measurements[3].unit`; empty: the message as a whole."""
    message: str
    """What is wrong, in words."""
    element: int | None
    """Position in the array; None: the message came alone, or it is the array."""


def read_elements(body: bytes, elements_max: int) -> tuple[list[Element], list[FieldTrouble]]:
    """Understand a Measurement, a Run or an array of them, each with its machine_id.

    Returns:
        The elements in order, and all that is wrong: use the elements only where nothing is.
        Never raises, whatever the bytes.
    """
    try:
        content = parse_json(body)
    except ValueError as error:
        return [], [FieldTrouble("", explain_unreadable(body, error)[1], None)]
    look_closer = may_hold_unstorable(body)
    if type(content) is not list:
        return _sorted([_read(content, body, None, look_closer=look_closer)])
    if not 1 <= len(content) <= elements_max:
        said = f"an array of {len(content):,} elements; send 1 to {elements_max:,}"
        return [], [FieldTrouble("", said, None)]
    pieces = split_array(body) or ()
    return _sorted(
        [
            _read(each, piece, index, look_closer=look_closer)
            for index, (each, piece) in enumerate(zip(content, pieces, strict=True))
        ]
    )


def _sorted(
    read: Sequence[Element | list[FieldTrouble]],
) -> tuple[list[Element], list[FieldTrouble]]:
    elements = [each for each in read if isinstance(each, Element)]
    return elements, [trouble for each in read if isinstance(each, list) for trouble in each]


def _read(
    content: object, payload: bytes, element: int | None, *, look_closer: bool
) -> Element | list[FieldTrouble]:
    if not isinstance(content, dict):
        return [FieldTrouble("", f"it is {kind_of(content)}, not an object", element)]
    if look_closer and (found := find_unstorable(content)):
        return [FieldTrouble("", found, element)]
    troubles = [FieldTrouble(*each, element) for each in _wrong_fields(content)]
    if troubles:
        return troubles
    return Element(content["machine_id"], message_id_of(content), payload)


def _wrong_fields(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with one object: field, words."""
    message: Run | Measurement | None = None
    try:
        message = (RUN if "measurements" in content else MEASUREMENT).validate_python(content)
    except ValidationError as error:
        yield from complaints_of(error).items()
    if content.get("machine_id") is None:
        yield "machine_id", "machine_id is missing"
    for field in _wrong_times(message) if message else ():
        yield field, f"{field} is outside the years 1 to 9999 in UTC"


def _wrong_times(message: Run | Measurement) -> Iterator[str]:
    """Yield the fields whose time no calendar has in UTC, such as the first hour of year 1."""
    fields = ("started_at", "ended_at") if isinstance(message, Run) else ("timestamp",)
    for field in fields:
        moment: datetime | None = getattr(message, field)
        try:
            if moment is not None and moment.tzinfo is not None:
                moment.astimezone(UTC)
        except (OverflowError, ValueError):
            yield field

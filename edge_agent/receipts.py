"""What the service's answers settle, and which ids a message waits for. Pure: no I/O."""

import re
from typing import Any, Final, NamedTuple

import jiter
import orjson

from broker.topics import Channel

_id_in_preview: Final = re.compile(r'"message_id"\s*:\s*"([^"\\]{1,128})"').search


class Answer(NamedTuple):
    """What one receipt or rejection says."""

    settled_ids: tuple[str, ...] = ()
    """Message ids that need not be sent again; may be empty."""
    rejection: dict[str, Any] | None = None
    """Its body, where it is one."""


def answer_of(channel: Channel, payload: bytes) -> Answer:
    """Read a message of the channels `receipt` and `rejected`; what is neither settles nothing."""
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return Answer()
    if not isinstance(body, dict):
        return Answer()
    if channel is Channel.RECEIPT:
        named = body.get("message_ids")
        ids = named if isinstance(named, list) else []
        return Answer(tuple(each for each in ids if isinstance(each, str)))
    if body.get("message_id") is not None:
        return Answer(rejection=body)  # a receipt follows: the service keeps the bytes
    # It could not read the id, so there will be no receipt; the preview shows the id to us.
    found = _id_in_preview(str(body.get("payload_preview")))
    return Answer((found[1],) if found else (), body)


def message_ids_of(payload: bytes) -> list[str]:
    """Return the ids that the elements of one of our own messages carry, in order."""
    value = jiter.from_json(payload)
    elements = value if isinstance(value, list) else [value]
    return [str(each["message_id"]) for each in elements]

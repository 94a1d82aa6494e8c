"""The identity of a message: the sender's id, or a hash of what it says. Pure: no I/O.

A message without `message_id` still has to be stored once, so its content stands in for the id. The
service and `POST /ingest` both use this, so that they name one message alike.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from broker.messages import MESSAGE_ID_CHARS_MAX

_HASH_BYTES: Final = 16
_TRANSPORT: Final = frozenset({"message_id", "machine_id", "sequence", "source"})
"""Fields on the way a message took, not on what it says: an agent that lost its spool reads the
same record again and gives it a new sequence, and that is a duplicate, not a conflict."""


def content_hash(content: Mapping[str, Any]) -> bytes:
    """Return 16 bytes, the BLAKE2b-128 of the canonical content of one parsed message.

    Canonical is JSON with sorted keys and without the fields that describe transport. The order
    of keys and the spaces between them do not matter.

    Args:
        content: A Measurement or a Run as parsed from JSON, not yet validated.
    """
    said = dict(content)
    for field in _TRANSPORT:
        said.pop(field, None)
    try:
        canonical = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits, which JSON allows and orjson does not write
        canonical = orjson.dumps(_without_huge_integers(said), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(canonical, digest_size=_HASH_BYTES).digest()


def given_message_id(content: Mapping[str, Any]) -> str | None:
    """Return the sender's own id; None where there is none, or none that can be kept."""
    given = content.get("message_id")
    if isinstance(given, str) and 1 <= len(given) <= MESSAGE_ID_CHARS_MAX and "\0" not in given:
        return given
    return None


def message_id_of(content: Mapping[str, Any]) -> str:
    """Return the id under which one parsed message is stored: the sender's, or its hash in hex."""
    return given_message_id(content) or content_hash(content).hex()


def _without_huge_integers(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _without_huge_integers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_huge_integers(each) for each in value]
    if type(value) is int and not -(2**63) <= value < 2**64:
        return float(value)
    return value

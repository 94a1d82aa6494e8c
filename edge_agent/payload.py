"""Make the message of a record: its id, its number, its bytes. Pure: no I/O.

The id comes from the file's bytes alone, so a lost spool reads again into duplicates, not doubles.
"""

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import jiter

from broker.messages import Run
from edge_agent.formats.runs import BuiltRun

_ID_BYTES = 20
_HEAD_BYTES = 4096
_LINE_END = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"


class Payload(NamedTuple):
    """One message, ready to send."""

    body: bytes
    message_ids: tuple[str, ...]
    """What the receipts will name: one, or one an element of an array."""
    numbers_used: int
    """How many sequence numbers it took."""


class Numbering(NamedTuple):
    """Where a machine's count of messages stands."""

    epoch: str
    seq: int
    """The last one given; 0 before the first."""


def first_record_hash(raw: bytes, head: bytes = b"") -> bytes:
    """Return what stands for a file in its message ids: a hash of its first record.

    Args:
        raw: The record. A line end does not count: a last line may be read before it has one.
        head: From `head_hash`, where a record alone does not tell two files of a format apart.
    """
    return blake2b(head + raw.rstrip(_LINE_END)[:_HEAD_BYTES], digest_size=_ID_BYTES).digest()


def head_hash(pieces: Iterable[bytes]) -> bytes:
    """Return a hash of all that stands before a file's first record, however it is cut."""
    digest = blake2b(digest_size=_ID_BYTES)
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def in_context(first_record: bytes, context: bytes) -> bytes:
    """Return what stands for a file where a record's meaning hangs on earlier lines as well.

    Args:
        first_record: From `first_record_hash`.
        context: What those lines say of the record; empty: nothing, and the id is as without it.
    """
    if not context:
        return first_record
    return blake2b(first_record + context, digest_size=_ID_BYTES).digest()


def message_id(first_record: bytes, byte_start: int, raw: bytes, element: int = 0) -> str:
    """Return the id of a record: 40 hex digits, the same whenever the file is read.

    Args:
        first_record: From `first_record_hash` or `in_context`.
        byte_start: Where the record begins in the file.
        raw: Its bytes; a line end does not count.
        element: Position, where a record holds several messages.
    """
    digest = blake2b(first_record, digest_size=_ID_BYTES)
    digest.update(byte_start.to_bytes(8, "big"))
    digest.update(raw.rstrip(_LINE_END))
    if element:
        digest.update(element.to_bytes(4, "big"))
    return digest.hexdigest()


def run_payload(built: BuiltRun, identity: str, numbering: Numbering) -> Payload:
    """Return a run as a message."""
    return Payload(_spliced(built.json, identity, numbering), (identity,), 1)


def line_payload(
    raw: bytes, runs: Sequence[Run], identities: Sequence[str], numbering: Numbering
) -> Payload:
    """Return a line that is a contract message already, its bytes as they stand.

    Only where an element has no message_id of its own is one added, and a sequence: without an id
    there would be no receipt.

    Args:
        raw: The line.
        runs: Its elements, as parsed.
        identities: An id for each, for those that have none.
        numbering: The last sequence number given.
    """
    body = raw.strip().removeprefix(_BOM).strip()
    ids = tuple(run.message_id or own for run, own in zip(runs, identities, strict=True))
    if all(run.message_id for run in runs):
        return Payload(body, ids, 0)
    if body.startswith(b"{") and not {"message_id", "sequence"} & runs[0].model_fields_set:
        return Payload(_spliced(body, ids[0], numbering), ids, 1)
    value = jiter.from_json(body)
    number = numbering.seq
    elements = value if isinstance(value, list) else [value]
    for element, run, own in zip(elements, runs, ids, strict=True):
        if run.message_id is None:
            number += 1
            _identify(element, own, Numbering(numbering.epoch, number))
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Payload(text.encode(), ids, number - numbering.seq)


def _identify(element: dict[str, Any], identity: str, numbering: Numbering) -> None:
    element["message_id"] = identity
    if element.get("sequence") is None:
        element["sequence"] = {"epoch": numbering.epoch, "seq": numbering.seq}


def _spliced(body: bytes, identity: str, numbering: Numbering) -> bytes:
    """Put id and next number in front of a JSON object's first field."""
    sequence = f'{{"epoch":"{numbering.epoch}","seq":{numbering.seq + 1}}}'
    return f'{{"message_id":"{identity}","sequence":{sequence},'.encode() + body[1:]

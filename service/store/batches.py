"""A batch on its way into the store: what arrived, what became of it. Pure: no I/O."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from broker.envelopes import Outgoing
from broker.messages import RejectionCode
from service.core.payload import split_array
from service.core.records import JudgedRun, Refused

UNKNOWN_MACHINE = "(unknown)"
"""Where a message is booked whose topic names no machine."""


class Arrival(NamedTuple):
    """One message and what was understood of it: one run, many (an array), or refusals."""

    topic: str
    line: str
    payload: bytes
    contents: Sequence[JudgedRun | Refused]


class StoredRun(NamedTuple):
    """One run that this batch stored."""

    run_id: int
    attempt: int
    judged: JudgedRun
    topic: str
    """Where its message arrived."""


class DuplicateRun(NamedTuple):
    """One run that was stored before, with the same content."""

    run_id: int
    judged: JudgedRun
    topic: str


class StoredRejection(NamedTuple):
    """One refusal, stored now or before."""

    rejection_id: int
    refused: Refused


class Saved(NamedTuple):
    """What became of a batch, in order of arrival within each list."""

    received_at: datetime
    runs: list[StoredRun]
    duplicates: list[DuplicateRun]
    rejections: list[StoredRejection]


class Committed(NamedTuple):
    """A batch that is safe, and its answers."""

    saved: Saved
    answers: list[Outgoing]
    outbox_ids: tuple[int, ...]
    """The outbox rows to clear once every answer is confirmed."""


class SortedOut(NamedTuple):
    """A batch, parted by what is to be done with it."""

    new: list[tuple[JudgedRun, Arrival]]
    repeated: list[tuple[int | None, JudgedRun, str]]
    """(run id, run, topic); without an id its first arrival is in `new`."""
    refused: list[Refused]


def sort_out(
    batch: Sequence[Arrival], known: dict[tuple[str, str], tuple[int, bytes]]
) -> SortedOut:
    """Part new runs from repeats, and find ids that were used for two contents."""
    sorted_out = SortedOut([], [], [])
    seen: dict[tuple[str, str], tuple[int | None, bytes]] = dict(known)
    for arrival in batch:
        for each in arrival.contents:
            if isinstance(each, Refused):
                sorted_out.refused.append(each)
                continue
            key = (each.run.machine_id, each.run.message_id)
            before = seen.get(key)
            if before is None:
                seen[key] = (None, each.run.content_hash)
                sorted_out.new.append((each, arrival))
            elif before[1] == each.run.content_hash:
                sorted_out.repeated.append((before[0], each, arrival.topic))
            else:
                sorted_out.refused.append(_conflict(each, arrival))
    return sorted_out


def halves(batch: Sequence[Arrival]) -> tuple[Sequence[Arrival], ...]:
    """Return two parts of a batch, or of the array that is all of it; none of a single piece."""
    if len(batch) > 1:
        middle = len(batch) // 2
        return batch[:middle], batch[middle:]
    (arrival,) = batch
    middle = len(arrival.contents) // 2
    if not middle:
        return ()
    first, second = arrival.contents[:middle], arrival.contents[middle:]
    return [arrival._replace(contents=first)], [arrival._replace(contents=second)]


def not_storable(piece: Arrival, error: Exception) -> Arrival:
    """Turn a run that the database cannot hold into a refusal; a refusal raises `error` again."""
    each = piece.contents[0]
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(each, Refused):
        raise error  # a rejection holds only what we made storable ourselves: this is a bug
    refused = Refused(
        piece.topic,
        each.run.machine_id,
        each.run.message_id if each.run.wants_receipt else None,
        RejectionCode.NOT_STORABLE,
        f"{piece.topic}: the database cannot hold this message ({said})."
        " Not stored; bytes kept. Correct the value and send it again.",
        _own_bytes(piece, each),
        each.run.element,
    )
    return piece._replace(contents=(refused,))


def machine_of(each: JudgedRun | Refused) -> str:
    """Return the machine it is booked under."""
    if isinstance(each, JudgedRun):
        return each.run.machine_id
    return each.machine_id or UNKNOWN_MACHINE


def _conflict(judged: JudgedRun, arrival: Arrival) -> Refused:
    run = judged.run
    return Refused(
        arrival.topic,
        run.machine_id,
        run.message_id,
        RejectionCode.CONFLICTING_DUPLICATE,
        f"{arrival.topic}: message_id {run.message_id!r} is stored already with other content"
        f" (barcode here {run.message.barcode!r}). Not stored. Give every message its own id.",
        _own_bytes(arrival, judged),
        run.element,
    )


def _own_bytes(arrival: Arrival, judged: JudgedRun) -> bytes:
    """Return a message's bytes; of an array's element, the element's own."""
    element = judged.run.element
    return arrival.payload if element is None else _pieces(arrival.payload)[element]


@lru_cache(maxsize=1)
def _pieces(payload: bytes) -> Sequence[bytes]:
    return split_array(payload) or ()

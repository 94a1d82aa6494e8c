"""What tests of the spool put into it and look up in it."""

from pathlib import Path

from edge_agent.batch import Refusal
from edge_agent.filebook import KnownFile, Place
from edge_agent.payload import Payload
from edge_agent.spool import Spool
from edge_agent.spool_view import SpoolView
from edge_agent.tail import Mark, Signature

NOWHERE = KnownFile(0, Mark.nothing())


def place(machine: str = "M1", node: str = "1:1", path: str = "log") -> Place:
    """Return where a log stands."""
    return Place(machine, "*", path, Signature(10, 7, node))


def keep(
    spool: Spool, *ids: str, machine: str = "M1", offset: int = 10, body: bytes = b"{}"
) -> None:
    """Commit messages with these ids, read up to an offset."""
    batch = spool.batch(machine)
    for each in ids:
        batch.add(Payload(body, (each,), 1))
        batch.read_count += 1
    file_id = 0 if offset == 10 else 1
    known = KnownFile(file_id, Mark(offset, b"h", b"t", 3), b"f", {"a": 1})
    spool.commit(batch, place(machine), known)


def bodies(spool: Spool, machine: str = "M1", after: int = 0) -> list[int]:
    """Return the numbers of the messages that wait."""
    return [each.id for each in spool.messages_after(machine, after, 500, 10_000)]


def refuse(spool: Spool, *contents: bytes, offset: int = 10) -> None:
    """Commit records that were refused."""
    batch = spool.batch("M1")
    for content in contents:
        batch.refuse(Refusal(offset, offset + len(content), "no JSON", content))
    file_id = 0 if offset == 10 else 1
    spool.commit(batch, place(), KnownFile(file_id, Mark(offset, b"h", b"t", 3)))


def kept(file: Path) -> list[bytes | None]:
    """Return what is kept of refused records, the oldest first."""
    with SpoolView(file) as view:
        return [each.content for each in view.refused()]

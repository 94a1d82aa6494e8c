"""The books of each machine: received = stored + rejected + duplicates."""

from collections.abc import Sequence
from typing import Final

from broker.topics import UNASSIGNED_LINE
from service.store.batches import Arrival, DuplicateRun, StoredRun, machine_of
from service.store.codes import NameKind
from service.store.drivers import Driver, table
from service.store.names import Names

_MACHINE = table(
    "machine",
    machine="int4",
    line="int4",
    last_run_id="int8",
    last_received_us="int8",
    received="int8",
    stored="int8",
    rejected="int8",
    duplicates="int8",
)
_MACHINE_ADD: Final = f"""ON CONFLICT (machine) DO UPDATE SET
    line = CASE
        WHEN excluded.line = (
            SELECT id FROM name WHERE kind = {NameKind.LINE.value} AND text = '{UNASSIGNED_LINE}'
        ) THEN machine.line
        ELSE excluded.line
    END,
    last_run_id = coalesce(excluded.last_run_id, machine.last_run_id),
    last_received_us = excluded.last_received_us,
    received = machine.received + excluded.received,
    stored = machine.stored + excluded.stored,
    rejected = machine.rejected + excluded.rejected,
    duplicates = machine.duplicates + excluded.duplicates"""  # noqa: S608 - constants
"""`unassigned` says that the sender knew no line, as `POST /ingest` may: it moves no machine."""


def keep_books(  # noqa: PLR0913, PLR0917 - each is a part of the balance
    driver: Driver,
    names: Names,
    batch: Sequence[Arrival],
    runs: Sequence[StoredRun],
    duplicates: Sequence[DuplicateRun],
    received_us: int,
) -> None:
    """Count per machine: received = stored + rejected + duplicates."""
    books: dict[str, _Book] = {}
    for arrival in batch:
        for each in arrival.contents:
            machine_id = machine_of(each)
            book = books.get(machine_id)
            if book is None:
                book = books[machine_id] = _Book(arrival.line)
            book.received += 1
            if arrival.line != UNASSIGNED_LINE:
                book.line = arrival.line
    for run in runs:
        book = books[run.judged.run.machine_id]
        book.stored += 1
        book.last_run_id = run.run_id
    for duplicate in duplicates:
        books[duplicate.judged.run.machine_id].duplicates += 1
    machines, lines = names.of[NameKind.MACHINE], names.of[NameKind.LINE]
    rows = sorted(
        (
            machines[machine_id],
            lines[book.line],
            book.last_run_id,
            received_us,
            book.received,
            book.stored,
            book.received - book.stored - book.duplicates,
            book.duplicates,
        )
        for machine_id, book in books.items()
    )
    driver.upsert(_MACHINE, rows, _MACHINE_ADD)


class _Book:
    """What one machine sent in a batch."""

    __slots__ = ("duplicates", "last_run_id", "line", "received", "stored")

    def __init__(self, line: str) -> None:
        self.line = line
        self.last_run_id: int | None = None
        self.received = self.stored = self.duplicates = 0

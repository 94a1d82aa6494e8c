"""One batch, one transaction: runs, measurements, roll-ups, unit states, books and answers.

Exactly once rests on two things: the unique key (machine, message_id), and that everything a
message causes is committed with it or not at all.
"""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

import psycopg

from broker.errors import StoreRefused, StoreUnavailable
from broker.link import Outgoing
from broker.messages import RejectionCode
from service.core.payload import split_array
from service.core.records import JudgedRun, Refused
from service.store import lease, outbox
from service.store.codes import OUTCOME_CODE, NameKind
from service.store.database import ROW_ERRORS, Database
from service.store.drivers import Driver, PostgresDriver, SqliteDriver, table
from service.store.names import Names
from service.store.rollups import (
    RUN_HOUR,
    RUN_HOUR_ADD,
    STEP_HOUR,
    STEP_HOUR_ADD,
    roll_up,
)
from service.store.rows import (
    MEASUREMENT,
    RAW_MESSAGE,
    RUN,
    RunKeys,
    measurement_row,
    microseconds,
    names_of,
    raw_row,
    run_row,
)
from service.store.unit_states import (
    UNIT_STATE,
    UNIT_STATE_MERGE,
    UNIT_STATE_REPLACE,
    NewRun,
    UnitState,
    with_run,
)

UNKNOWN_MACHINE = "(unknown)"
"""Where a message is booked whose topic names no machine."""

_UNIT = table("unit", id="int8", barcode="text", product="int4")
_REJECTION = table(
    "rejection",
    id="int8",
    content_hash="bytea",
    topic="text",
    machine="int4",
    message_id="text",
    code="text",
    reason="text",
    element="int4",
    received_us="int8",
    repeats="int4",
    payload="bytea",
)
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
_MACHINE_ADD = """ON CONFLICT (machine) DO UPDATE SET
    line = excluded.line,
    last_run_id = coalesce(excluded.last_run_id, machine.last_run_id),
    last_received_us = excluded.last_received_us,
    received = machine.received + excluded.received,
    stored = machine.stored + excluded.stored,
    rejected = machine.rejected + excluded.rejected,
    duplicates = machine.duplicates + excluded.duplicates"""
_NOT_STORABLE = (*ROW_ERRORS, OverflowError, UnicodeError)
_CLASHES_MAX = 5
_ROLLED_BACK = "40"  # PostgreSQL's class of states: a deadlock, a serialization failure


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


class Writer:
    """The only writer of a service process. One thread at a time; owns one connection."""

    def __init__(self, database: Database, encode: Callable[[Saved], list[Outgoing]]) -> None:
        """Prepare; nothing is opened yet.

        Args:
            database: Where to.
            encode: Turns what was stored into the messages to publish. They are kept in the outbox
                in the same transaction.
        """
        self._database = database
        self._encode = encode
        self._names = Names()
        self._driver: Driver | None = None
        self._published: list[int] = []
        self._lease = lease.Lease()

    @property
    def number(self) -> int | None:
        """Which of the service processes this is, from 0; None until `open` has claimed it."""
        return self._lease.number

    def open(self) -> int:
        """Connect and claim the lowest free service number; return it.

        Raises:
            StoreUnavailable: The database is away, or the number is taken for the moment.
            StoreRefused: Another service writes to the same SQLite file.
        """
        with self._trouble_closes():
            self._connected()
        assert self.number is not None
        return self.number

    def close(self) -> None:
        """Clear what is published from the outbox and close the connection."""
        with contextlib.suppress(StoreUnavailable, StoreRefused):
            self.tidy()  # else the next process publishes them again
        self._drop()

    def save(self, batch: Sequence[Arrival], received_at: datetime) -> Committed:
        """Store a batch. What cannot be stored becomes a rejection; the rest is not harmed.

        Raises:
            StoreUnavailable: The database is away; nothing is stored, the same call can be
                repeated.
        """
        for _ in range(_CLASHES_MAX):
            try:
                return self._save_once(batch, received_at)
            except psycopg.errors.UniqueViolation as error:
                clash = error  # another service stored one of them between our look and our insert
            except _NOT_STORABLE as error:
                return self._save_in_halves(batch, received_at, error)
        raise StoreUnavailable(f"another service is storing the same messages: {clash}")

    def published(self, outbox_ids: Sequence[int]) -> None:
        """Note that answers are confirmed; their rows go with the next transaction."""
        self._published += outbox_ids

    def tidy(self) -> None:
        """Remove published batches from the outbox now.

        Raises:
            StoreUnavailable: The database is away; the next call does it.
        """
        if self._published:
            with self._trouble_closes():
                driver = self._connected()
                try:
                    driver.begin()
                    done = self._clear_published(driver)
                    driver.commit()
                except BaseException:
                    driver.rollback()
                    raise
                self._forget_published(done)

    def unpublished(self) -> Iterator[tuple[int, list[Outgoing]]]:
        """Yield (outbox id, messages) that our number committed and never saw confirmed.

        Raises:
            StoreUnavailable: The database is away.
        """
        with self._trouble_closes():
            rows = self._connected().execute(
                "SELECT id, body FROM outbox WHERE service = ? ORDER BY id", (self._service,)
            )
        for outbox_id, body in rows:
            if outbox_id not in self._published:
                yield outbox_id, list(outbox.unpack(bytes(body)))

    def report(self, facts: str, now: datetime) -> None:
        """Leave a line on this process's health (JSON) for the web app.

        Raises:
            StoreUnavailable: The database is away.
        """
        with self._trouble_closes():
            self._connected().execute(
                "INSERT INTO service (service, reported_us, facts) VALUES (?, ?, ?)"
                " ON CONFLICT (service) DO UPDATE SET"
                " reported_us = excluded.reported_us, facts = excluded.facts",
                (self._service, microseconds(now), facts),
            )

    # -- one transaction -----------------------------------------------------------------------

    def _save_once(self, batch: Sequence[Arrival], received_at: datetime) -> Committed:
        with self._trouble_closes():
            driver = self._connected()
            try:
                driver.begin()
                try:
                    saved = self._store(driver, batch, received_at)
                except KeyError:  # a name we have not met: rare, so nobody looks for it beforehand
                    driver.rollback()
                    self._learn(driver, batch)
                    driver.begin()
                    saved = self._store(driver, batch, received_at)
                answers = self._encode(saved)
                outbox_id = self._keep(driver, answers)
                done = self._clear_published(driver)
                driver.commit()
            except BaseException:
                driver.rollback()
                raise
        self._forget_published(done)
        return Committed(saved, answers, () if outbox_id is None else (outbox_id,))

    def _store(self, driver: Driver, batch: Sequence[Arrival], received_at: datetime) -> Saved:
        received_us = microseconds(received_at)
        sorted_out = _sort_out(batch, self._known(driver, batch))
        runs = self._insert_runs(driver, sorted_out.new, received_us)
        rejections = self._insert_rejections(driver, sorted_out.refused, received_us)
        by_message = {(run.judged.run.machine_id, run.judged.run.message_id): run for run in runs}
        duplicates = [
            DuplicateRun(
                number
                if number is not None
                else by_message[judged.run.machine_id, judged.run.message_id].run_id,
                judged,
                topic,
            )
            for number, judged, topic in sorted_out.repeated
        ]
        self._keep_books(driver, batch, runs, duplicates, received_us)
        return Saved(received_at, runs, duplicates, rejections)

    def _known(
        self, driver: Driver, batch: Sequence[Arrival]
    ) -> dict[tuple[str, str], tuple[int, bytes]]:
        """Return (run id, content hash) of those of the batch's messages that are stored."""
        machines = self._names.of[NameKind.MACHINE]
        keys = [
            (machines[judged.run.machine_id], judged.run.message_id)
            for arrival in batch
            for judged in arrival.contents
            if isinstance(judged, JudgedRun)
        ]
        if not keys:
            return {}
        # Nearly always every message is new, of a new unit.
        new = len(keys)
        driver.reserve({"run": new, "raw_message": new, "unit": new, "outbox": 1})
        found = driver.match(
            keys,
            ("int4", "text"),
            "SELECT r.machine, r.message_id, r.id, r.content_hash"
            " FROM k JOIN run r ON r.machine = k.k0 AND r.message_id = k.k1",
        )
        if not found:
            return {}
        text_of = {number: text for text, number in machines.items()}
        return {
            (text_of[machine], message_id): (number, bytes(content_hash))
            for machine, message_id, number, content_hash in found
        }

    def _insert_runs(
        self, driver: Driver, new: Sequence[tuple[JudgedRun, Arrival]], received_us: int
    ) -> list[StoredRun]:
        if not new:
            return []
        names = self._names
        keyed = self._key_runs(driver, new)
        run_rows = [run_row(judged, keys, received_us, names) for judged, keys in keyed]
        driver.insert(RUN, run_rows)
        driver.insert(
            MEASUREMENT,
            [
                measurement_row(keys.run_id, position, each, names)
                for judged, keys in keyed
                for position, each in enumerate(judged.measurements)
            ],
        )
        rolled_up = roll_up(keyed, names)
        driver.upsert(RUN_HOUR, rolled_up.run_hours, RUN_HOUR_ADD)
        driver.upsert(STEP_HOUR, rolled_up.step_hours, STEP_HOUR_ADD)
        return [
            StoredRun(keys.run_id, keys.attempt, judged, arrival.topic)
            for (judged, keys), (_, arrival) in zip(keyed, new, strict=True)
        ]

    def _key_runs(
        self, driver: Driver, new: Sequence[tuple[JudgedRun, Arrival]]
    ) -> list[tuple[JudgedRun, RunKeys]]:
        """Give every new run its ids, its attempt and its unit; insert raw messages and units."""
        of = self._names.of
        machines, lines = of[NameKind.MACHINE], of[NameKind.LINE]
        products, procedures = of[NameKind.PRODUCT], of[NameKind.PROCEDURE]
        run_ids = driver.next_ids("run", len(new))
        raw_ids = self._insert_raw(driver, [arrival for _, arrival in new])
        barcodes = [(j.run.message.barcode, products[j.run.message.product_id]) for j, _ in new]
        units = self._units(driver, barcodes)
        unit_procedures = [
            (units.ids[barcode], procedures[judged.run.procedure])
            for barcode, (judged, _) in zip(barcodes, new, strict=True)
        ]
        states = self._states(driver, set(unit_procedures), units.added)
        keyed = []
        changed: dict[tuple[int, int], UnitState] = {}
        for index, (judged, arrival) in enumerate(new):
            run, run_id, unit_procedure = judged.run, run_ids[index], unit_procedures[index]
            unit_id, procedure = unit_procedure
            product = barcodes[index][1]
            machine, line = machines[run.machine_id], lines[run.line]
            started_us = microseconds(run.started_at)
            state = changed[unit_procedure] = with_run(
                changed.get(unit_procedure) or states.get(unit_procedure),
                NewRun(
                    unit_id,
                    procedure,
                    product,
                    machine,
                    line,
                    run_id,
                    started_us,
                    OUTCOME_CODE[judged.outcome],
                ),
            )
            keys = RunKeys(
                run_id,
                machine,
                line,
                unit_id,
                product,
                procedure,
                state.runs,
                raw_ids[id(arrival)],
                started_us,
            )
            keyed.append((judged, keys))
        ordered = [changed[key] for key in sorted(changed)]
        driver.insert(UNIT_STATE, [state for state in ordered if state.unit_id in units.added])
        old = [state for state in ordered if state.unit_id not in units.added]
        driver.upsert(UNIT_STATE, [each for each in old if each[:2] in states], UNIT_STATE_REPLACE)
        driver.upsert(
            UNIT_STATE, [each for each in old if each[:2] not in states], UNIT_STATE_MERGE
        )
        return keyed

    def _insert_raw(self, driver: Driver, arrivals: Sequence[Arrival]) -> dict[int, int]:
        """Store each message's bytes once; return their ids by `id(arrival)`."""
        different = {id(arrival): arrival for arrival in arrivals}
        ids = driver.next_ids("raw_message", len(different))
        topics = self._names.of[NameKind.TOPIC]
        driver.insert(
            RAW_MESSAGE,
            [
                raw_row(raw_id, topics[arrival.topic], arrival.payload)
                for raw_id, arrival in zip(ids, different.values(), strict=True)
            ],
        )
        return dict(zip(different, ids, strict=True))

    def _units(self, driver: Driver, wanted: Sequence[tuple[str, int]]) -> "_Units":
        """Find units by (barcode, product), and add the new ones."""
        different = sorted(set(wanted))
        find = (
            "SELECT u.barcode, u.product, u.id"
            " FROM k JOIN unit u ON u.barcode = k.k0 AND u.product = k.k1"
        )
        types = ("text", "int4")
        ids = {(row[0], row[1]): row[2] for row in driver.match(different, types, find)}
        missing = [key for key in different if key not in ids]
        if not missing:
            return _Units(ids, set())
        new_ids = driver.next_ids("unit", len(missing))
        rows = [(number, *key) for number, key in zip(new_ids, missing, strict=True)]
        added = driver.insert_absent(_UNIT, rows)
        for number, barcode, product in rows:
            if number in added:
                ids[barcode, product] = number
        if len(added) < len(rows):  # another service added them since we looked
            late = [key for key in missing if key not in ids]
            ids |= {(row[0], row[1]): row[2] for row in driver.match(late, types, find)}
        return _Units(ids, added)

    def _states(
        self, driver: Driver, keys: set[tuple[int, int]], added: set[int]
    ) -> dict[tuple[int, int], UnitState]:
        """Return the states that exist, locked until the commit where others could write them."""
        wanted = sorted(key for key in keys if key[0] not in added)
        if not wanted:
            return {}
        columns = ", ".join(f"s.{column}" for column in UNIT_STATE.columns)
        lock = "" if self._database.is_sqlite else "ORDER BY 1, 2 FOR UPDATE OF s"
        found = driver.match(
            wanted,
            ("int8", "int4"),
            f"SELECT {columns} FROM k"  # noqa: S608 - our own column names
            f" JOIN unit_state s ON s.unit_id = k.k0 AND s.procedure = k.k1 {lock}",
        )
        return {(row[0], row[1]): UnitState(*row) for row in found}

    def _insert_rejections(
        self, driver: Driver, refused: Sequence[Refused], received_us: int
    ) -> list[StoredRejection]:
        """Store refusals; one whose very bytes were refused before only counts."""
        if not refused:
            return []
        hashes = [_rejection_hash(each) for each in refused]
        ids = driver.next_ids("rejection", len(refused))
        machines = self._names.of[NameKind.MACHINE]
        counts = Counter(hashes)
        rows: dict[bytes, tuple[object, ...]] = {}
        for each, content_hash, number in zip(refused, hashes, ids, strict=True):
            machine = None if each.machine_id is None else machines[each.machine_id]
            rows.setdefault(
                content_hash,
                (
                    number,
                    content_hash,
                    _storable(each.topic),
                    machine,
                    each.message_id,
                    each.code.value,
                    _storable(each.reason),
                    each.element,
                    received_us,
                    counts[content_hash] - 1,
                    each.payload,
                ),
            )
        driver.upsert(
            _REJECTION,
            [rows[key] for key in sorted(rows)],
            "ON CONFLICT (content_hash) DO UPDATE"
            " SET repeats = rejection.repeats + excluded.repeats + 1",
        )
        found = driver.match(
            [(key,) for key in rows],
            ("bytea",),
            "SELECT r.content_hash, r.id FROM k JOIN rejection r ON r.content_hash = k.k0",
        )
        id_of = {bytes(content_hash): number for content_hash, number in found}
        return [
            StoredRejection(id_of[content_hash], each)
            for each, content_hash in zip(refused, hashes, strict=True)
        ]

    def _keep_books(
        self,
        driver: Driver,
        batch: Sequence[Arrival],
        runs: Sequence[StoredRun],
        duplicates: Sequence[DuplicateRun],
        received_us: int,
    ) -> None:
        """Count per machine: received = stored + rejected + duplicates."""
        books: dict[str, _Book] = {}
        for arrival in batch:
            for each in arrival.contents:
                machine_id = _machine_of(each)
                book = books.get(machine_id)
                if book is None:
                    book = books[machine_id] = _Book(arrival.line)
                book.received += 1
                book.line = arrival.line
        for run in runs:
            book = books[run.judged.run.machine_id]
            book.stored += 1
            book.last_run_id = run.run_id
        for duplicate in duplicates:
            books[duplicate.judged.run.machine_id].duplicates += 1
        machines, lines = self._names.of[NameKind.MACHINE], self._names.of[NameKind.LINE]
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

    # -- around it -----------------------------------------------------------------------------

    def _learn(self, driver: Driver, batch: Sequence[Arrival]) -> None:
        """Make sure that every name of the batch has its id, in a transaction of its own."""
        wanted: set[tuple[NameKind, str]] = set()
        for arrival in batch:
            wanted.add((NameKind.TOPIC, _storable(arrival.topic)))
            wanted.add((NameKind.LINE, arrival.line))
            for each in arrival.contents:
                if isinstance(each, JudgedRun):
                    wanted.update(names_of(each))
                else:
                    wanted.add((NameKind.MACHINE, _machine_of(each)))
        try:
            driver.begin()
            self._names.learn(driver, wanted)
            driver.commit()
        except BaseException:
            self._names.forget()  # what the cache knows must be committed
            raise

    def _keep(self, driver: Driver, answers: Sequence[Outgoing]) -> int | None:
        if not answers:
            return None
        outbox_id = driver.next_ids("outbox", 1)[0]
        driver.insert(outbox.OUTBOX, [(outbox_id, self._service, outbox.pack(answers))])
        return outbox_id

    def _clear_published(self, driver: Driver) -> int:
        """Delete confirmed rows; return how many of `_published` that were."""
        done = len(self._published)
        for outbox_id in self._published[:done]:
            driver.change("DELETE FROM outbox WHERE id = ?", (outbox_id,))
        return done

    def _forget_published(self, count: int) -> None:
        del self._published[:count]

    def _save_in_halves(
        self, batch: Sequence[Arrival], received_at: datetime, error: Exception
    ) -> Committed:
        """Find what cannot be stored by storing ever smaller parts; the good ones stay together.

        Each part of an array keeps the bytes of the whole: few parts, few copies.
        """
        halves = _halves(batch)
        if not halves:
            return self._save_once([_not_storable(batch[0], error)], received_at)
        done = [self.save(half, received_at) for half in halves]
        return Committed(
            Saved(
                received_at,
                [run for each in done for run in each.saved.runs],
                [run for each in done for run in each.saved.duplicates],
                [rejection for each in done for rejection in each.saved.rejections],
            ),
            [answer for each in done for answer in each.answers],
            tuple(number for each in done for number in each.outbox_ids),
        )

    def _connected(self) -> Driver:
        if self._driver is None:
            self._names.forget()
            if self._database.is_sqlite:
                self._lease.number = lease.claim_file(self._database)
                self._driver = SqliteDriver(self._database.connect_sqlite())
            else:
                connection = self._database.connect_postgres()
                try:
                    self._lease.claim(connection)
                except BaseException:
                    connection.close()
                    raise
                self._driver = PostgresDriver(connection)
        return self._driver

    @property
    def _service(self) -> str:
        return f"yieldline-service-{self.number}"

    @contextlib.contextmanager
    def _trouble_closes(self) -> Iterator[None]:
        """After database trouble start from a new connection: the old one's state is unknown.

        Not after a deadlock: it is rolled back, and with the connection our number would go.
        """
        try:
            with self._database.translated():
                yield
        except StoreUnavailable as error:
            state = getattr(error.__cause__, "sqlstate", None) or ""
            if not state.startswith(_ROLLED_BACK):
                self._drop()
            raise

    def _drop(self) -> None:
        if self._driver is not None:
            with contextlib.suppress(psycopg.Error, sqlite3.Error):
                self._driver.close()
            self._driver = None


class _Units(NamedTuple):
    ids: dict[tuple[str, int], int]
    added: set[int]
    """Units that did not exist, and of which nobody else can know before the commit."""


class _Book:
    """What one machine sent in a batch."""

    __slots__ = ("duplicates", "last_run_id", "line", "received", "stored")

    def __init__(self, line: str) -> None:
        self.line = line
        self.last_run_id: int | None = None
        self.received = self.stored = self.duplicates = 0


class _SortedOut(NamedTuple):
    new: list[tuple[JudgedRun, Arrival]]
    repeated: list[tuple[int | None, JudgedRun, str]]
    """(run id, run, topic); without an id its first arrival is in `new`."""
    refused: list[Refused]


def _sort_out(
    batch: Sequence[Arrival], known: dict[tuple[str, str], tuple[int, bytes]]
) -> _SortedOut:
    """Part new runs from repeats, and find ids that were used for two contents."""
    sorted_out = _SortedOut([], [], [])
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


def _halves(batch: Sequence[Arrival]) -> tuple[Sequence[Arrival], ...]:
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


def _own_bytes(arrival: Arrival, judged: JudgedRun) -> bytes:
    """Return a message's bytes; of an array's element, the element's own."""
    element = judged.run.element
    return arrival.payload if element is None else _pieces(arrival.payload)[element]


@lru_cache(maxsize=1)
def _pieces(payload: bytes) -> Sequence[bytes]:
    return split_array(payload) or ()


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


def _not_storable(piece: Arrival, error: Exception) -> Arrival:
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


def _machine_of(each: JudgedRun | Refused) -> str:
    if isinstance(each, JudgedRun):
        return each.run.machine_id
    return each.machine_id or UNKNOWN_MACHINE


def _rejection_hash(refused: Refused) -> bytes:
    """Return what makes a rejection the same as another: where it came, and its bytes."""
    element = "" if refused.element is None else str(refused.element)
    head = f"{refused.topic}\0{element}\0".encode("utf-8", "surrogatepass")
    return blake2b(head + refused.payload, digest_size=16).digest()


def _storable(text: str) -> str:
    """Return text that any database takes: it came from a topic or a reason, not from content."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")

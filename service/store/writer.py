"""One batch, one transaction: runs, measurements, roll-ups, unit states, books and answers.

Exactly once rests on two things: the unique key (machine, message_id), and that everything a
message causes is committed with it or not at all.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import psycopg

from broker.envelopes import Outgoing
from broker.errors import StoreRefused, StoreUnavailable
from service.core.records import JudgedRun
from service.core.shadow import Shadowed
from service.store import lease, outbox, retention
from service.store.batches import (
    UNKNOWN_MACHINE,
    Arrival,
    Committed,
    DuplicateRun,
    Saved,
    halves,
    machine_of,
    not_storable,
    sort_out,
)
from service.store.books import keep_books
from service.store.codes import NameKind
from service.store.database import ROW_ERRORS, Database
from service.store.drivers import Driver, PostgresDriver, SqliteDriver
from service.store.names import Names
from service.store.queries.old_runs import Portion
from service.store.rejections import insert_rejections
from service.store.rows import names_of
from service.store.run_inserts import insert_runs
from service.store.shadows import keep_shadowed
from service.store.times import microseconds

_NOT_STORABLE = (*ROW_ERRORS, OverflowError, UnicodeError)
_CLASHES_MAX = 5
_ROLLED_BACK = "40"  # PostgreSQL's class of states: a deadlock, a serialization failure


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

    @property
    def claim_count(self) -> int:
        """How often the number was claimed: it was not ours in between."""
        return self._lease.claim_count

    @property
    def is_number_taken(self) -> bool:
        """Tell whether another process held our number when we last tried to claim it."""
        return self._lease.is_taken

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

    def save(
        self, batch: Sequence[Arrival], received_at: datetime, shadowed: Shadowed | None = None
    ) -> Committed:
        """Store a batch. What cannot be stored becomes a rejection; the rest is not harmed.

        Args:
            batch: What arrived.
            received_at: When, aware.
            shadowed: What a shadow rulebook says of it; kept where it differs.

        Raises:
            StoreUnavailable: The database is away; nothing is stored, the same call can be
                repeated.
        """
        for _ in range(_CLASHES_MAX):
            try:
                return self._save_once(batch, received_at, shadowed)
            except psycopg.errors.UniqueViolation as error:
                clash = error  # another service stored one of them between our look and our insert
            except _NOT_STORABLE as error:
                return self._save_in_halves(batch, received_at, shadowed, error)
        raise StoreUnavailable(f"another service is storing the same messages: {clash}")

    def published(self, outbox_ids: Sequence[int]) -> None:
        """Note that answers are confirmed; their rows go with the next transaction."""
        self._published += outbox_ids

    def forget(self, portion: Portion, horizon: int) -> int | None:
        """Delete old runs, see `service.store.retention.forget`.

        Raises:
            StoreUnavailable: The database is away; nothing is deleted.
        """
        with self._trouble_closes():
            return retention.forget(self._connected(), portion, horizon)

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

    def last_report(self) -> str | None:
        """Return the line that our number left last (JSON), in this life or an earlier one.

        Raises:
            StoreUnavailable: The database is away.
        """
        with self._trouble_closes():
            rows = self._connected().execute(
                "SELECT facts FROM service WHERE service = ?", (self._service,)
            )
        return rows[0][0] if rows else None

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

    def _save_once(
        self, batch: Sequence[Arrival], received_at: datetime, shadowed: Shadowed | None
    ) -> Committed:
        with self._trouble_closes():
            driver = self._connected()
            try:
                driver.begin()
                try:
                    saved = self._store(driver, batch, received_at, shadowed)
                except KeyError:  # a name we have not met: rare, so nobody looks for it beforehand
                    driver.rollback()
                    self._learn(driver, batch, shadowed)
                    driver.begin()
                    saved = self._store(driver, batch, received_at, shadowed)
                answers = self._encode(saved)
                outbox_id = self._keep(driver, answers)
                done = self._clear_published(driver)
                driver.commit()
            except BaseException:
                driver.rollback()
                raise
        self._forget_published(done)
        return Committed(saved, answers, () if outbox_id is None else (outbox_id,))

    def _store(
        self,
        driver: Driver,
        batch: Sequence[Arrival],
        received_at: datetime,
        shadowed: Shadowed | None,
    ) -> Saved:
        received_us = microseconds(received_at)
        sorted_out = sort_out(batch, self._known(driver, batch))
        runs = insert_runs(driver, self._names, sorted_out.new, received_us)
        rejections = insert_rejections(driver, self._names, sorted_out.refused, received_us)
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
        keep_books(driver, self._names, batch, runs, duplicates, received_us)
        if shadowed is not None:
            keep_shadowed(driver, self._names, shadowed, runs)
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

    # -- around it -----------------------------------------------------------------------------

    def _learn(self, driver: Driver, batch: Sequence[Arrival], shadowed: Shadowed | None) -> None:
        """Make sure that every name of the batch has its id, in a transaction of its own."""
        wanted: set[tuple[NameKind, str]] = set()
        for arrival in batch:
            wanted.add((NameKind.LINE, arrival.line))
            for each in arrival.contents:
                if machine_of(each) != UNKNOWN_MACHINE:  # a topic of none may be of any length
                    wanted.add((NameKind.TOPIC, arrival.topic))
                if isinstance(each, JudgedRun):
                    wanted.update(names_of(each))
                else:
                    wanted.add((NameKind.MACHINE, machine_of(each)))
        if shadowed is not None:
            firsts = {each.first_failure for each in shadowed.differing.values()}
            wanted.update((NameKind.STEP, each) for each in firsts if each is not None)
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
        self,
        batch: Sequence[Arrival],
        received_at: datetime,
        shadowed: Shadowed | None,
        error: Exception,
    ) -> Committed:
        """Find what cannot be stored by storing ever smaller parts; the good ones stay together.

        Each part of an array keeps the bytes of the whole: few parts, few copies.
        """
        parts = halves(batch)
        if not parts:
            return self._save_once([not_storable(batch[0], error)], received_at, shadowed)
        done = [self.save(part, received_at, shadowed) for part in parts]
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
        return f"{lease.SERVICE_NAME}{self.number}"

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

"""The writer among others and in trouble: one number each, two at once, the database away."""

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from broker.errors import StoreRefused, StoreUnavailable
from broker.sections import DatabaseSettings
from service.store import lease
from service.store.database import Database
from service.store.queries.health import books
from service.store.schema import upgrade
from service.store.writer import Writer
from tests.support.processes import PYTHON, Process
from tests.support.stored import (
    Stored,
    assert_books_balance,
    one,
    rows,
    run_message,
    second_writer,
    summary,
)

# -- one number a process --------------------------------------------------------------------------


CLAIM = (
    "import sys; from broker.settings import DatabaseSettings as S;"
    " from service.store.database import Database as D; from service.store.lease import claim_file;"
    " claim_file(D(S(url=sys.argv[1]))); print('claimed', flush=True); sys.stdin.read();"
    " import time; time.sleep(60)"
)


def test_a_second_service_on_one_sqlite_file_is_refused_in_one_sentence(
    tmp_path: Path, sqlite_url: str
) -> None:
    with Process([PYTHON, "-c", CLAIM, sqlite_url]) as other:
        other.wait_for("claimed")
        stored = Database(DatabaseSettings(url=sqlite_url))
        upgrade(stored)
        with pytest.raises(
            StoreRefused, match=r"another service already writes to .*yieldline\.db"
        ):
            Writer(stored, lambda _: []).open()
        link = tmp_path / "other name.db"
        link.symlink_to(stored.file)
        linked = Database(DatabaseSettings(url=f"sqlite:///{link}"))
        with pytest.raises(StoreRefused, match="another service already writes"):
            Writer(linked, lambda _: []).open()
        other.kill()
        writer = Writer(stored, lambda _: [])
        assert writer.open() == 0, "a dead process holds nothing"
        writer.close()
        for database in (stored, linked):
            database.dispose()


def test_a_lock_file_that_cannot_be_opened_is_a_sentence(tmp_path: Path, sqlite_url: str) -> None:
    database = Database(DatabaseSettings(url=sqlite_url))
    (tmp_path / "yieldline.db.service-lock").mkdir()
    with pytest.raises(
        StoreRefused, match=r"lock file .* cannot be opened .*YIELDLINE_DATABASE__URL"
    ):
        lease.claim_file(database)


@pytest.mark.postgres
def test_numbers_on_postgresql_are_the_lowest_free(postgres_store_url: str) -> None:
    stored = Stored(postgres_store_url)
    first, second, third = (second_writer(stored) for _ in range(3))
    assert [writer.open() for writer in (first, second, third)] == [0, 1, 2]
    second.close()
    again = second_writer(stored)
    assert again.open() == 1
    for writer in (first, third, again):
        writer.close()
    stored.close()


@pytest.fixture
def pair(postgres_store_url: str) -> Iterator[tuple[Stored, Stored]]:
    """Two services' stores on one PostgreSQL database."""
    first, second = Stored(postgres_store_url), Stored(postgres_store_url)
    yield first, second
    first.close()
    second.close()


def end_sessions(stored: Stored, number: int = 0) -> None:
    """End the database session that holds a service number, as an administrator might."""
    with psycopg.connect(stored.database.conninfo(), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks"
            " WHERE locktype = 'advisory' AND classid = %s AND objid = %s",
            (lease.LOCK_CLASS, number),
        )


@pytest.mark.postgres
def test_a_lost_session_costs_one_refusal_and_keeps_the_number(pair: tuple[Stored, Stored]) -> None:
    stored, _ = pair
    stored.save(run_message("A"))
    end_sessions(stored)
    with pytest.raises(StoreUnavailable, match="is away"):
        stored.save(run_message("B"))
    assert summary(stored.save(run_message("B"))) == (1, 0, 0)
    assert stored.writer.number == 0


@pytest.mark.postgres
def test_a_number_that_another_took_is_given_up_after_a_while(
    pair: tuple[Stored, Stored], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    assert ours.writer.open() == 0
    end_sessions(ours)
    assert theirs.writer.open() == 0
    with pytest.raises(StoreUnavailable, match="is away"):
        ours.save(run_message("A"))
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="service number 0 is held by another"):
            ours.save(run_message("A"))
    monkeypatch.setattr(lease, "_TAKEN_WAIT_S", 0.0)
    assert summary(ours.save(run_message("A"))) == (1, 0, 0)
    assert (ours.writer.number, theirs.writer.number) == (1, 0)


@pytest.mark.postgres
def test_the_server_is_asked_to_notice_a_pulled_cable(pair: tuple[Stored, Stored]) -> None:
    connection = pair[0].database.connect_postgres()
    assert connection.execute("SHOW tcp_keepalives_idle").fetchone() == ("10",)
    assert connection.info.get_parameters()["keepalives_idle"] == "10"
    connection.close()
    with pair[0].database.engine.connect() as reading:
        driver: psycopg.Connection[Any] = reading.connection.dbapi_connection  # type: ignore[assignment]
        said = driver.info.get_parameters()
    assert (said["keepalives_idle"], said["tcp_user_timeout"]) == ("10", "30000")


# -- two services at once --------------------------------------------------------------------------


def at_once(*work: Callable[[], Any]) -> list[Any]:
    """Do it all at the same moment, each in a thread; return what came out, or the exception."""
    barrier, results = threading.Barrier(len(work)), [None] * len(work)

    def run(index: int) -> None:
        barrier.wait()
        try:
            results[index] = work[index]()
        except BaseException as error:  # noqa: BLE001 - reported
            results[index] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def saved_in_the_end(stored: Stored, *messages: Any) -> Callable[[], tuple[int, int, int]]:  # noqa: ANN401
    """Save as the subscriber does: again, while the database says no."""

    def save() -> tuple[int, int, int]:
        for _ in range(20):
            try:
                return summary(stored.save(*messages))
            except StoreUnavailable:
                time.sleep(random.random() / 20)
        raise AssertionError("never stored")

    return save


@pytest.mark.postgres
def test_two_services_that_store_the_same_messages_store_them_once(
    pair: tuple[Stored, Stored],
) -> None:
    for turn in range(8):
        messages = [run_message(f"U{number}", minutes=turn) for number in range(40)]
        results = at_once(
            saved_in_the_end(pair[0], *messages), saved_in_the_end(pair[1], *reversed(messages))
        )
        assert sorted(results) == [(0, 40, 0), (40, 0, 0)]
    assert one(pair[0], "SELECT count(*) FROM run") == 320
    assert {row["runs"] for row in rows(pair[0], "SELECT runs FROM unit_state")} == {8}
    assert_books_balance(pair[0])
    assert {each.writer.number for each in pair} == {0, 1}, "no clash costs a connection"


@pytest.mark.postgres
def test_two_services_that_meet_at_a_units_first_run_count_both(
    pair: tuple[Stored, Stored],
) -> None:
    count = 60
    pair[0].save(*(run_message(f"U{number}", procedure="ICT") for number in range(count)))
    for turn in range(6):
        procedure = f"P{turn}"
        early, late = (
            [
                run_message(f"U{number}", procedure=procedure, minutes=minutes, passes=passes)
                for number in range(count)
            ]
            for minutes, passes in ((1, False), (2, True))
        )
        results = at_once(saved_in_the_end(pair[0], *late), saved_in_the_end(pair[1], *early))
        assert results == [(count, 0, 0)] * 2
    states = rows(pair[0], "SELECT * FROM unit_state WHERE runs <> 1")
    assert len(states) == 6 * count
    assert {(row["first_outcome"], row["last_outcome"], row["runs"]) for row in states} == {
        (2, 1, 2)
    }


@pytest.mark.postgres
def test_two_services_that_learn_the_same_names_agree(pair: tuple[Stored, Stored]) -> None:
    for turn in range(6):
        steps = [{"test_step": f"t{turn}s{at}", "measured_value": 5.0} for at in range(60)]
        messages = [
            run_message(f"T{turn}", steps=order, minutes=at)
            for at, order in enumerate((steps, steps[::-1]))
        ]
        results = at_once(
            *(saved_in_the_end(each, one_) for each, one_ in zip(pair, messages, strict=True))
        )
        assert results == [(1, 0, 0)] * 2
    assert one(pair[0], "SELECT count(*) FROM name WHERE text LIKE 't%s%'") == 360


# -- the database away -----------------------------------------------------------------------------


def test_a_locked_sqlite_file_is_said_and_nothing_is_stored_twice(sqlite_store_url: str) -> None:
    database = Database(DatabaseSettings(url=sqlite_store_url, timeout_s=0.1))
    stored = Stored(sqlite_store_url)
    stored.writer = Writer(database, lambda _: [])
    stored.save(run_message("A"))
    other = sqlite3.connect(database.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="database is locked"):
            stored.save(run_message("B"))
    other.execute("ROLLBACK")
    other.close()
    assert summary(stored.save(run_message("B"))) == (1, 0, 0)
    assert summary(stored.save(run_message("B"))) == (0, 1, 0)
    stored.close()
    database.dispose()


def test_a_full_disk_is_said_and_goes_by(sqlite_store_url: str) -> None:
    stored = Stored(sqlite_store_url)
    stored.save(run_message("A"))
    connection = stored.writer._driver._connection  # type: ignore[union-attr]
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    large = run_message("B", attributes={"x": random.Random(1).randbytes(500_000).hex()})
    with pytest.raises(StoreUnavailable, match="full"):
        stored.save(large)
    assert summary(stored.save(large)) == (1, 0, 0), "a new connection, and the disk has room again"
    assert one(stored, "SELECT count(*) FROM run") == 2
    stored.close()


def test_what_is_not_there_yet_is_said_alike_on_both_databases(database_url: str) -> None:
    database = Database(DatabaseSettings(url=database_url))
    with pytest.raises(StoreUnavailable, match=r"has no tables yet .*Start `yieldline service`"):
        books(database)
    database.dispose()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but long enough to have a header" * 100, "utf-8")
    database = Database(DatabaseSettings(url=f"sqlite:///{file}"))
    with pytest.raises(StoreRefused, match="file is not a database"):
        upgrade(database)
    database.dispose()

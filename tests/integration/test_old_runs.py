"""Which old runs are deleted, what goes with them, and what stays whatever comes meanwhile."""

import random
import threading
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from broker.errors import StoreUnavailable
from service.store.queries.old_runs import Portion, horizon_us, old_portions
from service.store.retention import connect, forget
from service.store.times import microseconds
from tests.support.rollup_scan import assert_rolled_up, rows
from tests.support.stored import NOON, Stored, run_message

DAY = timedelta(days=1)


def delete_old(stored: Stored, at: datetime, days: int) -> list[int | None]:
    horizon = horizon_us(microseconds(at), days)
    return [
        stored.writer.forget(portion, horizon) for portion in old_portions(stored.database, horizon)
    ]


def test_what_started_long_ago_but_has_just_arrived_is_kept(stored: Stored) -> None:
    stored.save(run_message("U1", minutes=-60 * 24 * 40), at=NOON)
    assert delete_old(stored, NOON + 29 * DAY, 30) == []
    assert delete_old(stored, NOON + 31 * DAY, 30) == [1]


def test_a_run_that_comes_to_a_slot_under_deletion_keeps_it(stored: Stored) -> None:
    stored.save(run_message("U1"), at=NOON)
    later = NOON + 31 * DAY
    horizon = horizon_us(microseconds(later), 30)
    (portion,) = old_portions(stored.database, horizon)
    stored.save(run_message("U2", minutes=1), at=later)
    assert stored.writer.forget(portion, horizon) == 0
    assert list(old_portions(stored.database, horizon)) == []
    assert_rolled_up(stored.database)


def test_a_message_goes_with_the_last_of_its_runs(stored: Stored) -> None:
    array = [run_message("U1", minutes=-90), run_message("U2", minutes=0)]
    stored.save(orjson.dumps(array), at=NOON)
    assert delete_old(stored, NOON + 30 * DAY + timedelta(minutes=1), 30) == []
    horizon = horizon_us(microseconds(NOON + 31 * DAY), 30)
    first, second = (
        Portion([run_id], [slot])
        for portion in old_portions(stored.database, horizon)
        for run_id, slot in zip(portion.run_ids, portion.slots, strict=True)
    )
    stored.writer.forget(first, horizon)
    assert len(rows(stored.database, "SELECT id FROM raw_message")) == 1
    stored.writer.forget(second, horizon)
    assert rows(stored.database, "SELECT id FROM raw_message") == []
    assert rows(stored.database, "SELECT id FROM unit") == []


def test_what_shadows_said_of_a_run_goes_with_it(stored: Stored) -> None:
    later = NOON + 31 * DAY
    (old,) = stored.save(run_message("U1"), at=NOON).saved.runs
    (new,) = stored.save(run_message("U2", minutes=31 * 24 * 60), at=later).saved.runs
    with stored.database.engine.begin() as connection:
        for shadow in (1, 2):
            connection.execute(
                text(f"INSERT INTO shadow VALUES ({shadow}, '', 'ann', 'trial', 0, 0, 2, 2)")
            )
            for run in (old, new):
                connection.execute(
                    text(f"INSERT INTO shadow_verdict VALUES ({shadow}, {run.run_id}, 2, NULL)")
                )
    assert delete_old(stored, later, 30) == [1]
    left = rows(stored.database, "SELECT shadow_id, run_id FROM shadow_verdict ORDER BY shadow_id")
    assert left == [{"shadow_id": 1, "run_id": new.run_id}, {"shadow_id": 2, "run_id": new.run_id}]


def test_a_number_of_a_run_is_never_given_again(stored: Stored) -> None:
    (before,) = stored.save(run_message("U1"), at=NOON).saved.runs
    assert delete_old(stored, NOON + 31 * DAY, 30) == [1]
    stored.writer.close()  # a new process knows only what the database holds
    (after,) = stored.save(run_message("U2"), at=NOON).saved.runs
    assert after.run_id > before.run_id


@pytest.mark.postgres
def test_services_may_store_into_the_very_slots_that_are_deleted(postgres_store_url: str) -> None:
    """Two writers and a third process that deletes, at the same units and in the same hours."""
    stores = [Stored(postgres_store_url) for _ in range(2)]
    for number in range(300):
        stores[0].save(run_message(f"U{number % 20}", minutes=number * 3), at=NOON)
    later = NOON + 31 * DAY
    horizon = horizon_us(microseconds(later), 30)
    done = threading.Event()

    def store(writer: int) -> None:
        dice = random.Random(writer)
        for number in range(150):
            message = run_message(f"U{dice.randrange(20)}", minutes=dice.randrange(60 * 24 * 40))
            again_and_again(stores[writer], message | {"message_id": f"{writer}-{number}"}, later)

    threads = [threading.Thread(target=store, args=(writer,)) for writer in range(2)]
    threads.append(threading.Thread(target=delete_until, args=(postgres_store_url, horizon, done)))
    for thread in threads:
        thread.start()
    for thread in threads[:2]:
        thread.join()
    done.set()
    threads[2].join()
    assert_rolled_up(stores[0].database)
    stored_later = rows(stores[0].database, f"SELECT id FROM run WHERE received_us > {horizon}")
    assert len(stored_later) == 300
    for each in stores:
        each.close()


def again_and_again(stored: Stored, message: dict[str, Any], at: datetime) -> None:
    """Save as the service does: a deadlock is an outage that is tried again."""
    while True:
        try:
            stored.save(message, at=at)
        except StoreUnavailable:
            continue
        return


def delete_until(url: str, horizon: int, done: threading.Event) -> None:
    store = Stored(url)
    with store.database.translated():
        driver = connect(store.database)
        while not done.is_set():
            for portion in old_portions(store.database, horizon):
                forget(driver, portion, horizon)
        driver.close()
    store.close()

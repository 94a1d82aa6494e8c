"""Rows 3, 4 and 5 of the fault matrix: a replica that is gone, a stolen name, a lost lease."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.support.keeper import Keeper, assert_all_once, message, query
from tests.support.mosquitto import Mosquitto
from tests.support.processes import Process
from tests.support.raw_mqtt import Sender, connect
from tests.support.services import Service
from tests.support.waiting import eventually_sync

Brokers = Callable[..., Mosquitto]
StartService = Callable[..., Service]
StartKeeper = Callable[..., Keeper]
QUICK = {"YIELDLINE_SERVICE__ADOPT_AFTER_S": "3"}
LEASE = "pg_advisory_lock(5852161, 0)"
"""What service 0 holds: "YL\\x01", and its number."""


def two_services(
    start: StartService, broker: Mosquitto, url: str, **environment: str
) -> list[Service]:
    """Start two services, one after the other so that their numbers are known."""
    services = []
    for number in range(2):
        services.append(start(broker.port, url, **environment))
        said = services[-1].wait_until("connected")
        assert said["client_id"] == f"yieldline-service-{number}"
    return services


# -- row 3 -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.postgres
def test_the_queue_of_a_replica_that_does_not_come_back_is_adopted(
    mosquitto_factory: Brokers, start_service: StartService, postgres_url: str
) -> None:
    """The sender has no second copy: what is stored came through the dead replica's queue."""
    broker = mosquitto_factory()
    survivor, lost = two_services(start_service, broker, postgres_url, **QUICK)
    # Frozen with messages in hand, then dead: some it was given, more come into its queue.
    lost.process.pause()
    sent = [message(number) for number in range(300)]
    with Sender(broker.port, "plc") as plc:
        plc.send(sent[:200])
        lost.process.kill()
        plc.send(sent[200:])
        keys = {(f"M{number % 9}", f"m-{number}") for number in range(300)}
        eventually_sync(lambda: count(postgres_url) >= 150)  # its half; the other one is adopted
        adopted = survivor.wait_until("adopted", timeout_s=30)
        assert adopted["service"] == "yieldline-service-1"
        assert adopted["messages"] == 150
        assert_all_once(postgres_url, keys)
        # The session is gone: the survivor gets all that comes now.
        assert query(postgres_url, "SELECT service FROM service") == [("yieldline-service-0",)]
        plc.send([message(number) for number in range(300, 400)])
    eventually_sync(lambda: count(postgres_url) == 400)
    # Who comes later takes the free number, and begins anew.
    again = start_service(broker.port, postgres_url, **QUICK)
    said = again.wait_until("connected")
    assert (said["client_id"], said["session_present"]) == ("yieldline-service-1", False)
    assert not again.events("session_lost")


@pytest.mark.postgres
def test_a_replica_that_is_started_again_in_time_keeps_its_queue(
    mosquitto_factory: Brokers, start_service: StartService, postgres_url: str
) -> None:
    broker = mosquitto_factory()
    survivor, stopped = two_services(start_service, broker, postgres_url)
    assert stopped.process.stop() == 0
    with Sender(broker.port, "plc") as plc:
        plc.send([message(number) for number in range(100)])
    eventually_sync(lambda: count(postgres_url) == 50)
    said = start_service(broker.port, postgres_url).wait_until("connected")
    assert (said["client_id"], said["session_present"]) == ("yieldline-service-1", True)
    eventually_sync(lambda: count(postgres_url) == 100)
    assert not survivor.events("adopting")


def count(url: str) -> int:
    return int(query(url, "SELECT count(*) FROM run")[0][0])


# -- row 4 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("keeps_session", [False, True])
def test_a_client_id_that_a_stranger_uses_ends_the_service_with_a_sentence(
    mosquitto_factory: Brokers,
    start_service: StartService,
    sqlite_url: str,
    keeps_session: bool,  # noqa: FBT001
) -> None:
    """Twice is enough where the stranger's clean session ends ours, else it takes three times."""
    broker = mosquitto_factory()
    service = start_service(broker.port, sqlite_url)
    service.wait_until("connected")
    words = ["mosquitto_sub", "-p", str(broker.port), "-i", "yieldline-service-0", "-t", "x"]
    with Process([*words, "-q", "1", "-c"] if keeps_session else words):
        assert service.sentence().startswith("yieldline-service-0 is used by another client")
    assert len(service.events("thrown_out")) == (3 if keeps_session else 2)


def test_a_stranger_who_comes_once_and_keeps_our_queue_is_a_warning(
    mosquitto_factory: Brokers,
    start_service: StartService,
    start_keeper: StartKeeper,
    sqlite_url: str,
) -> None:
    broker = mosquitto_factory()
    service = start_service(broker.port, sqlite_url)
    service.wait_until("connected")
    stranger = connect(broker.port, "yieldline-service-0", clean_session=False)
    assert service.wait_until("connected", 2)["session_present"] is True
    stranger.close()
    assert len(service.events("thrown_out")) == 1
    keeper = start_keeper(broker.port)
    keeper.give(*(message(number) for number in range(50)))
    keeper.wait_for_receipts()
    assert_all_once(sqlite_url, keeper.sent)


# -- row 5 -----------------------------------------------------------------------------------------


@contextmanager
def end_session_and_take_lease(url: str) -> Iterator[psycopg.Connection[Any]]:
    """End the database session of service 0, and hold its number as a twin would."""
    with psycopg.connect(url, autocommit=True) as twin:
        ending = (
            "SELECT pg_terminate_backend(pid) FROM pg_locks"
            " WHERE locktype = 'advisory' AND classid = 5852161 AND objid = 0"
        )
        # Queued for the lock first: the service cannot be quicker.
        with psycopg.connect(url, autocommit=True) as helper, twin.pipeline():
            waiting = twin.execute(f"SELECT {LEASE}")
            twin.pgconn.flush()
            eventually_sync(lambda: waits_for_lock(helper))
            helper.execute(ending.replace("AND objid = 0", "AND objid = 0 AND granted"))
            waiting.fetchall()
        yield twin


def waits_for_lock(session: psycopg.Connection[Any]) -> bool:
    sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return session.execute(sql).fetchall() == [(1,)]


@pytest.mark.postgres
def test_a_service_that_lost_its_lease_disconnects_and_waits(
    mosquitto_factory: Brokers,
    start_service: StartService,
    start_keeper: StartKeeper,
    postgres_url: str,
) -> None:
    broker = mosquitto_factory()
    service = start_service(broker.port, postgres_url)
    service.wait_until("connected")
    keeper = start_keeper(broker.port)
    keeper.give(*(message(number) for number in range(100)))
    keeper.wait_for_receipts()
    with end_session_and_take_lease(postgres_url):
        said = service.wait_until("broker_lost")
        assert "another service holds our number" in said["reason"]
        keeper.give(*(message(number) for number in range(100, 200)))
        service.wait_until("database_lost", 3)  # it looks at the lease, and only at that
        assert "service number 0 is held" in service.events("database_lost")[-1]["reason"]
        assert len(service.events("connected")) == 1, "no ping-pong"
        assert service.process.exit_code is None
    said = service.wait_until("connected", 2)
    assert (said["client_id"], said["session_present"]) == ("yieldline-service-0", True)
    keeper.wait_for_receipts()
    assert_all_once(postgres_url, keeper.sent)


@pytest.mark.postgres
def test_a_lease_that_nobody_took_meanwhile_is_taken_again_at_once(
    mosquitto_factory: Brokers,
    start_service: StartService,
    start_keeper: StartKeeper,
    postgres_url: str,
) -> None:
    broker = mosquitto_factory()
    service = start_service(broker.port, postgres_url)
    service.wait_until("connected")
    keeper = start_keeper(broker.port)
    with psycopg.connect(postgres_url, autocommit=True) as session:
        for start in range(0, 500, 100):
            keeper.give(*(message(number) for number in range(start, start + 100)))
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND classid = 5852161 AND objid = 0"
            )
            keeper.wait_for_receipts()
    assert_all_once(postgres_url, keeper.sent)

    def has_session() -> bool:  # by its next report, as one of them may have met a lost lease
        facts = json.loads(query(postgres_url, "SELECT facts FROM service")[0][0])
        return bool(facts["has_session"])

    eventually_sync(has_session)
    assert len(service.events("connected")) == 1, "it held what it had, and stayed"

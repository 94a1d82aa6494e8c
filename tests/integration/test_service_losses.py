"""`yieldline service` without its broker or database, stopped, and wrongly set up."""

import json
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from tests.support.judging import RULES, Brokers, Ear, Service, flat, on, send, services_in
from tests.support.keeper import query
from tests.support.mosquitto import Mosquitto
from tests.support.postgres import PostgresServer
from tests.support.processes import Process
from tests.support.raw_mqtt import Sender
from tests.support.waiting import eventually_sync


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    with services_in(tmp_path) as starter:
        yield starter


# -- losses ----------------------------------------------------------------------------------------


class Stream:
    """A machine that sends numbered messages at a pace from a thread of its own."""

    def __init__(self, broker: Mosquitto, count: int, per_second: float) -> None:
        self.ids = {f"m-{number}" for number in range(count)}
        messages = [on(f"M{number % 9}", flat(number)) for number in range(count)]
        self._sender = Sender(broker.port, "stream")
        self._thread = threading.Thread(
            target=self._sender.send, args=(messages,), kwargs={"per_second": per_second}
        )
        self._thread.start()

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()
        self._sender.__exit__()


def assert_all_once(service: Service, ids: set[str]) -> None:
    eventually_sync(
        lambda: service.stored().keys() >= ids, 30, saw=lambda: service.process.output[-3_000:]
    )
    assert service.stored() == dict.fromkeys(ids, 1)


@pytest.mark.postgres
def test_a_database_that_goes_away_is_waited_for(
    mosquitto_factory: Brokers, start: Callable[..., Service], own_postgres_server: PostgresServer
) -> None:
    broker = mosquitto_factory()
    service = start(broker, own_postgres_server.database())
    with Ear(broker) as ear:
        stream = Stream(broker, 1_200, 600)
        ear.wait_for("result", 100)
        own_postgres_server.kill()
        said = service.wait_until("database_lost", 2)
        assert "is away" in said["reason"]
        assert "@127.0.0.1" in said["reason"]
        stream.join()
        own_postgres_server.start()
        assert_all_once(service, stream.ids)
        eventually_sync(lambda: ear.receipted().keys() == stream.ids, 30)
    assert service.process.exit_code is None, "it went on by itself"


@pytest.mark.postgres
def test_a_database_that_is_away_at_the_start_is_waited_for(
    mosquitto_factory: Brokers, start: Callable[..., Service], own_postgres_server: PostgresServer
) -> None:
    broker = mosquitto_factory()
    url = own_postgres_server.database()
    own_postgres_server.kill()
    impatient = start(broker, url, ready=False)
    impatient.wait_until("database_lost", 2)
    assert impatient.process.stop() == 0, "to be stopped meanwhile is no failure"
    patient = start(broker, url, ready=False)
    patient.wait_until("database_lost", 2)
    own_postgres_server.start()
    patient.wait_until("connected")


@pytest.mark.postgres
def test_stopping_while_the_database_is_away_loses_nothing(
    mosquitto_factory: Brokers, start: Callable[..., Service], own_postgres_server: PostgresServer
) -> None:
    broker = mosquitto_factory()
    url = own_postgres_server.database()
    service = start(broker, url)
    own_postgres_server.kill()
    send(broker, *(on("M1", flat(number)) for number in range(50)))
    service.wait_until("database_lost", 2)
    assert service.process.stop(8) == 0
    own_postgres_server.start()
    assert_all_once(start(broker, url), {f"m-{number}" for number in range(50)})


@pytest.mark.postgres
@pytest.mark.parametrize("is_told_again", [False, True])
def test_a_stop_while_a_commit_hangs_ends_all_the_same_and_loses_nothing(
    mosquitto_factory: Brokers,
    start: Callable[..., Service],
    postgres_url: str,
    *,
    is_told_again: bool,
) -> None:
    broker = mosquitto_factory()
    patience_s = "60" if is_told_again else "0.1"
    service = start(broker, postgres_url, YIELDLINE_SERVICE__SHUTDOWN_TIMEOUT_S=patience_s)
    with psycopg.connect(postgres_url) as session:
        session.execute("LOCK TABLE run")
        send(broker, on("M1", flat(1)))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        eventually_sync(lambda: query(postgres_url, waiting) != [(0,)], 20)
        service.process.send(signal.SIGTERM)
        if is_told_again:
            eventually_sync(lambda: told_again(service.process), 20)
        assert service.process.wait(20) == 1
    assert "comes again at the next start" in service.process.output
    assert_all_once(start(broker, postgres_url), {"m-1"})


def told_again(process: Process) -> bool:
    """Send SIGTERM once more, if it still runs."""
    process.send(signal.SIGTERM)
    return process.exit_code is not None


def test_a_locked_sqlite_file_is_waited_for(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, sqlite_url, YIELDLINE_DATABASE__TIMEOUT_S="0.2")
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    send(broker, *(on("M1", flat(number)) for number in range(50)))
    assert "database is locked" in service.wait_until("database_lost", 2)["reason"]
    other.execute("ROLLBACK")
    other.close()
    service.wait_until("database_back")
    assert_all_once(service, {f"m-{number}" for number in range(50)})


def test_memory_is_bounded_while_the_database_is_away_and_the_broker_keeps_the_rest(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    bounds = {
        "YIELDLINE_SERVICE__PENDING_COUNT_MAX": "200",
        "YIELDLINE_BROKER__KEEPALIVE_S": "5",
        "YIELDLINE_DATABASE__TIMEOUT_S": "0.2",
    }
    service = start(broker, sqlite_url, **bounds)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    send(broker, *(on("M1", flat(number)) for number in range(3_000)))
    service.wait_until("broker_lost")  # the full connection is given back after a while
    other.execute("ROLLBACK")
    other.close()
    assert_all_once(service, {f"m-{number}" for number in range(3_000)})


def test_a_broker_that_is_killed_and_restarted_is_found_again(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, database_url)
    messages = {f"m-{number}": on(f"M{number % 9}", flat(number)) for number in range(600)}
    with Ear(broker) as ear:
        send(broker, *list(messages.values())[:300])
        ear.wait_for("result", 50)
        broker.kill()
    said = service.wait_until("broker_lost")["reason"]
    assert "lost" in said
    assert str(broker.port) in service.wait_until("broker_lost", 2)["reason"]
    broker.start()
    service.wait_until("connected", 2)
    with Ear(broker) as ear:  # as a sender with a spool does: repeat what has no receipt
        send(broker, *messages.values())
        eventually_sync(lambda: ear.receipted().keys() == messages.keys(), 30)
    assert_all_once(service, set(messages))


def test_a_broker_that_is_not_there_yet_is_waited_for(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    broker.stop()
    service = start(broker, sqlite_url, ready=False)
    assert "does not answer" in service.wait_until("broker_lost", 2)["reason"]
    broker.start()
    service.wait_until("connected")


def test_a_killed_service_leaves_its_answers_to_the_next(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, database_url)
    with Ear(broker) as ear:
        stream = Stream(broker, 1_500, 1_000)
        ear.wait_for("result", 200)
        service.process.kill()
        stream.join()
        again = start(broker, database_url)
        assert_all_once(again, stream.ids)
        eventually_sync(lambda: ear.receipted().keys() == stream.ids, 30)
        results = {each["message_id"] for each in ear.bodies("result")}
        assert results == stream.ids


# -- stopping --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_quickly_with_0_and_loses_nothing(
    mosquitto_factory: Brokers,
    start: Callable[..., Service],
    database_url: str,
    number: signal.Signals,
) -> None:
    broker = mosquitto_factory()
    service = start(broker, database_url)
    with Ear(broker) as ear:
        stream = Stream(broker, 1_200, 800)
        ear.wait_for("result", 100)
        started = time.monotonic()
        service.process.send(number)
        assert service.process.wait() == 0
        assert time.monotonic() - started < 4
        stream.join()
    assert service.query("SELECT count(*) FROM outbox") == [(0,)], "what was stored was answered"
    assert_all_once(start(broker, database_url), stream.ids)


# -- what a person must mend -----------------------------------------------------------------------


@pytest.mark.parametrize("right", ["read", "write"])
def test_without_rights_it_refuses_to_start(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str, right: str
) -> None:
    broker = mosquitto_factory(users={"service": "x"}, acl=f"user service\ntopic {right} #\n")
    login = {"YIELDLINE_BROKER__USERNAME": "service", "YIELDLINE_BROKER__PASSWORD": "x"}
    said = start(broker, sqlite_url, ready=False, **login).sentence()
    assert said.startswith("the broker lets 'service' not both write and read factory/v1/_check/")
    assert "Grant" in said


def test_a_wrong_password_is_one_sentence(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory(users={"service": "right"})
    login = {"YIELDLINE_BROKER__USERNAME": "service", "YIELDLINE_BROKER__PASSWORD": "s3cret"}
    said = start(broker, sqlite_url, ready=False, **login).sentence()
    assert "refused the login of 'service'" in said
    assert "s3cret" not in said


def test_a_second_service_on_one_sqlite_file_is_one_sentence(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    first = start(broker, sqlite_url)
    assert "another service already writes to" in start(broker, sqlite_url, ready=False).sentence()
    send(broker, on("M1", flat(1)))
    eventually_sync(lambda: first.stored() == {"m-1": 1}, saw=first.stored)


@pytest.mark.postgres
def test_a_wrong_database_login_is_one_sentence(
    mosquitto_factory: Brokers, start: Callable[..., Service], postgres_url: str
) -> None:
    url = postgres_url.rpartition("/")[0] + "/nowhere"
    said = start(mosquitto_factory(), url, ready=False).sentence()
    assert 'database "nowhere" does not exist' in said
    assert "YIELDLINE_DATABASE__URL" in said


def test_a_bad_rules_file_without_a_stored_rulebook_is_one_sentence(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    service = start(mosquitto_factory(), database_url, rules=RULES + "high = 4\n", ready=False)
    said = service.sentence()
    assert said.startswith("rules.toml, rule 'voltage':")
    assert service.query("SELECT count(*) FROM rulebook") == [(0,)]


def test_a_bad_rules_file_leaves_the_stored_rulebook_in_force(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    broker = mosquitto_factory()
    assert start(broker, database_url).process.stop() == 0
    service = start(broker, database_url, rules=RULES[:-10])
    said = service.wait_until("rulebook_refused")
    assert said["in_force"] == 1
    assert "rules.toml" in said["reason"]
    service.wait_until("connected")
    ((facts,),) = service.query("SELECT facts FROM service")
    assert json.loads(facts)["rules_trouble"].endswith(" Rulebook 1 decides meanwhile.")
    with Ear(broker) as ear:
        send(broker, on("M1", flat(1, 79.0)))
        (result,) = ear.wait_for("result", 1)
        assert (result["outcome"], result["rulebook_version"]) == ("FAIL", 1)


def test_a_changed_rules_file_is_the_next_version_and_judges_nothing_anew(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    broker = mosquitto_factory()
    first = start(broker, database_url)
    with Ear(broker) as ear:
        send(broker, on("M1", flat(1, 79.0)))
        ear.wait_for("result", 1)
        assert first.process.stop() == 0
        second = start(broker, database_url, rules=RULES.replace("80.0", "70.0"))
        send(broker, on("M1", flat(1, 79.0)), on("M1", flat(2, 79.0)))
        results = ear.wait_for("result", 3)
    found = [(each["message_id"], each["outcome"], each["rulebook_version"]) for each in results]
    assert sorted(found) == [("m-1", "FAIL", 1), ("m-1", "FAIL", 1), ("m-2", "PASS", 2)]
    assert second.query("SELECT version FROM rulebook ORDER BY version") == [(1,), (2,)]


def test_it_says_of_itself_how_it_is(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, sqlite_url)

    def facts() -> dict[str, Any]:
        ((text,),) = service.query("SELECT facts FROM service")
        found: dict[str, Any] = orjson.loads(text)
        return found

    eventually_sync(lambda: facts()["connected"], saw=facts)
    broker.kill()
    eventually_sync(lambda: not facts()["connected"] and facts()["trouble"], saw=facts)
    broker.start()
    eventually_sync(lambda: facts()["connected"] and not facts()["trouble"], saw=facts)

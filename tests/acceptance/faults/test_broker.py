"""The fault matrix about the broker: killed, forgetful, full, denying; and huge messages."""

import contextlib
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.keeper import (
    Keeper,
    assert_all_once,
    books,
    key_of,
    message,
    query,
    stored,
)
from tests.support.mosquitto import Mosquitto
from tests.support.processes import Process
from tests.support.raw_mqtt import Listener, Sender, connect, publish_packet
from tests.support.services import Service, WebApp
from tests.support.waiting import eventually_sync

Brokers = Callable[..., Mosquitto]
StartService = Callable[..., Service]
StartKeeper = Callable[..., Keeper]
StartWeb = Callable[[int, str], WebApp]


@pytest.mark.slow
def test_a_broker_killed_twice_in_400_messages_costs_nothing_and_is_said_within_seconds(
    mosquitto_factory: Brokers,
    start_service: StartService,
    start_keeper: StartKeeper,
    start_web: StartWeb,
    database_url: str,
) -> None:
    """Row 1, and row 37: this broker has no persistence, so each kill loses the session too."""
    broker = mosquitto_factory()
    service = start_service(broker.port, database_url)
    service.wait_until("connected")
    web = start_web(broker.port, database_url)
    keeper = start_keeper(broker.port, per_second=200)
    web.becomes(200, 40)
    keeper.give(*(message(number) for number in range(400)))
    for count in (100, 250):
        keeper.wait_for_receipts(count=count)
        broker.kill()
        said = web.becomes(503, 5)
        assert f"broker 127.0.0.1:{broker.port} is away" in said["detail"]
        broker.start()
        web.becomes(200, 5)
    keeper.wait_for_receipts()
    lost = service.wait_until("session_lost", 2)
    assert "agents repeat" in lost["remedy"]
    (facts,) = [each["facts"] for each in web.becomes(200, 10)["services"]]
    assert facts["session_lost_s"] < 60
    assert service.process.stop() == 0
    assert_all_once(database_url, keeper.sent)


def test_what_a_full_queue_drops_is_a_number_on_the_system_page_and_comes_again(
    mosquitto_factory: Brokers,
    start_service: StartService,
    start_keeper: StartKeeper,
    start_web: StartWeb,
    sqlite_url: str,
) -> None:
    """Row 38."""
    broker = mosquitto_factory(extra=["max_queued_messages 5", "max_inflight_messages 1"])
    first = start_service(broker.port, sqlite_url)
    first.wait_until("connected")
    assert first.process.stop() == 0
    keeper = start_keeper(broker.port)
    web = start_web(broker.port, sqlite_url)
    sent = [message(number) for number in range(50)]
    with Sender(broker.port, "plc") as plc:
        plc.send(sent)  # and it hears Success for each

    def light() -> Any:  # noqa: ANN401 - JSON
        try:
            status, said = web.ask("/api/v1/system")
        except OSError as error:
            raise AssertionError(str(error)) from error
        assert status == 200, said
        assert (said["broker"]["counters"]["dropped"] or 0) >= 44, said["broker"]
        return said["broker"]["light"]

    found = eventually_sync(light, 40)
    assert found["look"] == "bad"
    assert found["word"].startswith("dropped 4")
    assert "max_queued_messages" in found["meaning"]
    start_service(broker.port, sqlite_url)
    keeper.give(*sent)
    keeper.wait_for_receipts()
    assert_all_once(sqlite_url, keeper.sent)


def test_a_service_that_is_alone_is_given_what_came_before_it_was_back(
    mosquitto_factory: Brokers, start_service: StartService, database_url: str
) -> None:
    """The sender repeats nothing. Of a shared subscription the broker's file would hold nothing."""
    broker = mosquitto_factory(persistence=True)
    alone = {} if database_url.startswith("sqlite") else {"YIELDLINE_SERVICE__SHARE": "false"}
    service = start_service(broker.port, database_url, **alone)
    service.wait_until("connected")
    sent = [message(number) for number in range(50)]
    with Sender(broker.port, "plc") as plc:
        plc.send(sent[:1])
    eventually_sync(lambda: len(stored(database_url)) == 1, 20)
    assert service.process.stop() == 0
    broker.restart()
    with Sender(broker.port, "plc") as plc:
        plc.send(sent[1:])
    start_service(broker.port, database_url, **alone)
    eventually_sync(lambda: len(stored(database_url)) == 50, 20)
    assert_all_once(database_url, {key_of(each) for each in sent})


@pytest.mark.postgres
def test_a_replica_whose_rights_are_wrong_refuses_to_start_and_takes_no_share(
    mosquitto_factory: Brokers, start_service: StartService, postgres_url: str
) -> None:
    """Row 36. The sender repeats nothing: whatever the wrong one swallowed would be missing."""
    users = {"good": "x", "wrong": "x", "plc": "x"}
    acl = "user good\ntopic readwrite #\nuser wrong\ntopic write #\n"
    broker = mosquitto_factory(users=users, acl=acl, extra=["per_listener_settings false"])
    logins = [
        {"YIELDLINE_BROKER__USERNAME": name, "YIELDLINE_BROKER__PASSWORD": "x"}
        for name in ("good", "wrong")
    ]
    good = start_service(broker.port, postgres_url, **logins[0])
    good.wait_until("connected")
    wrong = start_service(broker.port, postgres_url, **logins[1])
    assert wrong.sentence().startswith("the broker lets 'wrong' not both write and read")
    publish = ["mosquitto_pub", "-p", str(broker.port), "-u", "good", "-P", "x", "-q", "1"]
    for number in range(10):
        topic, payload = message(number)
        with Process([*publish, "-t", topic, "-m", payload.decode()]) as plc:
            assert plc.wait() == 0
    eventually_sync(lambda: len(stored(postgres_url)) == 10)


def test_answers_that_the_broker_refuses_are_alarmed_and_their_rows_kept(
    mosquitto_factory: Brokers, start_service: StartService, database_url: str
) -> None:
    """Row 40, over MQTT 5: 3.1.1 would hear Success."""
    acl = "topic readwrite factory/v1/+/+/test\ntopic readwrite factory/v1/+/+/receipt\n"
    broker = mosquitto_factory(acl=acl)
    service = start_service(broker.port, database_url, YIELDLINE_SERVICE__ANSWER_PROTOCOL="5")
    service.wait_until("connected")
    with Listener(broker.port, "ear", "factory/v1/+/+/receipt") as ear:
        with Sender(broker.port, "plc") as plc:
            plc.send([message(1)])
        said = service.wait_until("answers_refused")
        assert (said["reasons"], said["count"]) == (["Not authorized"], 1)
        eventually_sync(lambda: len(ear.heard) == 1)
    assert service.process.stop() == 0
    assert stored(database_url) == {("M1", "m-1"): 1}
    assert query(database_url, "SELECT count(*) FROM outbox") == [(0,)]
    again = start_service(broker.port, database_url)
    again.wait_until("connected")
    with Sender(broker.port, "plc") as plc:
        plc.send([message(2)])
    eventually_sync(lambda: len(stored(database_url)) == 2)
    assert books(database_url).duplicates == 0, "it was acknowledged"


def test_ten_megabytes_end_their_senders_connection_and_nobody_elses(
    mosquitto_factory: Brokers,
    start_service: StartService,
    start_keeper: StartKeeper,
    database_url: str,
) -> None:
    """Row 12, a direct sender; what the agent does is in its own tests."""
    broker = mosquitto_factory()
    service = start_service(broker.port, database_url)
    service.wait_until("connected")
    keeper = start_keeper(broker.port)
    topic, payload = message(1, "BIG", attributes={"pad": "x" * 10_000_000})
    link = connect(broker.port, "plc-big")
    assert is_closed_on(link, publish_packet(topic, payload, 1))
    keeper.give(*(message(number) for number in range(50)), message(2, "BIG"))
    keeper.wait_for_receipts()
    assert_all_once(database_url, keeper.sent)
    assert len(service.events("connected")) == 1


def is_closed_on(link: socket.socket, packet: bytes) -> bool:
    """Send a packet; tell whether the broker ends the connection without a PUBACK."""
    with contextlib.closing(link):
        try:
            link.sendall(packet)
            return link.recv(4) == b""
        except ConnectionError:
            return True

"""The watcher in real service processes: one alert, published, kept, cleared, whatever dies."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from broker.sections import DatabaseSettings
from service.commands.alerts import acknowledge_alerts
from service.store.database import Database
from tests.support.mosquitto import Mosquitto
from tests.support.processes import PYTHON
from tests.support.raw_mqtt import Listener, Sender, connect, publish_packet
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually_sync
from tests.support.watching import (
    Brokers,
    Ear,
    Service,
    alerts_of,
    kept,
    rows,
    run,
    send,
    watchers_in,
)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    with watchers_in(tmp_path) as make:
        yield make


# -- the way of one alert --------------------------------------------------------------------------


def test_trouble_is_published_kept_and_cleared_when_it_is_over(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    broker = mosquitto_factory()
    start(broker, database_url).wait_for("watching")
    with Ear(broker) as ear:
        send(broker, 4.0, 4.0, 4.0)
        (opened,) = ear.wait_for("open")
        assert opened
        assert opened["message"].startswith("vcc failed first in 3 runs in a row at M1.")
        assert opened["subject"] == {
            "machine": "M1",
            "product": "P",
            "procedure": "vcc",
            "step": "vcc",
        }
        assert (opened["kind"], opened["severity"]) == ("step_repeats", "critical")
        assert len(opened["evidence"]) == 3
        assert kept(broker) == [opened]
        database = Database(DatabaseSettings(url=database_url))  # type: ignore[arg-type]
        acknowledge_alerts(database, [opened["alert_id"]], actor="ann", now=datetime.now(UTC))
        database.dispose()
        ear.wait_for("open", "acknowledged")
        assert [each["state"] for each in kept(broker)] == ["acknowledged"]
        send(broker, 5.0, 5.0, 5.0)
        ear.wait_for("open", "acknowledged", "closed", None)
    assert kept(broker) == []
    assert alerts_of(database_url) == [("step_repeats", "closed")]


def test_a_machine_that_floods_is_stored_to_the_last_message_named_and_over_when_it_stops(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    limit = {"YIELDLINE_ALERTS__FLOOD_PER_S": "50", "YIELDLINE_ALERTS__FLOOD_BURST": "100"}
    start(broker, sqlite_url, **limit).wait_for("watching")
    with Ear(broker) as ear, Sender(broker.port, "machine") as sender:
        sender.send([run(0, 5.0)])
        eventually_sync(lambda: rows(sqlite_url, "SELECT count(*) FROM machine") == [(1,)])
        sender.send([run(each, 5.0) for each in range(1, 1_000)])
        ear.wait_for("open", "closed", None)
    (opened, *_) = ear.bodies()
    assert opened
    assert (opened["kind"], opened["subject"]["machine"]) == ("flood", "M1")
    assert rows(sqlite_url, "SELECT count(*) FROM run") == [(1_000,)]


def test_a_silent_machine_is_an_alert_until_it_speaks(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    start(broker, sqlite_url, YIELDLINE_PLANT__STALE_AFTER_S="1").wait_for("watching")
    with Ear(broker) as ear:
        send(broker, 5.0)
        (silent,) = ear.wait_for("open")
        assert silent
        assert (silent["kind"], silent["subject"]["machine"]) == ("silent", "M1")
        send(broker, 5.0)
        ear.wait_for("open", "closed", None)


def test_a_last_will_is_an_alert_and_many_are_one(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, sqlite_url, YIELDLINE_ALERTS__OFFLINE_AFTER_S="0.5")
    service.wait_for("watching")
    with Ear(broker) as ear:
        say(broker, {f"M{each}": "offline" for each in range(40)})
        (together,) = ear.wait_for("open")
        assert together
        assert together["message"].startswith("40 machines went offline together on L1: M0, M1")
        assert ear.heard[0].topic == "factory/v1/unassigned/plant/alert"
        say(broker, {f"M{each}": "online" for each in range(1, 40)})
        eventually_sync(lambda: len(ear.heard) == 4, saw=ear.bodies)
        assert sorted(each or "" for each in ear.states()) == ["", "closed", "open", "open"]
        (alone,) = kept(broker)
        assert (alone["kind"], alone["subject"]["machine"]) == ("offline", "M0")


# -- what dies -------------------------------------------------------------------------------------


def say(broker: Mosquitto, states: dict[str, str]) -> None:
    """Let machines say a retained state."""
    link = connect(broker.port, "states")
    for packet_id, (machine_id, status) in enumerate(states.items(), start=1):
        body = orjson.dumps({"status": status, "at": datetime.now(UTC).isoformat()})
        packet = bytearray(publish_packet(f"factory/v1/L1/{machine_id}/state", body, packet_id))
        packet[0] |= 0x01
        link.sendall(packet)
    confirmed = 0
    while confirmed < 4 * len(states):
        confirmed += len(link.recv(4096))
    link.close()


@pytest.mark.postgres
def test_two_services_raise_one_alert_and_the_second_goes_on_when_the_first_is_killed(
    mosquitto_factory: Brokers, start: Callable[..., Service], postgres_url: str
) -> None:
    broker = mosquitto_factory()
    first = start(broker, postgres_url)
    first.wait_for("watching")
    second = start(broker, postgres_url)
    with Ear(broker) as ear:
        send(broker, *[4.0] * 20)  # in turns to both
        ear.wait_for("open")
        assert '"watching"' not in second.process.output
        first.process.kill()
        second.wait_for("watching")
        send(broker, *[4.0] * 6)
        eventually_sync(lambda: len(kept(broker)) == 1)
        assert alerts_of(postgres_url) == [("step_repeats", "open")]
        third = start(broker, postgres_url)
        send(broker, *[5.0] * 20)
        eventually_sync(lambda: ear.states()[-2:] == ["closed", None], 20, saw=ear.bodies)
        assert "closed" not in ear.states()[:-2]
        assert '"watching"' not in third.process.output
    assert alerts_of(postgres_url) == [("step_repeats", "closed")]
    assert rows(postgres_url, "SELECT action FROM alert_event ORDER BY id") == [
        ("opened",),
        ("closed",),
    ]


def test_a_watcher_killed_between_commit_and_publish_is_made_good_at_the_next_start(
    mosquitto_factory: Brokers,
    start: Callable[..., Service],
    tcp_proxy_factory: Callable[[int], TcpProxy],
    database_url: str,
) -> None:
    broker = mosquitto_factory()
    proxy = tcp_proxy_factory(broker.port)
    service = start(proxy, database_url, YIELDLINE_ALERTS__RETESTS_QUIET_S="3")
    service.wait_for("watching")
    with Ear(broker) as ear, Sender(broker.port, "machine") as sender:
        sender.send([run(each, 5.0, "SN-1") for each in range(4)])
        ear.wait_for("open")
    proxy.cut()  # what is committed from now on cannot be published
    eventually_sync(lambda: alerts_of(database_url) == [("retests", "closed")], 20)
    service.process.kill()
    assert [each["state"] for each in kept(broker)] == ["open"]
    start(broker, database_url, YIELDLINE_ALERTS__RETESTS_QUIET_S="3")
    eventually_sync(lambda: kept(broker) == [], 20)
    confirmed = "SELECT version - published_version FROM alert"
    eventually_sync(lambda: rows(database_url, confirmed) == [(0,)])


@pytest.mark.postgres
def test_a_result_that_commits_late_is_seen_although_its_number_is_lower(
    mosquitto_factory: Brokers, start: Callable[..., Service], postgres_url: str
) -> None:
    broker = mosquitto_factory()
    first, second = start(broker, postgres_url), start(broker, postgres_url)
    assert first.process.pid != second.process.pid
    with Ear(broker) as ear, psycopg.connect(postgres_url) as late:
        send(broker, 4.0, 5.0)
        eventually_sync(lambda: rows(postgres_url, "SELECT count(*) FROM run") == [(2,)])
        # Two rows of a transaction that stays open, with numbers below those that come after it.
        copy_newest_failing_run(late, 2)
        send(broker, 4.0)
        eventually_sync(lambda: rows(postgres_url, "SELECT count(*) FROM run") == [(3,)])
        assert ear.states() == []
        late.execute("UPDATE machine SET stored = stored + 2")  # the writer's last step too
        late.commit()
        (opened,) = ear.wait_for("open")
        assert opened
        assert len(opened["evidence"]) == 3


CLOCK_AHEAD = """
import sys
from datetime import datetime, timedelta
from service import pipeline, subscriber, watcher
from service.__main__ import main
class Ahead:
    @staticmethod
    def now(zone):
        return datetime.now(zone) + timedelta(hours=1)
for module in (pipeline, subscriber, watcher):
    module.datetime = Ahead
sys.argv = ["yieldline", "service"]
main()
"""


class AheadService(Service):
    """One whose clock is an hour ahead."""

    command = (PYTHON, "-c", CLOCK_AHEAD)


def test_a_server_whose_clock_steps_back_skips_nothing(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str, tmp_path: Path
) -> None:
    broker = mosquitto_factory()
    ahead = AheadService(tmp_path, broker.port, database_url)
    ahead.wait_for("connected")
    send(broker, 5.0, 4.0)
    eventually_sync(lambda: rows(database_url, "SELECT count(*) FROM run") == [(2,)])
    assert ahead.process.stop() == 0
    start(broker, database_url).wait_for("watching")
    with Ear(broker) as ear:
        send(broker, 4.0, 4.0)
        (opened,) = ear.wait_for("open")
        assert opened
        assert len(opened["evidence"]) == 3, "one from before the step, two from after it"
        send(broker, 5.0, 5.0, 5.0)
        ear.wait_for("open", "closed", None)
    received = [each for (each,) in rows(database_url, "SELECT received_us FROM run ORDER BY id")]
    assert len(received) == 7
    assert received[2] < received[1], "the clock did step back"


def copy_newest_failing_run(session: "psycopg.Connection[Any]", count: int) -> None:
    """Store runs as a writer does, and do not commit them yet."""
    columns = [
        row[0]
        for row in session.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'run'"
            " AND column_name NOT IN ('id', 'message_id', 'started_us')"
        )
    ]
    names = ", ".join(columns)
    for number in range(count):
        session.execute(
            f"INSERT INTO run (id, message_id, started_us, {names})"
            f" SELECT nextval('run_id_seq'), 'late-{number}',"
            f" (SELECT max(started_us) FROM run) + {number + 1}, {names}"
            " FROM run WHERE outcome = 2 ORDER BY id LIMIT 1".encode()
        )


def test_a_broker_that_forgets_is_told_again(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    start(broker, sqlite_url).wait_for("watching")
    with Ear(broker) as ear:
        send(broker, 4.0, 4.0, 4.0)
        ear.wait_for("open")
    broker.kill()
    broker.start()
    eventually_sync(lambda: [each["state"] for each in kept(broker)] == ["open"], 20)


def test_with_alerts_switched_off_there_are_none(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    off = {"YIELDLINE_ALERTS__ENABLED": "false", "YIELDLINE_SERVICE__SUMMARY_S": "0.2"}
    start(broker, sqlite_url, **off)
    with Listener(broker.port, "summaries", "factory/v1/+/+/summary") as summaries:
        send(broker, 4.0, 4.0, 4.0)
        # It has looked at all three: it sums them up.
        eventually_sync(
            lambda: any(b'"fail_count":3' in each.payload for each in list(summaries.heard)), 20
        )
    assert alerts_of(sqlite_url) == []


def test_without_alerts_and_summaries_nobody_watches(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    off = {"YIELDLINE_ALERTS__ENABLED": "false", "YIELDLINE_SERVICE__SUMMARY_S": "0"}
    service = start(broker, sqlite_url, **off)
    send(broker, 4.0)
    eventually_sync(lambda: rows(sqlite_url, "SELECT count(*) FROM run") == [(1,)])
    assert service.process.stop() == 0
    assert '"watching"' not in service.process.output

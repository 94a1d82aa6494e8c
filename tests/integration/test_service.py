"""`yieldline service` as its own process, a real broker, both databases: what machines meet."""

import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from tests.support.mosquitto import Mosquitto
from tests.support.postgres import PostgresServer
from tests.support.processes import YIELDLINE, Process
from tests.support.raw_mqtt import Heard, Listener, Sender, connect, publish_packet
from tests.support.waiting import eventually_sync

Brokers = Callable[..., Mosquitto]
ANSWERS = ("factory/v1/+/+/result", "factory/v1/+/+/receipt", "factory/v1/+/+/rejected")
RULES = """
[[rule]]
id = "voltage"
test_step = "voltage_test"
comparator = "GE"
low = 80.0
"""
NOW = datetime.now(UTC)


class Service:
    """One `yieldline service` in a folder; its log lines are JSON."""

    def __init__(
        self, folder: Path, port: int, database_url: str, *, rules: str | None = RULES, **more: str
    ) -> None:
        if rules is not None:
            (folder / "rules.toml").write_text(rules, "utf-8")
        self._database_url = database_url
        environment = {
            "YIELDLINE_BROKER__PORT": str(port),
            "YIELDLINE_BROKER__RETRY_DELAY_MAX_S": "0.5",
            "YIELDLINE_DATABASE__URL": database_url,
            "YIELDLINE_SERVICE__RETRY_DELAY_MAX_S": "0.5",
            "YIELDLINE_LOG__JSON_LINES": "true",
            **more,
        }
        self.process = Process([YIELDLINE, "service"], environment=environment, directory=folder)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return what it has logged under a name."""
        lines = [line for line in self.process.output.splitlines() if line.startswith("{")]
        return [each for each in map(orjson.loads, lines) if each["event"] == name]

    def wait_until(self, event: str, count: int = 1, timeout_s: float = 20) -> dict[str, Any]:
        """Wait until it has logged an event so often; return the last."""

        def logged() -> bool:
            assert self.process.exit_code is None or len(self.events(event)) >= count, "it ended"
            return len(self.events(event)) >= count

        eventually_sync(logged, timeout_s, saw=lambda: self.process.output)
        return self.events(event)[-1]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return query(self._database_url, sql)

    def stored(self) -> Counter[str]:
        """Return how often each message id is stored."""
        return Counter(
            {
                row[0]: row[1]
                for row in self.query("SELECT message_id, count(*) FROM run GROUP BY message_id")
            }
        )


def query(database_url: str, sql: str) -> list[tuple[Any, ...]]:
    """Read past all code of ours."""
    if database_url.startswith("sqlite"):
        connection = sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=10)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()
    with psycopg.connect(database_url) as session:
        return session.execute(sql.encode()).fetchall()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start services; they are ended afterwards. With `ready=False` do not wait for it."""
    services: list[Service] = []

    def make(broker: Mosquitto | int, url: str, *, ready: bool = True, **options: Any) -> Service:  # noqa: ANN401
        port = broker if isinstance(broker, int) else broker.port
        services.append(Service(tmp_path, port, url, **options))
        if ready:
            services[-1].wait_until("connected")
        return services[-1]

    yield make
    for service in services:
        service.process.stop()
        assert "Traceback" not in service.process.output


def flat(number: int | str, value: Any = 85.5, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "barcode": f"SN-{number}",
        "product_id": "PROD-A",
        "test_step": "voltage_test",
        "measured_value": value,
        "timestamp": NOW.isoformat(),
        "message_id": f"m-{number}",
        **fields,
    }


def on(machine_id: str, content: Any, line: str = "L1") -> tuple[str, bytes]:  # noqa: ANN401
    payload = content if isinstance(content, bytes) else orjson.dumps(content)
    return f"factory/v1/{line}/{machine_id}/test", payload


def send(broker: Mosquitto, *messages: tuple[str, bytes]) -> None:
    with Sender(broker.port, "machines") as sender:
        sender.send(messages)


class Ear(Listener):
    """A listener for all answers that knows what they say."""

    def __init__(self, broker: Mosquitto) -> None:
        super().__init__(broker.port, "integrator", *ANSWERS)

    def bodies(self, channel: str) -> list[dict[str, Any]]:
        return [orjson.loads(each.payload) for each in list(self.heard) if each.channel == channel]

    def receipted(self) -> Counter[str]:
        return Counter(one for each in self.bodies("receipt") for one in each["message_ids"])

    def wait_for(self, channel: str, count: int) -> list[dict[str, Any]]:
        eventually_sync(lambda: len(self.bodies(channel)) >= count, 20, saw=self.said)
        return self.bodies(channel)

    def said(self) -> list[Heard]:
        return self.heard[-20:]


# -- answers ---------------------------------------------------------------------------------------


def test_a_message_becomes_a_result_and_a_receipt(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, database_url)
    with Ear(broker) as ear:
        send(broker, on("M1", flat(1)), on("M1", flat(2, 79.0)), on("M2", flat(3)))
        results = {each["message_id"]: each for each in ear.wait_for("result", 3)}
        eventually_sync(lambda: set(ear.receipted()) == {"m-1", "m-2", "m-3"}, saw=ear.said)
        assert {each: results[each]["outcome"] for each in results} == {
            "m-1": "PASS",
            "m-2": "FAIL",
            "m-3": "PASS",
        }
        assert results["m-2"]["measurements"][0]["rule_id"] == "voltage"
        assert results["m-3"]["machine_id"] == "M2"
        receipt_topics = {each.topic for each in ear.heard if each.channel == "receipt"}
        assert receipt_topics == {"factory/v1/L1/M1/receipt", "factory/v1/L1/M2/receipt"}
    assert service.process.stop() == 0
    assert service.stored() == {"m-1": 1, "m-2": 1, "m-3": 1}
    assert service.query("SELECT count(*) FROM outbox") == [(0,)]


def test_a_repeat_is_answered_like_the_first_time_and_not_stored_again(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, database_url)
    with Ear(broker) as ear:
        send(broker, on("M1", flat(1, 79.0)))
        (first,) = ear.wait_for("result", 1)
        send(broker, on("M1", flat(1, 79.0)), on("M1", flat(1, 79.0)))
        eventually_sync(lambda: ear.receipted()["m-1"] == 3, saw=ear.said)
        assert all(each == first for each in ear.wait_for("result", 2))
        send(broker, on("M1", flat(1, 81.0)))
        (rejection,) = ear.wait_for("rejected", 1)
        assert rejection["code"] == "conflicting_duplicate"
        eventually_sync(lambda: ear.receipted()["m-1"] == 4, saw=ear.said)
    assert service.stored() == {"m-1": 1}
    assert service.query("SELECT received, stored, rejected, duplicates FROM machine") == [
        (4, 1, 1, 2)
    ]


def test_a_message_without_an_id_has_no_receipt(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    start(broker, sqlite_url)
    with Ear(broker) as ear:
        anonymous = flat(1)
        del anonymous["message_id"]
        send(broker, on("M1", anonymous), on("M1", flat(2)))
        results = ear.wait_for("result", 2)
        eventually_sync(lambda: ear.receipted() == {"m-2": 1}, saw=ear.said)
        assert len(results[0]["message_id"]) == 32


def test_many_long_ids_fit_their_receipts_in_packets(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, sqlite_url)
    ids = [f"{number:04}".ljust(128, "\N{GRINNING FACE}") for number in range(4_000)]
    arrays = [
        [flat(each[:4], message_id=each) for each in ids[at : at + 1_000]]
        for at in range(0, 4_000, 1_000)
    ]
    with Ear(broker) as ear:
        send(broker, *(on("M1", array) for array in arrays))
        eventually_sync(lambda: len(ear.receipted()) == 4_000, 30)
    assert len(service.events("connected")) == 1, "no packet was too large for the broker"


def test_a_retained_message_is_ignored_with_one_warning_and_never_comes_again(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    topic, payload = on("M1", flat(1))
    link = connect(broker.port, "retainer")
    packet = bytearray(publish_packet(topic, payload, 1))
    packet[0] |= 0x01
    link.sendall(packet)
    assert link.recv(4) == b"\x40\x02\x00\x01"
    link.close()
    service = start(broker, sqlite_url)
    assert service.wait_until("retained_ignored")["topic"] == topic
    send(broker, on("M1", flat(2)))
    eventually_sync(lambda: service.stored() == {"m-2": 1}, saw=service.stored)
    assert service.process.stop() == 0
    again = start(broker, sqlite_url)
    send(broker, on("M1", flat(3)))
    eventually_sync(lambda: again.stored() == {"m-2": 1, "m-3": 1}, saw=again.stored)


@pytest.mark.parametrize(
    "template",
    [
        "{line}/{machine_id}/{channel}",
        "plant/{machine_id}/{channel}",
        "acme/{site}/{area}/{line}/{cell}/{machine_id}/{channel}",
    ],
)
def test_under_any_template_the_probe_is_no_message(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str, template: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, sqlite_url, YIELDLINE_TOPICS__TEMPLATE=template)
    levels = {"line": "L1", "machine_id": "M1", "site": "s", "area": "a", "cell": "c"}
    topic = template.format(channel="test", **levels)
    with Listener(broker.port, "ear", topic.replace("/test", "/result")) as ear:
        send(broker, (topic, orjson.dumps(flat(1))))
        eventually_sync(lambda: len(ear.heard) == 1, saw=lambda: service.process.output)
    assert service.query("SELECT count(*) FROM rejection") == [(0,)]
    assert service.query("SELECT received FROM machine") == [(1,)]


# -- poison ----------------------------------------------------------------------------------------


def with_value(literal: bytes) -> bytes:
    """Return a flat message with this as its measured_value, whatever it is."""
    return orjson.dumps(flat("bad", "@")).replace(b'"@"', literal)


POISON = {
    "not JSON": (b"hello", "not_json"),
    "NaN": (with_value(b"NaN"), "not_json"),
    "1e999": (with_value(b"1e999"), "schema"),
    "5,000 digits": (with_value(b"7" * 5_000), "not_json"),
    "100,000 levels": (with_value(b"[" * 100_000 + b"]" * 100_000), "not_json"),
    "a key twice": (with_value(b'1, "barcode": "x"'), "not_json"),
    "a lone surrogate": (with_value(rb'"\ud800"'), "not_json"),
    "a byte order mark": (b"\xef\xbb\xbf" + orjson.dumps(flat("bad")), "not_json"),
    "UTF-16": (orjson.dumps(flat("bad")).decode().encode("utf-16"), "not_utf8"),
    "not UTF-8": (with_value(b'"\xb5F"'), "not_utf8"),
    "U+0000": (with_value(rb'"a\u0000b"'), "schema"),
    "an empty barcode": (orjson.dumps(flat("bad", barcode="")), "schema"),
    "a control in the barcode": (orjson.dumps(flat("bad", barcode="a\x01b")), "schema"),
    "a barcode of 300 characters": (orjson.dumps(flat("bad", barcode="x" * 300)), "schema"),
    "another machine": (orjson.dumps(flat("bad", machine_id="M9")), "machine_mismatch"),
    "a machine that no topic can have": (
        orjson.dumps(flat("bad", machine_id="a/+/#")),
        "schema",
    ),
    "a count beyond 64 bits": (
        orjson.dumps(flat("bad", sequence={"epoch": "e", "seq": 2**63})),
        "not_storable",
    ),
}


def test_poison_in_a_batch_costs_one_rejection_and_no_neighbour(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, database_url)
    for index, (name, (payload, code)) in enumerate(POISON.items()):
        neighbours = [on(f"P{index}", flat(f"{index}-{at}")) for at in range(99)]
        with Ear(broker) as ear:
            send(broker, *neighbours[:50], on(f"P{index}", payload), *neighbours[50:])
            (rejection,) = ear.wait_for("rejected", 1)
            assert (name, rejection["code"]) == (name, code), rejection["reason"]
            assert rejection["machine_id"] == f"P{index}"
            assert rejection["payload_size"] == len(payload)
            assert rejection["reason"].endswith((".", "again."))
            assert len(ear.wait_for("result", 99)) == 99
    kept = dict(service.query("SELECT id, payload FROM rejection"))
    assert [bytes(kept[each]) for each in sorted(kept)] == [each for each, _ in POISON.values()]
    assert service.query("SELECT count(*) FROM run") == [(99 * len(POISON),)]
    assert service.query("SELECT received, stored, rejected, duplicates FROM machine") == [
        (100, 99, 1, 0)
    ] * len(POISON)


def test_poison_in_an_array_costs_one_rejection_and_no_neighbour(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, database_url)
    for index, (name, (payload, code)) in enumerate(POISON.items()):
        elements = [orjson.dumps(flat(f"{index}-{at}")) for at in range(99)]
        elements.insert(50, payload)
        with Ear(broker) as ear:
            send(broker, on(f"P{index}", b"[" + b", ".join(elements) + b"]"))
            (rejection,) = ear.wait_for("rejected", 1)
            assert (name, rejection["code"]) == (name, code), rejection["reason"]
            assert len(ear.wait_for("result", 99)) == 99
    kept = service.query("SELECT payload, element FROM rejection ORDER BY id")
    assert [bytes(payload) for payload, _ in kept] == [each for each, _ in POISON.values()]
    assert {element for _, element in kept} == {50}
    assert service.query("SELECT count(*) FROM run") == [(99 * len(POISON),)]


@pytest.mark.parametrize("line", ["line 1", "$line", "-line", "x" * 300, "über"])
def test_a_topic_that_fits_no_template_is_kept_without_harm(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str, line: str
) -> None:
    broker = mosquitto_factory()
    service = start(broker, sqlite_url)
    send(broker, on("M1", flat(1), line), on("M1", flat(2)))
    eventually_sync(lambda: service.stored() == {"m-2": 1}, saw=service.stored)
    found = service.query("SELECT code, topic, machine FROM rejection")
    assert found == [("bad_topic", f"factory/v1/{line}/M1/test", None)]


def test_odd_times_are_stored_and_marked(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    start(broker, sqlite_url)
    naive = NOW.replace(tzinfo=None)
    times = {
        "naive": (naive.isoformat(), {}, False),
        "ahead": ((NOW + timedelta(hours=1)).isoformat(), {}, True),
        "a little ahead": ((NOW + timedelta(minutes=2)).isoformat(), {}, False),
        "old": ((NOW - timedelta(days=60)).isoformat(), {}, True),
        "old from a file": (
            (NOW - timedelta(days=60)).isoformat(),
            {"source": {"file": "a"}},
            False,
        ),
        "other offset": (NOW.astimezone().isoformat(), {}, False),
    }
    with Ear(broker) as ear:
        send(
            broker,
            *(on("M1", flat(name, timestamp=at, **more)) for name, (at, more, _) in times.items()),
        )
        suspect = {each["barcode"]: each["clock_suspect"] for each in ear.wait_for("result", 6)}
    assert suspect == {f"SN-{name}": meant for name, (_, _, meant) in times.items()}


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


def sentence(service: Service) -> str:
    """Return what a service that ends with 2 says last; fail if it is more than one line."""
    assert service.process.wait(20) == 2, service.process.output
    lines = [line for line in service.process.output.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("right", ["read", "write"])
def test_without_rights_it_refuses_to_start(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str, right: str
) -> None:
    broker = mosquitto_factory(users={"service": "x"}, acl=f"user service\ntopic {right} #\n")
    login = {"YIELDLINE_BROKER__USERNAME": "service", "YIELDLINE_BROKER__PASSWORD": "x"}
    said = sentence(start(broker, sqlite_url, ready=False, **login))
    assert said.startswith("the broker lets 'service' not both write and read factory/v1/_check/")
    assert "Grant" in said


def test_a_wrong_password_is_one_sentence(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory(users={"service": "right"})
    login = {"YIELDLINE_BROKER__USERNAME": "service", "YIELDLINE_BROKER__PASSWORD": "s3cret"}
    said = sentence(start(broker, sqlite_url, ready=False, **login))
    assert "refused the login of 'service'" in said
    assert "s3cret" not in said


def test_a_second_service_on_one_sqlite_file_is_one_sentence(
    mosquitto_factory: Brokers, start: Callable[..., Service], sqlite_url: str
) -> None:
    broker = mosquitto_factory()
    first = start(broker, sqlite_url)
    assert "another service already writes to" in sentence(start(broker, sqlite_url, ready=False))
    send(broker, on("M1", flat(1)))
    eventually_sync(lambda: first.stored() == {"m-1": 1}, saw=first.stored)


@pytest.mark.postgres
def test_a_wrong_database_login_is_one_sentence(
    mosquitto_factory: Brokers, start: Callable[..., Service], postgres_url: str
) -> None:
    url = postgres_url.rpartition("/")[0] + "/nowhere"
    said = sentence(start(mosquitto_factory(), url, ready=False))
    assert 'database "nowhere" does not exist' in said
    assert "YIELDLINE_DATABASE__URL" in said


def test_a_bad_rules_file_without_a_stored_rulebook_is_one_sentence(
    mosquitto_factory: Brokers, start: Callable[..., Service], database_url: str
) -> None:
    service = start(mosquitto_factory(), database_url, rules=RULES + "high = 4\n", ready=False)
    said = sentence(service)
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

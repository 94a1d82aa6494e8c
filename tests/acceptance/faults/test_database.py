"""Rows 6 to 9 of the fault matrix: a database that is away, full, slow, locked or read-only.

Row 10, a second service on one SQLite file, is in tests/integration/test_service_losses.py.

    DATABASE_AWAY_S=180 pytest tests/acceptance/faults/test_database.py -k stays_away

keeps the server away for as long as the matrix says; else it is some seconds.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import psycopg
import pytest

from broker.settings import Settings
from tests.support.keeper import Keeper, assert_all_once, key_of, message, query
from tests.support.mosquitto import Mosquitto
from tests.support.postgres import PostgresServer
from tests.support.raw_mqtt import Sender
from tests.support.services import Service
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually, eventually_sync
from tests.support.web import serving
from ui.api import health

Brokers = Callable[..., Mosquitto]
StartService = Callable[..., Service]
StartKeeper = Callable[..., Keeper]
Proxies = Callable[[int], TcpProxy]
KEEPALIVE_S = 5
"""The least there is: the broker ends a connection that is silent for half as long again."""
AWAY_S = float(os.environ.get("DATABASE_AWAY_S", "6"))
KEEPALIVE = {"YIELDLINE_BROKER__KEEPALIVE_S": str(KEEPALIVE_S)}


def say_why(broker: Mosquitto, url: str, words: str) -> None:
    """Wait until `/readyz` of a web app says so, as 503."""

    async def ask() -> None:
        settings = {"broker": {"port": broker.port}, "database": {"url": url, "timeout_s": 2}}
        async with serving(Settings.model_validate(settings)) as web:
            said = ""

            async def says() -> bool:
                nonlocal said
                answer = await web.get("/readyz")
                said = answer.text
                return answer.status_code == 503 and words in said

            await eventually(says, 20, saw=lambda: said)

    asyncio.run(ask())


@pytest.fixture
def quick_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that says nothing for two seconds is silent."""
    monkeypatch.setattr(health, "HEARTBEAT_AGE_MAX_S", 2.0)


def through(proxy: TcpProxy, url: str) -> str:
    """Return the URL of a PostgreSQL database, past a proxy."""
    head, _, name = url.rpartition("/")
    return f"{head.rpartition(':')[0]}:{proxy.port}/{name}"


def server_port(url: str) -> int:
    return int(url.rpartition("/")[0].rpartition(":")[2])


# -- row 6 -----------------------------------------------------------------------------------------


@pytest.mark.postgres
def test_a_database_whose_connections_are_cut_at_any_moment_loses_and_doubles_nothing(
    mosquitto_factory: Brokers,
    start_service: StartService,
    start_keeper: StartKeeper,
    tcp_proxy_factory: Proxies,
    postgres_url: str,
) -> None:
    """Some are cut after the server has committed and before it could say so."""
    broker, proxy = mosquitto_factory(), tcp_proxy_factory(server_port(postgres_url))
    service = start_service(broker.port, through(proxy, postgres_url))
    service.wait_until("connected")
    proxy.delay_s = 0.01  # each batch is under way for a while
    keeper = start_keeper(broker.port)
    for life in range(8):
        keeper.give(*(message(life * 100 + each) for each in range(100)))
        keeper.wait_for_receipts(count=life * 100 + 1)
        proxy.cut()
        service.wait_until("database_lost", len(service.events("database_lost")) + 1)
        if life == 0:
            say_why(broker, through(proxy, postgres_url), "is away")
        proxy.restore()
    keeper.wait_for_receipts()
    assert service.process.stop() == 0
    assert_all_once(postgres_url, keeper.sent)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(180 + AWAY_S)
def test_a_server_that_stays_away_is_waited_for_in_bounded_memory(
    mosquitto_factory: Brokers,
    start_service: StartService,
    own_postgres_server: PostgresServer,
) -> None:
    """The sender has no second copy: what the service does not take, the broker keeps."""
    broker = mosquitto_factory(extra=["max_inflight_messages 20000"])  # it holds nothing back
    url = own_postgres_server.database()
    bounds = {"YIELDLINE_SERVICE__PENDING_COUNT_MAX": "500"}
    service = start_service(broker.port, url, **KEEPALIVE, **bounds)
    service.wait_until("connected")
    messages = [message(number, attributes={"pad": "x" * 8_000}) for number in range(6_000)]
    with Sender(broker.port, "plc") as plc:
        plc.send(messages[:1_000])
        eventually_sync(lambda: count(url) == 1_000, 60)
        before = memory_bytes(service)
        own_postgres_server.kill()
        killed_at = time.monotonic()
        plc.send(messages[1_000:])  # 40 MB
        seen = [before]

        def is_long_enough() -> bool:
            seen.append(memory_bytes(service))
            return time.monotonic() - killed_at > AWAY_S

        eventually_sync(is_long_enough, AWAY_S + 20)
        assert service.process.exit_code is None, service.process.output
        own_postgres_server.start()
        eventually_sync(lambda: count(url) == len(messages), 120)
    assert max(seen) - before < 20_000_000, "a batch in hand and 500 messages behind it, not all"
    assert service.process.stop() == 0
    assert_all_once(url, {key_of(each) for each in messages})


def memory_bytes(service: Service) -> int:
    return int(psutil.Process(service.process.pid).memory_info().rss)


# -- row 7 -----------------------------------------------------------------------------------------


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with small_disk(64) as made:
        yield made


@contextmanager
def postgres_on(disk: SmallDisk, server: PostgresServer) -> Iterator[str]:
    """Give a database whose rows, unlike its log, are on the small disk."""
    place = disk.folder / "rows"
    place.mkdir()
    os.chown(place, server.user_id, -1)
    with psycopg.connect(server.url("postgres"), autocommit=True) as session:
        session.execute(f"CREATE TABLESPACE small LOCATION '{place}'".encode())
        session.execute("CREATE DATABASE on_small_disk TABLESPACE small")
        try:
            yield server.url("on_small_disk")
        finally:
            session.execute("DROP DATABASE on_small_disk WITH (FORCE)")
            session.execute("DROP TABLESPACE small")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url_on_disk(request: pytest.FixtureRequest, disk: SmallDisk) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{disk.folder / 'yieldline.db'}"
        return
    with postgres_on(disk, request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.mark.usefixtures("quick_silence")
def test_a_database_whose_disk_is_full_is_held_said_and_goes_on_when_there_is_room(
    mosquitto_factory: Brokers,
    start_service: StartService,
    start_keeper: StartKeeper,
    disk: SmallDisk,
    url_on_disk: str,
) -> None:
    broker = mosquitto_factory()
    service = start_service(broker.port, url_on_disk)
    service.wait_until("connected")
    keeper = start_keeper(broker.port, per_second=2_000)
    keeper.give(*(message(number) for number in range(200)))
    keeper.wait_for_receipts()
    disk.fill()
    keeper.give(*(message(number) for number in range(200, 2_200)))  # more than fits into pages
    said = service.wait_until("database_lost", 2)["reason"]
    assert "full" in said or "No space left" in said
    say_why(broker, url_on_disk, "full" if url_on_disk.startswith("sqlite") else "No space left")
    disk.make_room()
    service.wait_until("database_back")
    keeper.wait_for_receipts(60)
    assert len(service.events("connected")) == 1, "it held what it had, and stayed"
    assert service.process.stop() == 0
    assert_all_once(url_on_disk, keeper.sent)


# -- row 8 -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.usefixtures("quick_silence")
def test_a_slow_and_a_locked_database_cost_no_connection(
    mosquitto_factory: Brokers,
    start_service: StartService,
    tcp_proxy_factory: Proxies,
    postgres_url: str,
) -> None:
    """The sender has no second copy and repeats nothing: all that comes twice is the broker's."""
    broker, proxy = mosquitto_factory(), tcp_proxy_factory(server_port(postgres_url))
    service = start_service(broker.port, through(proxy, postgres_url), **KEEPALIVE)
    service.wait_until("connected")
    messages = [message(number) for number in range(300)]
    with Sender(broker.port, "plc") as plc:
        plc.send(messages[:100])
        eventually_sync(lambda: count(postgres_url) == 100)
        proxy.delay_s = 0.15  # a batch takes seconds
        plc.send(messages[100:200])
        eventually_sync(lambda: count(postgres_url) == 200, 60)
        proxy.delay_s = 0.0
        with psycopg.connect(postgres_url, application_name="somebody") as other:
            other.execute("LOCK TABLE run IN EXCLUSIVE MODE")
            locked_at = time.monotonic()
            plc.send(messages[200:])
            say_why(broker, postgres_url, "(somebody, user postgres) holds. End that session")
            eventually_sync(lambda: time.monotonic() - locked_at > 1.7 * KEEPALIVE_S)
        eventually_sync(lambda: count(postgres_url) == 300, 30)
    assert service.process.stop() == 0
    assert len(service.events("connected")) == 1, "it answered the broker all the time"
    assert not service.events("broker_lost")
    said = assert_all_once(postgres_url, {key_of(each) for each in messages})
    assert said.duplicates == 0


def count(url: str) -> int:
    return int(query(url, "SELECT count(*) FROM run")[0][0])


@pytest.mark.usefixtures("quick_silence")
def test_a_sqlite_file_that_somebody_holds_is_said_by_readyz(
    mosquitto_factory: Brokers,
    start_service: StartService,
    start_keeper: StartKeeper,
    sqlite_url: str,
) -> None:
    broker = mosquitto_factory()
    service = start_service(broker.port, sqlite_url, YIELDLINE_DATABASE__TIMEOUT_S="0.2")
    service.wait_until("connected")
    keeper = start_keeper(broker.port)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    keeper.give(*(message(number) for number in range(100)))
    say_why(broker, sqlite_url, "another program holds")
    other.execute("ROLLBACK")
    other.close()
    keeper.wait_for_receipts()
    assert_all_once(sqlite_url, keeper.sent)


# -- row 9 -----------------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.usefixtures("quick_silence")
def test_a_failover_to_a_server_that_only_reads_is_held_until_it_writes(
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
    fail_over(postgres_url, "on")
    keeper.give(*(message(number) for number in range(100, 300)))
    eventually_sync(
        lambda: "read-only transaction" in service.wait_until("database_lost")["reason"],
        saw=lambda: service.process.output[-2_000:],
    )
    say_why(broker, postgres_url, "the database takes no writes")
    fail_over(postgres_url, "off")
    keeper.wait_for_receipts()
    assert service.process.exit_code is None, "it went on by itself"
    assert service.process.stop() == 0
    assert_all_once(postgres_url, keeper.sent)


def fail_over(url: str, read_only: str) -> None:
    """End every session; those that come next may only read, or write again."""
    with psycopg.connect(url, autocommit=True) as session:
        name = url.rpartition("/")[2]
        session.execute("SET default_transaction_read_only = off")
        setting = f'ALTER DATABASE "{name}" SET default_transaction_read_only = {read_only}'
        session.execute(setting.encode())
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

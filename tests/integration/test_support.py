"""The tests' own parts do what other tests lean on."""

import socket
from collections.abc import Callable

import psycopg
import pytest

from tests.support.mosquitto import Mosquitto
from tests.support.ports import listens
from tests.support.postgres import PostgresServer
from tests.support.processes import PYTHON, Process
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually, eventually_sync


def test_a_broker_comes_back_on_its_port_after_a_kill(
    mosquitto_factory: Callable[..., Mosquitto],
) -> None:
    broker = mosquitto_factory()
    broker.kill()
    assert not listens(broker.port)
    broker.restart()
    assert listens(broker.port)


def test_the_shared_broker_listens(mosquitto: Mosquitto) -> None:
    assert listens(mosquitto.port)


@pytest.mark.postgres
def test_each_database_is_fresh_and_a_template_is_filled_once(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    filled: list[str] = []

    def prepare(url: str) -> None:
        filled.append(url)
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE thing (id int)")

    for _ in range(2):
        url = postgres_server.database(postgres_server.template("things", prepare))
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM thing").fetchone() == (0,)
        postgres_server.drop(url)
    assert len(filled) == 1
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT to_regclass('thing')").fetchone() == (None,)


@pytest.mark.postgres
def test_a_killed_server_keeps_its_data(own_postgres_server: PostgresServer) -> None:
    url = own_postgres_server.database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    own_postgres_server.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    own_postgres_server.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_a_cut_cable_resets_and_a_held_one_is_silent(
    tcp_proxy_factory: Callable[[int], TcpProxy],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = tcp_proxy_factory(server.getsockname()[1])
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=2) as near:
            far, _ = server.accept()
            with far:
                far.settimeout(0.2)
                near.sendall(b"one")
                assert far.recv(9) == b"one"
                proxy.hold()
                near.sendall(b"two")
                with pytest.raises(TimeoutError):
                    far.recv(9)
                proxy.restore()
                assert far.recv(9) == b"two"
                proxy.cut()
                with pytest.raises(ConnectionResetError):
                    near.recv(9)
        assert not listens(proxy.port)
        proxy.restore()
        assert listens(proxy.port)


def test_a_process_is_heard_and_ends_by_its_id() -> None:
    with Process([PYTHON, "-c", "print('hello'); import time; time.sleep(60)"]) as child:
        child.wait_for("hello")
        assert child.exit_code is None
    assert child.exit_code == -15


async def test_what_does_not_come_true_says_what_was_last_seen() -> None:
    with pytest.raises(AssertionError, match="last saw 0"):
        await eventually(lambda: 0, 0.05)
    with pytest.raises(AssertionError, match="last saw 0"):
        eventually_sync(lambda: 0, 0.05)
    assert await eventually(lambda: "now") == "now"

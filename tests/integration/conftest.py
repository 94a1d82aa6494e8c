"""Fixtures of the tests with real parts: a store, an agent to start, a service that answers it."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.support.agent_floor import Floor
from tests.support.edge import Agent, TinyService
from tests.support.links import Script, scripted_brokers
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.random_history import History, fill
from tests.support.stored import Stored, migrate
from tests.support.web import Web, serving, settings_of


@pytest.fixture
async def service(mosquitto: Mosquitto, topic_root: str) -> AsyncIterator[TinyService]:
    made = TinyService(mosquitto, topic_root)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def agent(
    tmp_path: Path, mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> AsyncIterator[Agent]:
    made = Agent(tmp_path, topic_root, unique_id, mosquitto.port)
    yield made
    for process in made.processes:
        process.stop()


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    """A log in a folder of its own, and a spool."""
    made = Floor(tmp_path)
    (tmp_path / "logs").mkdir()
    made.log = tmp_path / "logs/a.log"
    yield made
    made.spool.close()


@pytest.fixture
async def scripted_broker() -> AsyncIterator[Callable[[Script], int]]:
    """Make servers that do what no real broker does at will; each returns its port."""
    async with scripted_brokers() as make:
        yield make


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with its tables, to be copied: to migrate takes longer than most tests."""
    file = tmp_path_factory.mktemp("migrated") / "yieldline.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def sqlite_store_url(sqlite_url: str, migrated_file: Path) -> str:
    """The test's SQLite database, with its tables."""
    shutil.copy(migrated_file, sqlite_url.removeprefix("sqlite:///"))
    return sqlite_url


@pytest.fixture
def postgres_store_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A PostgreSQL database of the test's own, with its tables."""
    url = postgres_server.database(postgres_server.template("migrated", migrate))
    yield url
    postgres_server.drop(url)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest) -> str:
    """A database with its tables, on each database. Whom one is enough for overrides this."""
    url: str = request.getfixturevalue(f"{request.param}_store_url")
    return url


@pytest.fixture
def stored(store_url: str) -> Iterator[Stored]:
    """A store without rows, and its writer."""
    store = Stored(store_url)
    yield store
    store.close()


@pytest.fixture
async def web(stored: Stored) -> AsyncIterator[Web]:
    """The API on a database, with nobody at the broker's port."""
    async with serving(settings_of(stored.url, free_port())) as web:
        yield web


@pytest.fixture(scope="session")
def history(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[History]:
    """One random history in both databases, to be read only."""
    sqlite = Stored(f"sqlite:///{tmp_path_factory.mktemp('analysis') / 'yieldline.db'}")
    postgres = Stored(request.getfixturevalue("postgres_server").database())
    runs = fill(sqlite)
    ids = {other.run_id: run.run_id for run, other in zip(runs, fill(postgres), strict=True)}
    yield History(sqlite.database, postgres.database, runs, ids)
    sqlite.close()
    postgres.close()

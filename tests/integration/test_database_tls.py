"""A real PostgreSQL over TLS, with certificates of `yieldline ca`."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import text

from broker.authority import Authority
from broker.errors import StoreUnavailable
from broker.sections import DatabaseSettings
from service.store.database import Database
from service.store.schema import upgrade
from service.store.writer import Writer
from tests.support.postgres import PostgresServer, server_binaries
from tests.support.processes import YIELDLINE, Process

pytestmark = pytest.mark.postgres
NAME = "db.example"


class Plant(NamedTuple):
    """A server that shows the certificate of its plant."""

    server: PostgresServer
    folder: Path

    def url(self, host: str = NAME, ca: str = "secrets/ca.crt") -> str:
        """Return an address with all checks; the host's name is looked up nowhere."""
        way = f"hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={self.folder / ca}"
        name = self.server.database().rpartition("/")[2]
        return f"postgresql://postgres@{host}:{self.server.port}/{name}?{way}"

    def database(self, host: str = NAME, ca: str = "secrets/ca.crt") -> Database:
        """Return a database that nothing else is in."""
        return Database(DatabaseSettings.model_validate({"url": self.url(host, ca)}))


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """One server for all tests here, and two authorities."""
    binaries = server_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL")
    folder = tmp_path_factory.mktemp("plant")
    for name in ("secrets", "other"):
        Authority(folder / name).create(["broker.example"], 30, 30, database=[NAME])
    server = PostgresServer(binaries)
    server.speak_tls(folder / "secrets/postgres.crt", folder / "secrets/postgres.key")
    yield Plant(server, folder)
    server.close()


def test_whatever_we_say_to_it_is_encrypted(plant: Plant) -> None:
    database = plant.database()
    upgrade(database)
    writer = Writer(database, lambda _: [])
    assert writer.open() == 0
    with database.reading() as session:
        query = text(
            "SELECT a.application_name, s.ssl"
            " FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)"
            " WHERE a.datname = current_database() AND a.backend_type = 'client backend'"
        )
        found = {(row.application_name, row.ssl) for row in session.connection().execute(query)}
    writer.close()
    database.dispose()
    assert found == {("yieldline service", True), ("yieldline reads", True)}


@pytest.mark.parametrize(
    ("host", "ca", "said"),
    [
        (NAME, "other/ca.crt", "certificate verify failed"),
        ("other.example", "secrets/ca.crt", "does not match host name"),
    ],
)
def test_a_server_that_shows_another_certificate_is_told_nothing(
    plant: Plant, host: str, ca: str, said: str
) -> None:
    database = plant.database(host, ca)
    with pytest.raises(StoreUnavailable, match=said):
        upgrade(database)
    database.dispose()


def test_a_service_does_not_start_without_tls_to_another_host_unless_told_so(
    tmp_path: Path,
) -> None:
    environment = {
        "YIELDLINE_DATABASE__URL": "postgresql://ann:s3cret@db.invalid/x",
        "YIELDLINE_LOG__JSON_LINES": "true",
    }
    command = (YIELDLINE, "service")
    refused = Process(command, environment=environment, directory=tmp_path)
    assert refused.wait(60) == 2
    assert len(refused.output.strip().splitlines()) == 1
    assert "is on another host, and its URL does not say" in refused.output
    allowed = Process(
        command,
        environment={**environment, "YIELDLINE_DATABASE__NO_TLS": "true"},
        directory=tmp_path,
    )
    allowed.wait_for('"database_without_tls"', 30)
    allowed.stop()
    assert "s3cret" not in refused.output + allowed.output

"""docs/deploy/plants.sql: two plants' databases, read by a third that stores nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.postgres import PostgresServer
from tests.support.stored import Stored, run_message

REPORT = Path(__file__).parents[2] / "docs/deploy/plants.sql"
LOGIN = ("yieldline_reports", "word")

pytestmark = pytest.mark.postgres


@pytest.fixture
def report(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database, with the functions of the guide."""
    url = postgres_server.database()
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT 1 FROM pg_available_extensions WHERE name = 'postgres_fdw'"
        ).fetchone()
        if row is None:
            pytest.skip("this PostgreSQL has no postgres_fdw")
        connection.execute(REPORT.read_bytes())
        connection.execute(f"CREATE ROLE {LOGIN[0]} LOGIN PASSWORD '{LOGIN[1]}'".encode())
    yield url
    postgres_server.drop(url)
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP ROLE {LOGIN[0]}".encode())


def test_two_plants_are_one_report_and_the_same_names_stay_apart(
    postgres_server: PostgresServer, report: str
) -> None:
    messages = {
        "north": [run_message("SN-1"), run_message("SN-2", passes=False)],
        # Another order of names, and so other numbers for them.
        "south": [run_message("X", procedure="ICT"), run_message("SN-1"), run_message("SN-3")],
    }
    plants = [_plant(postgres_server, each) for each in messages.values()]
    for _ in range(2):  # adding a plant again is no second plant
        for name, url in zip(messages, plants, strict=True):
            _ask(report, f"SELECT add_plant('{name}', {_address(url)}, '{LOGIN[0]}', '{LOGIN[1]}')")
    found = _ask(
        report,
        "SELECT plant, day::text, line, product, procedure, runs, passed, failed, units,"
        " first_passed FROM plant_day ORDER BY plant, procedure",
    )
    assert found == [
        ("north", "2026-11-23", "L1", "P1", "FCT", 2, 1, 1, 2, 1),
        ("south", "2026-11-23", "L1", "P1", "FCT", 2, 2, 0, 2, 2),
        ("south", "2026-11-23", "L1", "P1", "ICT", 1, 1, 0, 1, 1),
    ]
    for url in plants:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {LOGIN[0]}".encode())
        postgres_server.drop(url)


def _plant(server: PostgresServer, messages: list[dict[str, Any]]) -> str:
    """Return a plant's database, where the report's login may do what the guide grants."""
    url = server.database()
    stored = Stored(url)
    stored.save(*messages)
    stored.close()
    _ask(url, f"GRANT SELECT ON name, run_hour, unit_hour TO {LOGIN[0]}")
    return url


def _address(url: str) -> str:
    port, _, name = url.rpartition(":")[2].partition("/")
    return f"'host ''127.0.0.1'', port ''{port}'', dbname ''{name}'''"


def _ask(url: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []

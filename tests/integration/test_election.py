"""The election of the one watcher: who may conclude, and who no longer may."""

import psycopg
import pytest
from sqlalchemy import text

from broker.errors import StoreUnavailable
from broker.sections import DatabaseSettings
from service.store.alerts import living_alerts
from service.store.database import Database
from service.store.election import stand
from tests.support.stored import Stored


@pytest.mark.postgres
def test_one_watcher_is_elected_and_the_next_when_it_is_gone(postgres_store_url: str) -> None:
    store = Stored(postgres_store_url)
    other = Database(DatabaseSettings(url=postgres_store_url))  # type: ignore[arg-type]
    first = stand(store.database)
    assert first
    assert stand(other) is None
    first.end()
    second = stand(other)
    assert second
    assert stand(store.database) is None
    second.end()
    other.dispose()
    store.close()


@pytest.mark.postgres
def test_a_watcher_that_lost_its_lock_can_conclude_nothing(postgres_store_url: str) -> None:
    store = Stored(postgres_store_url)
    mandate = stand(store.database)
    assert mandate
    with psycopg.connect(postgres_store_url, autocommit=True) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks"
            " WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            " AND objid = 1498152964"
        )
    for _ in range(2):
        with pytest.raises(StoreUnavailable), mandate.changing() as connection:
            connection.execute(text("SELECT 1"))
    mandate.end()
    store.close()


def test_on_sqlite_the_one_service_watches(sqlite_store_url: str) -> None:
    store = Stored(sqlite_store_url)
    mandate = stand(store.database)
    assert mandate
    with mandate.changing() as connection:
        assert living_alerts(connection) == []
    mandate.end()
    store.close()

"""Which ways to PostgreSQL are taken, and which are refused."""

import os

import pytest

from broker.errors import SettingsError
from broker.sections import DatabaseSettings
from service.store.database import Database
from service.store.transport import is_private

SECRET = "s3cret-word"


@pytest.fixture(autouse=True)
def _without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("PG")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("address", "is_taken"),
    [
        ("postgresql://ann@127.0.0.1:5432/x", True),
        ("postgresql://ann@[::1]/x", True),
        ("postgresql://localhost/x", True),
        ("postgresql:///x", True),
        ("postgresql:///x?host=/var/run/postgresql", True),
        ("postgresql://db.example/x?hostaddr=127.0.0.1", True),
        ("postgresql://db.example/x", False),
        ("postgresql://10.0.4.2/x", False),
        ("postgresql://localhost/x?hostaddr=10.0.4.2", False),
        ("postgresql:///x?host=127.0.0.1,db.example", False),
        ("postgresql:///x?host=127.0.0.1,db.example&hostaddr=127.0.0.1,", False),
        ("postgresql:///x?service=plant", False),
        ("postgresql://localhost.example/x", False),
        ("postgresql://db.example/x?sslmode=require", False),
        ("postgresql://db.example/x?sslmode=prefer", False),
        ("postgresql://db.example/x?sslmode=verify-ca", True),
        ("postgresql://db.example/x?sslmode=verify-full&sslrootcert=ca.crt", True),
    ],
)
def test_only_this_machine_or_a_checked_certificate_will_do(
    address: str, *, is_taken: bool
) -> None:
    assert is_private(address) == is_taken


def test_the_drivers_own_variables_count_as_it_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example")
    assert not is_private("postgresql:///x")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert is_private("postgresql:///x")
    assert not is_private("postgresql:///x?sslmode=require")


def test_another_host_without_tls_is_refused_in_a_sentence_with_the_remedy() -> None:
    given = {"url": f"postgresql://ann:{SECRET}@db.example/x"}
    with pytest.raises(SettingsError) as raised:
        Database(DatabaseSettings.model_validate(given))
    said = str(raised.value)
    assert said.startswith("database postgresql://ann:***@db.example/x is on another host,")
    assert "sslmode=verify-full" in said
    assert "YIELDLINE_DATABASE__NO_TLS=true" in said
    assert SECRET not in said
    assert Database(DatabaseSettings.model_validate({**given, "no_tls": True})).is_exposed


def test_a_word_that_the_driver_does_not_know_is_a_sentence_too() -> None:
    given = {"url": f"postgresql://ann:{SECRET}@db.example/x?sslmod=verify-full"}
    with pytest.raises(SettingsError, match=r"^database.url cannot be read") as raised:
        Database(DatabaseSettings.model_validate(given))
    assert SECRET not in str(raised.value)

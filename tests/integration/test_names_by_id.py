"""Names by their ids: looked up once and kept, while others look up theirs."""

from collections.abc import Iterator
from typing import NoReturn

import pytest
from sqlalchemy import event, insert

from service.store.database import Database
from service.store.queries import base
from service.store.queries.base import NAME, connected, names_of
from tests.support.stored import Stored


@pytest.fixture
def database(sqlite_store_url: str) -> Iterator[Database]:
    """Four names: 1 is "a", 4 is "d"."""
    stored = Stored(sqlite_store_url)
    with stored.database.changing() as connection:
        rows = [{"id": each, "kind": 5, "text": "_abcd"[each]} for each in range(1, 5)]
        connection.execute(insert(NAME), rows)
    yield stored.database
    stored.close()


def look_up(database: Database, *ids: int | None) -> dict[int | None, str]:
    with connected(database) as connection:
        return dict(names_of(database, connection, ids))


def test_whoever_looks_names_up_keeps_them_when_another_makes_room(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_NAMES_MAX", 1)
    look_up(database, 1)

    @event.listens_for(database.engine, "before_cursor_execute", once=True)
    def _(*_: object) -> None:  # between the two halves of the look-up below
        look_up(database, 3)
        look_up(database, 4)

    assert look_up(database, 1, 2, None) == {1: "a", 2: "b"}


class _NeverWalked(dict[int, str]):
    def keys(self) -> NoReturn:
        raise AssertionError("half a million names were walked for two")

    __iter__ = keys


def test_a_look_up_does_not_walk_all_that_is_known(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(base._texts, database, _NeverWalked({1: "a"}))
    assert look_up(database, 1, 2) == {1: "a", 2: "b"}

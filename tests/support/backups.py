"""Databases that are backed up and put back: what they hold, and that nothing else keeps them."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import inspect, text

from broker.errors import SettingsError
from broker.sections import DatabaseSettings
from service.commands.backups import Asked, back_up, restore
from service.store import lease
from service.store.database import Database
from tests.support.stored import Stored, run_message

NOW = datetime(2026, 11, 25, 2, tzinfo=UTC)
BY_ANN = Asked("ann", "nightly", NOW)
Rows = dict[str, list[tuple[Any, ...]]]


def fill(stored: Stored) -> None:
    """Runs, an array, a rejection, odd text, and something in the audit trail."""
    stored.save(run_message("A"), run_message("B", passes=False), b"{")
    array = [run_message(f"C{number}", minutes=number) for number in range(300)]
    stored.save(orjson.dumps(array), machine_id="M2")
    stored.save(run_message("tab\u00b5\\N", operator="back\\slash\u2028", attributes={"a": "\\."}))
    back_up_to_nowhere(stored)


def back_up_to_nowhere(stored: Stored, asked: Asked = BY_ANN) -> None:
    """Try a backup that fails, and is remembered as such."""
    with pytest.raises(SettingsError, match="cannot be written"):
        back_up(stored.database, Path("/dev/null/x.db"), asked, nobody)


def nobody(_done: int, _total: int) -> None:
    """Nobody looks."""


def all_rows(url: str) -> Rows:
    """Return every row of every table."""
    database = database_of(url)
    with database.reading() as session:
        names = inspect(session.connection()).get_table_names()
        found = {
            name: sorted(
                (tuple(map(plain, row)) for row in session.execute(text(f"SELECT * FROM {name}"))),
                key=repr,
            )
            for name in names
        }
    database.dispose()
    return found


def plain(value: object) -> object:
    """Return bytes as bytes on either database."""
    return bytes(value) if isinstance(value, memoryview) else value


def database_of(url: str) -> Database:
    """Return the database of a URL, to be disposed of."""
    return Database(DatabaseSettings(url=url))  # type: ignore[arg-type]


def put_back(url: str, file: Path) -> None:
    """Restore within this process."""
    database = database_of(url)
    try:
        restore(database, file, BY_ANN, replaces=True, progress=nobody)
    finally:
        database.dispose()
        release_files()


def release_files() -> None:
    """Let go of the lock of SQLite files: it is held until a process ends, and we do not."""
    for descriptor in lease._held_files.values():
        os.close(descriptor)
    lease._held_files.clear()

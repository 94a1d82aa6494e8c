"""Bring a database to this version's schema, one process at a time, all or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, event, func, select, text

from broker.errors import StoreRefused
from service.store import tables
from service.store.database import Database, prepare_folder

_MIGRATIONS = Path(__file__).parent / "migrations"
_WAIT_S = 60  # for another process that migrates
_LOCK_KEY = 0x59_4C_00_01  # "YL": PostgreSQL's advisory lock for migrations


def upgrade(database: Database) -> None:
    """Create or upgrade the tables; waits while another process does it.

    Raises:
        StoreUnavailable: The database is away.
        StoreRefused: It refuses, or was written by a newer version of Yieldline.
    """
    prepare_folder(database)
    with database.translated(), _locked(database) as connection:
        try:
            command.upgrade(_config(connection), "head")
        except CommandError as error:
            raise StoreRefused(
                f"database {database.label} was written by a newer Yieldline ({error})."
                " Start that version, or use another database."
            ) from error


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", _MIGRATIONS.as_posix().replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def knows(revision: str | None) -> bool:
    """Tell whether a schema is of this version, or of an older one that `upgrade` takes further."""
    if revision is None:
        return False
    known = ScriptDirectory.from_config(_config()).walk_revisions()
    return revision in {each.revision for each in known}


def hold_migration_lock(connection: Connection) -> None:
    """Wait, in a transaction on PostgreSQL, until nobody migrates; nobody does until it ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


@contextmanager
def _locked(database: Database) -> Iterator[Connection]:
    """Give a connection within a transaction that holds the migration lock."""
    if not database.is_sqlite:
        with database.engine.begin() as connection:
            hold_migration_lock(connection)
            yield connection
        return
    engine = create_engine(database.engine.url, connect_args={"timeout": _WAIT_S})
    _begin_by_hand(engine)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _begin_by_hand(engine: Any) -> None:  # noqa: ANN401 - sqlalchemy.Engine, for its events
    """Make SQLite's DDL transactional: Python's driver would commit before each statement.

    Source: SQLAlchemy documentation, "Serializable isolation / Savepoints / Transactional DDL".
    """

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def count_rows(database: Database) -> dict[str, int]:
    """Return how many rows each table holds, by name.

    Raises:
        StoreUnavailable: The database is away, or has no tables yet.
    """
    with database.reading() as session:
        return {
            name: session.connection().execute(select(func.count()).select_from(entry)).scalar_one()
            for name, entry in sorted(tables.METADATA.tables.items())
        }

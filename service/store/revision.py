"""Which version of the schema a database has, asked without loading what changes it."""

from pathlib import Path
from typing import Final

from sqlalchemy import inspect, text

from service.store.database import Database

_VERSIONS: Final = Path(__file__).parent / "migrations" / "versions"


def is_current(database: Database) -> bool:
    """Tell whether the tables are those of this version; False too while they do not exist.

    Raises:
        StoreUnavailable: The database is away.
    """
    with database.translated(), database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found == newest()


def newest() -> str:
    """Return the revision of this version's tables: migrations bear it at the front of their names.

    Alembic would know as well, but loading it takes as long as a database driver, in a web app that
    never changes a table.
    """
    return max(file.name.partition("_")[0] for file in _VERSIONS.glob("[0-9]*.py"))

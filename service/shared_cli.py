"""What the commands share: by which settings, on which database, in whose name. Imports late."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.settings import load_settings

if TYPE_CHECKING:
    from service.store.database import Database

Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file; default yieldline.toml if there.")
]
Author = Annotated[str | None, typer.Option(help="Who; default your login on this machine.")]


def actor_of(author: str | None) -> str:
    """Return whom the audit trail names: the author, else who is logged in on this machine."""
    return author or getpass.getuser()


def database_of(config: Path | None) -> "Database":
    """Return the database of the settings, as it is.

    Raises:
        SettingsError: The settings are wrong.
    """
    from service.store.database import Database

    return Database(load_settings(config).database)


def migrated_database_of(config: Path | None) -> "Database":
    """Return it with its tables: what the command writes may be the first thing in it.

    Raises:
        SettingsError: The settings are wrong.
        StoreUnavailable: The database is away.
        StoreRefused: It refuses, or was written by a newer version of Yieldline.
    """
    from service.store.schema import upgrade

    database = database_of(config)
    upgrade(database)
    return database

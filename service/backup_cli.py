"""`yieldline db backup`, `verify` and `restore`. Commands import late."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from broker.errors import SettingsError
from service.shared_cli import Author, Config, actor_of, database_of

if TYPE_CHECKING:
    from service.commands.backups import Asked
    from service.store.backups.manifest import Manifest
    from service.store.queries.base import Facts

_FOLDER_ENDS: Final = ("/", os.sep)
_MB: Final = 1_000_000
_MINUTE: Final = "%Y-%m-%d %H:%M UTC"
Reason = Annotated[str, typer.Option(help="Why; kept in the audit trail.")]


def backup(
    target: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="A new file, or a folder, which / at its end says: then the time is its name.",
        ),
    ],
    *,
    reason: Reason = "",
    author: Author = None,
    config: Config = None,
) -> None:
    """Write the whole database into one file, while services go on storing.

    Beside it comes its manifest: rows of each table, schema, SHA-256. SQLite is copied by its own
    backup interface, PostgreSQL by pg_dump.
    """
    from service.commands.backups import back_up
    from service.progress_bar import ProgressBar

    database = database_of(config)
    with ProgressBar("MB") as bar:
        taken = back_up(database, _target(target), _asked(author, reason), _in_megabytes(bar.show))
    typer.echo(f"{taken.file} holds {_described(taken.manifest)}.")
    if taken.trouble is not None:
        typer.echo(f"It is whole, but the database could not note it: {taken.trouble}", err=True)


def _target(text: str) -> Path:
    """Return it as a path, which forgets that `backups/` can only be a folder."""
    target = Path(text)
    if text.endswith(_FOLDER_ENDS) and not target.is_dir():
        raise SettingsError(f"there is no folder {target}. Create it, or choose another.")
    return target


def verify(file: Annotated[Path, typer.Argument(help="A backup.")]) -> None:
    """Read a backup through: its bytes, its schema and the rows of each table by its manifest."""
    from service.store.backups.backup import verify as check

    manifest = check(file)
    typer.echo(f"{file} is whole: {_described(manifest)}, taken {manifest.taken_at:{_MINUTE}}.")


def restore(
    source: Annotated[Path, typer.Argument(help="A backup, with its manifest beside it.")],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Lose what is in the database now.")
    ] = False,
    reason: Reason = "",
    author: Author = None,
    config: Config = None,
) -> None:
    """Make the database what a backup holds: all of it or, if anything is wrong, nothing.

    Stop services and web apps first. What they had stored after the backup is lost; agents send
    again what is still in their logs only with `yieldline agent replay`.
    """
    from service.commands.backups import restore as put_back
    from service.progress_bar import ProgressBar
    from service.store.revision import is_current

    database = database_of(config)
    with ProgressBar("parts") as bar:
        manifest = put_back(
            database, source, _asked(author, reason), replaces=replace, progress=bar.show
        )
    typer.echo(f"{database.label} holds {_described(manifest)} again. Start service and web app.")
    if not is_current(database):
        typer.echo("Its schema is that of an older version; the service upgrades it at its start.")


def describe_last(known: "Facts | None") -> str:
    """Return a line on the last backup, for a terminal."""
    if known is None:
        return "no backup has ever been taken: yieldline db backup FOLDER"
    if known["ok"]:
        size_bytes = known["size_bytes"]
        return f"last backup {_minute(known['at'])}: {known['file']}, {size_bytes:,} bytes"
    good_at = known["good_at"]
    good = f"the last good one is of {_minute(good_at)}" if good_at else "there is none yet"
    return f"the last backup failed ({known['trouble']}); {good}"


def _minute(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):{_MINUTE}}"


def _asked(author: str | None, reason: str) -> "Asked":
    from service.commands.backups import Asked

    return Asked(actor_of(author), " ".join(reason.split()), datetime.now(UTC))


def _described(manifest: "Manifest") -> str:
    runs = manifest.rows.get("run", 0)
    return f"{manifest.row_count:,} rows ({runs:,} runs), {manifest.size_bytes:,} bytes"


def _in_megabytes(show: Callable[[int, int], None]) -> Callable[[int, int], None]:
    return lambda done, total: show(done // _MB, -(-total // _MB))

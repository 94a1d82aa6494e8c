"""Take a backup, check one, put one back: the same on both databases.

A backup has its name only once it is whole, and its manifest is written last. A restore changes
everything or nothing, whenever it is killed.
"""

import contextlib
import shutil
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal, NamedTuple

from broker.errors import SettingsError, StoreUnavailable
from broker.files import make_private, put_in_place
from service.store.audit import Change, record
from service.store.backups import postgres_file, sqlite_file
from service.store.backups.manifest import (
    OWNER_ONLY,
    Manifest,
    Progress,
    check_bytes,
    check_contents,
    fingerprint,
    read_manifest,
    write_manifest,
)
from service.store.database import Database, prepare_folder
from service.store.lease import claim_file
from service.store.schema import knows

_SUFFIX: Final = {"sqlite": "db", "postgresql": "dump"}
_SAYS_NOTHING: Final = {"alembic_version", "service"}
"""Tables that have rows as soon as a service has started."""


class Restoring(NamedTuple):
    """What is put back, and who does it."""

    file: Path
    manifest: Manifest
    change: Change
    """For the audit trail, in the very transaction."""
    now: datetime
    replaces: bool
    """What is there may be lost."""


def default_name(database: Database, now: datetime) -> str:
    """Return the name of a backup taken now."""
    return f"yieldline-{now:%Y%m%dT%H%M%SZ}.{_SUFFIX[_kind(database)]}"


def check_target(file: Path) -> None:
    """Check where a backup should go, before one is tried.

    Raises:
        SettingsError: The file exists, or its folder does not.
    """
    if file.exists():
        raise SettingsError(f"{file} exists. Choose another name, or a folder.")
    if not file.parent.exists():
        raise SettingsError(f"there is no folder {file.parent}. Create it, or choose another.")


def take(database: Database, file: Path, now: datetime, progress: Progress) -> Manifest:
    """Write a backup and its manifest, while services write to the database.

    Args:
        database: Of which.
        file: Where to, see `check_target`.
        now: When, aware.
        progress: Called with how many bytes are read, and of how many.

    Raises:
        SettingsError: The file cannot be written, the database is damaged, or a tool is missing.
            Nothing is left behind.
        StoreUnavailable, StoreRefused: Database trouble; likewise.
    """
    part = file.with_name(f"{file.name}.part")
    copy = sqlite_file.take if database.is_sqlite else postgres_file.take
    try:
        part.write_bytes(b"")  # what a killed one left there too
        part.chmod(OWNER_ONLY)
        contents = copy(database, part, progress)
        size_bytes, digest = fingerprint(part)
        manifest = Manifest(
            kind=_kind(database),
            taken_at=now,
            yieldline=version("yieldline"),
            server=contents.server,
            revision=contents.revision,
            size_bytes=size_bytes,
            sha256=digest,
            rows=contents.rows,
        )
        put_in_place(part, file)
        write_manifest(file, manifest)
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written: {error.strerror}. Check folder, rights and disk."
        ) from error
    except StoreUnavailable as error:
        if "disk is full" in str(error):  # reading needs no room, so it is not the database's disk
            raise SettingsError(f"{file} cannot be written: its disk is full.") from error
        raise
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return manifest


def verify(file: Path) -> Manifest:
    """Read a backup through and compare it with its manifest: bytes, schema, rows of each table.

    Raises:
        SettingsError: Something is wrong with it.
    """
    manifest = read_manifest(file)
    check_bytes(file, manifest)
    if manifest.kind == "sqlite":
        found = sqlite_file.look_into(file)
    else:
        found = postgres_file.look_into(file, manifest.server)
    check_contents(file, manifest, found)
    return manifest


def read_for(database: Database, file: Path) -> Manifest:
    """Return the manifest of a backup that may be put back into a database.

    Raises:
        SettingsError: It is damaged, or of another kind or a newer version.
    """
    manifest = read_manifest(file)
    if manifest.kind != _kind(database):
        raise SettingsError(
            f"{file} is of a {manifest.kind} database, {database.label} is {_kind(database)}."
            " Set YIELDLINE_DATABASE__URL to a database of that kind."
        )
    if not knows(manifest.revision):
        raise SettingsError(
            f"{file} was taken by Yieldline {manifest.yieldline}, whose schema"
            f" {manifest.revision} this version does not know. Use that version."
        )
    check_bytes(file, manifest)
    return manifest


def restore(database: Database, restoring: Restoring, progress: Progress) -> None:
    """Make the database what a backup holds, with one more line in the audit trail.

    Args:
        database: Which; a SQLite file need not exist.
        restoring: From `read_for`.
        progress: Called with how much is in, and of how much.

    Raises:
        StoreRefused: A service or a web app works with the database.
        SettingsError: It is not empty and may not be replaced, or the backup is damaged. Nothing
            was changed.
        StoreUnavailable: The database is away; nothing was changed.
    """
    if database.is_sqlite:
        _restore_sqlite(database, restoring, progress)
    else:
        _restore_postgres(database, restoring, progress)


def _restore_sqlite(database: Database, restoring: Restoring, progress: Progress) -> None:
    prepare_folder(database)
    claim_file(database)
    if database.file.exists():
        with (
            database.translated(),
            sqlite_file.opened(database.file, database.timeout_s) as connection,
        ):
            rows = sqlite_file.count_rows(connection)
        change = _change(database, restoring, rows)
    else:
        change = _change(database, restoring, {})
    prepared = database.file.with_name(f"{database.file.name}.restoring")
    try:
        make_private(prepared)
        with database.translated():
            shutil.copyfile(restoring.file, prepared)
            found = sqlite_file.look_into(prepared)
            check_contents(restoring.file, restoring.manifest, found)
            if _has_trail(restoring):
                _note(prepared, change, restoring.now)
            sqlite_file.replace_all(database, prepared, progress)
    except OSError as error:
        raise SettingsError(
            f"{prepared} cannot be written: {error.strerror}. Check folder, rights and disk."
        ) from error
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            prepared.with_name(f"{prepared.name}{suffix}").unlink(missing_ok=True)


def _note(prepared: Path, change: Change, now: datetime) -> None:
    """Add to a copy's own audit trail, before it becomes the database."""
    copy = sqlite_file.as_database(prepared)
    try:
        with copy.changing() as connection:
            record(connection, change, now)
    finally:
        copy.dispose()


def _restore_postgres(database: Database, restoring: Restoring, progress: Progress) -> None:
    with postgres_file.alone(database) as connection:
        own = postgres_file.driver_of(connection)
        change = _change(database, restoring, postgres_file.contents_of(own).rows)
        found = postgres_file.replace_all(own, restoring.file, restoring.manifest, progress)
        check_contents(restoring.file, restoring.manifest, found)
        if _has_trail(restoring):
            record(connection, change, restoring.now)


def _has_trail(restoring: Restoring) -> bool:
    """Tell whether the backup's schema has an audit trail: the very first had none."""
    return "audit" in restoring.manifest.rows


def _change(database: Database, restoring: Restoring, rows: Mapping[str, int]) -> Change:
    """Return the audit row, with what is lost by it.

    Raises:
        SettingsError: Something would be lost, and may not be.
    """
    lost = {name: count for name, count in rows.items() if count and name not in _SAYS_NOTHING}
    if lost and not restoring.replaces:
        name, count = max(lost.items(), key=lambda each: each[1])
        raise SettingsError(
            f"{database.label} is not empty ({count:,} rows of {name}). Restore into an empty"
            " database, or replace all that is in it with --replace."
        )
    change = restoring.change
    return change._replace(details={**change.details, "replaced_rows": sum(lost.values())})


def _kind(database: Database) -> Literal["sqlite", "postgresql"]:
    return "sqlite" if database.is_sqlite else "postgresql"

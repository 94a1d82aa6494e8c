"""Back the database up, and put a backup back, by hand or by a timer of the system."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from broker.errors import SettingsError, StoreRefused, StoreUnavailable, YieldlineError
from service.store.audit import Change, record
from service.store.backups import backup as backups
from service.store.backups.manifest import Manifest, Progress
from service.store.database import Database
from service.store.queries.backups import BACKUP, RESTORE
from service.store.times import microseconds


class Asked(NamedTuple):
    """Who wants it, why and when."""

    actor: str
    reason: str
    now: datetime


class Taken(NamedTuple):
    """A backup that is whole."""

    file: Path
    manifest: Manifest
    trouble: str | None
    """Why the database does not know of it, such as a full disk; None: it does."""


def back_up(database: Database, target: Path, asked: Asked, progress: Progress) -> Taken:
    """Write a backup, and note in the audit trail that it was taken, or why it was not.

    A mistyped target is no attempt: it is said to who asked, and raises no alarm for the plant.

    Args:
        database: Services may write to it meanwhile.
        target: A file that does not exist, or a folder: then its name is the time.
        asked: By whom.
        progress: Called with how many bytes are read, and of how many.

    Raises:
        SettingsError: It cannot be written, or a tool is missing.
        StoreUnavailable, StoreRefused: Database trouble.
    """
    if database.is_sqlite and not database.file.exists():
        raise SettingsError(f"there is no database {database.file}. Check YIELDLINE_DATABASE__URL.")
    file = target / backups.default_name(database, asked.now) if target.is_dir() else target
    backups.check_target(file)
    try:
        manifest = backups.take(database, file, asked.now, progress)
    except YieldlineError as error:
        _note(database, asked, {"ok": False, "file": file.name, "trouble": str(error)})
        raise
    return Taken(file, manifest, _note(database, asked, _facts(file, manifest)))


def restore(
    database: Database, file: Path, asked: Asked, *, replaces: bool, progress: Progress
) -> Manifest:
    """Make the database what a backup holds; all or nothing, also when it is killed.

    Raises:
        SettingsError: The backup is damaged or does not fit, or the database is not empty and may
            not be replaced.
        StoreRefused: A service or a web app works with it.
        StoreUnavailable: The database is away.
    """
    manifest = backups.read_for(database, file)
    details = _facts(file, manifest)
    change = Change(asked.actor, RESTORE, file.name, asked.reason, details)
    restoring = backups.Restoring(file, manifest, change, asked.now, replaces)
    backups.restore(database, restoring, progress)
    return manifest


def _note(database: Database, asked: Asked, details: dict[str, object]) -> str | None:
    """Add to the audit trail; return why that was not possible: a backup counts all the same."""
    change = Change(asked.actor, BACKUP, str(details["file"]), asked.reason, details)
    try:
        with database.changing() as connection:
            record(connection, change, asked.now)
    except (StoreUnavailable, StoreRefused) as error:
        return str(error)
    return None


def _facts(file: Path, manifest: Manifest) -> dict[str, object]:
    return {
        "ok": True,
        "file": file.name,
        "size_bytes": manifest.size_bytes,
        "rows": manifest.row_count,
        "revision": manifest.revision,
        "sha256": manifest.sha256,
        "taken_us": microseconds(manifest.taken_at),
    }

"""A backup comes back with every row or not at all, and never over what is in use."""

import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from alembic import command
from sqlalchemy import text

from broker.errors import SettingsError, StoreRefused
from service.commands.backups import back_up
from service.store import schema
from service.store.backups import backup
from service.store.backups.manifest import fingerprint, manifest_file, read_manifest
from service.store.queries.backups import last_backup
from service.store.queries.changes import first_forged_change, list_changes
from service.store.revision import is_current
from tests.support.backups import (
    BY_ANN,
    all_rows,
    database_of,
    fill,
    nobody,
    put_back,
    release_files,
)
from tests.support.processes import PYTHON, YIELDLINE, Process
from tests.support.stored import Stored, run_message


def test_every_table_comes_back_as_it_was_with_one_more_line_in_the_audit_trail(
    stored: Stored, other_url: str, tmp_path: Path, run: Callable[..., Process]
) -> None:
    fill(stored)
    before = all_rows(stored.url)
    assert len(before["run"]) == 303
    folder = tmp_path / "backups"
    folder.mkdir()
    taken = run(stored.url, "backup", folder, "--author", "ann", "--reason", "nightly")
    assert taken.exit_code == 0, taken.output
    (file,) = (each for each in folder.iterdir() if each.suffix in {".db", ".dump"})
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}
    manifest = read_manifest(file)
    assert manifest.rows == {name: len(rows) for name, rows in before.items()}
    checked = run(stored.url, "verify", file)
    assert (checked.exit_code, "is whole" in checked.output) == (0, True), checked.output

    restored = run(other_url, "restore", file, "--author", "bob", "--reason", "new disk")
    assert restored.exit_code == 0, restored.output
    after = all_rows(other_url)
    assert {name: rows for name, rows in after.items() if name != "audit"} == {
        name: rows for name, rows in before.items() if name != "audit"
    }
    assert [row for row in after["audit"] if row not in before["audit"]] == [after["audit"][-1]]
    other = database_of(other_url)
    if other.is_sqlite:
        assert other.file.stat().st_mode & 0o777 == 0o600
    assert first_forged_change(other) is None
    (newest, *_), _ = list_changes(other)
    assert [newest[name] for name in ("actor", "action", "reason")] == [
        "bob",
        "restore",
        "new disk",
    ]
    known = last_backup(other, datetime.now(UTC))
    assert known is not None
    assert (known["file"], known["ok"]) == (file.name, True), "it knows where it comes from"
    other.dispose()
    goes_on = Stored(other_url)
    assert goes_on.save(run_message("NEXT")).saved.runs, "and it can be written to"
    assert len(goes_on.save(run_message("A")).saved.duplicates) == 1
    goes_on.close()


def flip(file: Path) -> None:
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(body)


def forge(file: Path, revision: str | None = None, **rows: int) -> None:
    manifest = read_manifest(file)
    said = orjson.loads(manifest.model_dump_json())
    said["rows"] |= rows
    said["revision"] = revision or said["revision"]
    manifest_file(file).write_bytes(orjson.dumps(said))


def seal_anew(file: Path) -> None:
    """Damage it, and give the manifest the size and the hash of what is left."""
    file.write_bytes(file.read_bytes()[:-9_000])
    size_bytes, digest = fingerprint(file)
    said = orjson.loads(manifest_file(file).read_bytes())
    said |= {"size_bytes": size_bytes, "sha256": digest}
    manifest_file(file).write_bytes(orjson.dumps(said))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "one bit": (flip, "is damaged: its SHA-256"),
    "cut off": (lambda file: file.write_bytes(file.read_bytes()[:-100]), "is cut off"),
    "no manifest": (lambda file: manifest_file(file).unlink(), "cannot be read"),
    "half a manifest": (lambda file: manifest_file(file).write_text("{"), "is no manifest"),
    "a row less": (lambda file: forge(file, run=302), "303 rows of run, its manifest says 302"),
    "a newer schema": (lambda file: forge(file, "9999"), "9999"),
    "gone": (lambda file: file.unlink(), "cannot be read: No such file"),
    "sealed when damaged": (seal_anew, "is damaged|is no dump"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_backup_is_refused_in_a_sentence_and_nothing_is_changed(
    file: Path, stored: Stored, name: str
) -> None:
    damage, said = DAMAGE[name]
    damage(file)
    before = all_rows(stored.url)
    stored.close()
    release_files()
    with pytest.raises(SettingsError, match=said):
        backup.verify(file)
    with pytest.raises(SettingsError, match=said):
        put_back(stored.url, file)
    assert all_rows(stored.url) == before


def test_a_backup_of_an_older_version_is_put_back_and_then_upgraded(
    stored: Stored, other_url: str, tmp_path: Path, run: Callable[..., Process]
) -> None:
    stored.save(run_message("A"))
    stored.writer.close()
    with schema._locked(stored.database) as connection:
        command.downgrade(schema._config(connection), "0001")
    taken = back_up(stored.database, tmp_path / "old.backup", BY_ANN, nobody)
    release_files()
    assert taken.manifest.revision == "0001"
    said = run(other_url, "restore", taken.file).output
    assert "the service upgrades it at its start" in said
    newer = Stored(other_url)
    assert is_current(newer.database)
    assert len(newer.save(run_message("A")).saved.duplicates) == 1
    newer.close()


def test_what_is_not_empty_is_replaced_only_when_told_so(
    file: Path, stored: Stored, run: Callable[..., Process]
) -> None:
    before = all_rows(stored.url)
    stored.save(run_message("LATER"))
    stored.close()
    release_files()
    refused = run(stored.url, "restore", file)
    assert refused.exit_code == 2
    assert "is not empty (304 rows of" in refused.output
    done = run(stored.url, "restore", file, "--replace")
    assert done.exit_code == 0, done.output
    assert all_rows(stored.url)["run"] == before["run"]
    ((newest, *_), _) = list_changes(stored.database)
    assert newest["details"]["replaced_rows"] > 304


def test_beside_a_writer_nothing_is_restored(file: Path, stored: Stored) -> None:
    stored.save(run_message("LATER"))  # its connection is open from now on
    outside = Process(
        [YIELDLINE, "db", "restore", file, "--replace"],
        environment={"YIELDLINE_DATABASE__URL": stored.url},
    )
    assert outside.wait(30) == 2
    assert "already writes to" in outside.output or "is connected to" in outside.output


def test_a_web_app_that_has_the_sqlite_file_open_is_seen(
    sqlite_store_url: str, tmp_path: Path
) -> None:
    store = Stored(sqlite_store_url)
    store.save(run_message("A"))
    taken = back_up(store.database, tmp_path / "a.backup", BY_ANN, nobody)
    store.close()
    reader = database_of(sqlite_store_url)
    with reader.reading() as session:
        session.execute(text("SELECT 1 FROM run"))
        with pytest.raises(StoreRefused, match=r"another program has .* open"):
            put_back(sqlite_store_url, taken.file)
    reader.dispose()


def test_a_backup_of_the_other_database_is_refused(
    postgres_url: str, sqlite_store_url: str, tmp_path: Path
) -> None:
    store = Stored(sqlite_store_url)
    taken = back_up(store.database, tmp_path / "a.db", BY_ANN, nobody)
    store.close()
    release_files()
    with pytest.raises(SettingsError, match="is of a sqlite database"):
        put_back(postgres_url, taken.file)


KILLED_RESTORE = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from broker.sections import DatabaseSettings
from service.commands.backups import Asked, restore
from service.store.backups import sqlite_file
from service.store.database import Database
sqlite_file._PAGES_A_STEP = 10
steps = 0
def progress(done, total):
    global steps
    steps += 1
    if steps == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
restore(Database(DatabaseSettings(url=sys.argv[1])), Path(sys.argv[2]),
        Asked("ann", "", datetime.now(UTC)), replaces=True, progress=progress)
"""


def test_a_restore_that_is_killed_has_changed_nothing(file: Path, stored: Stored) -> None:
    stored.save(run_message("LATER"))
    before = all_rows(stored.url)
    stored.close()
    release_files()
    steps = 6 if stored.database.is_sqlite else 4
    for step in (1, steps):
        with Process([PYTHON, "-c", KILLED_RESTORE, stored.url, file, str(step)]) as process:
            assert process.wait(30) == -signal.SIGKILL, process.output
        assert all_rows(stored.url) == before, f"killed at step {step}"
    done = Process(
        [YIELDLINE, "db", "restore", file, "--replace"],
        environment={"YIELDLINE_DATABASE__URL": stored.url},
    )
    assert done.wait(30) == 0, done.output
    assert len(all_rows(stored.url)["run"]) == 303

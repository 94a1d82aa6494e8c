"""A backup holds every row, is known to be whole, and comes back all or not at all."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from alembic import command
from sqlalchemy import inspect, text

from broker.errors import SettingsError, StoreRefused
from broker.sections import DatabaseSettings
from service.backup_cli import describe_last
from service.commands.backups import Asked, back_up, restore
from service.store import lease, schema
from service.store.backups import backup, postgres_tools, sqlite_file
from service.store.backups.manifest import fingerprint, manifest_file, read_manifest
from service.store.database import Database
from service.store.queries.backups import last_backup
from service.store.queries.changes import first_forged_change, list_changes
from service.store.revision import is_current
from tests.support.postgres import server_binaries
from tests.support.processes import PYTHON, YIELDLINE, Process
from tests.support.stored import Stored, run_message
from tests.support.waiting import eventually_sync

NOW = datetime(2026, 11, 25, 2, tzinfo=UTC)
BY_ANN = Asked("ann", "nightly", NOW)
Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(autouse=True)
def _tools_of_the_tests_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the pip package has PostgreSQL, its tools are on no PATH."""
    if binaries := server_binaries():
        monkeypatch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{binaries}")


@pytest.fixture
def other_url(store_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A second, empty database of the same kind."""
    if store_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'other.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    url = server.database()
    yield url
    server.drop(url)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Run `yieldline db …` on a database."""
    processes: list[Process] = []

    def start(url: str, *words: str | Path) -> Process:
        environment = {"YIELDLINE_DATABASE__URL": url}
        process = Process([YIELDLINE, "db", *words], environment=environment, directory=tmp_path)
        processes.append(process)
        process.wait(30)
        return process

    yield start
    for process in processes:
        assert "Traceback" not in process.output


def fill(stored: Stored) -> None:
    """Runs, an array, a rejection, odd text, and something in the audit trail."""
    stored.save(run_message("A"), run_message("B", passes=False), b"{")
    array = [run_message(f"C{number}", minutes=number) for number in range(300)]
    stored.save(orjson.dumps(array), machine_id="M2")
    stored.save(run_message("tab\u00b5\\N", operator="back\\slash\u2028", attributes={"a": "\\."}))
    back_up_to_nowhere(stored)


def back_up_to_nowhere(stored: Stored, asked: Asked = BY_ANN) -> None:
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
    return bytes(value) if isinstance(value, memoryview) else value


def database_of(url: str) -> Database:
    return Database(DatabaseSettings(url=url))  # type: ignore[arg-type]


def put_back(url: str, file: Path) -> None:
    """Restore within this process."""
    database = database_of(url)
    try:
        restore(database, file, BY_ANN, replaces=True, progress=nobody)
    finally:
        database.dispose()
        release_files()


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


def test_a_backup_is_of_one_moment_while_a_service_writes(
    stored: Stored, other_url: str, tmp_path: Path
) -> None:
    stored.save(*(run_message(f"U{number}") for number in range(2_000)))
    stop = threading.Event()
    saved = 0

    def write() -> None:
        nonlocal saved
        while not stop.is_set():
            saved += len(stored.save(run_message("W", minutes=saved)).saved.runs)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        eventually_sync(lambda: saved > 10)
        before = saved
        taken = back_up(stored.database, tmp_path / "busy.backup", BY_ANN, nobody)
        assert saved > before, "the writer went on"
    finally:
        stop.set()
        writer.join()
    rows = taken.manifest.rows
    assert 2_000 + before <= rows["run"] <= 2_000 + saved
    assert rows["run"] == rows["measurement"] == rows["raw_message"], "whole batches only"
    put_back(other_url, taken.file)
    assert len(all_rows(other_url)["run"]) == rows["run"]


def release_files() -> None:
    """Let go of the lock of SQLite files: it is held until a process ends, and we do not."""
    for descriptor in lease._held_files.values():
        os.close(descriptor)
    lease._held_files.clear()


@pytest.fixture
def file(stored: Stored, tmp_path: Path) -> Path:
    fill(stored)
    return back_up(stored.database, tmp_path / "good.backup", BY_ANN, nobody).file


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


def test_a_bar_can_show_how_far_it_is(
    stored: Stored, other_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_PAGES_A_STEP", 10)
    stored.save(*(run_message(f"U{number}") for number in range(300)))
    shown: list[tuple[int, int]] = []
    file = tmp_path / "one.backup"
    back_up(stored.database, file, BY_ANN, lambda *each: shown.append(each))
    assert_rises(shown)
    shown.clear()
    other = database_of(other_url)
    restore(other, file, BY_ANN, replaces=False, progress=lambda *each: shown.append(each))
    other.dispose()
    release_files()
    assert_rises(shown)
    assert shown[-1][0] == shown[-1][1], "all of it is in"


def assert_rises(shown: list[tuple[int, int]]) -> None:
    done = [each for each, _ in shown]
    assert len(set(done)) > 3
    assert done == sorted(done)
    assert len({total for _, total in shown}) == 1
    assert done[-1] <= shown[-1][1]


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


def test_it_is_known_when_the_last_backup_was_taken_and_whether_it_worked(
    stored: Stored, tmp_path: Path, run: Callable[..., Process]
) -> None:
    assert last_backup(stored.database, NOW) is None
    assert "no backup has ever been taken" in run(stored.url, "stats").output
    stored.save(orjson.dumps([run_message(f"U{number}") for number in range(1_000)]))
    taken = back_up(stored.database, tmp_path / "one.backup", BY_ANN, nobody)
    later = NOW + timedelta(hours=3)
    known = last_backup(stored.database, later)
    assert known == {
        "at": "2026-11-25T02:00:00Z",
        "ok": True,
        "file": "one.backup",
        "size_bytes": taken.manifest.size_bytes,
        "trouble": None,
        "good_at": "2026-11-25T02:00:00Z",
        "age_s": 3 * 3600.0,
    }
    stats = run(stored.url, "stats").output
    size_bytes = f"{taken.manifest.size_bytes:,}"
    assert f"last backup 2026-11-25 02:00 UTC: one.backup, {size_bytes} bytes" in stats
    assert "measurement          1,000\n" in stats
    back_up_to_nowhere(stored, BY_ANN._replace(now=later))
    failed = last_backup(stored.database, later)
    assert failed is not None
    assert (failed["ok"], failed["good_at"], failed["age_s"]) == (False, known["at"], 10_800.0)
    assert "cannot be written" in failed["trouble"]
    assert describe_last(failed).startswith("the last backup failed (")
    assert describe_last(failed).endswith("; the last good one is of 2026-11-25 02:00 UTC")


def test_a_mistyped_target_is_no_failed_backup(stored: Stored, tmp_path: Path) -> None:
    taken = back_up(stored.database, tmp_path / "one.backup", BY_ANN, nobody)
    known = last_backup(stored.database, NOW)
    with pytest.raises(SettingsError, match=r"one\.backup exists"):
        back_up(stored.database, taken.file, BY_ANN, nobody)
    with pytest.raises(SettingsError, match=r"there is no folder .*backupz\. Create it"):
        back_up(stored.database, tmp_path / "backupz" / "two.backup", BY_ANN, nobody)
    assert last_backup(stored.database, NOW) == known


@pytest.mark.postgres
def test_without_postgresqls_tools_it_is_said_what_to_install(
    postgres_store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Stored(postgres_store_url)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres_tools, "_PLACES", ())
    with pytest.raises(SettingsError, match=r"pg_dump .* Install .*postgresql-client-\d+"):
        back_up(store.database, tmp_path / "a.dump", BY_ANN, nobody)
    assert not list(tmp_path.glob("a.dump*")), "nothing is left behind"
    store.close()


@pytest.mark.postgres
def test_the_password_is_in_no_argument(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "s3cret-word"
    words = tmp_path / "words"
    tool = tmp_path / "pg_dump"
    tool.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --version ]; then echo "pg_dump (PostgreSQL) 99.1"; exit; fi\n'
        f'echo "$@" > {words}; echo "$PGPASSWORD" >> {words}; exit 1\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(postgres_tools, "_PLACES", ())
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    store = Stored(postgres_url.replace("postgres@", f"postgres:{secret}@"))
    with pytest.raises(Exception, match="pg_dump failed"):
        back_up(store.database, tmp_path / "a.dump", BY_ANN, nobody)
    arguments, password = words.read_text().splitlines()
    assert secret not in arguments
    assert password == secret
    store.close()

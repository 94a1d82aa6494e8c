"""A backup is of one moment, fails in a sentence, tells no password, and is remembered."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from broker.errors import SettingsError
from service.backup_cli import backup, describe_last
from service.commands.backups import back_up, restore
from service.store.backups import postgres_tools, sqlite_file
from service.store.queries.backups import last_backup
from tests.support.backups import (
    BY_ANN,
    NOW,
    all_rows,
    back_up_to_nowhere,
    database_of,
    nobody,
    put_back,
    release_files,
)
from tests.support.processes import Process
from tests.support.stored import Stored, run_message
from tests.support.waiting import eventually_sync


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


def test_a_folder_that_is_not_there_becomes_no_file_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIELDLINE_DATABASE__URL", f"sqlite:///{tmp_path}/plant.db")
    with pytest.raises(SettingsError, match=r"there is no folder .*backupz\. Create it"):
        backup(f"{tmp_path}/backupz/")
    assert not list(tmp_path.iterdir())


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

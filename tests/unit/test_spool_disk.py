"""The spool on a disk that is full, or gone: what it says, and what goes on."""

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from broker.errors import SettingsError, SpoolFull
from edge_agent.refused import forget_refused
from edge_agent.spool import Spool
from tests.support.spools import bodies, keep, kept, refuse


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool.db", bytes_max=1_000)
    yield made
    made.close()


def test_a_full_disk_is_a_full_spool(spool: Spool) -> None:
    keep(spool, "a")
    (pages,) = spool._file._connection.execute("PRAGMA page_count").fetchone()
    spool._file._connection.execute(f"PRAGMA max_page_count = {pages}")
    spool._bytes_max = 10**9
    with pytest.raises(SpoolFull, match="Free some space"):
        keep(spool, "b", offset=20, body=b"x" * 100_000)
    assert bodies(spool) == [1]


SMALL_DISK_BYTES = 8 * 2**20


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 8 MB; where none may be mounted, a folder that says it is one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", str(disk)]
    is_mounted = bool(shutil.which("mount")) and not subprocess.run(mount, check=False).returncode
    if not is_mounted:

        def disk_usage(folder: Path) -> SimpleNamespace:
            used = sum(each.stat().st_size for each in folder.iterdir())
            assert used <= SMALL_DISK_BYTES
            return SimpleNamespace(free=SMALL_DISK_BYTES - used)

        monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    yield disk
    if is_mounted:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize("allowed", ["spool.db.lock", None], ids=["again", "at first"])
def test_a_disk_that_takes_no_new_file_is_a_full_disk_and_no_wrong_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: str | None
) -> None:
    file = tmp_path / "spool.db"
    Spool(file, 10**9).close()
    (tmp_path / "spool.db-wal").mkdir()  # SQLite cannot make its log
    with pytest.raises(SettingsError, match="Move it away"):
        Spool(file, 10**9)
    real, makes = os.open, os.O_CREAT | getattr(os, "O_TMPFILE", 0)

    def full(path: str, flags: int, *args: Any, **others: Any) -> int:  # noqa: ANN401
        if flags & makes and Path(path).name != allowed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, flags, *args, **others)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(SpoolFull, match="Free some space"):
        Spool(file, 10**9)


def test_a_spool_whose_folder_went_is_said_and_ends_no_agent(tmp_path: Path) -> None:
    folder = tmp_path / "share"
    folder.mkdir()
    with contextlib.closing(Spool(folder / "spool.db", 10**9)) as spool:
        keep(spool, "a")
        folder.rename(tmp_path / "away")
        for ask in (lambda: keep(spool, "b", offset=20), lambda: spool.receipted("M1", ["a"])):
            with pytest.raises(SpoolFull, match=r"share, cannot be looked at .*Bring it back"):
                ask()
        (tmp_path / "away").rename(folder)
        keep(spool, "b", offset=20)
        assert spool.receipted("M1", ["a", "b"]) == [1, 2]


@pytest.mark.parametrize(("body_bytes", "count"), [(1_000, 100), (30_000, 5), (400_000, 2)])
def test_a_spool_that_filled_its_disk_empties_on_receipts_and_takes_more(
    small_disk: Path, body_bytes: int, count: int
) -> None:
    ids: list[str] = []

    def fill(spool: Spool) -> None:
        while True:
            some = [f"{len(ids) + number}" for number in range(count)]
            keep(spool, *some, offset=20 if ids else 10, body=b"x" * body_bytes)
            ids.extend(some)

    for _ in range(3):
        before = len(ids)
        with contextlib.closing(Spool(small_disk / "spool.db", 10**9)) as spool:
            with pytest.raises(SpoolFull, match="Free some space"):
                fill(spool)
            waiting = ids[before:]
            assert len(waiting) * body_bytes > 1_000_000
            for at in range(0, len(waiting), 500):
                spool.receipted("M1", waiting[at : at + 500])
            assert spool.books("M1") == (len(ids), 0, len(ids), len(ids))


def test_refused_bytes_leave_the_room_that_receipts_need(small_disk: Path) -> None:
    def fill(spool: Spool) -> None:
        for _ in range(20):
            refuse(spool, b"y" * 1_000_000, offset=20)

    ids = [f"{number}" for number in range(1_000)]
    with contextlib.closing(Spool(small_disk / "spool.db", 10**9)) as spool:
        keep(spool, *ids, body=b"x" * 1_000)
        with pytest.raises(SpoolFull, match=r"the disk of the spool, .*Free some space"):
            fill(spool)
        assert spool.books("M1").refused > 0
        assert len(spool.receipted("M1", ids)) == 1_000
        refuse(spool, b"z", offset=30)  # and reading goes on


def test_refused_records_that_filled_the_disk_can_be_forgotten(small_disk: Path) -> None:
    def fill(spool: Spool) -> None:
        while True:
            refuse(spool, *[b"y" * 200] * 1_000, offset=20 if spool.books("M1").read else 10)

    file = small_disk / "spool.db"
    with contextlib.closing(Spool(file, 10**9)) as spool:
        with pytest.raises(SpoolFull, match="Free some space"):
            fill(spool)
        count = len(kept(file))
        assert count > 10_000
        assert forget_refused(file, None, count) == count
        assert kept(file) == []
        refuse(spool, b"z", offset=30)  # and reading goes on


def test_records_that_are_forgotten_while_others_are_refused_make_room_for_these(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool._refused, "_count_max", 3)
    refuse(spool, b"a", b"b", b"c")
    look, file = spool._check_room, tmp_path / "spool.db"

    def meanwhile(payload_bytes: int, refused_bytes: int) -> None:
        forget_refused(file, None, 3)
        look(payload_bytes, refused_bytes)

    monkeypatch.setattr(spool, "_check_room", meanwhile)
    refuse(spool, b"d", b"e", offset=20)
    assert kept(file) == [b"d", b"e"]

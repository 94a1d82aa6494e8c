"""A disk that fills up: a small file system in memory, where the machine lets us mount one."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_CHUNK = b"\0" * 65_536


class SmallDisk:
    """A file system of a few megabytes, and a file that takes what is left of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no byte free."""
        with self._ballast.open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(_CHUNK)

    def make_room(self) -> None:
        """Undo `fill`."""
        self._ballast.unlink()


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[SmallDisk]:
    """Mount one for a test; skip it if we may not."""
    with contextlib.ExitStack() as stack:
        try:
            disk = stack.enter_context(mounted_disk(megabytes))
        except OSError as error:
            pytest.skip(f"a small disk cannot be mounted here: {error}")
        yield disk


@contextlib.contextmanager
def mounted_disk(megabytes: int) -> Iterator[SmallDisk]:
    """Mount one where every user may go, as pytest's own folders are not.

    Raises:
        OSError: We may not, or there is no program to mount with.
    """
    folder = Path(tempfile.mkdtemp(prefix="yieldline-disk-"))
    try:
        yield from _mounted(folder, megabytes)
    finally:
        folder.rmdir()


def _mounted(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    folder.chmod(0o755)
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = subprocess.run(words, check=False, capture_output=True, text=True)
    if mounted.returncode:
        raise PermissionError(mounted.stderr.strip())
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)

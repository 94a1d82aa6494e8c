"""Tell files apart and read on where reading stopped; nothing here knows what is in them.

A file is the one that was read when its head and the bytes before the offset are the same: names
are moved by rotation, and inode numbers are used again at once (ext4).
"""

import glob
import os
from collections.abc import Iterator
from hashlib import blake2b
from io import FileIO
from pathlib import Path
from typing import NamedTuple, Self

HEAD_BYTES = 1_024
TAIL_BYTES = 64
CHUNK_BYTES = 262_144


class Mark(NamedTuple):
    """How far a file was read, and how to know it again."""

    offset: int
    """Bytes read and dealt with."""
    head: bytes
    """Hash of its first `HEAD_BYTES`, or of the first `offset` where that is less."""
    tail: bytes
    """Hash of the `TAIL_BYTES` before the offset."""

    @classmethod
    def nothing(cls) -> Self:
        """Return the mark of a file of which nothing was read; any file is at it."""
        return cls(0, _hash(b""), _hash(b""))


class Signature(NamedTuple):
    """What changes when a file is written, without opening it."""

    size: int
    modified_ns: int
    node: str
    """Device and inode, or Windows' volume and file index."""


def find(pattern: str) -> list[Path]:
    """Return the files that match a path or glob, sorted."""
    return [Path(each) for each in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207


def signature(path: Path) -> Signature | None:
    """Return a file's signature; None for what is no file, or is gone."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    if not path.is_file():
        return None
    return Signature(stat.st_size, stat.st_mtime_ns, f"{stat.st_dev}:{stat.st_ino}")


class OpenFile:
    """A file while it is read; closed between reads, or rotation is blocked on Windows."""

    def __init__(self, path: Path) -> None:
        self._file: FileIO = path.open("rb", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def chunks(self, offset: int) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, bytes) from `offset` to where the file ends now."""
        end = os.fstat(self._file.fileno()).st_size
        while offset < end:
            chunk = self.read(offset, min(end, offset + CHUNK_BYTES))
            if not chunk:
                return  # it was cut short while we read; the next look finds out
            yield offset, chunk
            offset += len(chunk)

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end`, fewer where the file ends before."""
        self._file.seek(start)
        found = bytearray()
        while len(found) < end - start and (more := self._file.read(end - start - len(found))):
            found += more
        return bytes(found)

    def mark(self, offset: int) -> Mark:
        """Return the mark of having read up to `offset`."""
        head = self.read(0, min(offset, HEAD_BYTES))
        return Mark(offset, _hash(head), _hash(self.read(max(0, offset - TAIL_BYTES), offset)))

    def is_at(self, mark: Mark) -> bool:
        """Tell whether this is the file that `mark` was made of, as long as then or longer."""
        if os.fstat(self._file.fileno()).st_size < mark.offset:
            return False
        return self.mark(mark.offset) == mark


def _hash(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()

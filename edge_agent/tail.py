"""Tell files apart and read on where reading stopped; nothing here knows what is in them.

A file is the one that was read when all bytes before the offset are the same: names are moved by
rotation, and inode numbers are used again at once (ext4).
"""

import os
import stat
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from edge_agent.folders import list_files

HEAD_BYTES = 1_024
TAIL_BYTES = 64
CHUNK_BYTES = 262_144


class Changed(OSError):  # noqa: N818 - the name states the fact
    """A file is not what it was a moment ago: look again."""

    def __init__(self) -> None:
        super().__init__("it was changed while it was read")


class Mark(NamedTuple):
    """How far a file was read, and how to know it again."""

    offset: int
    """Bytes read and dealt with."""
    head: bytes
    """Hash of its first `HEAD_BYTES`, or of the first `offset` where that is less."""
    tail: bytes
    """Hash of the `TAIL_BYTES` before the offset."""
    whole: int = 0
    """CRC-32 of all bytes before the offset. Reports of one tester may have head, tail and length
    in common, and differ in a number."""

    @classmethod
    def nothing(cls) -> Self:
        """Return the mark of a file of which nothing was read; any file is at it."""
        return cls(0, hash_of(b""), hash_of(b""))


class Signature(NamedTuple):
    """What changes when a file is written, without opening it."""

    size: int
    modified_ns: int
    node: str
    """Device and inode, or Windows' volume and file index."""

    def is_unchanged(self, other: "Signature | None") -> bool:
        """Tell whether nothing was written since; a share may come back as another device."""
        return other is not None and (self[:2], self.inode) == (other[:2], other.inode)

    @property
    def inode(self) -> int:
        """The inode alone; 0 where a file system has none."""
        return inode_of(self.node)


def find(pattern: str) -> list[Path]:
    """Return the files that match a path or glob, sorted; what cannot be listed is left out."""
    return [Path(path) for path in list_files(pattern).paths]


def signature(path: Path | str) -> Signature | None:
    """Return a file's signature; None for what is no file, or is gone."""
    try:
        found = os.stat(path)  # noqa: PTH116 - of thousands, and text is quicker
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _of(found) if stat.S_ISREG(found.st_mode) else None


class LogFile(ABC):
    """A file while it is read; closed between looks, or rotation is blocked on Windows."""

    signature: Signature
    """Of what was opened, whatever the path leads to by now."""
    _goes_back = True
    """To read what is before costs no more than to read on."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""

    @abstractmethod
    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end`, fewer where the file ends before."""

    @abstractmethod
    def chunks(self, offset: int) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, bytes) from `offset` to where the file ends now."""

    def keep_from(self, offset: int) -> None:
        """Say that bytes before `offset` are not asked for any more; most files do not mind."""
        del offset

    def mark(self, offset: int, since: Mark | None = None) -> Mark:
        """Return the mark of having read up to `offset`.

        Args:
            offset: In bytes.
            since: A mark before, so that only the bytes after it need a look.

        Raises:
            Changed: The file is shorter than that.
        """
        since = since or Mark.nothing()
        whole = self._checksum(since.offset, offset, since.whole)
        head = self.read(0, min(offset, HEAD_BYTES))
        return Mark(offset, hash_of(head), hash_of(self._before(offset)), whole)

    def is_at(self, mark: Mark, *, whole: bool = True) -> bool:
        """Tell whether this is the file that `mark` was made of, as long as then or longer.

        Args:
            mark: From `mark`.
            whole: Compare all bytes before the offset, not only head and tail.
        """
        if whole:
            return mark in self.those_at([mark])
        return self._has_head(mark) and self._has_tail(mark)

    def those_at(self, marks: Iterable[Mark]) -> set[Mark]:
        """Return those of some marks that were made of this file, in one pass over its bytes.

        Args:
            marks: From `mark`, of files that may be this one.
        """
        likely = {mark for mark in marks if self._has_head(mark)}
        if self._goes_back:  # two small reads a mark spare most of the passes
            likely = {mark for mark in likely if self._has_tail(mark)}
        found: set[Mark] = set()
        at, so_far = 0, 0
        for mark in sorted(likely):
            try:
                so_far = self._checksum(at, mark.offset, so_far)
            except Changed:
                break  # it ends before; the others are longer
            at = mark.offset
            if so_far == mark.whole and self._has_tail(mark):
                found.add(mark)
        return found

    def _has_head(self, mark: Mark) -> bool:
        return hash_of(self.read(0, min(mark.offset, HEAD_BYTES))) == mark.head

    def _has_tail(self, mark: Mark) -> bool:
        try:
            return hash_of(self._before(mark.offset)) == mark.tail
        except Changed:
            return False

    def _before(self, offset: int) -> bytes:
        start = max(0, offset - TAIL_BYTES)
        found = self.read(start, offset)
        if len(found) < offset - start:
            raise Changed
        return found

    def _checksum(self, start: int, end: int, so_far: int) -> int:
        while start < end:
            piece = self.read(start, min(end, start + CHUNK_BYTES))
            if not piece:
                raise Changed
            so_far = zlib.crc32(piece, so_far)
            start += len(piece)
            self.keep_from(start - TAIL_BYTES)
        return so_far


class OpenFile(LogFile):
    """A plain file.

    Raises:
        OSError: It cannot be opened, or is no file.
    """

    def __init__(self, path: Path) -> None:
        self._file: FileIO = path.open("rb", buffering=0)
        self.signature = signature_of(self._file.fileno())

    def close(self) -> None:
        """Let go of it."""
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


def signature_of(handle: int) -> Signature:
    """Return the signature of an open file."""
    return _of(os.fstat(handle))


def inode_of(node: str) -> int:
    """Return the inode of a `Signature.node`; a share may come back as another device."""
    return int(node.rpartition(":")[2])


def hash_of(content: bytes) -> bytes:
    """Return the hash that marks are made of."""
    return blake2b(content, digest_size=16).digest()


def _of(found: os.stat_result) -> Signature:
    return Signature(found.st_size, found.st_mtime_ns, f"{found.st_dev}:{found.st_ino}")

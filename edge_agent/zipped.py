"""Compressed logs: a rotated log.1.gz, read like the log it was made of, in bounded memory."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge_agent.tail import CHUNK_BYTES, HEAD_BYTES, LogFile, OpenFile, signature_of

SUFFIX: Final = ".gz"
_KEPT_BYTES_MAX: Final = 67_108_864


class Damaged(OSError):  # noqa: N818 - the name states the fact
    """It is no complete gzip file: its writer is not done, or it is broken."""


def is_zipped(path: str) -> bool:
    """Tell by its name whether a file is compressed."""
    return path.lower().endswith(SUFFIX)


def open_log(path: str) -> LogFile:
    """Open a log; a compressed one shows what was compressed.

    Raises:
        OSError: It cannot be opened.
    """
    return ZippedFile(Path(path)) if is_zipped(path) else OpenFile(Path(path))


class ZippedFile(LogFile):
    """A gzip file, decompressed from its start on; offsets are those of what was compressed.

    What was read since `keep_from` stays in memory, at most 64 MiB. To go back further it starts
    again.
    """

    _goes_back = False

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=CHUNK_BYTES)
        self.signature = signature_of(self._file.fileno())
        self._head = b""
        self._begin()

    def close(self) -> None:
        """Let go of it."""
        self._stream.close()
        self._file.close()

    def keep_from(self, offset: int) -> None:
        """Forget what was read before `offset`."""
        self._forget(offset - self._kept_start)

    def chunks(self, offset: int) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, bytes) from `offset` to the end."""
        while chunk := self.read(offset, offset + CHUNK_BYTES):
            yield offset, chunk
            offset += len(chunk)

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end`, fewer where the log ends before.

        Raises:
            Damaged: It cannot be decompressed that far.
        """
        if end <= len(self._head):
            return self._head[start:end]
        if start < self._kept_start:
            self._begin()
        while self._kept_start + len(self._kept) < end and (more := self._more()):
            self._kept += more
            self._forget(min(start - self._kept_start, len(self._kept) - _KEPT_BYTES_MAX))
        at = start - self._kept_start
        return bytes(self._kept[at : at + end - start])

    def _begin(self) -> None:
        self._file.seek(0)
        self._stream = gzip.GzipFile(fileobj=self._file)
        self._kept, self._kept_start = bytearray(), 0

    def _more(self) -> bytes:
        try:
            more = self._stream.read(CHUNK_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Damaged(f"no complete gzip file: {error}") from error
        if self._kept_start + len(self._kept) == 0:
            self._head = more[:HEAD_BYTES]
        return more

    def _forget(self, count: int) -> None:
        count = min(count, len(self._kept))
        if count > 0:
            del self._kept[:count]
            self._kept_start += count

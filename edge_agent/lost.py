"""Files that went from their place before they were surely read to the end, and where they may be.

A rotator renames a log, copies and empties it, or compresses it, and our pattern may match none of
these names. So for some seconds the folder is searched: by inode, then by content among the newest
files that are named alike.
"""

import os
import time
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from edge_agent.filebook import KnownFile
from edge_agent.tail import HEAD_BYTES, Signature, hash_of, inode_of, signature
from edge_agent.zipped import is_zipped, open_log

SEARCHED_MAX: Final = 100
"""Files that are opened for one folder and search."""


class Lost(NamedTuple):
    """A file that is not where it was."""

    machine_id: str
    pattern: str
    """Of its source."""
    path: str
    since: float
    """On the monotonic clock, in seconds."""
    searches: int = 0


class Folder:
    """One folder, searched for several files at once. Nothing is opened twice.

    Args:
        path: The folder.
        taken: Files that are looked at anyway, their names as the system compares them.

    Raises:
        OSError: It cannot be listed.
    """

    def __init__(self, path: str, taken: Collection[str]) -> None:
        self._inodes: dict[int, str] = {}
        self._others: list[str] = []
        self._heads: dict[str, tuple[Signature, bytes]] = {}
        with os.scandir(path) as entries:
            for entry in entries:
                if os.path.normcase(entry.path) not in taken and _is_file(entry):
                    self._inodes[entry.inode()] = entry.path
                    self._others.append(entry.path)

    def candidates(self, known: KnownFile) -> Iterator[str]:
        """Yield where a file may be now, likeliest first; whoever opens it has to compare."""
        inode = inode_of(known.node)
        by_inode = self._inodes.get(inode) if inode else None
        if by_inode and (known.mark.offset or _may_be(by_inode, known)):
            yield by_inode
        if known.mark.offset:
            for path in self._named_like(known):
                if path != by_inode and self._begins_like(path, known):
                    yield path

    def _named_like(self, known: KnownFile) -> list[str]:
        alike = [each for each in self._others if _is_named_like(each, known)]
        if len(alike) > SEARCHED_MAX:
            alike.sort(key=_modified_ns, reverse=True)
        return alike[:SEARCHED_MAX]

    def _begins_like(self, path: str, known: KnownFile) -> bool:
        try:
            found, head = self._head(path)
        except OSError:
            return False
        is_long_enough = is_zipped(path) or found.size >= known.mark.offset
        return is_long_enough and hash_of(head[: known.mark.offset]) == known.mark.head

    def _head(self, path: str) -> tuple[Signature, bytes]:
        if path not in self._heads:
            with open_log(path) as file:
                self._heads[path] = (file.signature, file.read(0, HEAD_BYTES))
        return self._heads[path]


def is_given_up(lost: Lost, patience_s: float, *, is_final: bool) -> bool:
    """Tell whether a file was searched for long enough."""
    is_late = time.monotonic() - lost.since >= patience_s
    return lost.searches > 0 and (is_final or (lost.searches > 1 and is_late))


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:  # such as a link that leads to itself; the others are looked at all the same
        return False


def _is_named_like(path: str, known: KnownFile) -> bool:
    stem = os.path.basename(known.path).partition(".")[0]  # noqa: PTH119
    name = os.path.basename(path)  # noqa: PTH119
    return os.path.normcase(name).startswith(os.path.normcase(stem))


def _may_be(path: str, known: KnownFile) -> bool:
    """Judge by name and size alone: nothing complete was read, so there is nothing to compare."""
    if is_zipped(path) != is_zipped(known.path) or not _is_named_like(path, known):
        return False  # the inode of what was compressed may be that of the result
    try:
        found = signature(path)
    except OSError:
        return False
    return found is not None and found.size >= known.size


def _modified_ns(path: str) -> int:
    try:
        found = signature(path)
    except OSError:
        return 0
    return found.modified_ns if found else 0

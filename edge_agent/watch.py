"""The files that the reader watches: where each was last, and which are missing. Opens none."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from edge_agent.config import SourceSettings
from edge_agent.filebook import Standing
from edge_agent.folders import Listing
from edge_agent.looks import COLD_S, FOLLOWED_S, Ending, Key, Seen, key_of
from edge_agent.lost import Lost
from edge_agent.spool import Spool
from edge_agent.zipped import is_zipped

_FORGET_EVERY_S: Final = 3_600.0
_FORGET_AFTER_S: Final = 30 * 86_400.0

log = structlog.get_logger()


class Watch:
    """What was seen of every file, kept through a restart by the spool.

    Args:
        spool: What remembers.
        sources: Whose files.
    """

    def __init__(self, spool: Spool, sources: Sequence[SourceSettings]) -> None:
        self._spool = spool
        self.seen: dict[Key, Seen] = {}
        self._of_source: defaultdict[tuple[str, str], dict[Key, None]] = defaultdict(dict)
        # Which of them are a source's, by machine and pattern: there may be thousands of others.
        self.lost: dict[int, Lost] = {}
        """By file id: not where they were, and not surely read to their end."""
        self._key_of: dict[int, Key] = {}
        self._followed: dict[Key, str] = {}  # renamed to what the pattern (the value) may not match
        self._forget_at = 0.0
        for machine_id, pattern in dict.fromkeys((each.machine_id, each.path) for each in sources):
            for standing in spool.files.standing(machine_id, pattern):
                self._restore(machine_id, pattern, standing)

    def paths(self, source: SourceSettings, listing: Listing, taken: set[Key]) -> dict[Key, str]:
        """Return a source's files that no other source has taken, renamed ones included."""
        found = {key_of(source.machine_id, path): path for path in listing.paths}
        for key in self._followed.keys() & found.keys():
            del self._followed[key]  # the pattern matches its new name too
        for key, pattern in self._followed.items():
            if (key[0], pattern) == (source.machine_id, source.path):
                found[key] = self.seen[key].path
        return {key: path for key, path in found.items() if key not in taken}

    def note(self, key: Key, seen: Seen, replaced: Iterable[int] = ()) -> None:
        """Note what a look saw, and which files stood there before."""
        before = self.seen.get(key)
        self._see(key, seen)
        if seen.file_id:
            self._key_of[seen.file_id] = key
            self.lost.pop(seen.file_id, None)
        for file_id in replaced:
            if not (before and before.file_id == file_id and before.is_ended):
                self._lose(file_id, key, before or seen)
        if seen.is_ended:
            self._followed.pop(key, None)

    def follow(self, key: Key, pattern: str) -> None:
        """Go on looking at a file that the pattern does not match."""
        if not self.seen[key].is_ended:
            self._followed[key] = pattern

    def expected(self, key: Key) -> int | None:
        """Return the only file that is read at a place the pattern does not match."""
        return self.seen[key].file_id if key in self._followed else None

    def miss(self, key: Key) -> None:
        """Note that another file stands where one was followed."""
        if self._followed.pop(key, None):
            seen = self._unsee(key)
            self._lose(seen.file_id, key, seen)

    def part(self, source: SourceSettings, listing: Listing, taken: set[Key]) -> list[Key]:
        """Let go of what is no longer where it was. Returns where."""
        gone = [
            key
            for key in self._of_source[source.machine_id, source.path]
            if key not in taken and not listing.may_hide(self.seen[key].path)
        ]
        for key in gone:
            seen = self._unsee(key)
            self._followed.pop(key, None)
            if seen.file_id and not seen.is_ended:
                self._lose(seen.file_id, key, seen)
        return gone

    def give_up(self, file_ids: Sequence[int]) -> None:
        """Stop to search for files. Should one come back, it is known again for a while.

        Raises:
            SpoolFull: That could not be written; they are searched for still.
        """
        if not file_ids:
            return
        found = {file_id: self._spool.files.known(file_id) for file_id in file_ids}
        self._spool.files.end(file_ids)
        for file_id, known in found.items():
            lost = self.lost.pop(file_id)
            self._key_of.pop(file_id, None)
            if known:
                log.info(
                    "file_gone",
                    machine_id=lost.machine_id,
                    file=lost.path,
                    unread_bytes=max(0, known.size - known.mark.offset),
                )

    def tidy(self) -> None:
        """End what was followed for long enough; forget what ended 30 days ago and is not here.

        Raises:
            SpoolFull: That could not be written; the next time does what is left.
        """
        now = time.monotonic()
        for key in list(self._followed):
            seen = self.seen.get(key)
            is_done = seen and (seen.tried is Ending.FINAL or not seen.has_rest)
            if seen and is_done and now - seen.since >= FOLLOWED_S:
                self._spool.files.end([seen.file_id])
                self.seen[key] = seen._replace(is_ended=True)
                del self._followed[key]
        if now >= self._forget_at:
            standing = [seen.file_id for seen in self.seen.values()]
            self._spool.files.forget(time.time() - _FORGET_AFTER_S, standing)
            self._forget_at = now + _FORGET_EVERY_S

    def _see(self, key: Key, seen: Seen) -> None:
        if key in self.seen:  # another source's pattern may match it by now
            self._unsee(key)
        self.seen[key] = seen
        self._of_source[key[0], seen.pattern][key] = None

    def _unsee(self, key: Key) -> Seen:
        seen = self.seen.pop(key)
        del self._of_source[key[0], seen.pattern][key]
        return seen

    def _lose(self, file_id: int, key: Key, seen: Seen) -> None:
        if self._key_of.get(file_id, key) == key:  # else it was seen elsewhere since
            self._key_of.pop(file_id, None)
            self.lost[file_id] = Lost(key[0], seen.pattern, seen.path, time.monotonic())

    def _restore(self, machine_id: str, pattern: str, standing: Standing) -> None:
        key, now = key_of(machine_id, standing.path), time.monotonic()
        is_zip = is_zipped(standing.path)  # then the offset is not one of the file
        is_read = standing.is_ended or (standing.offset >= standing.signature.size and not is_zip)
        seen = Seen(
            standing.path,
            pattern,
            standing.signature,
            since=now - COLD_S if is_read else now,
            tried=Ending.FINAL if standing.is_ended else Ending.OPEN if is_read else None,
            has_rest=not is_read,
            file_id=standing.id,
            offset=standing.offset,
            was_at=standing.was_at,
            is_ended=standing.is_ended,
        )
        if not standing.is_current:
            self._lose(standing.id, key, seen)
            return
        self._see(key, seen)
        self._key_of[standing.id] = key
        if standing.was_at and not standing.is_ended:
            self._followed[key] = pattern

"""From log files to the spool: look at every source, again and again. Runs in its own thread."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from broker.errors import SpoolFull
from edge_agent.batch import Batch
from edge_agent.config import Config
from edge_agent.filebook import KnownFile, Place, text_of
from edge_agent.folders import Listing, list_files
from edge_agent.intake import Intake
from edge_agent.live import LiveUnits
from edge_agent.looks import (
    Candidate,
    Ending,
    Key,
    Moment,
    Seen,
    Work,
    ending_of,
    in_turn,
    key_of,
)
from edge_agent.search import Search
from edge_agent.spool import Spool
from edge_agent.tail import Changed, Signature, signature
from edge_agent.troubles import FileOf, FolderOf, Troubles
from edge_agent.watch import Watch
from edge_agent.zipped import Damaged, is_zipped, open_log

_SPOOL: Final = "spool"
_BOOK: Final = "book of files"
_FULL_WAIT_S: Final = 0.2
_FULL_RETRY_S: Final = 1.0
_CHANGED_TRIES: Final = 3
_LOCKED: Final = (32, 33)
"""Windows' errors where another program has a file, or a part of it, for itself."""


class Stopped(Exception):  # noqa: N818 - not an error: somebody wants to go home
    """The reader was asked to stop; what was not kept is still in the log."""


class Reader:
    """Reads every source into the spool, from one thread.

    Args:
        config: The sources.
        spool: Where the messages go.
        stop: Set by whoever wants it to end; `read_all` then raises Stopped.
        on_commit: Called after each transaction, from the reader's thread.
        by_age: How long a file was quiet is what its last write says, for who looks only once;
            else what this reader saw, which no clock of a share can make wrong.
    """

    def __init__(
        self,
        config: Config,
        spool: Spool,
        stop: threading.Event,
        on_commit: Callable[[], object] = lambda: None,
        *,
        by_age: bool = False,
    ) -> None:
        self._by_age = by_age
        self._works = [Work(source, config.options_of(source)) for source in config.source]
        self._spool, self._stop, self._on_commit = spool, stop, on_commit
        self._watch = Watch(spool, config.source)
        self._search = Search(spool, self._watch, self._look_at)
        self._live = LiveUnits()
        self._unread: dict[Key, int] = {}
        self._reading: tuple[Key, int] | None = None  # and how long it is
        self._troubles = Troubles()
        self._round = 0
        self.has_failed = False
        """A file or folder could not be read, at least once."""

    def run(self, poll_s: float) -> None:
        """Read as the files grow, until asked to stop."""
        while not self._stop.is_set():
            try:
                is_behind = self.read_all()
            except Stopped:
                return
            if not is_behind:
                self._stop.wait(poll_s)

    def read_all(self, *, is_final: bool = False) -> bool:
        """Look at every file once and read what is new.

        Args:
            is_final: Nothing more will come: the end of a file is the end of its last record.

        Returns:
            True when a long file was read in part only: come back at once.

        Raises:
            Stopped: `stop` was set.
        """
        self._round += 1
        taken: set[Key] = set()
        works = [work._replace(is_final=is_final) for work in self._works]
        try:
            behind = [self._read_source(work, taken) for work in works]
            self._keep_house(works, taken)
            self._troubles.keep_files(taken)
        finally:
            self._troubles.end()
        return any(behind)

    def troubles(self, machine_id: str | None = None) -> list[str]:
        """Return what a person should know of a machine's files, or of all; often empty."""
        return self._troubles.of(machine_id)

    def lag_bytes(self, machine_id: str | None = None) -> int:
        """Return how many bytes of a machine's files, or of all, are not read yet.

        Of the files that are there now, as long as they were at the last look; half a record at a
        file's end counts. Safe to call from any thread.
        """
        unread = list(self._unread.items())
        return sum(count for (owner, _), count in unread if machine_id in (None, owner))

    # -- a round -------------------------------------------------------------------------------

    def _read_source(self, work: Work, taken: set[Key]) -> bool:
        source = work.source
        self._troubles.begin(source.machine_id, source.path)
        listing = list_files(source.path)
        self._judge(work, listing)
        is_behind = False
        for file in self._due(work, listing, taken):
            expected = self._watch.expected(file.key)
            is_behind |= self._look_at(work, file, expected)
            if expected is not None and file.key not in self._watch.seen:
                taken.discard(file.key)  # another file stands there; the search may look at it
        for key in self._watch.part(source, listing, taken):
            self._live.drop(key)
            self._unread.pop(key, None)
        return is_behind

    def _judge(self, work: Work, listing: Listing) -> None:
        """Say what is wrong with what the pattern names."""
        machine_id, pattern = work.source.machine_id, work.source.path
        for folder, why in listing.unreachable.items():
            sentence = f"{text_of(folder)} is unreachable since {{since}} ({why})."
            self._troubles.say((machine_id, FolderOf(pattern, folder)), sentence)
            self.has_failed |= work.is_final
        self._troubles.clear_others(machine_id, pattern, listing.unreachable)
        if listing.paths or listing.unreachable:
            self._troubles.clear((machine_id, pattern))
        else:
            self._troubles.say((machine_id, pattern), f"no file matches {pattern}.")

    def _due(self, work: Work, listing: Listing, taken: set[Key]) -> list[Candidate]:
        """Return what to look at in this round, and take note of how long it is."""
        paths = self._watch.paths(work.source, listing, taken)
        chosen = list(paths)
        if not work.is_final:
            chosen = in_turn(chosen, self._watch.seen, self._round, time.monotonic())
            taken |= paths.keys() - set(chosen)
        due = []
        for key in chosen:
            try:
                found = signature(paths[key])
            except OSError as error:
                self._fail(key, paths[key], error)
                taken.add(key)
                continue
            if found is not None:
                taken.add(key)
                due.append(Candidate(key, paths[key], found))
                self._count_unread(key, found)
        return due

    def _count_unread(self, key: Key, found: Signature) -> None:
        seen = self._watch.seen.get(key)
        if seen is None or not found.is_unchanged(seen.signature):
            self._unread[key] = max(0, found.size - (seen.offset if seen else 0))

    # -- a look --------------------------------------------------------------------------------

    def _look_at(self, work: Work, file: Candidate, expected: int | None = None) -> bool:
        """Read what is new in a file, or in the `expected` one alone; tell whether more is left."""
        key = file.key
        for tries_left in reversed(range(_CHANGED_TRIES)):
            try:
                is_behind = self._look_with_room(work, file, expected)
            except FileNotFoundError:
                return False  # it went just now; the next round looks where
            except OSError as error:
                if isinstance(error, Changed) and tries_left:
                    continue
                if expected is None or key in self._watch.seen:  # else it is none of ours
                    self._note_damage(work, file, error)
                    self._fail(key, file.path, error)
                return False
            seen = self._watch.seen.get(key)
            if not (seen and seen.is_damaged):
                self._troubles.clear((key[0], FileOf(key[1])))
            return is_behind
        return False

    def _look_with_room(self, work: Work, file: Candidate, expected: int | None) -> bool:
        while True:
            if self._stop.is_set():
                raise Stopped
            self._troubles.begin(file.key[0], text_of(file.path))
            try:
                return self._look_once(work, file, expected)
            except SpoolFull as error:
                self._wait_for_room(file.key[0], error)

    def _look_once(self, work: Work, file: Candidate, expected: int | None) -> bool:
        seen, now = self._watch.seen.get(file.key), time.monotonic()
        found = file.signature
        is_same = seen is not None and found.is_unchanged(seen.signature)
        seen = seen or Seen(file.path, work.source.path, found, now)
        if not is_same:
            seen = seen._replace(signature=found, since=now, tried=None, is_damaged=False)
        ending = self._ending(work, file, seen)
        if is_same and seen.has_nothing_new(ending):
            return False
        if is_zipped(file.path) and ending is not Ending.FINAL:
            if expected is None:  # whoever compresses it is not done
                self._watch.note(file.key, seen)
            return False
        return self._read(work, file, seen, (ending, expected))

    def _ending(self, work: Work, file: Candidate, seen: Seen) -> Ending:
        age_s = time.time() - seen.signature.modified_ns / 1e9
        moment = Moment(
            quiet_s=age_s if self._by_age else time.monotonic() - seen.since,
            age_s=age_s,
            is_final=work.is_final,
            is_zipped=is_zipped(file.path),
        )
        first = key_of(file.key[0], seen.was_at) if seen.was_at else None
        successor = self._watch.seen.get(first) if first else None
        return ending_of(moment, work.source.settle_s, seen, successor)

    def _read(
        self, work: Work, file: Candidate, seen: Seen, how: tuple[Ending, int | None]
    ) -> bool:
        key, (ending, expected) = file.key, how
        with open_log(file.path) as opened:
            place = Place(key[0], work.source.path, text_of(file.path), opened.signature)
            self._reading = (key, place.signature.size)
            intake = Intake(work.source, work.options, self._spool, place, opened)
            try:
                live = self._live.take(key, _share(work, place, seen.offset))
                looked = intake.read(live, self._keep, ending, expected)
            except (OSError, SpoolFull):
                self._note_part(key, seen, place.signature, intake)
                raise
        if looked is None:
            self._watch.miss(key)
            return False
        known, is_ended = looked.known, is_zipped(file.path)
        is_same = place.signature.is_unchanged(seen.signature)
        now_seen = Seen(
            file.path,
            work.source.path,
            place.signature,
            since=seen.since if is_same else time.monotonic(),
            tried=ending if looked.is_whole else None,
            has_rest=looked.has_rest or not looked.is_whole,
            file_id=known.id,
            offset=known.mark.offset,
            was_at=known.was_at,
            is_ended=is_ended,
        )
        self._watch.note(key, now_seen, intake.replaced)
        if is_ended and known.id:
            self._spool.files.end([known.id])
        self._unread[key] = 0 if is_ended else max(0, place.signature.size - known.mark.offset)
        if looked.live:
            fed = looked.live.fed.offset - known.mark.offset
            self._live.hold(key, looked.live, fed / work.options.max_unit_bytes)
        return not looked.is_whole

    def _note_part(self, key: Key, seen: Seen, found: Signature, intake: Intake) -> None:
        """Note what a look came to before it failed: the next one may find another file here."""
        known = intake.known
        if not known.id:
            return
        part = seen._replace(
            signature=found,
            since=seen.since if found.is_unchanged(seen.signature) else time.monotonic(),
            tried=None,
            has_rest=True,
            file_id=known.id,
            offset=known.mark.offset,
            was_at=known.was_at,
        )
        self._watch.note(key, part, intake.replaced)

    def _keep(self, batch: Batch, place: Place, known: KnownFile) -> int:
        file_id = self._spool.commit(batch, place, known)
        self._troubles.clear((batch.machine_id, _SPOOL))
        self._troubles.begin(batch.machine_id, place.path)  # it still answers
        if self._reading:
            key, size = self._reading
            self._unread[key] = max(0, size - known.mark.offset)
        self._on_commit()
        return file_id

    def _wait_for_room(self, machine_id: str, error: SpoolFull) -> None:
        """Wait with all files closed until a receipt has come, or a moment for the disk's sake."""
        self._troubles.say((machine_id, _SPOOL), str(error))
        self._troubles.end()
        self._on_commit()  # somebody has to send what is there
        held, until = self._spool.payload_bytes, time.monotonic() + _FULL_RETRY_S
        while self._spool.payload_bytes >= held and time.monotonic() < until:
            if self._stop.wait(_FULL_WAIT_S):
                raise Stopped from error

    def _note_damage(self, work: Work, file: Candidate, error: OSError) -> None:
        if isinstance(error, Damaged):
            seen = self._watch.seen.get(file.key)
            seen = seen or Seen(file.path, work.source.path, file.signature, time.monotonic())
            self._watch.note(file.key, seen._replace(signature=file.signature, is_damaged=True))

    def _fail(self, key: Key, path: str, error: OSError) -> None:
        self.has_failed = True
        why = error.strerror or str(error)
        if getattr(error, "winerror", None) in _LOCKED:
            why = "another program has it for itself"
        self._troubles.say((key[0], FileOf(key[1])), f"{text_of(path)} cannot be read ({why}).")

    # -- what went from its place --------------------------------------------------------------

    def _keep_house(self, works: Sequence[Work], taken: set[Key]) -> None:
        """Look for files that went, and let go of old ones; without room in the next round again.

        Reading does not wait for it: who has nothing to read needs no room.
        """
        try:
            self._watch.give_up(self._search.once(works, taken))
            self._watch.tidy()
        except SpoolFull as error:
            for work in works:
                self._troubles.say((work.source.machine_id, _BOOK), str(error))
        else:
            for work in works:
                self._troubles.clear((work.source.machine_id, _BOOK))


def _share(work: Work, place: Place, offset: int) -> float:
    """Return what of a largest unit a file has behind an offset."""
    if is_zipped(place.path):
        return 1.0
    size = place.signature.size
    rest = size - offset if size >= offset else size  # it was made anew
    return rest / work.options.max_unit_bytes

"""What a person should know about reading: a sentence for each thing that waits."""

import time
from collections.abc import Collection
from typing import Final, NamedTuple

import structlog

_SILENT_S: Final = 30.0

log = structlog.get_logger()


class FolderOf(NamedTuple):
    """A folder that a source's pattern leads to."""

    pattern: str
    path: str


class FileOf(NamedTuple):
    """A file of a machine."""

    path: str


Subject = tuple[str, str | FileOf | FolderOf]
"""A machine, and what of it: its spool or a pattern, a file, or a folder."""


class Troubles:
    """Sentences in force. Written by the reader's thread, read from any."""

    def __init__(self) -> None:
        self._sentences: dict[Subject, str] = {}
        self._since: dict[Subject, str] = {}
        self._busy: tuple[str, str, float] | None = None

    def say(self, subject: Subject, sentence: str) -> None:
        """Put a sentence in force; it is logged once. `{since}` in it becomes the time of day."""
        since = self._since.setdefault(subject, time.strftime("%H:%M"))
        sentence = sentence.replace("{since}", since)
        if self._sentences.get(subject) != sentence:
            log.warning("reading_waits", machine_id=subject[0], reason=sentence)
        self._sentences[subject] = sentence

    def clear(self, subject: Subject) -> None:
        """Take it back."""
        self._since.pop(subject, None)
        self._sentences.pop(subject, None)

    def clear_others(self, machine_id: str, pattern: str, still: Collection[str]) -> None:
        """Take back what was said of a source's folders, but for those `still` in trouble."""
        for owner, what in list(self._sentences):
            if not isinstance(what, FolderOf) or what.path in still:
                continue
            if (owner, what.pattern) == (machine_id, pattern):
                self.clear((owner, what))

    def keep_files(self, still: Collection[tuple[str, str]]) -> None:
        """Take back what was said of files that are not there any more."""
        for owner, what in list(self._sentences):
            if isinstance(what, FileOf) and (owner, what.path) not in still:
                self.clear((owner, what))

    def begin(self, machine_id: str, what: str) -> None:
        """Note what is being read, and that it answers."""
        self._busy = (machine_id, what, time.monotonic())

    def end(self) -> None:
        """Note that nothing is being read."""
        self._busy = None

    def of(self, machine_id: str | None = None) -> list[str]:
        """Return the sentences on a machine's files, or on all; often empty."""
        found = [
            sentence
            for (owner, _), sentence in list(self._sentences.items())
            if machine_id in (None, owner)
        ]
        busy = self._busy
        silent_s = time.monotonic() - busy[2] if busy else 0.0
        if busy and machine_id in (None, busy[0]) and silent_s > _SILENT_S:
            since = time.strftime("%H:%M", time.localtime(time.time() - silent_s))
            found.append(f"{busy[1]} has not answered since {since}; meanwhile nothing is read.")
        return found

"""From log files to the spool: look at every source, again and again. Runs in its own thread."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from broker.errors import SpoolFull
from edge_agent.config import Config, SourceSettings
from edge_agent.formats import Options
from edge_agent.intake import Ending, Intake, Live
from edge_agent.spool import Batch, KnownFile, Spool
from edge_agent.tail import OpenFile, Signature, find, signature

_LIVE_MAX: Final = 64
_FULL_WAIT_S: Final = 0.2

log = structlog.get_logger()


class Stopped(Exception):  # noqa: N818 - not an error: somebody wants to go home
    """The reader was asked to stop; what was not kept is still in the log."""


class _Look(NamedTuple):
    """What the last look at a file saw."""

    signature: Signature
    since: float
    """When it was first seen like this."""
    is_settled: bool
    """Nothing was left over, or its quiet end was tried."""


class Reader:
    """Reads every source into the spool, from one thread.

    Args:
        config: The sources.
        spool: Where the messages go.
        stop: Set by whoever wants it to end; `read_all` then raises Stopped.
        on_commit: Called after each transaction, from the reader's thread.
    """

    def __init__(
        self,
        config: Config,
        spool: Spool,
        stop: threading.Event,
        on_commit: Callable[[], object] = lambda: None,
    ) -> None:
        self._sources = [(source, config.options_of(source)) for source in config.source]
        self._spool, self._stop, self._on_commit = spool, stop, on_commit
        self._looks: dict[tuple[str, str], _Look] = {}
        self._live: dict[tuple[str, str], Live] = {}
        self._troubles: dict[tuple[str, str], str] = {}
        self.is_spool_full = False
        self.has_failed = False
        """A file could not be read or kept, at least once."""

    def run(self, poll_s: float) -> None:
        """Read as the files grow, until asked to stop."""
        while not self._stop.is_set():
            try:
                self.read_all()
            except Stopped:
                return
            self._stop.wait(poll_s)

    def read_all(self, *, is_final: bool = False) -> None:
        """Look at every file once and read what is new.

        Args:
            is_final: Nothing more will come: the end of a file is the end of its last record.

        Raises:
            Stopped: `stop` was set.
        """
        seen: set[tuple[str, str]] = set()
        for source, options in self._sources:
            paths = find(source.path)
            pattern = (source.machine_id, source.path)
            if paths:
                self._troubles.pop(pattern, None)
            else:
                self._complain(pattern, f"no file matches {source.path}.")
            for path in paths:
                key = (source.machine_id, str(path))
                if key not in seen:
                    seen.add(key)
                    self._look_at(key, source, options, is_final=is_final)
        for gone in self._looks.keys() - seen:
            del self._looks[gone]
            self._live.pop(gone, None)
            self._troubles.pop(gone, None)

    def troubles(self, machine_id: str | None = None) -> list[str]:
        """Return what a person should know of a machine's files, or of all; often empty."""
        found = list(self._troubles.items())
        return [sentence for (owner, _), sentence in found if machine_id in (None, owner)]

    def _look_at(
        self, key: tuple[str, str], source: SourceSettings, options: Options, *, is_final: bool
    ) -> None:
        if self._stop.is_set():
            raise Stopped
        try:
            found, now = signature(Path(key[1])), time.monotonic()
            look = self._looks.get(key)
            if found is None:
                return
            since = look.since if look and look.signature == found else now
            ending = _ending(source, now - since, is_final=is_final)
            if look and look.signature == found and _has_nothing_new(look, ending):
                return
            self._read(key, source, options, (found.node, ending))
            is_settled = ending is not Ending.OPEN or key not in self._live
            self._looks[key] = _Look(found, since, is_settled)
            self._troubles.pop(key, None)
        except OSError as error:
            self.has_failed = True
            self._complain(key, f"{key[1]} cannot be read ({error.strerror or error}).")
        except SpoolFull as error:  # its disk, not its bound: `_keep` waits for that
            self.has_failed = True
            self._complain(key, str(error))

    def _read(
        self,
        key: tuple[str, str],
        source: SourceSettings,
        options: Options,
        how: tuple[str, Ending],
    ) -> None:
        path, live, (node, ending) = Path(key[1]), self._live.pop(key, None), how
        with OpenFile(path) as file:
            intake = Intake(source, options, path, file, self._spool)
            live = intake.read(node, live, self._keep, ending)
        if live:
            self._live[key] = live
            if len(self._live) > _LIVE_MAX:  # it is read again from its unit's start
                del self._live[next(iter(self._live))]

    def _keep(self, batch: Batch, path: str, known: KnownFile) -> None:
        """Commit a batch; while the spool is full wait, for the log is the buffer."""
        while True:
            try:
                self._spool.commit(batch, path, known)
                break
            except SpoolFull as error:
                self._complain((batch.machine_id, "spool"), str(error))
                self.is_spool_full = True
                self._on_commit()  # somebody has to send what is there
                if self._stop.wait(_FULL_WAIT_S):
                    raise Stopped from error
        self.is_spool_full = False
        self._troubles.pop((batch.machine_id, "spool"), None)
        self._on_commit()

    def _complain(self, key: tuple[str, str], sentence: str) -> None:
        if self._troubles.get(key) != sentence:
            log.warning("reading_waits", machine_id=key[0], reason=sentence)
        self._troubles[key] = sentence


def _ending(source: SourceSettings, quiet_s: float, *, is_final: bool) -> Ending:
    if is_final:
        return Ending.FINAL
    return Ending.QUIET if quiet_s >= source.settle_s else Ending.OPEN


def _has_nothing_new(look: _Look, ending: Ending) -> bool:
    return ending is Ending.OPEN or (ending is Ending.QUIET and look.is_settled)

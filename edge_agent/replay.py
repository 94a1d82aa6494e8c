"""`agent replay`: send again what was started in a span of time, beside a running agent.

Files are read as for the first time, into a temporary spool, so that each record gets the id that
it had: the service recognises it and counts a duplicate, or stores what it never got.
"""

import asyncio
import contextlib
import glob
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from threading import Event
from typing import Final, NamedTuple

import typer

from broker.errors import SpoolFull
from edge_agent.batch import Batch
from edge_agent.config import Config, SourceSettings
from edge_agent.errors import NotDone
from edge_agent.filebook import KnownFile, Place
from edge_agent.presence import Presence
from edge_agent.progress import StepProgress
from edge_agent.reader import Reader
from edge_agent.run import configure_logs, signals
from edge_agent.sender import Sender
from edge_agent.span import Span
from edge_agent.spool import Spool
from edge_agent.tail import find, signature
from edge_agent.words import counted, size

_SPOOL_BYTES_MAX: Final = 1 << 50
_LOOK_S: Final = 0.1
_GOODBYE_S: Final = 5.0
_CONNECTIONS_MAX: Final = 3


@dataclass(frozen=True)
class Wanted:
    """What shall be sent again."""

    span: Span
    file_glob: str | None = None
    """Only files whose name or path matches."""
    machine_id: str | None = None


@dataclass
class Found:
    """What there is to send again."""

    message_counts: dict[str, int] = field(default_factory=dict)
    """By machine."""
    file_count: int = 0
    byte_count: int = 0
    troubles: list[str] = field(default_factory=list)
    """Files that could not be read."""

    @property
    def message_count(self) -> int:
        """Messages of all machines."""
        return sum(self.message_counts.values())

    def sentence(self) -> str:
        """Return it in words."""
        of = ", ".join(f"{each} {count:,}" for each, count in self.message_counts.items() if count)
        return (
            f"{counted(self.message_count, 'message')} in {counted(self.file_count, 'file')}"
            f" ({size(self.byte_count)}){': ' if of else ''}{of}"
        )


def replay(config: Config, wanted: Wanted, *, is_dry: bool, timeout_s: float) -> None:
    """Read, then send and wait for the receipts; say how it went.

    Args:
        config: From `load_config`.
        wanted: Which messages.
        is_dry: Only count them.
        timeout_s: How long sending may take, in seconds.

    Raises:
        NotDone: A file could not be read, or not all was receipted; doing it again is harmless.
        SettingsError: The times do not compare.
        BrokerRefused: The broker says no: only a person can help.
    """
    configure_logs(config.log)
    with tempfile.TemporaryDirectory(prefix="yieldline-replay-") as folder:
        spool = _ReplaySpool(Path(folder) / "spool.db", wanted.span)
        try:
            found = _read(config, wanted, spool)
            typer.echo(f"Found {found.sentence()}.", err=True)
            if is_dry:
                typer.echo("Nothing was sent.", err=True)
            elif found.message_count:
                with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                    runner.run(_send(config, found, spool, timeout_s))
        finally:
            spool.close()
    if found.troubles:
        raise NotDone(" ".join(found.troubles))


class _ReplaySpool(Spool):
    """Keeps only messages of a span of time."""

    def __init__(self, file: Path, span: Span) -> None:
        super().__init__(file, _SPOOL_BYTES_MAX)
        self._span = span

    def commit(self, batch: Batch, place: Place, known: KnownFile) -> int:
        """Keep the batch's messages of the span; what was refused then is refused again.

        Raises:
            NotDone: The disk is full.
        """
        kept = [each for each in batch.messages if self._span.holds_any(each.body)]
        size_kept = sum(len(each.body) for each in kept)
        batch = replace(batch, messages=kept, payload_bytes=size_kept, refusals=[])
        with _giving_up_without_room():
            return super().commit(batch, place, known)

    def place(self, place: Place, known: KnownFile, *, is_anew: bool) -> int:
        """Say which file stands at a place.

        Raises:
            NotDone: The disk is full.
        """
        with _giving_up_without_room():
            return super().place(place, known, is_anew=is_anew)


@contextlib.contextmanager
def _giving_up_without_room() -> Iterator[None]:
    """Let a reader not wait for room: nobody drains the spool yet, so it would be for ever."""
    try:
        yield
    except SpoolFull as error:
        raise NotDone(
            f"no room for the temporary spool: {error}"
            " Narrow the span, or set TMPDIR to a larger disk."
        ) from error


# -- reading ---------------------------------------------------------------------------------------


class _File(NamedTuple):
    source: SourceSettings
    path: Path
    byte_count: int


def _read(config: Config, wanted: Wanted, spool: Spool) -> Found:
    files, found = list(_files(config, wanted)), Found()
    with StepProgress("reading", sum(file.byte_count for file in files), is_bytes=True) as bar:
        for file in files:
            _read_file(config, file, spool, found)
            found.file_count += 1
            found.byte_count += file.byte_count
            bar.show(found.byte_count)
    machines = dict.fromkeys(file.source.machine_id for file in files)
    found.message_counts = {each: spool.books(each).spooled for each in machines}
    return found


def _files(config: Config, wanted: Wanted) -> Iterator[_File]:
    seen: set[tuple[str, Path]] = set()
    for source in config.source:
        if wanted.machine_id not in {None, source.machine_id}:
            continue
        for path in find(source.path):
            if (source.machine_id, path) in seen or not _is_wanted(path, wanted.file_glob):
                continue
            seen.add((source.machine_id, path))
            if found := signature(path):
                yield _File(source, path, found.size)


def _is_wanted(path: Path, file_glob: str | None) -> bool:
    return file_glob is None or fnmatch(path.name, file_glob) or fnmatch(str(path), file_glob)


def _read_file(config: Config, file: _File, spool: Spool, found: Found) -> None:
    """Read one file; half a record at the end of one that still grows is the running agent's."""
    source = file.source.model_copy(update={"path": glob.escape(str(file.path))})
    own = config.model_copy(update={"source": (source,)})
    reader = Reader(own, spool, Event(), by_age=True)
    while reader.read_all():
        pass  # of a long file it read a part
    if reader.has_failed:
        found.troubles += reader.troubles()


# -- sending ---------------------------------------------------------------------------------------


async def _send(config: Config, found: Found, spool: Spool, timeout_s: float) -> None:
    """Send everything over connections of our own and wait for every answer."""
    role = f"replay-{secrets.token_hex(3)}"  # the running agent keeps its connection
    machines = config.machines()
    senders = [
        Sender(config, machines[each], spool, None, role)
        for each, count in found.message_counts.items()
        if count
    ]
    tasks = [asyncio.create_task(each.run(), name=f"sender {each.machine_id}") for each in senders]
    try:
        async with asyncio.timeout(timeout_s):
            await _wait_for_answers(config, found, spool, dict(zip(senders, tasks, strict=True)))
    except TimeoutError as error:
        raise NotDone(_left(found, spool)) from error
    finally:
        for sender in senders:
            sender.stop()
        await asyncio.wait(tasks, timeout=_GOODBYE_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    _say_done(config, found, sum(sender.rejection_count for sender in senders))


async def _wait_for_answers(
    config: Config, found: Found, spool: Spool, sending: dict[Sender, asyncio.Task[None]]
) -> None:
    asked_to_stop = asyncio.Event()
    with signals(asked_to_stop), StepProgress("sending", found.message_count) as progress:
        while depth := spool.books().depth:
            progress.show(found.message_count - depth)
            for task in sending.values():
                if task.done():
                    task.result()
            _check_connections(config, list(sending))
            if asked_to_stop.is_set():
                raise NotDone(_left(found, spool))
            await asyncio.sleep(_LOOK_S)


def _left(found: Found, spool: Spool) -> str:
    return (
        f"{spool.books().depth:,} of {counted(found.message_count, 'message')} without an answer."
        " Is the service running? Sending it all again is harmless."
    )


def _check_connections(config: Config, senders: list[Sender]) -> None:
    """Give up where the broker lets a login in only once: the running agent needs it more."""
    if max(sender.connection_count for sender in senders) <= _CONNECTIONS_MAX:
        return
    presence = Presence.read(config.agent.spool_file)
    if presence and presence.is_alive(time.time()):
        raise NotDone(
            "the connection is lost again and again. The broker seems to allow one connection a"
            " login, and the running agent has it: stop the agent, or give another login."
        )


def _say_done(config: Config, found: Found, rejection_count: int) -> None:
    answer = "stored by the service, which counts those it had as duplicates"
    if config.agent.delete_on == "puback":
        answer = "taken by the broker"
    rejected = f" {counted(rejection_count, 'message')} rejected, see above." * bool(
        rejection_count
    )
    typer.echo(
        f"{counted(found.message_count, 'message')} sent again, {answer}.{rejected}", err=True
    )

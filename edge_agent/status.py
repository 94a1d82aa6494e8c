"""`agent status`: where files, spool and connection stand, beside a running agent."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
from pydantic import TypeAdapter

from edge_agent.config import Config, SourceSettings
from edge_agent.presence import MachinePresence, Presence
from edge_agent.spool import Books
from edge_agent.spool_view import SpoolView, Waiting
from edge_agent.tail import find, signature
from edge_agent.words import counted, duration, moment
from edge_agent.words import size as in_bytes
from edge_agent.zipped import is_zipped

_REFUSED_SHOWN: Final = 3
_FILES_SHOWN: Final = 8


@dataclass(frozen=True)
class FileStatus:
    """One file of a source."""

    path: str
    offset: int
    """Bytes read and dealt with."""
    size: int | None
    """Bytes; None where it cannot be looked at."""

    @property
    def lag_bytes(self) -> int:
        """Bytes that are not read yet."""
        return max(0, (self.size or 0) - self.offset)


@dataclass(frozen=True)
class SourceStatus:
    """One `[[source]]`."""

    path: str
    format: str
    lag_bytes: int
    files: tuple[FileStatus, ...]


@dataclass(frozen=True)
class RefusedStatus:
    """One record that was not sent."""

    file: str
    byte_start: int
    byte_end: int
    reason: str
    refused_at: float


@dataclass(frozen=True)
class MachineStatus:
    """One machine: its books, what waits, its files."""

    machine_id: str
    is_configured: bool
    """False: the spool has it, agent.toml has not."""
    read: int
    refused: int
    spooled: int
    receipted: int
    waiting_count: int
    waiting_bytes: int
    oldest_s: float | None
    """Age of the oldest message without receipt, in seconds."""
    connection: MachinePresence | None
    """None: no agent is running."""
    sources: tuple[SourceStatus, ...]
    last_refused: tuple[RefusedStatus, ...]


@dataclass(frozen=True)
class AgentStatus:
    """All of it. Times are seconds since 1970."""

    is_running: bool
    agent: Presence | None
    """What the agent said last; None when it stopped in good order, or never ran."""
    spool_file: str
    spool_bytes_max: int
    machines: tuple[MachineStatus, ...]
    at: float

    @property
    def lag_bytes(self) -> int:
        """Bytes of all files that are not read yet."""
        return sum(source.lag_bytes for machine in self.machines for source in machine.sources)


def read_status(config: Config) -> AgentStatus:
    """Look at spool, files and sign of life.

    Raises:
        SettingsError: There is no spool, or it cannot be read.
    """
    now, spool_file = time.time(), config.agent.spool_file
    presence = Presence.read(spool_file)
    is_running = presence is not None and presence.is_alive(now)
    with SpoolView(spool_file) as view:
        machines = tuple(_machines(config, view, presence if is_running else None, now))
    return AgentStatus(
        is_running=is_running,
        agent=presence,
        spool_file=str(spool_file),
        spool_bytes_max=config.agent.spool_bytes_max,
        machines=machines,
        at=now,
    )


def status_json(status: AgentStatus) -> str:
    """Return it as one JSON object."""
    plain = TypeAdapter(AgentStatus).dump_python(status, mode="json")
    return orjson.dumps({**plain, "lag_bytes": status.lag_bytes}).decode()


def status_lines(status: AgentStatus) -> Iterator[str]:
    """Yield it in words, a line each."""
    yield _agent_line(status)
    messages = sum(machine.waiting_count for machine in status.machines)
    held = sum(machine.waiting_bytes for machine in status.machines)
    yield (
        f"{status.spool_file}: {counted(messages, 'message')} without receipt,"
        f" {in_bytes(held)} of {in_bytes(status.spool_bytes_max)}"
    )
    for machine in status.machines:
        yield ""
        yield from _machine_lines(machine)


def _machines(
    config: Config, view: SpoolView, presence: Presence | None, now: float
) -> Iterator[MachineStatus]:
    books, waiting, offsets = view.books(), view.waiting(), view.offsets()
    for machine_id in dict.fromkeys([*config.machines(), *books]):
        own, wait = books.get(machine_id, Books()), waiting.get(machine_id, Waiting())
        sources = [each for each in config.source if each.machine_id == machine_id]
        yield MachineStatus(
            machine_id=machine_id,
            is_configured=bool(sources),
            **own._asdict(),
            waiting_count=wait.message_count,
            waiting_bytes=wait.payload_bytes,
            oldest_s=None if wait.oldest_at is None else max(0.0, now - wait.oldest_at),
            connection=presence.machines.get(machine_id) if presence else None,
            sources=tuple(_source(each, offsets) for each in sources),
            last_refused=tuple(
                RefusedStatus(
                    each.file, each.byte_start, each.byte_end, each.reason, each.refused_at
                )
                for each in view.last_refused(machine_id, _REFUSED_SHOWN)
            ),
        )


def _source(source: SourceSettings, offsets: dict[tuple[str, str], int]) -> SourceStatus:
    files = tuple(
        _file(path, offsets.get((source.machine_id, str(path)), 0)) for path in find(source.path)
    )
    lag_bytes = sum(file.lag_bytes for file in files)
    return SourceStatus(source.path, source.format, lag_bytes, files)


def _file(path: Path, offset: int) -> FileStatus:
    try:
        found = signature(path)
    except OSError:
        found = None
    size = found.size if found else None
    if size is not None and is_zipped(str(path)):
        size = max(size, offset)  # offsets are those of what was compressed; how long, is not said
    return FileStatus(str(path), offset, size)


# -- words -----------------------------------------------------------------------------------------


def _agent_line(status: AgentStatus) -> str:
    agent = status.agent
    if agent is None:
        return "No agent is running on this spool."
    heard = f"last sign of life {duration(status.at - agent.at)} ago"
    if not status.is_running:
        return (
            f"No agent is running on this spool: process {agent.pid} did not stop in good order,"
            f" {heard}."
        )
    return (
        f"An agent is running: process {agent.pid}, version {agent.version}, since"
        f" {moment(agent.started_at)}, {heard}."
    )


def _machine_lines(machine: MachineStatus) -> Iterator[str]:
    yield f"{machine.machine_id}: {_connection_words(machine)}"
    oldest = "" if machine.oldest_s is None else f", the oldest {duration(machine.oldest_s)} old"
    yield (
        f"  read {machine.read:,} = refused {machine.refused:,} + spooled {machine.spooled:,};"
        f" receipted {machine.receipted:,}, waiting {machine.waiting_count:,}{oldest}"
    )
    if machine.connection:
        yield from (f"  {each}" for each in machine.connection.troubles)
        if machine.connection.last_error:
            yield f"  last error: {machine.connection.last_error}"
    for source in machine.sources:
        yield from _source_lines(source)
    for refused in machine.last_refused:
        yield (
            f"  refused {refused.file} {refused.byte_start}-{refused.byte_end}: {refused.reason}"
        )


def _connection_words(machine: MachineStatus) -> str:
    if not machine.is_configured:
        return "not in agent.toml; what waits here is not sent"
    connection = machine.connection
    if connection is None:
        return "no agent sends"
    if not connection.is_connected:
        return "not connected to the broker"
    return f"connected, {counted(connection.in_flight_count, 'message')} under way"


def _source_lines(source: SourceStatus) -> Iterator[str]:
    lag = f"{in_bytes(source.lag_bytes)} to read" if source.lag_bytes else "all read"
    yield f"  {source.path} ({source.format}): {counted(len(source.files), 'file')}, {lag}"
    behind_first = sorted(source.files, key=lambda file: -file.lag_bytes)
    for file in behind_first[:_FILES_SHOWN]:
        what = "cannot be looked at" if file.size is None else f"of {file.size:,} bytes"
        yield f"    {file.path}: {file.offset:,} {what}"
    if len(source.files) > _FILES_SHOWN:
        yield f"    and {len(source.files) - _FILES_SHOWN:,} more, at most as far behind"

"""`agent check`: try files, formats, spool and broker before the agent runs. Changes nothing.

The broker's part is `edge_agent.check_broker`.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from broker.errors import SettingsError
from edge_agent.check_broker import check_broker
from edge_agent.config import Config, SourceSettings
from edge_agent.findings import Finding, Verdict, fail, ok, warn
from edge_agent.presence import Presence
from edge_agent.spool_view import SpoolView
from edge_agent.tail import find, signature
from edge_agent.tally import Coverage, cover, newest
from edge_agent.words import counted, size

_EXPLAINED_PERCENT_MIN: Final = 95.0
_NAMED_MAX: Final = 3


def check_all(config: Config, say: Callable[[Finding], object]) -> bool:
    """Try everything and say each finding when it is there: a silent broker takes its time.

    Returns:
        True when nothing failed.
    """
    is_good = True
    for finding in check_here(config):
        say(finding)
        is_good &= finding.verdict is not Verdict.FAIL

    async def ask_broker() -> bool:
        verdicts = []
        async for finding in check_broker(config):
            say(finding)
            verdicts.append(finding.verdict)
        return Verdict.FAIL not in verdicts

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(ask_broker()) and is_good


def check_here(config: Config) -> Iterator[Finding]:
    """Yield what is right and wrong on this machine, each source in turn, then the spool."""
    sources, machines = counted(len(config.source), "source"), len(config.machines())
    yield ok(f"configuration: {sources} of {counted(machines, 'machine')}.")
    for source in config.source:
        yield from check_source(source, config)
    yield check_spool(config)


def check_source(source: SourceSettings, config: Config) -> Iterator[Finding]:
    """Yield what there is of a source's files, and what the format makes of the newest."""
    who = source.machine_id
    files = [path for path in find(source.path) if path.is_file()]
    if not files:
        yield warn(
            f"{who}: no file matches {source.path}. Right if none was written yet; else check path."
        )
        return
    unreadable = [path for path in files if not os.access(path, os.R_OK)]
    if unreadable:
        named = ", ".join(str(path) for path in unreadable[:_NAMED_MAX])
        yield fail(
            f"{who}: {len(unreadable)} of {counted(len(files), 'file')} may not be read, such as"
            f" {named}. Give the agent's user the right to read them."
        )
    else:
        total = sum(found.size for path in files if (found := signature(path)))
        yield ok(f"{who}: {counted(len(files), 'file')} at {source.path}, {size(total)}.")
    last = newest(path for path in files if path not in unreadable)
    if last:
        yield _check_format(source, config, last)


def check_spool(config: Config) -> Finding:
    """Say whether the spool can be kept where it shall be."""
    file = config.agent.spool_file
    presence = Presence.read(file)
    if presence and presence.is_alive(time.time()):
        return ok(f"spool {file}: in use by the running agent, process {presence.pid}.")
    if file.exists():
        try:
            with SpoolView(file) as view:
                waiting = sum(each.message_count for each in view.waiting().values())
        except SettingsError as error:
            return fail(f"spool: {error}")
        words = f"holds {counted(waiting, 'message')} without receipt"
    else:
        words = "will be made at the first start"
    folder = next(each for each in file.absolute().parents if each.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return fail(
            f"spool {file}: {folder} cannot be written ({error.strerror or error})."
            " Give the agent's user the right, or set agent.spool_file."
        )
    free, bound = shutil.disk_usage(folder).free, config.agent.spool_bytes_max
    if free < bound:
        return warn(
            f"spool {file}: {words}, but its disk has {size(free)} left and agent.spool_bytes_max"
            f" is {size(bound)}. When the disk is full reading stops; free space or set less."
        )
    return ok(f"spool {file}: {words}.")


def _check_format(source: SourceSettings, config: Config, path: Path) -> Finding:
    who = f"{source.machine_id}: {path.name} as {source.format}"
    try:
        found = cover(path, source.format, config.options_of(source))
    except OSError as error:
        return fail(f"{who}: cannot be read ({error.strerror or error}).")
    if not found.byte_count:
        return ok(f"{who}: empty so far.")
    words = f"{found.percent:.0f} % explained, {counted(found.run_count, 'run')}"
    if not found.run_count:
        return fail(f"{who}: no run found{_because(found)}. Check format and [source.options].")
    if found.percent < _EXPLAINED_PERCENT_MIN:
        return warn(f"{who}: {words}{_because(found)}. `yieldline agent parse` shows all of it.")
    return ok(f"{who}: {words}.")


def _because(found: Coverage) -> str:
    return f"; first trouble: {found.first_reason.rstrip('.')}" if found.first_reason else ""

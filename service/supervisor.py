"""Keep child programs alive: pass their words on, start the dead again, stop them in order."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

EXIT_USAGE = 2
"""Exit code of wrong usage or configuration: starting again would not help."""

_DELAY_FIRST_S = 0.2
_DELAY_MAX_S = 10.0
_HEALTHY_S = 30.0
_LINE_BYTES_MAX = 1_048_576
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before any fork


def restart_delay_s(failures: int) -> float:
    """Return how long to wait after the nth failure in a row (1 is the first), in seconds."""
    return float(min(_DELAY_MAX_S, _DELAY_FIRST_S * 2 ** min(failures - 1, 30)))


def count_failures(failures: int, lived_s: float) -> int:
    """Return the failures in a row after another one; a long life wipes the slate."""
    return 1 if lived_s >= _HEALTHY_S else failures + 1


def describe_exit(exit_code: int) -> str:
    """Return how a program ended, in words."""
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was ended by signal {-exit_code}"


@dataclass(frozen=True)
class Program:
    """One child: what to run, and what its lines begin with."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """On top of our own."""


class Child:
    """One program, started again whenever it dies, until `stop`.

    Args:
        program: What to run.
        say: Takes one line for the person.
    """

    def __init__(self, program: Program, say: Callable[[str], None]) -> None:
        self.program = program
        self.refusal: str | None = None
        """Its last sentence, once it has ended with exit code 2 and stays down."""
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._last_line = ""
        self._stopping = asyncio.Event()

    def start(self, on_refusal: "Callable[[Child], None]") -> None:
        """Start it; needs a running loop. `on_refusal` hears when it stays down by itself."""
        self._task = asyncio.create_task(self._keep(on_refusal), name=f"keep {self.program.name}")

    @property
    def pid(self) -> int | None:
        """The process id; None between two lives."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    async def stop(self, timeout_s: float) -> None:
        """Ask it to end (SIGTERM); after `timeout_s` seconds end it (SIGKILL)."""
        self._stopping.set()
        if self._task is None:
            return
        self._signal(signal.SIGTERM)
        _, unfinished = await asyncio.wait([self._task], timeout=timeout_s)
        if unfinished:
            self._say(f"{self.program.name} does not stop within {timeout_s:g} s: ended.")
            self.kill()
            await asyncio.wait([self._task])

    def kill(self) -> None:
        """End it, and whatever it has started, at once."""
        self._stopping.set()
        process = self._process
        if os.name == "posix" and process and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        else:
            self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _keep(self, on_refusal: "Callable[[Child], None]") -> None:
        failures = 0
        while True:
            started_at = time.monotonic()
            exit_code = await self._live()
            if self._stopping.is_set():
                return
            if exit_code == EXIT_USAGE:
                self.refusal = self._last_line or describe_exit(exit_code)
                on_refusal(self)
                return
            failures = count_failures(failures, time.monotonic() - started_at)
            delay_s = restart_delay_s(failures)
            self._say(
                f"{self.program.name} {describe_exit(exit_code)}: started again in {delay_s:g} s."
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)
                return

    async def _live(self) -> int:
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *self.program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self.program.environment},
                limit=_LINE_BYTES_MAX,
                **_own_group(),
            )
        except OSError as error:
            self._last_line = (
                f"{self.program.command[0]} cannot be started ({error.strerror})."
                " Is the installation complete?"
            )
            return EXIT_USAGE
        if self._stopping.is_set():  # asked while it was being started
            self._signal(signal.SIGTERM)
        await self._pass_on(process)
        return await process.wait()

    async def _pass_on(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                continue  # longer than the limit: dropped, the next line is read
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                self._last_line = text
                self._say(f"{self.program.name:<8} | {text}")


def _own_group() -> dict[str, Any]:
    """Return options that keep Ctrl-C from the child: it is stopped by us, in order."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    if _LIBC:
        return {"process_group": 0, "preexec_fn": _end_with_parent}
    return {"process_group": 0}


def _end_with_parent() -> None:
    """Ask the kernel for a SIGTERM when our parent is gone, even by SIGKILL (Linux only)."""
    if _LIBC:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

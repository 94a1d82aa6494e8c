"""Child processes: started, listened to, and ended by the id they were started with."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.support.waiting import eventually_sync

PYTHON = sys.executable
YIELDLINE = str(Path(sys.executable).with_name("yieldline"))


class Process:
    """One child in its own process group; its output (stdout and stderr) is collected.

    Args:
        command: Program and arguments.
        environment: Variables on top of ours; a value of None takes one away.
        directory: Where it runs.
        user: System user to run as, where we may choose.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str | None] | None = None,
        directory: Path | None = None,
        user: str | int | None = None,
    ) -> None:
        variables = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        self.command = [str(part) for part in command]
        self._lines: list[str] = []
        self._child = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in variables.items() if value is not None},
            cwd=directory,
            user=user,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _collect(self) -> None:
        assert self._child.stdout
        with self._child.stdout as stream:
            self._lines.extend(stream)

    @property
    def pid(self) -> int:
        """The process id, which is its process group too."""
        return self._child.pid

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return "".join(self._lines)

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number where one ended it."""
        return self._child.poll()

    def wait(self, timeout_s: float = 10) -> int:
        """Return the exit code once it has ended and all of its output is here."""
        try:
            code = self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.command} still runs after {timeout_s} s:\n{self.output}"
            ) from None
        self._reader.join(timeout_s)
        return code

    def wait_for(self, text: str, timeout_s: float = 10) -> None:
        """Wait until it has printed `text`."""

        def printed() -> bool:
            assert text in self.output or self.exit_code is None, f"ended ({self.exit_code})"
            return text in self.output

        eventually_sync(printed, timeout_s, saw=lambda: f"{self.command} said:\n{self.output}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it alone."""
        self._child.send_signal(number)

    def interrupt(self) -> None:
        """Send SIGINT to its whole group, as Ctrl-C in a terminal does."""
        os.killpg(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """End it at once (SIGKILL), without its children, and collect it."""
        self._child.kill()
        self.wait()

    def pause(self) -> None:
        """Freeze it (SIGSTOP)."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self.send(signal.SIGCONT)

    def stop(self, timeout_s: float = 10) -> int:
        """Ask it to end (SIGTERM), end its group if it does not, and return its exit code."""
        if self.exit_code is None:
            self._child.terminate()
            self.resume()
        try:
            return self.wait(timeout_s)
        except AssertionError:
            os.killpg(self.pid, signal.SIGKILL)
            return self.wait(timeout_s)

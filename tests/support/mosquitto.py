"""A real Mosquitto on a free loopback port."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.ports import free_port, listens
from tests.support.processes import Process
from tests.support.waiting import eventually_sync

_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
EXECUTABLE = shutil.which("mosquitto", path=_PLACES)

_BASE = """\
persistence {persistence}
persistence_location {directory}/
set_tcp_nodelay true
max_queued_messages 1000000
max_inflight_messages 1000
max_packet_size 1310720
sys_interval 1
log_dest stderr
"""


class Mosquitto:
    """One broker, started at once, on `port` until `close`.

    Args:
        directory: For its configuration and its persistence.
        persistence: Sessions and queues survive `stop` and `restart` (never `kill`).
        users: Names and passwords; None lets anyone in.
        acl: The text of an ACL file.
        extra: More lines of configuration, such as `max_queued_messages 5`; they win.
        port: Another one than a free one.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        directory: Path,
        *,
        persistence: bool = False,
        users: Mapping[str, str] | None = None,
        acl: str | None = None,
        extra: Sequence[str] = (),
        port: int | None = None,
    ) -> None:
        assert EXECUTABLE, "Mosquitto is not installed"
        self.port = port or free_port()
        self._conf = directory / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", f"allow_anonymous {str(not users).lower()}"]
        if os.name == "posix" and os.getuid() == 0:
            lines.append("user root")  # it would become another user and lose the directory
        if users:
            lines.append(f"password_file {write_passwords(directory / 'passwd', users)}")
        if acl is not None:
            (directory / "acl").write_text(acl, "utf-8")
            (directory / "acl").chmod(0o600)
            lines.append(f"acl_file {directory / 'acl'}")
        base = _BASE.format(persistence=str(persistence).lower(), directory=directory)
        kept = [line for line in base.splitlines() if line.split()[0] not in _names(extra)]
        self._conf.write_text("\n".join([*lines, *kept, *extra]) + "\n", "utf-8")
        self._process: Process | None = None
        self.start()

    def start(self) -> None:
        """Start it, unless it runs, and wait until it listens."""
        if self.is_running:
            return
        assert EXECUTABLE
        self._process = process = Process([EXECUTABLE, "-c", self._conf])

        def ready() -> bool:
            assert process.exit_code is None, "it ended"
            return listens(self.port)

        eventually_sync(ready, saw=lambda: process.output)

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.exit_code is None

    @property
    def process(self) -> Process:
        """The process, to pause and resume it."""
        assert self._process
        return self._process

    @property
    def log(self) -> str:
        """What it has said since its last start."""
        return self.process.output

    def kill(self) -> None:
        """End it as a power cut would: nothing is written."""
        self.process.kill()

    def stop(self) -> None:
        """End it in good order: with persistence, sessions and queues are written."""
        if self._process:
            self._process.stop()

    def reload(self) -> None:
        """Let it read passwords and ACL again (SIGHUP)."""
        self.process.send(signal.SIGHUP)

    def restart(self) -> None:
        """Stop it in good order, if it runs, and start it on the same port."""
        self.stop()
        self.start()


def write_passwords(file: Path, users: Mapping[str, str]) -> Path:
    """Write a Mosquitto password file with hashed passwords; returns `file`."""
    file.write_text("".join(f"{name}:{word}\n" for name, word in users.items()), "utf-8")
    file.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", file], check=True, capture_output=True)
    return file


def _names(lines: Sequence[str]) -> set[str]:
    return {line.split()[0] for line in lines if line.strip()}

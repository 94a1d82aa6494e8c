"""A sign of life beside the spool, for `agent status`: what the running agent alone knows.

Rewritten with every heartbeat and removed at a clean stop, so a person who asks disturbs nothing:
neither the agent's lock nor its spool is touched.
"""

import contextlib
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

_MISSED_BEATS_MAX: Final = 3


class MachinePresence(BaseModel):
    """One machine's connection, as the agent sees it."""

    model_config = ConfigDict(frozen=True)

    is_connected: bool
    in_flight_count: int
    """Messages under way without an answer."""
    last_error: str | None = None
    troubles: tuple[str, ...] = ()
    """What is wrong with its files."""


class Presence(BaseModel):
    """A running agent's word on itself. Times are seconds since 1970, of this machine's clock."""

    model_config = ConfigDict(frozen=True)

    pid: int
    version: str
    started_at: float
    at: float
    heartbeat_s: float
    machines: Mapping[str, MachinePresence]

    def is_alive(self, now: float) -> bool:
        """Tell whether its process is there and has spoken within three heartbeats."""
        is_fresh = now - self.at <= _MISSED_BEATS_MAX * self.heartbeat_s
        return is_fresh and _exists(self.pid)

    @classmethod
    def read(cls, spool_file: Path) -> Self | None:
        """Return what the agent of a spool has said last; None when it said goodbye."""
        try:
            return cls.model_validate_json(presence_file(spool_file).read_bytes())
        except (OSError, ValidationError):
            return None

    @classmethod
    def of_this_process(
        cls,
        started_at: float,
        heartbeat_s: float,
        version: str,
        machines: Mapping[str, MachinePresence],
    ) -> Self:
        """Return what this process has to say now."""
        return cls(
            pid=os.getpid(),
            version=version,
            started_at=started_at,
            at=time.time(),
            heartbeat_s=heartbeat_s,
            machines=machines,
        )

    def write(self, spool_file: Path) -> None:
        """Say it. A full disk, or a reader on Windows, only makes it late."""
        file = presence_file(spool_file)
        new = file.with_name(f"{file.name}.new")
        with contextlib.suppress(OSError):
            new.write_text(self.model_dump_json(), "utf-8")
            new.replace(file)


def presence_file(spool_file: Path) -> Path:
    """Return where the agent of a spool leaves its sign of life."""
    return spool_file.with_name(f"{spool_file.name}.alive")


def say_goodbye(spool_file: Path) -> None:
    """Remove the sign of life: the agent has stopped."""
    with contextlib.suppress(OSError):
        presence_file(spool_file).unlink()


def _exists(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # os.kill would end it there; its heartbeat has to do
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True

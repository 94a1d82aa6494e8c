"""Less than a core for a process, by the kernel's bandwidth control: room where there is none."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.support.processes import Process

_GROUPS: Final = Path("/sys/fs/cgroup")
_PERIOD_US: Final = 10_000  # a tenth of the usual: no process stands still for longer than that


@contextlib.contextmanager
def limited(processes: Sequence[Process], cores: float) -> Iterator[bool]:
    """Give each of the processes, with all its threads, no more than so much of a core.

    False where this system lets nobody do that: it takes Linux, and root.
    Source: the kernel's documentation, "CFS Bandwidth Control" and "Control Group v2".
    """
    with contextlib.ExitStack() as stack:
        try:
            for process in processes:
                stack.enter_context(_group(process.pid, round(cores * _PERIOD_US)))
        except OSError:
            stack.close()
            yield False
            return
        yield True


@contextlib.contextmanager
def _group(pid: int, quota_us: int) -> Iterator[None]:
    """Keep a process in a group of its own."""
    has_controllers = (_GROUPS / "cgroup.controllers").exists()  # version 2 has one tree for all
    parent = _GROUPS if has_controllers else _GROUPS / "cpu"
    folder = parent / f"yieldline-bench-{os.getpid()}-{pid}"
    folder.mkdir()
    try:
        if has_controllers:
            (folder / "cpu.max").write_text(f"{quota_us} {_PERIOD_US}", "ascii")
        else:
            (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_US), "ascii")
            (folder / "cpu.cfs_quota_us").write_text(str(quota_us), "ascii")
        (folder / "cgroup.procs").write_text(str(pid), "ascii")
        yield
    finally:
        with contextlib.suppress(OSError):  # it has ended
            (parent / "cgroup.procs").write_text(str(pid), "ascii")
        folder.rmdir()

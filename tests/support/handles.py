"""How many files a process may open: as a shell gives it, and as it has it then."""

import contextlib
import sys
from collections.abc import Iterator

import psutil
import pytest

OF_A_SHELL = 256
needs_limits = pytest.mark.skipif(sys.platform != "linux", reason="limits are read on Linux only")


@contextlib.contextmanager
def few_handles() -> Iterator[int]:
    """Start children as a shell with `OF_A_SHELL` would; yield what they may raise that to."""
    ours = psutil.Process()
    soft, hard = ours.rlimit(psutil.RLIMIT_NOFILE)
    ours.rlimit(psutil.RLIMIT_NOFILE, (OF_A_SHELL, hard))
    try:
        yield 65_536 if hard == psutil.RLIM_INFINITY else min(hard, 65_536)
    finally:
        ours.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))


def handles_of(pid: int) -> int:
    """Return how many files a process may open."""
    return int(psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE)[0])

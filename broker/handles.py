"""Open files and sockets: as many as the system lets us have, not as few as a shell does."""

import contextlib
import os
from typing import Final

_HANDLES_MAX: Final = 65_536


def raise_handle_limit() -> None:
    """Allow us, and the children we start, a connection for each machine or screen.

    Shells give 1,024 files. The limit becomes the one that the system sets for us, at most 65,536;
    a higher one, or none, stays. Windows has no such limit.
    """
    if os.name != "posix":
        return
    import resource  # noqa: PLC0415 - POSIX alone has it

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _HANDLES_MAX if hard == resource.RLIM_INFINITY else min(hard, _HANDLES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS says no limit and has one: then less
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

"""A lock that ends with the process that holds it, on every system."""

import os
import sys
from pathlib import Path


class FileLock:
    """Held from the start until `release`, or until the process ends, however it ends.

    Raises:
        OSError: Another process holds it, or the file cannot be made.
    """

    def __init__(self, file: Path) -> None:
        self._handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(self._handle)
        except OSError:
            os.close(self._handle)
            raise

    def release(self) -> None:
        """Let another process have it. The file stays: removing it would let two hold one."""
        os.close(self._handle)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

"""Memory that threads have freed: few places where it can stay."""

import contextlib
import ctypes
import sys
from typing import Final

_ARENA_MAX: Final = -8  # M_ARENA_MAX of <malloc.h>
_ARENAS: Final = 2


def share_arenas() -> None:
    """Let all threads of this process take their memory from two of malloc's arenas.

    Of itself glibc gives each thread one, up to eight a core, and what the largest query of a
    thread took stays in its own: each thread in turn makes the process larger. To be called before
    there are threads. Other C libraries have no arenas.

    Source: mallopt(3), M_ARENA_MAX.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # musl knows no mallopt
            ctypes.CDLL(None).mallopt(_ARENA_MAX, _ARENAS)

"""Memory of the web process: what is freed goes back, and garbage is sought seldom."""

import contextlib
import ctypes
import gc
import sys
from typing import Final

_ARENA_MAX: Final = -8  # the names of <malloc.h> with M_ before them
_MMAP_THRESHOLD: Final = -3
_TRIM_THRESHOLD: Final = -1
_ARENAS: Final = 2
_LARGE_BYTES: Final = 524_288
_FREE_AT_END_BYTES: Final = 4_194_304


def give_memory_back() -> None:
    """Let all threads of this process share two of malloc's arenas, and large blocks go when freed.

    Of itself glibc gives each thread an arena, up to eight a core, and what the largest query of a
    thread took stays in its own: each thread in turn makes the process larger. And with the first
    large block that is freed it begins to keep such ones (up to 32 MiB) for later, in between what
    stays: the tables of 200,000 units, which are made anew now and then, left 70 MiB of holes. To
    be called before there are threads. Other C libraries have no such settings.

    Source: mallopt(3), M_ARENA_MAX and M_MMAP_THRESHOLD.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # musl knows no mallopt
            library = ctypes.CDLL(None)
            library.mallopt(_ARENA_MAX, _ARENAS)
            library.mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
            library.mallopt(_TRIM_THRESHOLD, _FREE_AT_END_BYTES)


def seek_garbage_seldom() -> None:
    """Let the collector look seldom, and never at what is there now. To be called after imports.

    A floor makes no cycles, yet while a shift fills, of itself the collector walks through all of
    its units every 50,000 results: 0.4 s in which no page gets a frame, and a fifth of what a
    result takes. Pages that were closed are cycles: as many of them wait for it as before, since
    it always waited for a quarter of what lasts.
    """
    gc.freeze()
    gc.set_threshold(5_000, 10, 5)

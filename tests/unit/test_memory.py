"""Memory that is freed."""

import ctypes
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import PYTHON

COUNT = """
import ctypes, sys, threading
from ui.memory import give_memory_back

if sys.argv[1] == "shared":
    give_memory_back()
together = threading.Barrier(6)

def take() -> None:
    together.wait()  # so that none has ended, and left its arena to the next
    kept = [bytes(50_000) for _ in range(20)]
    together.wait()

threads = [threading.Thread(target=take) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
library = ctypes.CDLL(None)
library.fopen.restype = ctypes.c_void_p
out = library.fopen(sys.argv[2].encode(), b"w")
library.malloc_info(0, ctypes.c_void_p(out))
library.fclose(ctypes.c_void_p(out))
"""


def arenas(way: str, file: Path) -> int:
    subprocess.run([PYTHON, "-c", COUNT, way, file], check=True, timeout=30)
    return file.read_text("ascii").count("<heap nr=")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="glibc alone has arenas")
def test_threads_share_two_arenas_instead_of_having_one_each(tmp_path: Path) -> None:
    assert arenas("own", tmp_path / "own.xml") > 2
    assert arenas("shared", tmp_path / "shared.xml") == 2


HOLES = """
import sys
from ui.memory import give_memory_back

if sys.argv[1] == "back":
    give_memory_back()
bytearray(24_000_000)  # freed at once: from now on glibc keeps blocks up to this size
kept, large = [], []
for _ in range(16):
    large.append(bytearray(b"x") * 3_000_000)
    kept.append(bytearray(b"x") * 100_000)  # behind each, so that it cannot go from the end
del large
with open("/proc/self/statm") as file:
    print(int(file.read().split()[1]) * 4096)
"""


def resident_bytes(way: str) -> int:
    done = subprocess.run([PYTHON, "-c", HOLES, way], check=True, timeout=30, capture_output=True)
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="glibc alone keeps them")
def test_a_large_block_that_is_freed_leaves_no_hole() -> None:
    assert resident_bytes("kept") - resident_bytes("back") > 40_000_000

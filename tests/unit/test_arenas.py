"""Memory that threads have freed."""

import ctypes
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import PYTHON

COUNT = """
import ctypes, sys, threading
from ui.arenas import share_arenas

if sys.argv[1] == "shared":
    share_arenas()
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

"""A log in a folder of its own, and what rotation does to it."""

import gzip
import os
import shutil
from pathlib import Path

from edge_agent.reader import Reader
from tests.support.agent_floor import Floor
from tests.support.edge import line

SINGLE, GLOB = "a.log", "a.log*"


def watching(floor: Floor, pattern: str = SINGLE, settle_s: float = 1) -> Reader:
    return floor.reader(path=str(floor.log.with_name(pattern)), settle_s=settle_s)


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def lines(*numbers: int) -> bytes:
    return b"".join(line(number) for number in numbers)


def names(*numbers: int) -> list[str]:
    return [f"S{number}" for number in numbers]


def rotated(floor: Floor, name: str = "a.log.1") -> Path:
    return floor.log.with_name(name)


def compress(path: Path, target: Path) -> None:
    """Write, then remove, and keep the time, as gzip does."""
    found = path.stat()
    with path.open("rb") as plain, gzip.open(target, "wb") as zipped:
        shutil.copyfileobj(plain, zipped)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
    path.unlink()


def read_once_each(floor: Floor, *numbers: int) -> bool:
    """Tell whether these were read, each once; in whatever order."""
    return sorted(floor.barcodes()) == sorted(names(*numbers)) and floor.spool.books(
        "M1"
    ).read == len(numbers)

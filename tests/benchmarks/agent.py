"""P7: how fast the agent takes in a long log, and in how much memory."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.benchmarks.figures import Figure, Yardstick
from tests.benchmarks.parts import helper, temporary_folder
from tests.benchmarks.spool_log import Spent
from tests.support.logs.i3070 import board_log

NOTES = (
    (
        "**P7**: one i3070 log of 100 MB, boards of 200 tests, through the agent's reader and spool"
        " in a process of its own, until all is read and on the disk. The yardstick is a process"
        " that reads the same bytes, hashes them and inserts them into SQLite, and parses nothing."
        " By processor time: what the same rounds would be with a core to themselves."
    ),
    (
        "**P7, memory**: the most that the process ever had in memory; the backlog is the log ten"
        " times over, read once. The yardstick is a process that imports what an agent imports, and"
        " ends."
    ),
)
_LOG_BYTES: Final = 100_000_000
_BACKLOG_LOGS: Final = 10
_TESTS_PER_BOARD: Final = 200
_TIMEOUT_S: Final = 1_800


def agent(rounds: int) -> Iterator[Figure]:
    """Measure P7."""
    with temporary_folder() as folder:
        log = folder / "long.log"
        size = _write_log(log)
        alone = _measure("imports", log)
        agents, bares = [], []
        for _ in range(rounds + 1):
            agents.append(_measure("agent", log))
            bares.append(_measure("bare", log))
        yield from _figures(size / 1e6, agents[1:], bares[1:], alone)
        yield Figure(
            "P7",
            "memory of the agent, 1 GB of backlog",
            "SQLite",
            "MiB",
            [_backlog(log).peak_mib],
            Yardstick("imports alone", [alone.peak_mib]),
            floor=80,
            goal=40,
        )


def _figures(
    size_mb: float, agents: list[Spent], bares: list[Spent], alone: Spent
) -> Iterator[Figure]:
    yield Figure(
        "P7",
        "agent: a 100 MB log parsed and spooled",
        "SQLite",
        "MB/s",
        [size_mb / each.wall_s for each in agents],
        Yardstick("read, hash, insert", [size_mb / each.wall_s for each in bares]),
        floor=10,
        goal=40,
        is_rate=True,
    )
    yield Figure(
        "P7",
        "agent: the same by processor time",
        "SQLite",
        "MB/s",
        [size_mb / each.cpu_s for each in agents],
        Yardstick("read, hash, insert", [size_mb / each.cpu_s for each in bares]),
    )
    yield Figure(
        "P7",
        "memory of the agent, 100 MB log",
        "SQLite",
        "MiB",
        [each.peak_mib for each in agents],
        Yardstick("imports alone", [alone.peak_mib]),
        floor=80,
        goal=40,
    )


def _write_log(log: Path) -> int:
    written = 0
    boards = board_log(_LOG_BYTES // _TESTS_PER_BOARD, _TESTS_PER_BOARD)  # more than are needed
    with log.open("wb") as file:
        while written < _LOG_BYTES:
            written += file.write(next(boards))
    return written


def _backlog(log: Path) -> Spent:
    backlog = log.with_name("backlog.log")
    with backlog.open("wb") as file:
        for _ in range(_BACKLOG_LOGS):
            with log.open("rb") as part:
                shutil.copyfileobj(part, file)
    return _measure("agent", backlog)


def _measure(kind: str, log: Path) -> Spent:
    """Run the process, and leave nothing but the log."""
    with helper("spool_log", kind, log) as process:
        assert process.wait(_TIMEOUT_S) == 0, process.output
    for each in log.parent.iterdir():
        if each.suffix != log.suffix:
            each.unlink()
    return Spent(**json.loads(process.output))

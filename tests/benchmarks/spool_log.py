"""The processes of P7: the agent's reader and spool on a log, and what stands beside them.

`python -m tests.benchmarks.spool_log KIND LOG` reads LOG and leaves a spool beside it. KIND `agent`
parses it, `bare` only reads, hashes and inserts, `imports` does nothing but start. Prints the
`Spent` as JSON.
"""

import json
import re
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Mapping
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from edge_agent.config import AgentSettings, Config, SourceSettings
from edge_agent.intake import BATCH_RECORDS_MAX
from edge_agent.reader import Reader
from edge_agent.run import configure_logs  # all that an agent imports is in memory, too
from edge_agent.spool import Spool

_SPOOL_BYTES_MAX: Final = 2**34
_RECORD_BYTES: Final = 18_000
"""As long as a board of `tests.benchmarks.agent`."""


class Spent(NamedTuple):
    """What it took."""

    wall_s: float
    cpu_s: float
    """Of this process, user and system."""
    peak_mib: float
    """The most resident memory it ever had."""


def parse_and_spool(log: Path) -> None:
    """Do what an agent does that finds a long log: every board parsed and on the disk."""
    spool_file = log.with_suffix(".spool")
    config = Config(
        agent=AgentSettings(spool_file=spool_file, spool_bytes_max=_SPOOL_BYTES_MAX),
        source=(SourceSettings(machine_id="ICT-1", line="line-1", format="i3070", path=str(log)),),
    )
    configure_logs(config.log)
    spool = Spool(spool_file, _SPOOL_BYTES_MAX)
    reader = Reader(config, spool, threading.Event())
    while reader.read_all():
        pass
    assert not reader.lag_bytes()
    assert spool.books().refused == 0
    spool.close()


def read_hash_insert(log: Path) -> None:
    """Put the bytes of a log into SQLite, as durably as the spool does, and parse nothing."""
    db = sqlite3.connect(log.with_suffix(".bare"), isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, hash TEXT, payload BLOB)")
    with log.open("rb") as file:
        pieces = iter(lambda: file.read(_RECORD_BYTES), b"")
        hashed = ((blake2b(each).hexdigest(), each) for each in pieces)
        while rows := list(islice(hashed, BATCH_RECORDS_MAX)):
            db.execute("BEGIN")
            db.executemany("INSERT INTO messages (hash, payload) VALUES (?, ?)", rows)
            db.execute("COMMIT")
    db.close()


_KINDS: Final[Mapping[str, Callable[[Path], object]]] = {
    "agent": parse_and_spool,
    "bare": read_hash_insert,
    "imports": lambda _: None,
}


def main(kind: str, log: Path) -> None:
    """Do it and print what it took."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    _KINDS[kind](log)
    spent = Spent(time.perf_counter() - wall_s, time.process_time() - cpu_s, _peak_mib())
    sys.stdout.write(json.dumps(spent._asdict()))


def _peak_mib() -> float:
    """Return Linux's high-water mark; `getrusage` would count the parent that forked us."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    assert found, "only Linux says it"
    return int(found[1]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

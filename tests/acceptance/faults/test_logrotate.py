"""Row 21 of the fault matrix: the real logrotate, under a writer that knows nothing of it.

The judge is what the writer wrote, against the rows, read with plain SQL.
"""

import os
import random
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.support.edge import line
from tests.support.keeper import query
from tests.support.mosquitto import Mosquitto
from tests.support.processes import PYTHON, Process
from tests.support.services import Service
from tests.support.waiting import eventually_sync

_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
LOGROTATE = shutil.which("logrotate", path=_PLACES)
WAYS: Final = {
    "renamed": "create",
    "gone": "nocreate",
    "later": "create\n  compress\n  delaycompress",
    "zipped": "create\n  compress",
    "copied": "copytruncate",
    "dated": "create\n  dateext\n  dateformat -%s",
}
WAITS: Final = {"zipped", "copied"}
"""There docs/promises.md asks that nobody writes meanwhile."""
_TURNS: Final = 4
_PAUSE_S: Final = 0.01
_LINES: Final = 110
"""Between two rotations: more than a second's worth, or two would get the same date."""
_BARCODES = (
    "SELECT n.text, u.barcode FROM run r JOIN unit u ON u.id = r.unit_id"
    " JOIN name n ON n.id = r.machine"
)


class Writer:
    """Writes numbered lines through a file that it holds open, from a thread of its own."""

    def __init__(self, folder: Path, way: str) -> None:
        self.way, self.count = way, 0
        self._path = folder / f"{way}.log"
        self._lock = threading.Lock()
        self._log = self._path.open("ab", buffering=0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=way, daemon=True)
        self._thread.start()

    def rotate(self, configuration: Path) -> None:
        """Run logrotate; in mid-writing, unless the way forbids it. Then open the log anew."""
        if self.way in WAITS:
            with self._lock:
                logrotate(configuration)
                self._open_anew()
        else:
            logrotate(configuration)
            with self._lock:
                self._open_anew()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)
        self._log.close()

    def _open_anew(self) -> None:
        self._log.close()
        self._log = self._path.open("ab", buffering=0)

    def _run(self) -> None:
        while not self._stop.wait(_PAUSE_S):
            with self._lock:
                self._log.write(line(self.count))
                self.count += 1


def logrotate(configuration: Path) -> None:
    assert LOGROTATE
    state = configuration.with_suffix(".state")
    subprocess.run([LOGROTATE, "--force", "--state", state, configuration], check=True)


def configure(folder: Path, way: str) -> Path:
    """Write what logrotate is to do with one log."""
    file = folder / f"{way}.conf"
    file.write_text(f"{folder}/{way}.log {{\n  rotate 9\n  {WAYS[way]}\n}}\n", "utf-8")
    file.chmod(0o600)
    return file


def agent_settings(folder: Path, port: int) -> Path:
    file = folder / "agent.toml"
    head = f"[agent]\npoll_s = 0.05\n[broker]\nport = {port}\nretry_delay_max_s = 0.3\n"
    sources = (
        f'[[source]]\nmachine_id = "{way}"\nline = "L1"\nformat = "jsonl"\n'
        f'path = "{way}.log*"\nsettle_s = 1\n'
        for way in WAYS
    )
    file.write_text(head + "".join(sources), "utf-8")
    return file


@pytest.mark.slow
@pytest.mark.skipif(LOGROTATE is None, reason="logrotate is not installed")
def test_logs_that_logrotate_rotates_while_agents_die_are_stored_line_for_line(
    tmp_path: Path,
    mosquitto_factory: Callable[..., Mosquitto],
    start_service: Callable[..., Service],
    sqlite_url: str,
) -> None:
    broker, dice = mosquitto_factory(), random.Random(7)
    start_service(broker.port, sqlite_url).wait_until("connected")
    words = [PYTHON, "-m", "edge_agent", "run", "--config", agent_settings(tmp_path, broker.port)]
    configurations = {way: configure(tmp_path, way) for way in WAYS}
    writers = [Writer(tmp_path, way) for way in WAYS]
    agent = Process(words)
    try:
        for _ in range(_TURNS):
            seen = [each.count for each in writers]
            eventually_sync(
                lambda seen=seen: all(
                    each.count > count + _LINES for each, count in zip(writers, seen, strict=True)
                )
            )
            for each in writers:
                each.rotate(configurations[each.way])
                if dice.random() < 0.2:
                    agent.kill()
                    agent = Process(words)
        for each in writers:
            each.stop()
        wanted = {(each.way, f"S{number}"): 1 for each in writers for number in range(each.count)}

        def all_once() -> bool:
            found = Counter(query(sqlite_url, _BARCODES))
            assert found == wanted, Counter(way for way, _ in wanted.keys() - found.keys())
            return True

        eventually_sync(all_once, 60, saw=lambda: agent.output[-3000:])
    finally:
        agent.stop()
    names = sorted(each.name for each in tmp_path.glob("zipped.log*"))
    assert names == ["zipped.log", *(f"zipped.log.{each + 1}.gz" for each in range(_TURNS))]

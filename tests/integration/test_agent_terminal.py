"""What a person sees on a terminal: a bar while there is much to read."""

import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.support.edge import SAMPLE, Agent, line
from tests.support.processes import PYTHON
from tests.support.waiting import eventually_sync

ROOT = Path(__file__).parents[2]


class Terminal:
    """A pseudo terminal as a program's stderr; collects what is shown."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        self.shown = b""
        self._thread = Thread(target=self._collect, daemon=True)
        self._thread.start()

    def _collect(self) -> None:
        try:
            while some := os.read(self._ours, 65_536):
                self.shown += some
        except OSError:  # the last program on it has ended
            pass

    def close(self) -> None:
        os.close(self.theirs)
        self._thread.join(10)
        os.close(self._ours)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def command(*words: object) -> list[str]:
    return [PYTHON, "-m", "edge_agent", *map(str, words)]


def test_parse_shows_a_bar_for_a_big_file(tmp_path: Path, terminal: Terminal) -> None:
    log, out = tmp_path / "big.csv", tmp_path / "out.jsonl"
    log.write_bytes(SAMPLE.read_bytes() * 7)
    with out.open("wb") as runs:
        words = command("parse", "--format", "spea", log)
        done = subprocess.run(words, stdout=runs, stderr=terminal.theirs, cwd=ROOT, timeout=60)  # noqa: PLW1510
    assert done.returncode == 0
    size = log.stat().st_size
    eventually_sync(lambda: f"explained {size} of {size} bytes, 70 runs".encode() in terminal.shown)
    assert b"MB/s" in terminal.shown
    assert len(out.read_bytes().splitlines()) == 70


def test_parse_shows_none_for_a_small_one(terminal: Terminal) -> None:
    words = command("parse", "--format", "spea", SAMPLE)
    subprocess.run(
        words, stdout=subprocess.DEVNULL, stderr=terminal.theirs, cwd=ROOT, timeout=60, check=True
    )
    eventually_sync(lambda: b"explained" in terminal.shown)
    assert b"MB/s" not in terminal.shown


def test_run_shows_a_bar_while_it_catches_up(agent: Agent, terminal: Terminal) -> None:
    agent.configure(port=1)
    block = b"".join(line(number, note="x" * 900) for number in range(10_000))
    agent.log.write_bytes(block * 3)
    words = command("run", "--config", agent.config)
    process = subprocess.Popen(words, stderr=terminal.theirs, cwd=ROOT)
    try:
        eventually_sync(lambda: b"MB/s" in terminal.shown, saw=lambda: terminal.shown[-300:])
        eventually_sync(lambda: b"0 stored, " in terminal.shown)
    finally:
        process.terminate()
        process.wait(10)

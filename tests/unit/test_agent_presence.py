"""The sign of life beside the spool."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_agent.presence import MachinePresence, Presence, presence_file, say_goodbye


def presence(at: float, pid: int | None = None) -> Presence:
    machines = {"M1": MachinePresence(is_connected=True, in_flight_count=3)}
    made = Presence.of_this_process(at, 10, "1.2", machines)
    return made.model_copy(update={"at": at, "pid": pid or os.getpid()})


def test_what_is_written_is_read_until_the_goodbye(tmp_path: Path) -> None:
    spool_file, said = tmp_path / "spool.db", presence(1_000)
    said.write(spool_file)
    assert Presence.read(spool_file) == said
    assert [each.name for each in tmp_path.iterdir()] == ["spool.db.alive"]
    say_goodbye(spool_file)
    assert Presence.read(spool_file) is None
    say_goodbye(spool_file)  # twice is no trouble


def test_after_three_missed_heartbeats_it_is_not_alive() -> None:
    assert presence(1_000).is_alive(1_030)
    assert not presence(1_000).is_alive(1_031)


@pytest.mark.skipif(sys.platform == "win32", reason="there only the heartbeat tells")
def test_a_process_that_is_gone_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert not presence(time.time(), child.pid).is_alive(time.time())


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"pid": "x"}'])
def test_half_a_word_is_none(tmp_path: Path, content: bytes) -> None:
    presence_file(tmp_path / "spool.db").write_bytes(content)
    assert Presence.read(tmp_path / "spool.db") is None


def test_a_folder_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    presence(1).write(tmp_path / "none" / "spool.db")
    assert list(tmp_path.iterdir()) == []

"""Logs that are renamed: every line once, whatever happens, and the agent as a process.

The operations are those of logrotate (`rename`, `delaycompress`) and of testers that keep their own
archive. Other files: test_agent_compressed.py, test_agent_replaced.py.
"""

import gzip
import json
import os
import shutil
from pathlib import Path

import pytest

from edge_agent.spool_view import SpoolView
from tests.support.agent_floor import Floor
from tests.support.edge import Agent, TinyService, line
from tests.support.rotated_logs import (
    GLOB,
    SINGLE,
    append,
    compress,
    lines,
    names,
    read_once_each,
    rotated,
    watching,
)
from tests.support.waiting import eventually, eventually_sync

# -- renamed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [SINGLE, GLOB], ids=["outside", "inside the glob"])
@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
def test_a_renamed_log_is_read_to_its_end_also_what_came_after_our_last_look(
    floor: Floor, pattern: str, *, restarts: bool
) -> None:
    floor.log.write_bytes(lines(1, 2))
    first = watching(floor, pattern)
    first.read_all()
    append(floor.log, lines(3))
    floor.log.rename(rotated(floor))
    append(rotated(floor), lines(4))
    floor.log.write_bytes(lines(5))
    if restarts:
        floor.again()
    again = watching(floor, pattern) if restarts else first
    again.read_all()
    assert read_once_each(floor, 1, 2, 3, 4, 5)
    append(rotated(floor), lines(6))  # its writer has not noticed yet
    append(floor.log, lines(7))
    again.read_all()
    assert read_once_each(floor, *range(1, 8))


def test_a_link_to_itself_beside_a_renamed_log_keeps_nobody_from_finding_it(floor: Floor) -> None:
    rotated(floor, "loop").symlink_to("loop")
    floor.log.write_bytes(lines(1))
    own = watching(floor)
    own.read_all()
    append(floor.log, lines(2))
    floor.log.rename(rotated(floor))
    own.read_all()
    assert floor.barcodes() == names(1, 2)


def test_a_log_that_is_renamed_twice_between_two_looks_is_followed(floor: Floor) -> None:
    floor.log.write_bytes(lines(1))
    followed = watching(floor)
    followed.read_all()
    append(floor.log, lines(2))
    floor.log.rename(rotated(floor))
    floor.log.write_bytes(lines(3))
    followed.read_all()
    append(rotated(floor), lines(4))
    rotated(floor).rename(rotated(floor, "a.log.2"))
    append(floor.log, lines(5))
    floor.log.rename(rotated(floor))
    floor.log.write_bytes(lines(6))
    followed.read_all()
    assert read_once_each(floor, *range(1, 7))


def test_a_log_that_was_renamed_and_nothing_made_in_its_place_is_read_on(floor: Floor) -> None:
    floor.log.write_bytes(lines(1))
    followed = watching(floor)
    followed.read_all()
    append(floor.log, lines(2))
    floor.log.rename(rotated(floor))
    followed.read_all()
    assert read_once_each(floor, 1, 2)


def test_a_first_record_that_was_half_when_its_log_was_renamed_is_read_when_complete(
    floor: Floor,
) -> None:
    floor.log.write_bytes(lines(1)[:-9])
    followed = watching(floor)
    followed.read_all()
    floor.log.rename(rotated(floor))
    followed.read_all()
    append(rotated(floor), lines(1)[-9:])
    followed.read_all()
    assert read_once_each(floor, 1)


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
def test_nor_is_it_forgotten_for_a_new_log_that_stands_there_at_the_next_look(
    floor: Floor, *, restarts: bool
) -> None:
    floor.log.write_bytes(lines(1)[:-9])
    followed = watching(floor)
    followed.read_all()
    append(floor.log, lines(1)[-9:] + lines(2))
    floor.log.rename(rotated(floor))
    floor.log.write_bytes(b"")
    if restarts:
        floor.again()
        followed = watching(floor)
    followed.read_all()
    assert read_once_each(floor, 1, 2)
    append(floor.log, lines(3))  # the log that was empty when it was looked at
    floor.log.rename(rotated(floor, "a.log.2"))
    floor.log.write_bytes(lines(4))
    followed.read_all()
    assert read_once_each(floor, 1, 2, 3, 4)


def test_nor_found_in_a_compressed_log_that_has_its_inode_by_now(floor: Floor) -> None:
    floor.log.write_bytes(lines(1, 2))
    followed = watching(floor)
    followed.read_all()
    floor.log.rename(rotated(floor))
    floor.log.write_bytes(lines(3)[:-9])
    followed.read_all()
    zipped = rotated(floor, "a.log.1.gz")
    floor.log.rename(zipped)  # ext4 gives an inode away at once
    zipped.write_bytes(gzip.compress(lines(1, 2)))
    os.utime(zipped, (1, 1))
    rotated(floor).unlink()
    for _ in range(3):
        followed.read_all()
    assert floor.spool.books("M1").spooled == 2


def test_a_half_record_of_a_renamed_log_is_refused_once_its_writer_went_on_in_the_new_one(
    floor: Floor,
) -> None:
    floor.log.write_bytes(lines(1) + b'{"half')
    followed = watching(floor)
    followed.read_all()
    floor.log.rename(rotated(floor))
    floor.log.write_bytes(b"")
    key = ("M1", str(rotated(floor)))

    def is_quiet() -> bool:
        followed.read_all()
        seen = followed._watch.seen.get(key)
        return seen is not None and seen.tried is not None and seen.tried.value == "quiet"

    eventually_sync(is_quiet)
    assert floor.refused() == []  # the new file is empty: its writer may be in the old one still
    append(floor.log, lines(2))

    def is_refused() -> bool:
        followed.read_all()
        return bool(floor.refused())

    eventually_sync(is_refused)
    assert floor.refused() == [(floor.refused()[0][0], b'{"half')]
    assert floor.spool.books("M1") == (3, 1, 2, 0)


def test_a_link_that_leads_to_another_file_every_day_is_followed(floor: Floor) -> None:
    monday, tuesday = rotated(floor, "monday"), rotated(floor, "tuesday")
    monday.write_bytes(lines(1))
    floor.log.symlink_to(monday)
    followed = watching(floor)
    followed.read_all()
    append(monday, lines(2))
    tuesday.write_bytes(lines(3))
    floor.log.unlink()
    floor.log.symlink_to(tuesday)
    followed.read_all()
    assert read_once_each(floor, 1, 2, 3)


# -- the agent as a process ------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["rename", "rename and compress", "copy and empty"])
async def test_rotated_again_and_again_and_killed_in_between_it_loses_and_doubles_nothing(
    agent: Agent, service: TinyService, way: str
) -> None:
    def arrived() -> set[str]:
        return {json.loads(payload)["barcode"] for payload in service.payloads}

    count = 0
    agent.start()
    for turn in range(8):
        append(agent.log, lines(*range(count, count + 40)))
        count += 40
        await eventually(lambda seen=f"S{count - 40}": seen in arrived())
        is_killed = turn % 3 == 2
        if is_killed:
            agent.processes[-1].kill()
        append(agent.log, line(count))
        count += 1
        rotate(agent.log, agent.folder / f"a.log.{turn}", way)
        if is_killed:
            agent.start()
    expected = set(names(*range(count)))
    await eventually(lambda: arrived() == expected, 30, saw=lambda: expected - arrived())
    await eventually(lambda: receipted(agent) == count, saw=lambda: receipted(agent))
    agent.processes[-1].stop()
    assert agent.books() == (count, 0, count, count)


def receipted(agent: Agent) -> int:
    """How many receipts a running agent has written down."""
    with SpoolView(agent.folder / "agent-spool.db") as view:
        return view.books()[agent.machine_id].receipted


def rotate(log: Path, target: Path, way: str) -> None:
    if way == "copy and empty":
        shutil.copy(log, target)
        os.truncate(log, 0)
        return
    log.rename(target)
    log.touch()
    if way == "rename and compress":
        os.utime(target, (1, 1))  # as if it was old: its .gz is complete at once
        compress(target, target.with_name(f"{target.name}.gz"))


async def test_a_damaged_spool_ends_the_agent_with_a_sentence(agent: Agent) -> None:
    (agent.folder / "agent-spool.db").write_bytes(b"SQLite format 3\0" + b"x" * 10_000)
    process = await agent.once()
    assert process.exit_code == 2
    assert "Move it away" in process.output
    assert "Traceback" not in process.output

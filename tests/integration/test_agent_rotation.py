"""Logs that are renamed, copied, emptied, compressed, deleted: every line once, whatever happens.

The operations are those of logrotate (`rename`, `copytruncate`, `compress`, `delaycompress`) and of
testers that keep their own archive.
"""

import gzip
import json
import os
import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent import lost, reader
from edge_agent.reader import Reader
from edge_agent.spool import Spool
from edge_agent.spool_view import SpoolView
from edge_agent.tail import signature
from tests.support.agent_floor import Floor, line
from tests.support.edge import Agent, TinyService
from tests.support.waiting import eventually, eventually_sync

SINGLE, GLOB = "a.log", "a.log*"


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    made = Floor(tmp_path)
    (tmp_path / "logs").mkdir()
    made.log = tmp_path / "logs/a.log"
    yield made
    made.spool.close()


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


# -- rename ----------------------------------------------------------------------------------------


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


# -- compressed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.log.1.gz", "a.log-20261123.gz", "a-20261123.log.gz"])
@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
def test_a_log_that_was_compressed_meanwhile_is_read_to_its_end(
    floor: Floor, name: str, *, restarts: bool
) -> None:
    floor.log.write_bytes(lines(1, 2))
    first = watching(floor)
    first.read_all()
    append(floor.log, lines(3) + b'{"half')
    compress(floor.log, rotated(floor, name))
    floor.log.write_bytes(lines(4))
    if restarts:
        floor.again()
    again = watching(floor) if restarts else first

    def is_done() -> bool:
        again.read_all()
        return sorted(floor.barcodes()) == names(1, 2, 3, 4)

    eventually_sync(is_done)
    assert [content for _, content in floor.refused()] == [b'{"half']
    assert floor.spool.books("M1") == (5, 1, 4, 0)
    again.read_all()
    floor.again()
    watching(floor).read_all()
    assert floor.spool.books("M1").read == 5


def test_an_agent_that_died_as_it_began_to_read_a_compressed_log_reads_it_after_all(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor.log.write_bytes(lines(1, 2))
    watching(floor).read_all()
    append(floor.log, lines(3))
    compress(floor.log, rotated(floor, "a.log.1.gz"))

    def dying(*_: object) -> int:
        raise RuntimeError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr(Spool, "commit", dying)
        with pytest.raises(RuntimeError):
            watching(floor).read_all(is_final=True)
    floor.again()
    watching(floor).read_all(is_final=True)
    assert read_once_each(floor, 1, 2, 3)


def test_a_renamed_log_that_is_compressed_later_is_not_read_again(floor: Floor) -> None:
    floor.log.write_bytes(lines(1, 2))
    followed = watching(floor, GLOB)
    followed.read_all()
    floor.log.rename(rotated(floor))
    floor.log.write_bytes(lines(3))
    followed.read_all()
    append(rotated(floor), lines(4))
    compress(rotated(floor), rotated(floor, "a.log.1.gz"))

    def is_done() -> bool:
        followed.read_all()
        return followed.lag_bytes() == 0

    eventually_sync(is_done)
    assert read_once_each(floor, 1, 2, 3, 4)


def test_compressed_files_that_match_are_complete_and_read_once(floor: Floor) -> None:
    for number in (1, 2):
        target = floor.log.with_name(f"{number}.log.gz")
        target.write_bytes(gzip.compress(lines(number) + line(number + 10).rstrip()))
    reader = watching(floor, "*.gz")

    def is_done() -> bool:
        reader.read_all()
        return read_once_each(floor, 1, 2, 11, 12)

    eventually_sync(is_done)
    reader.read_all(is_final=True)
    floor.again()
    os.utime(floor.log.with_name("1.log.gz"))
    watching(floor, "*.gz").read_all(is_final=True)
    assert read_once_each(floor, 1, 2, 11, 12)


def test_a_compressed_file_waits_until_it_is_complete(floor: Floor) -> None:
    whole = gzip.compress(b"".join(line(number, note=os.urandom(99).hex()) for number in range(99)))
    target = floor.log.with_name("a.log.gz")
    target.write_bytes(whole[: len(whole) // 2])
    reader = watching(floor, "*.gz")

    def is_said() -> bool:
        reader.read_all()
        return bool(reader.troubles())

    reader.read_all()
    assert floor.barcodes() == []
    eventually_sync(is_said)
    assert "no complete gzip file" in reader.troubles()[0]
    half = floor.barcodes()
    target.write_bytes(whole)

    def is_read() -> bool:
        reader.read_all()
        return len(floor.barcodes()) == 99

    eventually_sync(is_read)
    assert half == floor.barcodes()[: len(half)]
    assert reader.troubles() == []
    assert floor.spool.books("M1") == (99, 0, 99, 0)


def test_a_broken_compressed_file_is_opened_once_and_the_others_are_read(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = reader.open_log
    monkeypatch.setattr(reader, "open_log", lambda path: (opened.append(path), real(path))[1])
    floor.log.with_name("a.log.gz").write_bytes(b"this is no gzip file")
    floor.log.with_name("b.log.gz").write_bytes(gzip.compress(lines(1)))
    own = watching(floor, "*.gz")
    for _ in range(3):
        own.read_all(is_final=True)
    assert floor.barcodes() == names(1)
    assert len(opened) == 2
    assert "a.log.gz cannot be read" in own.troubles("M1")[0]


def test_a_compressed_log_is_read_in_little_memory(floor: Floor) -> None:
    with gzip.open(floor.log.with_name("a.log.gz"), "wb", compresslevel=1) as file:
        for number in range(100):
            file.write(line(number) + b"x" * 999_000 + b"\n")
    reader = watching(floor, "*.gz")
    tracemalloc.start()
    reader.read_all(is_final=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40_000_000
    assert floor.barcodes() == names(*range(100))
    assert floor.spool.books("M1").refused == 100


# -- copy and truncate -----------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [SINGLE, GLOB, "*a.log"], ids=["outside", "inside", "before"])
@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
def test_a_log_that_is_copied_and_emptied_is_read_once_with_what_only_the_copy_has(
    floor: Floor, pattern: str, *, restarts: bool
) -> None:
    copy = rotated(floor, "a.log.1" if pattern != "*a.log" else "1-a.log")
    floor.log.write_bytes(lines(1, 2))
    first = watching(floor, pattern)
    first.read_all()
    append(floor.log, lines(3))
    if pattern == "*a.log":  # named unlike the log, only the pattern can find it
        copy = rotated(floor, "0a.log")
    shutil.copy(floor.log, copy)
    os.truncate(floor.log, 0)
    append(floor.log, lines(4))
    if restarts:
        floor.again()
    again = watching(floor, pattern) if restarts else first
    again.read_all()
    assert read_once_each(floor, 1, 2, 3, 4)
    append(floor.log, lines(5))
    again.read_all()
    assert read_once_each(floor, 1, 2, 3, 4, 5)


def test_a_copy_that_is_seen_before_its_log_is_emptied_is_not_read_again(floor: Floor) -> None:
    floor.log.write_bytes(lines(1, 2))
    reader = watching(floor, GLOB)
    reader.read_all()
    shutil.copy(floor.log, rotated(floor))
    reader.read_all()
    assert read_once_each(floor, 1, 2)
    os.truncate(floor.log, 0)
    append(floor.log, lines(3))
    reader.read_all()
    assert read_once_each(floor, 1, 2, 3)


@pytest.mark.parametrize("size", [0, 1, 150])
def test_a_log_that_became_shorter_starts_at_its_start(floor: Floor, size: int) -> None:
    floor.log.write_bytes(lines(1, 2))
    reader = watching(floor)
    reader.read_all()
    os.truncate(floor.log, size)
    reader.read_all()
    floor.log.write_bytes(lines(3))
    reader.read_all()
    assert floor.barcodes()[-1] == "S3"
    assert floor.bodies()[-1]["sequence"]["epoch"] != floor.bodies()[0]["sequence"]["epoch"]


def test_a_log_emptied_and_refilled_beyond_our_place_while_it_is_read_loses_nothing(
    floor: Floor,
) -> None:
    floor.log.write_bytes(b"".join(line(number) for number in range(500)))
    reader = watching(floor, GLOB)
    keep: Callable[..., int] = reader._keep
    is_done = False

    def rotate_under_us(*args: object) -> int:
        nonlocal is_done
        if not is_done:
            is_done = True
            shutil.copy(floor.log, rotated(floor))
            floor.log.write_bytes(b"".join(line(number) for number in range(500, 1200)))
        return keep(*args)

    reader._keep = rotate_under_us  # type: ignore[method-assign]
    reader.read_all()
    reader.read_all()
    assert sorted(set(floor.barcodes())) == sorted(names(*range(1200)))


# -- deleted and made again ------------------------------------------------------------------------


def test_a_file_that_gets_a_deleted_ones_inode_starts_at_its_start(floor: Floor) -> None:
    floor.log.write_bytes(lines(1, 2))
    reader = watching(floor)
    reader.read_all()
    found = signature(floor.log)
    assert found
    floor.log.unlink()
    floor.log.write_bytes(lines(3, 4, 5))
    again = signature(floor.log)
    assert again
    if again.node != found.node:  # ext4 gives it again at once, others do not
        floor.spool._file._connection.execute("UPDATE files SET node = ?", (again.node,))
    reader.read_all()
    assert read_once_each(floor, 1, 2, 3, 4, 5)


def test_a_deleted_file_is_searched_for_a_while_and_then_not_any_more(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor.log.write_bytes(lines(1))
    own = watching(floor)
    own.read_all()
    floor.log.unlink()
    own.read_all()
    assert own._watch.lost
    monkeypatch.setattr(reader, "_PATIENCE", 0)
    own.read_all()
    assert not own._watch.lost
    floor.log.write_bytes(lines(1, 2))  # it came back, and is known
    own.read_all()
    assert read_once_each(floor, 1, 2)


def test_a_file_that_is_overwritten_in_its_place_is_read_however_alike_it_is(floor: Floor) -> None:
    def report(value: int) -> bytes:
        head, foot = line(0, note="h" * 2000), line(9, note="f" * 200)
        return head + line(value, measured_value=1) + foot

    floor.log.write_bytes(report(1))
    reader = watching(floor)
    reader.read_all()
    floor.log.write_bytes(report(2))
    os.utime(floor.log, (1, 1))
    reader.read_all()
    assert "S2" in floor.barcodes()


# -- two at once -----------------------------------------------------------------------------------


@pytest.mark.parametrize("note", ["", "x" * 2000], ids=["short", "longer than a head"])
def test_two_files_that_begin_alike_are_kept_apart(floor: Floor, note: str) -> None:
    other = rotated(floor, "b.log")
    for path in (floor.log, other):
        path.write_bytes(line(0, note=note))
    reader = watching(floor, "*.log")
    reader.read_all()
    for number in range(1, 20, 2):
        append(floor.log, lines(number))
        append(other, lines(number + 1))
        reader.read_all()
    assert sorted(set(floor.barcodes())) == sorted(names(*range(21)))
    assert floor.barcodes().count("S0") == 1  # the second is known by its content
    floor.again()
    again = watching(floor, "*.log")
    append(other, lines(21))
    again.read_all()
    assert floor.barcodes()[-1] == "S21"
    assert floor.spool.books("M1").read == 22


def test_two_reports_that_differ_only_in_a_number_are_both_read(floor: Floor) -> None:
    head, foot = line(0, note="h" * 2000), line(9, note="f" * 200)
    for number in (1, 2):
        rotated(floor, f"{number}.log").write_bytes(head + lines(number) + foot)
    watching(floor, "*.log").read_all()
    assert {"S1", "S2"} <= set(floor.barcodes())


def test_two_names_of_one_file_are_one_file(floor: Floor) -> None:
    floor.log.write_bytes(lines(1))
    os.link(floor.log, rotated(floor, "b.log"))
    reader = watching(floor, "*.log")
    for number in (2, 3):
        reader.read_all()
        append(floor.log, lines(number))
    reader.read_all()
    assert read_once_each(floor, 1, 2, 3)


def test_a_copy_under_another_name_is_known(floor: Floor) -> None:
    floor.log.write_bytes(lines(1, 2))
    reader = watching(floor, "*.log")
    reader.read_all()
    shutil.copy(floor.log, rotated(floor, "copy.log"))
    reader.read_all()
    assert read_once_each(floor, 1, 2)


def test_names_that_are_swapped_are_not_mixed_up(floor: Floor) -> None:
    other, aside = rotated(floor, "b.log"), rotated(floor, "aside")
    floor.log.write_bytes(lines(1, 2))
    other.write_bytes(lines(1, 3, 4))
    reader = watching(floor, "*.log")
    reader.read_all()
    floor.log.rename(aside)
    other.rename(floor.log)
    aside.rename(other)
    append(floor.log, lines(5))
    append(other, lines(6))
    reader.read_all()
    assert sorted(set(floor.barcodes())) == names(1, 2, 3, 4, 5, 6)
    assert floor.spool.books("M1").read == 7  # the second file's S1 has the id of the first's


def test_a_folder_with_many_names_is_searched_in_bounds(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = lost.open_log
    monkeypatch.setattr(lost, "open_log", lambda path: (opened.append(path), real(path))[1])
    for number in range(300):
        rotated(floor, f"a.log.{number + 10}").write_bytes(lines(number + 1000))
    floor.log.write_bytes(lines(1))
    own = watching(floor)
    own.read_all()
    append(floor.log, lines(2))
    shutil.copy(floor.log, rotated(floor))
    floor.log.write_bytes(lines(3))
    own.read_all()
    assert read_once_each(floor, 1, 2, 3)
    assert len(opened) <= lost.SEARCHED_MAX


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

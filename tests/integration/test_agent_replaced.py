"""Logs that are copied and emptied, deleted, overwritten or alike: every line once."""

import gzip
import os
import shutil
from collections.abc import Callable
from functools import partial, partialmethod

import pytest

from edge_agent import lost, search
from edge_agent.tail import OpenFile, signature
from edge_agent.zipped import ZippedFile
from tests.support.agent_floor import Floor
from tests.support.edge import line
from tests.support.rotated_logs import (
    GLOB,
    SINGLE,
    append,
    lines,
    names,
    read_once_each,
    rotated,
    watching,
)

# -- copied and emptied ----------------------------------------------------------------------------


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
    monkeypatch.setattr(search, "_PATIENCE", 0)
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


@pytest.mark.parametrize("foot", [b"", line(9, note="f" * 200)], ids=["own end", "same end"])
@pytest.mark.parametrize("suffix", ["log", "gz"])
def test_a_file_is_told_from_those_that_begin_alike_in_one_pass(
    floor: Floor, monkeypatch: pytest.MonkeyPatch, suffix: str, foot: bytes
) -> None:
    def write(number: int) -> None:
        content = head + lines(number) + foot
        packed = gzip.compress(content) if suffix == "gz" else content
        rotated(floor, f"{number}.{suffix}").write_bytes(packed)

    head = line(0, note="h" * 400_000)
    for number in range(10, 30):
        write(number)
    watching(floor, f"*.{suffix}").read_all(is_final=True)
    write(30)
    read_bytes = 0

    def count(real: Callable[..., bytes], *arguments: object) -> bytes:
        nonlocal read_bytes
        found = real(*arguments)
        read_bytes += len(found)
        return found

    kind, name = (ZippedFile, "_more") if suffix == "gz" else (OpenFile, "read")
    monkeypatch.setattr(kind, name, partialmethod(partial(count, getattr(kind, name))))
    watching(floor, f"*.{suffix}").read_all(is_final=True)
    assert floor.barcodes()[-1 - bool(foot)] == "S30"
    assert read_bytes < 6 * len(head)


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

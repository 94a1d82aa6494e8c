"""Logs that are compressed, meanwhile or later: every line once, and in little memory."""

import gzip
import os
import tracemalloc

import pytest

from edge_agent import reader
from edge_agent.spool import Spool
from tests.support.agent_floor import Floor
from tests.support.edge import line
from tests.support.rotated_logs import (
    GLOB,
    append,
    compress,
    lines,
    names,
    read_once_each,
    rotated,
    watching,
)
from tests.support.waiting import eventually_sync


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

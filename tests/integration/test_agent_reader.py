"""From real files to a real spool: where reading goes on, and what is never sent twice."""

import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.reader import Stopped
from edge_agent.spool import Spool
from edge_agent.tail import OpenFile
from tests.support.agent_floor import Floor
from tests.support.edge import line
from tests.support.waiting import eventually_sync

SAMPLE = Path(__file__).parents[1] / "fixtures/spea/testdata_SN9871234012.csv"


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    made = Floor(tmp_path)
    yield made
    made.spool.close()


def test_the_real_spea_file_becomes_ten_messages(floor: Floor) -> None:
    floor.log.write_bytes(SAMPLE.read_bytes())
    floor.reader(format="spea").read_all(is_final=True)
    bodies = floor.bodies()
    assert [len(body["measurements"]) for body in bodies] == [
        1198, 1198, 1198, 1198, 1201, 1201, 1198, 1198, 1198, 2410,
    ]  # fmt: skip
    assert [body["sequence"]["seq"] for body in bodies] == list(range(1, 11))
    assert len({body["message_id"] for body in bodies}) == 10
    assert floor.spool.books("M1") == (10, 0, 10, 0)


def test_nothing_is_read_twice(floor: Floor) -> None:
    floor.log.write_bytes(line(1) + line(2))
    for _ in range(3):
        floor.reader().read_all(is_final=True)
    floor.again()
    floor.reader().read_all()
    assert floor.barcodes() == ["S1", "S2"]


def test_a_growing_file_is_read_as_it_grows(floor: Floor) -> None:
    reader = floor.reader()
    content = b"".join(line(number) for number in range(8))
    with floor.log.open("ab", buffering=0) as file:
        for start in range(0, len(content), 37):  # mostly half lines
            file.write(content[start : start + 37])
            reader.read_all()
    assert floor.barcodes() == [f"S{number}" for number in range(8)]


def test_an_agent_that_starts_anew_after_every_byte_reads_each_line_once(floor: Floor) -> None:
    floor.spool._file._connection.execute("PRAGMA synchronous = OFF")  # to be here sooner
    content = b"".join(line(number) for number in range(3))
    with floor.log.open("ab", buffering=0) as file:
        for at in range(len(content)):
            file.write(content[at : at + 1])
            floor.reader().read_all()
    assert floor.barcodes() == ["S0", "S1", "S2"]
    assert floor.spool.books("M1") == (3, 0, 3, 0)


def test_a_half_unit_goes_on_after_a_restart(floor: Floor) -> None:
    whole = SAMPLE.read_bytes()[:251_256]
    floor.log.write_bytes(whole[:200_000])
    floor.reader(format="spea").read_all()
    assert len(floor.bodies()) == 1
    floor.again()
    floor.log.write_bytes(whole)
    floor.reader(format="spea").read_all()
    assert [body["source"]["byte_start"] for body in floor.bodies()] == [0, 125_636]
    assert floor.spool.books("M1") == (2, 0, 2, 0)


def test_a_long_unit_is_read_once_while_it_grows(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = SAMPLE.read_bytes()[:125_636]
    read_bytes, real = 0, OpenFile.read

    def counting(self: OpenFile, start: int, end: int) -> bytes:
        nonlocal read_bytes
        found = real(self, start, end)
        read_bytes += len(found)
        return found

    monkeypatch.setattr(OpenFile, "read", counting)
    reader = floor.reader(format="spea")
    with floor.log.open("ab", buffering=0) as file:
        for start in range(0, len(whole), 4_000):
            file.write(whole[start : start + 4_000])
            reader.read_all()
    assert len(floor.bodies()) == 1
    assert read_bytes < 6 * len(
        whole
    )  # to parse it, for its id and its mark, and its head each time


def test_many_long_units_that_are_half_written_take_the_memory_of_one(floor: Floor) -> None:
    unit_bytes, count = 400_000, 10
    whole = [line(number, note="x" * unit_bytes) for number in range(count)]
    files = [floor.folder / f"{number}.log" for number in range(count)]
    reader = floor.reader(options={"max_unit_bytes": unit_bytes + 1_000})
    for file, content in zip(files, whole, strict=True):
        file.write_bytes(content[:unit_bytes])
    tracemalloc.start()
    for _ in range(2):
        reader.read_all()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 3 * unit_bytes
    for file, content in zip(files, whole, strict=True):
        with file.open("ab") as log:
            log.write(content[unit_bytes:])
    reader.read_all()
    assert sorted(floor.barcodes()) == sorted(f"S{number}" for number in range(count))


def test_a_lost_spool_reads_the_same_ids_again(floor: Floor) -> None:
    floor.log.write_bytes(b"\n" + line(1) + line(2) + line(3).rstrip())
    floor.reader().read_all(is_final=True)
    before = [body["message_id"] for body in floor.bodies()]
    floor.again("another.db")
    with floor.log.open("ab") as file:
        file.write(b"\r\n" + line(4))
    floor.reader().read_all()
    assert [body["message_id"] for body in floor.bodies()][:3] == before
    assert len(floor.bodies()) == 4


def test_a_renamed_file_is_not_read_twice(floor: Floor) -> None:
    floor.log.write_bytes(line(1) + line(2))
    reader = floor.reader()
    reader.read_all()
    floor.log.rename(floor.folder / "a.log.1")
    with (floor.folder / "a.log.1").open("ab") as file:
        file.write(line(3))
    floor.log.write_bytes(line(4))
    reader.read_all()
    assert sorted(floor.barcodes()) == ["S1", "S2", "S3", "S4"]


@pytest.mark.parametrize("content", [line(7), line(7) * 9, line(1)[:-1] + b" \n" + line(2) * 3])
def test_another_file_at_the_same_path_starts_at_its_start(floor: Floor, content: bytes) -> None:
    floor.log.write_bytes(line(1) + line(2))
    reader = floor.reader()
    reader.read_all()
    floor.log.write_bytes(content)  # the same inode, as after copytruncate
    reader.read_all()
    bodies = floor.bodies()
    assert len(bodies) == 2 + content.count(b"\n")
    assert bodies[2]["sequence"]["seq"] == 1
    assert bodies[2]["sequence"]["epoch"] != bodies[0]["sequence"]["epoch"]


def test_bad_lines_are_refused_with_their_place_and_the_books_balance(floor: Floor) -> None:
    floor.log.write_bytes(line(1) + b"{bad}\n" + line(2) + b"\xff\n\n" + b"{half")
    floor.reader().read_all(is_final=True)
    books = floor.spool.books("M1")
    assert books == (5, 3, 2, 0)
    assert books.read == books.refused + books.spooled
    rows = floor.spool._file._connection.execute(
        "SELECT byte_start, content FROM refused"
    ).fetchall()
    content = floor.log.read_bytes()
    assert [content[start : start + len(kept)] for start, kept in rows] == [
        b"{bad}\n", b"\xff\n", b"{half",
    ]  # fmt: skip


def test_a_message_above_the_limit_is_refused_and_the_next_is_sent(floor: Floor) -> None:
    floor.log.write_bytes(line(1, note="x" * 1_100_000) + line(2))
    floor.reader().read_all()
    assert floor.barcodes() == ["S2"]
    assert floor.spool.books("M1") == (2, 1, 1, 0)


def test_half_a_line_waits_and_a_whole_one_without_newline_is_taken_when_quiet(
    floor: Floor,
) -> None:
    (floor.folder / "half.log").write_bytes(line(1)[:-5])
    (floor.folder / "whole.log").write_bytes(line(2)[:-1])
    reader = floor.reader(settle_s=1)
    reader.read_all()
    assert floor.barcodes() == []

    def taken() -> bool:
        reader.read_all()
        return floor.barcodes() == ["S2"]

    eventually_sync(taken)
    assert floor.spool.books("M1").refused == 0
    with (floor.folder / "half.log").open("ab") as file:
        file.write(line(1)[-5:])
    with (floor.folder / "whole.log").open("ab") as file:
        file.write(b"\n" + line(3))
    reader.read_all()
    assert floor.barcodes() == ["S2", "S1", "S3"]


def test_a_full_spool_stops_reading_until_a_receipt_makes_room(floor: Floor) -> None:
    floor.again(bytes_max=65_536)
    floor.log.write_bytes(b"".join(line(number, note="x" * 1000) for number in range(600)))
    reader = floor.reader()
    thread = threading.Thread(target=lambda: reader.read_all(is_final=True))
    thread.start()
    seen: list[str] = []
    try:
        eventually_sync(lambda: "Reading stops" in str(reader.troubles("M1")))

        def drained() -> bool:
            bodies = floor.bodies()
            seen.extend(body["barcode"] for body in bodies)
            floor.spool.receipted("M1", [body["message_id"] for body in bodies])
            return not thread.is_alive() and not floor.bodies()

        eventually_sync(drained, 30)
    finally:
        floor.stop.set()
        thread.join()
    assert seen == [f"S{number}" for number in range(600)]
    assert reader.troubles() == []


def test_who_waits_for_room_can_be_stopped_and_loses_nothing(floor: Floor) -> None:
    floor.again(bytes_max=65_536)
    floor.log.write_bytes(b"".join(line(number, note="x" * 1000) for number in range(600)))
    reader, ends = floor.reader(), []

    def read() -> None:
        try:
            reader.read_all()
        except Stopped as stopped:
            ends.append(stopped)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        eventually_sync(lambda: "Reading stops" in str(reader.troubles("M1")))
        assert thread.is_alive()
    finally:
        floor.stop.set()
        thread.join()
    assert len(ends) == 1
    assert 0 < len(floor.bodies()) < 600
    floor.stop.clear()
    floor.again()
    floor.reader().read_all()
    assert len(floor.bodies()) == 600


def test_a_crash_at_any_commit_loses_and_doubles_nothing(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor.log.write_bytes(b"".join(line(number) for number in range(1000)))
    real: Callable[..., None] = Spool.commit
    calls = 0

    def crashing(*args: Any) -> None:  # noqa: ANN401
        nonlocal calls
        calls += 1
        if calls % 3 == 1:
            raise RuntimeError("before the commit")
        real(*args)
        if calls % 3 == 2:
            raise RuntimeError("after the commit")

    monkeypatch.setattr(Spool, "commit", crashing)

    def done() -> bool:
        floor.again()
        try:
            floor.reader().read_all(is_final=True)
        except RuntimeError:
            return False
        return True

    eventually_sync(done)
    assert floor.barcodes() == [f"S{number}" for number in range(1000)]
    assert [body["sequence"]["seq"] for body in floor.bodies()] == list(range(1, 1001))
    assert floor.spool.books("M1") == (1000, 0, 1000, 0)


def test_garbage_without_end_is_refused_with_its_first_bytes_in_little_memory(
    floor: Floor,
) -> None:
    with floor.log.open("wb") as file:
        for _ in range(60):
            file.write(b"x" * 1_000_000)
    reader = floor.reader(format="spea", options={"max_unit_bytes": 2_000_000})
    tracemalloc.start()
    reader.read_all(is_final=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
    ((start, end, kept),) = floor.spool._file._connection.execute(
        "SELECT byte_start, byte_end, length(content) FROM refused"
    ).fetchall()
    assert (start, end, kept) == (0, 60_000_000, 1_048_576)


def test_a_missing_file_is_said_until_it_is_there(floor: Floor) -> None:
    reader = floor.reader()
    reader.read_all()
    assert "no file matches" in reader.troubles("M1")[0]
    floor.log.write_bytes(line(1))
    reader.read_all()
    assert reader.troubles("M1") == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_lines_are_sent_as_utf8_with_ids_that_no_line_end_changes(
    floor: Floor, encoding: str
) -> None:
    lines = "\ufeff" + (line(1, note="Ω 😀") + line(2, message_id="own")).decode()
    content = (lines + line(3).decode().rstrip()).encode(encoding)
    floor.log.write_bytes(content[:333])  # in the middle of a character
    floor.reader().read_all()
    floor.log.write_bytes(content)
    floor.reader().read_all(is_final=True)
    before = floor.bodies()
    assert [body["barcode"] for body in before] == ["S1", "S2", "S3"]
    assert before[0]["note"] == "Ω 😀"
    assert (
        floor.spool.messages_after("M1", 0, 9, 10**6)[1].payload
        == line(2, message_id="own").strip()
    )
    floor.again("another.db")
    floor.log.write_bytes(content + "\r\n".encode(encoding))
    floor.reader().read_all()
    assert [body["message_id"] for body in floor.bodies()] == [
        body["message_id"] for body in before
    ]


def test_what_is_no_utf16_is_refused_with_its_place(floor: Floor) -> None:
    good = "\ufeff" + line(1).decode()
    content = good.encode("utf-16-le") + b"\0\xd8" + "x\n".encode("utf-16-le")
    floor.log.write_bytes(content + line(2).decode().encode("utf-16-le") + b"x")
    floor.reader().read_all(is_final=True)
    assert floor.barcodes() == ["S1", "S2"]
    rows = floor.spool._file._connection.execute(
        "SELECT byte_start, byte_end, content, reason FROM refused"
    ).fetchall()
    start = 2 * len(good)
    assert rows[0][:3] == (start, start + 6, content[start : start + 6])
    assert f"no UTF-16 at byte {start}" in rows[0][3]
    assert rows[1][1] - rows[1][0] == 1
    assert floor.spool.books("M1") == (4, 2, 2, 0)


def test_a_byte_order_mark_and_windows_1252_are_read(floor: Floor) -> None:
    unit = (
        "FORMAT;mmdd\nSTART;a;prog;1;prod;op;10/12/2024;16:15:03\n"
        "ANL;1;C1;1;2;Größe µF;;PASS;1.0;0.5;2.0;V;;2\nSN;A1\nEND;PASS;10/12/2024;16:15:22\n"
    )
    floor.log.write_bytes(b"\xef\xbb\xbf" + unit.encode("cp1252") + unit.encode())
    floor.reader(format="spea").read_all()
    first, second = floor.bodies()
    assert first["measurements"] == second["measurements"]
    assert first["measurements"][0]["attributes"] == {"description": "Größe µF"}
    assert first["source"]["byte_start"] == 0
    assert second["source"]["byte_start"] == 3 + len(unit.encode("cp1252"))

"""The spool: what is in it after a commit, a receipt, a crash."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.errors import SettingsError, SpoolFull
from edge_agent.batch import Refusal
from edge_agent.filebook import KnownFile
from edge_agent.payload import Payload
from edge_agent.refused import forget_refused
from edge_agent.spool import Spool
from edge_agent.tail import Mark, hash_of
from tests.support.spools import NOWHERE, bodies, keep, kept, place, refuse


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool.db", bytes_max=1_000)
    yield made
    made.close()


def test_messages_come_out_in_order_and_by_machine(spool: Spool) -> None:
    keep(spool, "a", "b")
    keep(spool, "c", machine="M2")
    assert bodies(spool) == [1, 2]
    assert bodies(spool, "M2") == [3]
    assert bodies(spool, after=1) == [2]


def test_a_receipt_deletes_and_only_for_its_machine(spool: Spool) -> None:
    keep(spool, "a", "b")
    keep(spool, "a", machine="M2")
    assert spool.receipted("M1", ["a", "never heard of"]) == [1]
    assert spool.receipted("M1", ["a"]) == []
    assert bodies(spool) == [2]
    assert bodies(spool, "M2") == [3]
    assert spool.books("M1").depth == 1
    assert spool.books().depth == 2


def test_an_array_is_done_when_all_its_elements_are(spool: Spool) -> None:
    batch = spool.batch("M1")
    batch.add(Payload(b"[]", ("a", "b"), 2))
    spool.commit(batch, place(), NOWHERE)
    assert spool.receipted("M1", ["b"]) == []
    assert spool.receipted("M1", ["a"]) == [1]
    assert spool.batch("M1").numbering.seq == 2


def test_a_full_spool_takes_nothing_and_a_receipt_makes_room(spool: Spool) -> None:
    keep(spool, "a", body=b"x" * 800)
    before = spool.books("M1")
    with pytest.raises(SpoolFull, match="800 of 1000"):
        keep(spool, "b", offset=20, body=b"x" * 300)
    assert spool.books("M1") == before
    (known,) = spool.files.likely(place(node="?"))
    assert known.mark.offset == 10
    spool.receipted("M1", ["a"])
    keep(spool, "b", offset=20, body=b"x" * 1_300)  # an empty one takes any batch
    assert spool.payload_bytes == 1_300


def test_everything_is_there_after_opening_it_again(tmp_path: Path) -> None:
    first = Spool(tmp_path / "own.db", bytes_max=1_000)
    keep(first, "a", "b", body=b"x" * 100)
    numbering = first.batch("M1").numbering
    first.close()
    again = Spool(tmp_path / "own.db", bytes_max=1_000)
    assert numbering.seq == 2
    assert again.batch("M1").numbering == numbering
    assert again.payload_bytes == 200
    (known,) = again.files.likely(place(node="?"))
    mark = Mark(10, b"h", b"t", 3)
    assert known == KnownFile(1, mark, b"f", {"a": 1}, "log", "1:1", is_current=True, size=10)
    again.close()


def test_a_commit_that_fails_in_the_middle_leaves_nothing(spool: Spool) -> None:
    keep(spool, "a")
    batch = spool.batch("M1")
    batch.add(Payload(b"{}", ("b",), 1))
    batch.refusals.append(Refusal(0, 2**70, "too far for SQLite", b""))
    with pytest.raises(OverflowError):
        spool.commit(batch, place(), KnownFile(1, Mark(99, b"h", b"t"), b"f"))
    assert bodies(spool) == [1]
    assert spool.files.likely(place())[0].mark.offset == 10
    assert spool.batch("M1").numbering.seq == 1


def test_refused_records_are_kept_with_bytes_and_reason(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", 1_000, refused_bytes_max=5)
    batch = spool.batch("M1")
    batch.refusals += [Refusal(0, 4, "no JSON", b"abcd"), Refusal(4, 8, "no JSON", b"efgh")]
    batch.read_count = 2
    spool.commit(batch, place(), NOWHERE)
    assert spool.books("M1")[:3] == (2, 2, 0)
    spool.close()
    with sqlite3.connect(tmp_path / "spool.db") as db:
        rows = db.execute(
            "SELECT file, byte_start, byte_end, reason, content FROM refused"
        ).fetchall()
    db.close()
    # Beyond the bound the position and the reason stay: the bytes are in the log.
    assert rows == [("log", 0, 4, "no JSON", b"abcd"), ("log", 4, 8, "no JSON", None)]


def test_the_newest_refused_records_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "spool.db"
    spool = Spool(file, 1_000, refused_bytes_max=5)
    spool._refused._count_max = 3
    refuse(spool, b"abcd", b"ef")
    refuse(spool, b"ghi", b"j", offset=20)
    refuse(spool, b"klmn", offset=30)
    assert kept(file) == [None, b"j", b"klmn"]
    assert spool.books("M1")[:3] == (5, 5, 0)
    spool.close()
    again = Spool(file, 1_000, refused_bytes_max=5)
    again._refused._count_max = 3
    refuse(again, b"o", b"p", offset=40)
    assert kept(file) == [b"klmn", None, None]
    refuse(again, b"q", offset=50)  # in the room of those that went
    assert kept(file) == [None, None, b"q"]
    assert again.books("M1")[:3] == (8, 8, 0)
    again.close()


def test_refused_records_are_forgotten_by_hand_beside_the_agent(tmp_path: Path) -> None:
    file = tmp_path / "spool.db"
    spool = Spool(file, 1_000, refused_bytes_max=5)
    refuse(spool, b"abcd", b"efgh")
    assert kept(file) == [b"abcd", None]
    assert forget_refused(file, "M2", 2) == 0
    assert forget_refused(file, "M1", 1) == 1
    refuse(spool, b"ijkl", offset=20)  # there is room again
    assert kept(file) == [None, b"ijkl"]
    assert forget_refused(file, None, 2) == 1
    assert spool.books("M1")[:3] == (3, 3, 0)
    spool.close()


def test_another_file_at_a_path_starts_a_new_epoch(spool: Spool) -> None:
    keep(spool, "a")
    before = spool.batch("M1").numbering
    spool.place(place(node="1:2"), NOWHERE, is_anew=True)
    after = spool.batch("M1").numbering
    assert after.epoch != before.epoch
    assert after.seq == 0


def test_a_second_agent_is_told_so(tmp_path: Path, spool: Spool) -> None:
    assert spool.books().read == 0
    with pytest.raises(SettingsError, match="another agent"):
        Spool(tmp_path / "spool.db", 1_000)


def test_what_is_no_spool_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database, whatever its name says" * 100)
    with pytest.raises(SettingsError, match="Move it away"):
        Spool(tmp_path / "x.db", 1_000)
    (tmp_path / "x.db").unlink()
    Spool(tmp_path / "x.db", 1_000).close()  # and the lock was let go


def test_a_spool_of_another_release_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(SettingsError, match="another release"):
        Spool(tmp_path / "x.db", 1_000)


def test_a_damaged_spool_is_said_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "spool.db"
    spool = Spool(file, 10**9)
    keep(spool, *(f"{number}" for number in range(500)), body=b"x" * 1000)
    spool.close()
    content = bytearray(file.read_bytes())
    content[8192:-8192] = b"\xa5" * len(content[8192:-8192])
    file.write_bytes(content)

    def use() -> None:
        spool = Spool(file, 10**9)
        try:
            spool.messages_after("M1", 0, 1000, 10**9)
            keep(spool, "a")
        finally:
            spool.close()

    with pytest.raises(SettingsError, match="Move it away"):
        use()


def test_a_folder_that_may_not_be_written_is_waited_for(spool: Spool) -> None:
    spool._file._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(SpoolFull, match="cannot be written"):
        keep(spool, "a")
    spool._file._connection.execute("PRAGMA query_only = 0")
    keep(spool, "a")
    assert bodies(spool) == [1]


def test_files_that_ended_long_ago_are_forgotten_but_for_those_that_stand(spool: Spool) -> None:
    for path in ("gone", "stands", "new"):
        spool.place(place(path=path), NOWHERE, is_anew=False)
    spool.files.end([1, 2])
    assert spool.files.forget(0, [2]) == 0
    assert spool.files.forget(9e9, [2]) == 1
    assert [each.path for each in spool.files.standing("M1", "*")] == ["stands", "new"]


def test_files_with_the_same_beginning_are_found_the_longest_first(spool: Spool) -> None:
    first = b"h" * 1024
    for offset in (5_000, 2_000, 9_000):
        mark = Mark(offset, hash_of(first), b"t")
        spool.place(place(path=f"{offset}"), KnownFile(0, mark), is_anew=False)
    short = KnownFile(0, Mark(10, hash_of(first[:10]), b"t"))
    spool.place(place(path="10"), short, is_anew=False)
    paths = [each.path for each in spool.files.alike("M1", first, 6_000)]
    assert paths == ["5000", "2000", "10"]
    assert [each.path for each in spool.files.alike("M1", first[:20], None)] == ["10"]
    assert spool.files.alike("M2", first, None) == []

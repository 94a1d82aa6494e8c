"""Folders, shares, rights, many files, several machines: what is read and said, what it costs."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_agent import intake, reader, troubles
from edge_agent.config import Config, SourceSettings
from edge_agent.reader import Reader
from edge_agent.spool import Spool
from tests.support.agent_floor import Floor
from tests.support.edge import line
from tests.support.rotated_logs import append, names


def watching(floor: Floor, pattern: str = "*.log", **more: Any) -> Reader:  # noqa: ANN401
    return floor.reader(path=str(floor.log.parent / pattern), **more)


# -- what is read ----------------------------------------------------------------------------------


def test_whole_files_that_are_dropped_into_folders_below_are_read(floor: Floor) -> None:
    own = watching(floor, "**/*.log")
    own.read_all()
    for number, folder in enumerate(["", "2026/11", "2026/12", "x/y/z"]):
        target = floor.log.parent / folder / f"{number}.log"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(line(number))
        own.read_all()
    assert floor.barcodes() == ["S0", "S1", "S2", "S3"]
    shutil.rmtree(floor.log.parent / "2026")
    own.read_all()
    assert own.troubles() == []


def test_several_sources_feed_their_machines_and_two_of_one_share_a_file_once(
    floor: Floor,
) -> None:
    folder = floor.log.parent
    for name in ("a.log", "b.log"):
        (folder / name).write_bytes(line(ord(name[0])))
    sources = [("M1", "*.log"), ("M2", "b.*"), ("M1", "a*"), ("M1", "c.log")]
    config = Config(
        source=tuple(
            SourceSettings(machine_id=machine_id, format="jsonl", path=str(folder / pattern))
            for machine_id, pattern in sources
        )
    )
    own = Reader(config, floor.spool, floor.stop)
    for _ in range(2):
        own.read_all()
    assert floor.spool.books("M1") == (2, 0, 2, 0)
    assert floor.spool.books("M2") == (1, 0, 1, 0)
    assert [sentence for sentence in own.troubles("M1") if "c.log" in sentence]
    assert own.troubles("M2") == []


def test_a_name_that_is_no_unicode_is_read_and_known_again(floor: Floor) -> None:
    name = os.fsdecode(b"caf\xe9.log")
    floor.log.with_name(name).write_bytes(line(1))
    own = watching(floor)
    own.read_all()
    append(floor.log.with_name(name), line(2) + b"{half")
    own.read_all(is_final=True)
    floor.again()
    again = watching(floor)
    again.read_all()
    assert floor.barcodes() == ["S1", "S2"]
    assert again.troubles() == []


def test_what_is_no_file_is_left_alone(floor: Floor) -> None:
    os.mkfifo(floor.log.with_name("pipe.log"))
    floor.log.with_name("folder.log").mkdir()
    floor.log.with_name("nowhere.log").symlink_to("missing")
    floor.log.write_bytes(line(1))
    own = watching(floor)
    own.read_all()
    assert floor.barcodes() == ["S1"]
    assert own.troubles() == []


def test_a_long_file_is_read_in_parts_and_others_are_not_kept_waiting(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "LOOK_BYTES_MAX", 300_000)
    floor.log.write_bytes(b"".join(line(number, note="x" * 1000) for number in range(1900)))
    floor.log.with_name("b.log").write_bytes(line(2000))
    own = watching(floor)
    assert own.read_all()
    assert floor.barcodes()[-1] == "S2000"
    assert 100 < len(floor.barcodes()) < 1000
    rounds = 1
    while own.read_all():
        rounds += 1
    assert rounds > 1
    assert len(set(floor.barcodes())) == len(floor.barcodes()) == 1901


def test_long_units_of_which_only_one_can_be_in_memory_are_read_past_all_the_same(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "LOOK_BYTES_MAX", 300_000)
    for number, path in enumerate([floor.log, floor.log.with_name("b.log")]):
        path.write_bytes(line(number, note="x" * 950_000))
    own = floor.reader(
        path=str(floor.log.with_name("*.log")), options={"max_unit_bytes": 1_000_000}
    )
    for _ in range(10):
        own.read_all()
    assert sorted(floor.barcodes()) == names(0, 1)


def test_a_long_file_is_read_to_its_end_at_once_when_nothing_more_will_come(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "LOOK_BYTES_MAX", 300_000)
    floor.log.write_bytes(b"".join(line(number, note="x" * 1000) for number in range(900)))
    assert not watching(floor).read_all(is_final=True)
    assert len(floor.barcodes()) == 900


# -- shares and rights -----------------------------------------------------------------------------


def test_a_share_that_vanishes_is_said_with_the_time_and_read_on_when_it_is_back(
    floor: Floor,
) -> None:
    share, away = floor.log.parent, floor.folder / "away"
    floor.log.write_bytes(line(1) + b"{half")
    own = watching(floor)
    own.read_all()
    share.rename(away)
    for _ in range(2):
        own.read_all()
    (sentence,) = own.troubles("M1")
    since = sentence.removeprefix(f"{share} is unreachable since ").partition(" ")[0]
    assert time.strptime(since, "%H:%M")
    assert not own._watch.lost
    append(away / "a.log", b'"}\n' + line(2))
    (away / "b.log").write_bytes(line(3))
    away.rename(share)
    own.read_all()
    assert own.troubles("M1") == []
    assert floor.barcodes() == ["S1", "S2", "S3"]
    assert floor.spool.books("M1") == (4, 1, 3, 0)


def test_a_share_that_was_away_at_the_start_of_the_agent_is_read_on_when_it_is_back(
    floor: Floor,
) -> None:
    share, away = floor.log.parent, floor.folder / "away"
    floor.log.write_bytes(line(1))
    watching(floor).read_all()
    share.rename(away)
    floor.again()
    own = watching(floor)
    own.read_all()
    append(away / "a.log", line(2))
    away.rename(share)
    own.read_all()
    assert floor.barcodes() == ["S1", "S2"]
    assert floor.spool.books("M1").read == 2


def test_an_empty_mount_point_forgets_nothing(floor: Floor) -> None:
    share, away = floor.log.parent, floor.folder / "away"
    floor.log.write_bytes(line(1))
    own = watching(floor)
    own.read_all()
    share.rename(away)
    share.mkdir()
    own.read_all()
    assert "no file matches" in own.troubles("M1")[0]
    share.rmdir()
    append(away / "a.log", line(2))
    away.rename(share)
    own.read_all()
    assert floor.barcodes() == ["S1", "S2"]
    assert floor.spool.books("M1").read == 2


def test_once_says_that_a_share_is_away(floor: Floor) -> None:
    own = watching(floor, "missing/*.log")
    own.read_all(is_final=True)
    assert own.has_failed


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError(0, "The process cannot access the file"), "another program has it for itself"),
    ],
    ids=["rights", "broken", "locked on Windows"],
)
def test_a_file_that_cannot_be_read_is_said_waited_for_and_keeps_nobody_waiting(
    floor: Floor, monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    if words.startswith("another"):
        error.winerror = 32  # type: ignore[attr-defined]
    real, is_locked = reader.open_log, True

    def opening(path: str) -> object:
        if is_locked and path.endswith("a.log"):
            raise error
        return real(path)

    monkeypatch.setattr(reader, "open_log", opening)
    floor.log.write_bytes(line(1))
    floor.log.with_name("b.log").write_bytes(line(2))
    own = watching(floor)
    for _ in range(2):
        own.read_all()
    assert floor.barcodes() == ["S2"]
    assert own.troubles("M1") == [f"{floor.log} cannot be read ({words})."]
    is_locked = False
    own.read_all()
    assert floor.barcodes() == ["S2", "S1"]
    assert own.troubles("M1") == []


def test_what_was_said_of_a_file_ends_with_the_file(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(_: str) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(reader, "open_log", refusing)
    floor.log.write_bytes(line(1))
    floor.log.with_name("b.log").write_bytes(line(1))
    own = watching(floor)
    own.read_all()
    assert len(own.troubles()) == 2
    floor.log.unlink()
    own.read_all()
    assert len(own.troubles()) == 1


def test_a_read_that_does_not_answer_is_said(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(troubles, "_SILENT_S", 0)
    said: list[list[str]] = []
    real = reader.open_log
    own = watching(floor)

    def slow(path: str) -> object:
        said.append(own.troubles("M1"))
        said.append(own.troubles("M2"))
        return real(path)

    monkeypatch.setattr(reader, "open_log", slow)
    floor.log.write_bytes(line(1))
    own.read_all()
    assert f"{floor.log} has not answered since" in said[0][0]
    assert said[1] == []
    assert own.troubles() == []


def test_files_are_closed_between_looks_and_while_the_spool_is_full(floor: Floor) -> None:
    def is_open() -> bool:
        return any(link.resolve() == floor.log for link in Path("/proc/self/fd").iterdir())

    floor.again(bytes_max=65_536)
    floor.log.write_bytes(b"".join(line(number, note="x" * 1000) for number in range(900)))
    own = watching(floor)
    seen: list[bool] = []

    class Waiting:
        @staticmethod
        def is_set() -> bool:
            return False

        @staticmethod
        def wait(_: float) -> bool:
            seen.append(is_open())
            return True

    own._stop = Waiting()  # type: ignore[assignment]
    with pytest.raises(reader.Stopped):
        own.read_all()
    assert seen == [False]


# -- lag -------------------------------------------------------------------------------------------


def test_lag_is_what_is_not_read_of_the_files_that_are_there(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor.log.write_bytes(line(1) + b"{half")
    floor.log.with_name("b.log").write_bytes(line(2) * 3)
    own = watching(floor)
    seen: list[int] = []
    real: Callable[..., int] = Spool.commit

    def commit(*args: Any) -> int:  # noqa: ANN401
        seen.append(own.lag_bytes("M1"))
        return real(*args)

    monkeypatch.setattr(Spool, "commit", commit)
    own.read_all()
    assert seen == [len(line(1)) + 5 + 3 * len(line(2)), 5 + 3 * len(line(2))]
    assert own.lag_bytes() == own.lag_bytes("M1") == 5
    assert own.lag_bytes("M2") == 0
    append(floor.log, b"}\n")
    floor.again()
    again = watching(floor)
    again.read_all()
    assert again.lag_bytes() == 0
    floor.log.unlink()
    again.read_all()
    assert again.lag_bytes() == 0


def test_where_files_stand_is_in_the_spool_for_others_to_read(floor: Floor) -> None:
    floor.log.write_bytes(line(1) + b"{half")
    watching(floor).read_all()
    (row,) = floor.spool._file._connection.execute(
        "SELECT machine_id, path, offset, size, is_current FROM files"
    ).fetchall()
    assert row == ("M1", str(floor.log), len(line(1)), len(line(1)) + 5, 1)


# -- many files ------------------------------------------------------------------------------------


def test_thousands_of_old_files_cost_little(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Counter[str]()
    floor.spool._file._connection.execute("PRAGMA synchronous = OFF")  # to be here sooner
    for number in range(1_200):
        floor.log.with_name(f"{number}.log").write_bytes(b"\n\n")
    own = watching(floor)
    own.read_all()
    for key, seen in own._watch.seen.items():
        own._watch.seen[key] = seen._replace(since=seen.since - 1_000)
    append(floor.log.with_name("7.log"), line(7))  # found when it is its turn
    floor.log.write_bytes(line(1))

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **more: Any) -> Any:  # noqa: ANN401
            calls[name] += 1
            return call(*args, **more)

        return counting

    monkeypatch.setattr(reader, "open_log", counted("open", reader.open_log))
    monkeypatch.setattr(reader, "signature", counted("stat", reader.signature))
    floor.spool._file._connection.set_trace_callback(
        lambda statement: calls.update(["write"] if statement.startswith("COMMIT") else [])
    )
    for _ in range(5):
        own.read_all()
    assert sorted(floor.barcodes()) == ["S1", "S7"]
    assert calls["open"] == 2
    assert calls["stat"] < 5 * 510
    assert calls["write"] < 10
    floor.again()
    calls.clear()
    again = watching(floor)
    again.read_all()
    assert calls["open"] == 0  # known from the spool
    assert calls["stat"] < 510


def test_thousands_of_files_that_vanish_at_once_are_given_up_in_bounds(floor: Floor) -> None:
    for number in range(150):
        floor.log.with_name(f"{number}.log").write_bytes(line(number))
    own = watching(floor)
    own.read_all()
    for number in range(150):
        floor.log.with_name(f"{number}.log").unlink()
    for _ in range(3):
        own.read_all(is_final=True)
    assert not own._watch.lost
    assert floor.spool.books("M1") == (150, 0, 150, 0)

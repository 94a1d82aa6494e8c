"""The files that are watched: whose they are, and which went."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.config import SourceSettings
from edge_agent.folders import Listing
from edge_agent.looks import Key, Seen
from edge_agent.spool import Spool
from edge_agent.tail import Signature
from edge_agent.watch import Watch

NOTHING = Listing([], {})
OTHER_COUNT = 50


def source(number: int) -> SourceSettings:
    return SourceSettings(machine_id=f"M{number}", format="jsonl", path=f"{number}/*.log")


class CountedSeen(dict[Key, Seen]):
    """Counts how often what was seen of a file is asked for; nobody may walk through all."""

    asked = 0

    def __getitem__(self, key: Key) -> Seen:
        self.asked += 1
        return super().__getitem__(key)

    def items(self) -> None:  # type: ignore[override]
        raise AssertionError("all files were walked through")

    __iter__ = values = keys = items  # type: ignore[assignment]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    spool = Spool(tmp_path / "spool.db", 10**6)
    yield Watch(spool, [source(number) for number in range(OTHER_COUNT)])
    spool.close()


def seen(pattern: str, path: str = "a.log", file_id: int = 7) -> Seen:
    return Seen(path, pattern, Signature(10, 1, "1:1"), since=0, file_id=file_id)


def test_what_went_is_found_without_a_look_at_other_sources(watch: Watch) -> None:
    for number in range(OTHER_COUNT):
        watch.note((f"M{number}", "a.log"), seen(f"{number}/*.log", file_id=number + 1))
    watch.seen = counted = CountedSeen(watch.seen)
    assert watch.part(source(3), NOTHING, set()) == [("M3", "a.log")]
    assert list(watch.lost) == [4]
    assert counted.asked <= 1
    assert watch.part(source(3), NOTHING, set()) == []


def test_what_is_taken_or_may_be_hidden_stays(watch: Watch) -> None:
    key = ("M1", "b/a.log")
    watch.note(key, seen("1/*.log", "b/a.log"))
    assert watch.part(source(1), NOTHING, {key}) == []
    assert watch.part(source(1), Listing([], {"b": "away"}), set()) == []
    assert watch.part(source(1), NOTHING, set()) == [key]


def test_a_file_belongs_to_the_source_that_saw_it_last(watch: Watch) -> None:
    key = ("M1", "a.log")
    wider = source(1).model_copy(update={"path": "**/*.log"})
    watch.note(key, seen("1/*.log"))
    watch.note(key, seen("**/*.log"))
    assert watch.part(source(1), NOTHING, set()) == []
    assert watch.part(wider, NOTHING, set()) == [key]
    assert watch.lost[7].pattern == "**/*.log"

"""What retention deletes is in a file first, whole and read back; else it stays."""

import asyncio
import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from broker.errors import StoreUnavailable
from service import retention
from service.commands.retention import plan_pruning, prune
from service.store.archives import archive as archives
from service.store.archives.archive import Archive
from service.store.archives.turn import ArchiveBusy, archiving
from service.store.queries.changes import list_changes
from service.store.queries.old_runs import horizon_us, old_portions
from service.store.queries.run_details import raw_message, run_details
from service.store.times import microseconds
from tests.support.processes import YIELDLINE, Process
from tests.support.stored import NOON, Stored, run_message
from tests.support.waiting import eventually

NOW = datetime(2026, 12, 20, 12, tzinfo=UTC)
DAYS = 7
STEPS = [
    {"test_step": "vcc", "measured_value": 5.0, "low": 4.75, "high": 5.25, "unit": "V"},
    {"test_step": "sealed", "measured_value": True, "reported_outcome": "PASS"},
    {"test_step": "note", "measured_value": "grün"},
    {"test_step": "gone", "measured_value": None},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "archive"
    made.mkdir()
    return made


def fill(stored: Stored) -> dict[str, Any]:
    """Runs of two months, an array, one that stays; return what is known of those that go."""
    for number, days in enumerate((0, 0, 10, 12)):
        at = NOON + timedelta(days=days)
        stored.save(run_message(f"U{number}", minutes=days * 1440, steps=STEPS), at=at)
    array = [run_message(f"A{number}", minutes=60 + number) for number in range(40)]
    stored.save(orjson.dumps(array), machine_id="M2", at=NOON + timedelta(hours=2))
    stored.save(run_message("NEW", minutes=26 * 1440), at=NOON + timedelta(days=26))
    found = runs(stored, "<> 'NEW'")
    return {run_id: known_of(stored, run_id) for run_id in found}


def runs(stored: Stored, which: str) -> list[int]:
    with stored.database.reading() as session:
        query = f"SELECT r.id FROM run r JOIN unit u ON u.id = r.unit_id WHERE u.barcode {which}"
        return list(session.connection().execute(text(f"{query} ORDER BY r.id")).scalars())


def known_of(stored: Stored, run_id: int) -> dict[str, Any]:
    details, message = run_details(stored.database, run_id), raw_message(stored.database, run_id)
    assert details is not None
    assert message is not None
    return {
        "barcode": details["barcode"],
        "outcome": details["outcome"],
        "steps": [
            (each["test_step"], each["measured_value"], each["outcome"])
            for each in details["measurements"]
        ],
        "message": base64.b64encode(message.payload),
        "element": message.element,
        "topic": message.topic,
    }


def archived(folder: Path) -> dict[int, dict[str, Any]]:
    """Return what the files hold, in the same words."""
    rows = [row for file in folder.rglob("*.parquet") for row in pq.read_table(file).to_pylist()]
    bodies = {row["run_id"]: row["message"] for row in rows}
    assert len(bodies) == len(rows), "no run twice"
    return {row["run_id"]: in_words(row, bodies[row["message_run_id"]]) for row in rows}


def in_words(row: dict[str, Any], body: bytes) -> dict[str, Any]:
    return {
        "barcode": row["barcode"],
        "outcome": row["outcome"],
        "steps": [
            (each["test_step"], value(each), each["outcome"]) for each in row["measurements"]
        ],
        "message": base64.b64encode(body),
        "element": row["element"],
        "topic": row["topic"],
    }


def value(measurement: dict[str, Any]) -> object:
    if measurement["measured_text"] in {"true", "false"}:
        return measurement["measured_text"] == "true"
    number: object = measurement["measured_value"]
    return measurement["measured_text"] if number is None else number


def pruned(stored: Stored, folder: Path) -> int:
    pruning = plan_pruning(stored.database, DAYS, NOW, folder)
    return prune(stored.database, pruning, actor="ann", reason="", now=NOW)


def test_what_goes_is_in_a_file_a_month_with_all_that_was_known_of_it(
    stored: Stored, folder: Path
) -> None:
    known = fill(stored)
    assert pruned(stored, folder) == 44
    assert archived(folder) == known
    assert [len(known[each]["steps"]) for each in sorted(known)][:4] == [4, 4, 4, 4]
    assert sorted(file.parent.name for file in folder.rglob("*.*")) == ["2026-11", "2026-12"]
    assert len(runs(stored, "= 'NEW'")) == len(runs(stored, "LIKE '%'")) == 1
    ((change,), _) = list_changes(stored.database)
    assert change["details"]["archive"] == str(folder)


def test_it_goes_by_full_days(stored: Stored, folder: Path) -> None:
    at = NOW - timedelta(days=DAYS, hours=6)
    minutes = (at - NOON) / timedelta(minutes=1)
    stored.save(run_message("TODAY", minutes=minutes), at=at)
    assert pruned(stored, folder) == 0
    assert not list(folder.rglob("*"))
    assert plan_pruning(stored.database, DAYS, NOW).found.runs == 1, "without an archive by hours"


class Full:
    """A writer whose disk is full after so many row groups."""

    def __init__(self, real: Any, groups: int) -> None:  # noqa: ANN401
        self._real, self._left = real, groups

    def write_table(self, table: Any) -> None:  # noqa: ANN401
        if not self._left:
            raise OSError(28, "No space left on device")
        self._left -= 1
        self._real.write_table(table)

    def close(self) -> None:
        self._real.close()


def fills_up(monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    make = archives._File.__init__

    def begin(self: Any, *words: Any) -> None:  # noqa: ANN401
        make(self, *words)
        self._writer = Full(self._writer, 0)

    monkeypatch.setattr(archives._File, "__init__", begin)


def comes_back_wrong(monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    write = archives._File._write_group

    def write_less(self: Any) -> None:  # noqa: ANN401
        self._group = [
            each._replace(table=each.table.slice(0, each.table.num_rows - 1))
            for each in self._group
        ]
        write(self)

    monkeypatch.setattr(archives._File, "_write_group", write_less)


def is_not_there(_monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    folder.rmdir()


def is_a_file(_monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    for month in ("2026-11", "2026-12"):
        (folder / month).write_text("")


@pytest.mark.parametrize("trouble", [fills_up, comes_back_wrong, is_not_there, is_a_file])
def test_what_cannot_be_archived_is_not_deleted(
    stored: Stored,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Callable[[pytest.MonkeyPatch, Path], None],
) -> None:
    known = fill(stored)
    trouble(monkeypatch, folder)
    with pytest.raises(StoreUnavailable, match=r"the archive .* cannot be written: .*not deleted"):
        pruned(stored, folder)
    assert runs(stored, "<> 'NEW'") == sorted(known)
    assert not list(folder.rglob("*.parquet")), "nothing half"


def test_killed_between_file_and_deletion_nothing_is_written_twice(
    stored: Stored, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = fill(stored)
    monkeypatch.setattr(archives, "_RUNS_A_FILE", 3)
    horizon = horizon_us(microseconds(NOW), DAYS, is_full_day=True)
    kept = Archive(stored.database, folder).keeping(old_portions(stored.database, horizon))
    next(portion for portion in kept if portion.run_ids)
    kept.close()  # nothing of what is in the files is deleted
    assert 0 < len(archived(folder)) < len(known)
    assert pruned(stored, folder) == len(known)
    assert archived(folder) == known


def test_whoever_stops_it_need_not_wait_for_a_whole_file(stored: Stored, folder: Path) -> None:
    fill(stored)
    horizon = horizon_us(microseconds(NOW), DAYS, is_full_day=True)
    kept = Archive(stored.database, folder).keeping(old_portions(stored.database, horizon))
    assert not next(kept).run_ids, "one portion is written, and none may be deleted yet"
    kept.close()
    assert not [each for each in folder.rglob("*") if each.is_file()]


def test_only_one_process_archives_at_a_time(stored: Stored, folder: Path) -> None:
    known = fill(stored)
    with archiving(stored.database), pytest.raises(ArchiveBusy, match="another process"):
        pruned(stored, folder)
    assert runs(stored, "<> 'NEW'") == sorted(known)
    assert pruned(stored, folder) == len(known), "and the turn was given back"


async def test_a_service_whose_database_was_away_gives_the_turn_back(
    stored: Stored, folder: Path
) -> None:
    at = datetime.now(UTC) - timedelta(days=DAYS + 2)
    stored.save(run_message("OLD", minutes=(at - NOON) / timedelta(minutes=1)), at=at)
    failed = asyncio.Event()

    async def in_writer(_: object) -> int:
        failed.set()
        raise StoreUnavailable("the database is away")

    keeping = retention.keep(DAYS, stored.database, stored.writer, in_writer, archive=folder)
    service = asyncio.create_task(keeping)

    def another_has_the_turn() -> bool:
        try:
            with archiving(stored.database):
                return True
        except ArchiveBusy as error:
            raise AssertionError("it is taken") from error

    async with asyncio.timeout(10):
        await failed.wait()
    await eventually(another_has_the_turn, 3)
    assert not service.done()
    service.cancel()
    await asyncio.wait([service])


def test_by_the_command_line(stored: Stored, folder: Path, tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=30)
    minutes = (long_ago - NOON) / timedelta(minutes=1)
    stored.save(run_message("OLD", minutes=minutes), at=long_ago)
    environment = {
        "YIELDLINE_DATABASE__URL": stored.url,
        "YIELDLINE_RETENTION__ARCHIVE": str(folder),
    }
    words = [YIELDLINE, "db", "prune", "--older-than", "7"]
    with Process(words, environment=environment, directory=tmp_path) as process:
        assert process.wait(30) == 0, process.output
    assert [each["barcode"] for each in archived(folder).values()] == ["OLD"]
    assert runs(stored, "LIKE '%'") == []

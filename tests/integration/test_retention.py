"""Old results go: by themselves where a service is told to, and by hand."""

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from service.commands import backtest, replay
from service.store import lease, retention
from service.store.queries import run_details, units
from service.store.queries.changes import first_forged_change, list_changes
from service.store.queries.figures import figures
from service.store.queries.filters import Filters
from service.store.queries.old_runs import horizon_us, old_portions
from service.store.times import microseconds
from tests.support.mosquitto import Mosquitto
from tests.support.processes import YIELDLINE, Process
from tests.support.stored import NOON, Stored, run_message
from tests.support.waiting import eventually_sync

NOW = datetime.now(UTC)
OLD, NEW = NOW - timedelta(days=9), NOW - timedelta(days=1)
DAYS = 7


def fill(stored: Stored) -> None:
    """A unit that failed long ago and passed yesterday, and one of each time."""
    for barcode, at, passes in (("BOTH", OLD, False), ("OLD", OLD, True)):
        stored.save(at_time(barcode, at, passes=passes), at=at)
    for barcode in ("BOTH", "NEW"):
        stored.save(at_time(barcode, NEW), at=NEW)


def at_time(barcode: str, at: datetime, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return run_message(barcode, minutes=(at - NOON) / timedelta(minutes=1), **fields)


def barcodes(stored: Stored) -> list[str]:
    with stored.database.reading() as session:
        query = text("SELECT barcode FROM unit ORDER BY barcode")
        return list(session.connection().execute(query).scalars())


def assert_old_is_gone(stored: Stored) -> None:
    assert barcodes(stored) == ["BOTH", "NEW"]
    counted = figures(stored.database, Filters())
    assert (counted["total_tests"], counted["units"]) == (2, 2)
    assert counted["first_pass_yield"] == 1.0, "the unit counts by the first run that is left"
    life = units.unit_life(stored.database, "BOTH")
    assert life is not None
    assert [run["attempt"] for run in life["units"][0]["runs"]] == [1]


@pytest.fixture
def run(tmp_path: Path, store_url: str) -> Iterator[Callable[..., Process]]:
    processes: list[Process] = []

    def start(*words: str, **environment: str) -> Process:
        variables = {"YIELDLINE_DATABASE__URL": store_url, **environment}
        processes.append(Process([YIELDLINE, *words], environment=variables, directory=tmp_path))
        return processes[-1]

    yield start
    for process in processes:
        process.stop()
        assert "Traceback" not in process.output


def test_a_service_deletes_what_is_older_than_it_was_told(
    stored: Stored,
    run: Callable[..., Process],
    mosquitto: Mosquitto,
    topic_root: str,
    tmp_path: Path,
) -> None:
    fill(stored)
    stored.writer.close()
    for descriptor in lease._held_files.values():  # held until a process ends, and we do not
        os.close(descriptor)
    lease._held_files.clear()
    service = run(
        "service",
        YIELDLINE_BROKER__PORT=str(mosquitto.port),
        YIELDLINE_TOPICS__TEMPLATE=f"{topic_root}/{{line}}/{{machine_id}}/{{channel}}",
        YIELDLINE_RETENTION__DAYS=str(DAYS),
        YIELDLINE_RETENTION__ARCHIVE=str(tmp_path),
    )
    eventually_sync(lambda: "old_runs_deleted" in service.output, 30, saw=lambda: service.output)
    assert_old_is_gone(stored)
    assert list(tmp_path.glob("*/yieldline-*.parquet")), "and keeps it in the archive"


def prune(run: Callable[..., Process], *words: str) -> Process:
    process = run("db", "prune", "--older-than", str(DAYS), *words)
    process.wait(30)
    return process


def test_by_hand_it_is_done_beside_a_writer_and_kept_in_the_audit_trail(
    stored: Stored, run: Callable[..., Process]
) -> None:
    fill(stored)
    process = prune(run, "--author", "ann", "--reason", "disk")
    assert process.exit_code == 0, process.output
    assert re.search(r"^2 runs with 2 measurements .*\n2 runs are deleted", process.output)
    assert_old_is_gone(stored)
    ((change,), _) = list_changes(stored.database)
    assert [change[key] for key in ("actor", "action", "reason")] == ["ann", "prune", "disk"]
    assert change["details"]["runs"] == 2
    assert first_forged_change(stored.database) is None
    assert stored.save(at_time("NEXT", NOW), at=NOW).saved.runs, "the writer goes on"


def test_a_dry_run_says_how_much_and_deletes_nothing(
    stored: Stored, run: Callable[..., Process]
) -> None:
    fill(stored)
    process = prune(run, "--dry-run")
    assert process.exit_code == 0
    assert re.search(r"^2 runs with 2 measurements .*\nNothing was deleted", process.output)
    assert barcodes(stored) == ["BOTH", "NEW", "OLD"]
    assert list_changes(stored.database) == ([], None)


def test_a_message_that_comes_again_after_its_run_was_deleted_is_a_new_one(
    stored: Stored, run: Callable[..., Process]
) -> None:
    fill(stored)
    assert prune(run).exit_code == 0
    again = stored.save(at_time("OLD", OLD), at=NOW).saved
    assert (len(again.runs), len(again.duplicates)) == (1, 0)


def delete_after(
    stored: Stored, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str
) -> None:
    """Let old runs go right after a query has read its first part."""
    read = getattr(module, name)

    def read_and_delete(*words: Any, **more: Any) -> Any:  # noqa: ANN401
        found = read(*words, **more)
        horizon = horizon_us(microseconds(NOW), DAYS)
        for portion in old_portions(stored.database, horizon):
            stored.writer.forget(portion, horizon)
        return found

    monkeypatch.setattr(module, name, read_and_delete)


def test_who_reads_what_is_deleted_at_this_moment_finds_nothing(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = stored.save(at_time("OLD", OLD), at=OLD).saved.runs
    delete_after(stored, monkeypatch, run_details, "results_by_ids")
    assert run_details.run_details(stored.database, run.run_id) is None
    stored.save(at_time("OLD", OLD), at=OLD)
    delete_after(stored, monkeypatch, replay, "stored_runs")
    assert backtest.backtest(stored.database, "", Filters())["runs"] == 0


def test_a_life_whose_first_run_is_deleted_at_this_moment_begins_with_the_next(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(stored)
    delete_after(stored, monkeypatch, units, "_newest_runs")
    life = units.unit_life(stored.database, "BOTH")
    assert life is not None
    assert [run["attempt"] for run in life["units"][0]["runs"]] == [1]


@pytest.mark.postgres
def test_only_one_process_deletes_at_a_time(postgres_store_url: str, tmp_path: Path) -> None:
    store = Stored(postgres_store_url)
    fill(store)
    words = [YIELDLINE, "db", "prune", "--older-than", str(DAYS)]
    with psycopg.connect(postgres_store_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (retention._LOCK,))
        environment = {"YIELDLINE_DATABASE__URL": postgres_store_url}
        with Process(words, environment=environment, directory=tmp_path) as process:
            assert process.wait(30) == 1
            assert "is deleting old runs" in process.output
    assert barcodes(store) == ["BOTH", "NEW", "OLD"]
    store.close()

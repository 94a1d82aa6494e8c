"""Exports of what was really stored, from the API and from the command line."""

import asyncio
import csv
import io
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message
from typer.testing import CliRunner

from broker.errors import SettingsError, StoreUnavailable
from broker.messages import Outcome
from broker.settings import Settings
from service.__main__ import app
from service.store.exports import rows as export_rows
from service.store.exports.columns import COLUMNS, FileFormat, Page, Rows
from service.store.exports.export import Export
from service.store.queries.filters import Filters
from tests.support.ports import free_port
from tests.support.processes import YIELDLINE
from tests.support.stored import Stored, run_message
from tests.support.waiting import eventually
from tests.support.web import Web, serving
from ui.api.exports import ExportQuery, get_csv

VALUES = [
    {"test_step": "c17", "measured_value": 1.0231e-07, "unit": "F", "high": 1.0e-07},
    {"test_step": "label", "measured_value": "=1+1", "comparator": "EQ", "nominal": "ok"},
    {"test_step": "led", "measured_value": True, "comparator": "EQ", "nominal": True},
    {"test_step": "lost", "measured_value": None, "low": 1},
]


@pytest.fixture
async def web(stored: Stored) -> AsyncIterator[Web]:
    settings = {"broker": {"port": free_port()}, "database": {"url": stored.url}}
    async with serving(Settings.model_validate(settings)) as web:
        yield web


def table_of(stored: Stored, rows: Rows, **filters: Any) -> list[dict[str, str]]:  # noqa: ANN401
    """Return an export as CSV, read back."""
    export = Export(FileFormat.CSV, rows, Filters(**filters))
    return read(b"".join(export.chunks(stored.database)))


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_a_row_of_runs_says_what_a_result_says(stored: Stored) -> None:
    sent = run_message(
        "=SN", passes=False, reported_outcome="FAIL", operator="ann", fixture="F1", program="fct",
        program_version="2.4", panel={"id": "P", "position": 3},
    )  # fmt: skip
    stored.save(sent, machine_id="M1", line="L1", is_golden=True)
    (row,) = table_of(stored, Rows.RUNS)
    assert row.pop("run_id").isdigit()
    assert row == {
        "barcode": "'=SN",
        "product_id": "P1",
        "machine_id": "M1",
        "line": "L1",
        "procedure": "FCT",
        "attempt": "1",
        "timestamp": "2026-11-23T12:00:00Z",
        "ended_at": "",
        "received_at": "2026-11-23T12:00:00Z",
        "outcome": "FAIL",
        "reported_outcome": "FAIL",
        "agrees": "true",
        "first_failure": "vcc",
        "rulebook_version": "1",
        "clock_suspect": "false",
        "golden": "true",
        "pass_count": "0",
        "fail_count": "1",
        "error_count": "0",
        "unjudged_count": "0",
        "fixture": "F1",
        "operator": "ann",
        "program": "fct",
        "program_version": "2.4",
        "panel_id": "P",
        "panel_position": "3",
        "source_file": "",
        "message_id": "'=SN-FCT-0",
    }


def test_a_row_of_measurements_keeps_numbers_apart_from_text(stored: Stored) -> None:
    stored.save(run_message("A", steps=VALUES))
    rows = table_of(stored, Rows.MEASUREMENTS)
    assert [(row["measured_value"], row["measured_text"], row["unit"]) for row in rows] == [
        ("1.0231e-07", "", "F"),
        ("", "'=1+1", ""),
        ("", "true", ""),
        ("", "", ""),
    ]
    assert [row["test_step"] for row in rows] == ["c17", "label", "led", "lost"]
    assert [row["outcome"] for row in rows] == ["FAIL", "FAIL", "PASS", "ERROR"]
    assert rows[0]["high"] == "1e-07"
    assert rows[3]["reason"]


def test_an_export_holds_every_run_once_whatever_the_size_of_its_pages(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_rows, "_RUNS_A_PAGE", 3)
    monkeypatch.setattr(export_rows, "_MEASUREMENTS_A_PAGE", 5)
    for number in range(10):  # several start at the same moment
        stored.save(run_message(f"B{number}", minutes=number // 4, steps=VALUES))
    found = [row["barcode"] for row in table_of(stored, Rows.RUNS)]
    assert found == [f"B{number}" for number in (9, 8, 7, 6, 5, 4, 3, 2, 1, 0)]
    measured = [(row["barcode"], row["position"]) for row in table_of(stored, Rows.MEASUREMENTS)]
    assert len(measured) == len(set(measured)) == 40


def test_what_arrives_while_it_is_read_does_not_appear(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_rows, "_RUNS_A_PAGE", 2)
    stored.save(*(run_message(f"B{minute}", minutes=minute) for minute in range(4)))
    chunks = Export(FileFormat.CSV).chunks(stored.database)
    begun = [next(chunks), next(chunks)]
    stored.save(run_message("NEW", minutes=10))
    barcodes = [row["barcode"] for row in read(b"".join([*begun, *chunks]))]
    assert barcodes == ["B3", "B2", "B1", "B0"]


def test_filters_and_counts_agree_with_the_rows(stored: Stored) -> None:
    stored.save(run_message("A", steps=VALUES), run_message("B"), machine_id="M1")
    stored.save(run_message("C", passes=False), machine_id="M2")
    for rows, filters, expected in (
        (Rows.RUNS, {}, 3),
        (Rows.RUNS, {"machine_id": "M1"}, 2),
        (Rows.MEASUREMENTS, {"machine_id": "M1"}, 5),
        (Rows.MEASUREMENTS, {"outcome": Outcome.FAIL, "barcode": "C"}, 1),
        (Rows.RUNS, {"barcode": "never"}, 0),
        (Rows.MEASUREMENTS, {"barcode": "never"}, 0),
    ):
        export = Export(FileFormat.CSV, rows, Filters(**filters))
        assert export.count(stored.database) == expected
        assert len(table_of(stored, rows, **filters)) == expected


async def test_the_api_streams_both_formats_with_the_same_rows(stored: Stored, web: Web) -> None:
    stored.save(run_message("A", steps=VALUES), run_message("B", minutes=1))
    answer = await web.get("/api/v1/export.csv", rows="measurements", barcode="A")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="yieldline-measurements-' in answer.headers["content-disposition"]
    from_csv = read(answer.content)
    answer = await web.get("/api/v1/export.parquet", rows="measurements", barcode="A")
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    table = pyarrow.parquet.read_table(io.BytesIO(answer.content))
    assert table.column("test_step").to_pylist() == [row["test_step"] for row in from_csv]
    assert table.column("measured_text").to_pylist() == [None, "=1+1", "true", None]
    assert web.state.export_count == 0


async def test_trouble_before_the_first_row_is_a_problem_document(web: Web) -> None:
    answer = await web.get("/api/v1/export.csv", rows="units")
    assert answer.status_code == 422
    web.state.export_count = 4
    answer = await web.get("/api/v1/export.csv")
    assert (answer.status_code, answer.headers["content-type"]) == (429, "application/problem+json")


async def test_of_many_that_begin_at_once_only_four_are_at_work(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()

    def waiting(*_: object) -> Iterator[Page]:
        let_go.wait(20)
        yield [[None]] * len(COLUMNS[Rows.RUNS])

    monkeypatch.setattr("service.store.exports.export.pages", waiting)
    asked = [asyncio.create_task(web.get("/api/v1/export.csv")) for _ in range(10)]
    try:
        await eventually(lambda: sum(each.done() for each in asked) == 6)
    finally:
        let_go.set()
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*asked))
    assert statuses == [200] * 4 + [429] * 6
    await eventually(lambda: web.state.export_count == 0)


async def test_an_export_that_never_begins_is_not_counted_any_more(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> Iterator[Page]:
        raise StoreUnavailable("the database is away.")

    async def gone(*_: object) -> Message:
        raise OSError("the line is cut")

    file = await get_csv(web.state, ExportQuery())
    with pytest.raises((OSError, ClientDisconnect)):
        await file({"type": "http", "asgi": {"spec_version": "2.4"}}, gone, gone)
    monkeypatch.setattr("service.store.exports.export.pages", failing)
    assert (await web.get("/api/v1/export.csv")).status_code == 503
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert (await web.get("/api/v1/export.parquet")).status_code == 501
    assert web.state.export_count == 0


async def test_whoever_goes_away_ends_the_export(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    def endless(*_: object) -> Iterator[Page]:
        nonlocal read
        while True:
            read += 1
            yield [[None] * 5_000] * len(COLUMNS[Rows.RUNS])

    monkeypatch.setattr("service.store.exports.export.pages", endless)
    async with web.client.stream("GET", "/api/v1/export.csv") as answer:
        assert answer.status_code == 200
        await anext(answer.aiter_bytes())
        await eventually(lambda: web.state.export_count == 1)
    await eventually(lambda: web.state.export_count == 0)
    assert read < 2_000


def yieldline(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [YIELDLINE, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_command_writes_the_same_file(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIELDLINE_DATABASE__URL", stored.url)
    stored.save(run_message("A", passes=False), run_message("B", minutes=1), run_message("C"))
    bounds = ("--until", "2026-11-23T12:01:00Z", "--first-failure", "vcc")
    done = yieldline(tmp_path, "export", "runs.csv", *bounds)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("runs.csv holds 1 runs, ")
    export = Export(FileFormat.CSV, filters=Filters(barcode="A"))
    assert (tmp_path / "runs.csv").read_bytes() == b"".join(export.chunks(stored.database))
    again = yieldline(tmp_path, "export", "runs.csv")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == "runs.csv exists. Choose another name, or replace it with --force.\n"
    assert list(tmp_path.glob("*.part")) == []


def test_a_choice_is_understood_in_any_case(sqlite_store_url: str, tmp_path: Path) -> None:
    stored = Stored(sqlite_store_url)
    stored.save(run_message("A"), run_message("B", passes=False))
    stored.close()
    for number, words in enumerate(
        (("--outcome", "fail"), ("--outcome", "Fail", "--rows", "Runs"))
    ):
        file = str(tmp_path / f"{number}.csv")
        done = CliRunner().invoke(
            app, ["export", file, *words], env={"YIELDLINE_DATABASE__URL": stored.url}
        )
        assert done.stdout.startswith(f"{file} holds 1 runs, "), done


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["runs.xlsx"], "runs.xlsx ends neither in .csv nor in .parquet. Choose one of them."),
        (["a.csv", "--rows", "units"], "--rows 'units' is neither runs nor measurements."),
        (["nowhere/a.csv"], "nowhere/a.csv cannot be written: No such file or directory."),
        (["a.csv", "--since", "soon"], "--since 'soon' is not a time."),
    ],
)
def test_a_mistake_at_the_command_line_is_one_sentence(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    done = yieldline(tmp_path, "export", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_was_meant_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    place = {"YIELDLINE_DATABASE__URL": f"sqlite:///{tmp_path}/none.db"}
    done = CliRunner().invoke(app, ["export", str(tmp_path / "plain" / "a.csv")], env=place)
    assert isinstance(done.exception, SettingsError)
    assert "cannot be written: Not a directory. Check folder" in str(done.exception)

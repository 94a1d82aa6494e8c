"""The evidence pack over HTTP, checked as a third party would."""

import asyncio
import io
import subprocess
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest

from broker.settings import Settings
from service.core.results import encode_result
from service.store.rulebooks import add_rulebook
from tests.support.pdf import pdf_text
from tests.support.ports import free_port
from tests.support.stored import NOON, Stored, run_message
from tests.support.web import Web, serving


@pytest.fixture
def stored(sqlite_url: str) -> Iterator[Stored]:
    store = Stored(sqlite_url)
    yield store
    store.close()


@pytest.fixture
async def web(stored: Stored) -> AsyncIterator[Web]:
    """The API on a database, with nobody at the broker's port."""
    settings = {"broker": {"port": free_port()}, "database": {"url": stored.url}}
    async with serving(Settings.model_validate(settings)) as web:
        yield web


def checked(folder: Path) -> str:
    """Return what the command of the README says."""
    command = ["sha256sum", "-c", "hashes.txt"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "README.txt: OK" in ended.stdout
    return ended.stdout


async def test_a_pack_is_checked_by_one_command_and_a_change_is_seen(
    stored: Stored, web: Web, tmp_path: Path
) -> None:
    with stored.database.changing() as connection:
        add_rulebook(connection, "# none\n", author="mo", reason="first", now=NOON)
    message = b" " + orjson.dumps(run_message("SN-中", passes=False))
    stored.save(message)
    response = await web.get("/api/v1/results/1/evidence.zip")
    assert response.headers["content-type"] == "application/zip"
    assert 'filename="yieldline-run-1.zip"' in response.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(response.content)) as pack:
        pack.extractall(tmp_path)
    folder = tmp_path / "yieldline-run-1"
    assert (folder / "message.json").read_bytes() == message
    assert (folder / "rulebook-v1.toml").read_text("utf-8") == "# none\n"
    assert "SN-<U+4E2D>" in pdf_text((folder / "summary.pdf").read_bytes())
    assert "FAILED" not in await asyncio.to_thread(checked, folder)
    (folder / "message.json").write_bytes(message + b" ")
    assert "message.json: FAILED" in await asyncio.to_thread(checked, folder)
    again = await web.get("/api/v1/results/1/evidence.zip")
    assert again.content == response.content


async def test_the_result_and_the_receipt_are_those_that_were_published(
    stored: Stored, web: Web
) -> None:
    stored_run = stored.save(run_message("SN-1")).saved.runs[0]
    published = encode_result(stored_run.judged, run_id=1, attempt=1, received_at=NOON)
    response = await web.get("/api/v1/results/1/evidence.zip")
    with zipfile.ZipFile(io.BytesIO(response.content)) as pack:
        assert pack.read("yieldline-run-1/result.json") == published
        receipt = orjson.loads(pack.read("yieldline-run-1/receipt.json"))["receipt"]
    assert receipt == {"message_ids": ["SN-1-FCT-0"], "received_at": "2026-11-23T12:00:00Z"}


async def test_a_run_that_is_not_there_is_a_sentence(web: Web) -> None:
    response = await web.get("/api/v1/results/99/evidence.zip")
    assert response.status_code == 404
    assert response.json()["detail"] == "No run 99 is stored."

"""What proves a verdict, over HTTP: the pack, and the run judged again."""

import asyncio
import io
import os
import subprocess
import tomllib
import zipfile
from collections.abc import AsyncIterator
from importlib.metadata import EntryPoint
from pathlib import Path

import orjson
import pytest

from broker.settings import Settings
from service.core.lookup import Rulebook
from service.core.results import encode_result
from service.store.rulebooks import add_rulebook
from tests.support.pdf import pdf_text
from tests.support.ports import free_port
from tests.support.processes import PYTHON
from tests.support.stored import NOON, Stored, run_message
from tests.support.web import Web, serving
from ui import evidence_cli


@pytest.fixture
def store_url(sqlite_store_url: str) -> str:
    return sqlite_store_url


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


def on_the_command_line(
    stored: Stored, folder: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    """Run `yieldline evidence` as its entry point does."""
    return subprocess.run(
        [PYTHON, "-m", "ui.evidence_cli", *words],
        cwd=folder,
        env={**os.environ, "YIELDLINE_DATABASE__URL": stored.url},
        capture_output=True,
        text=True,
        check=False,
    )


async def test_the_command_writes_the_same_bytes_and_replaces_nothing_unasked(
    stored: Stored, web: Web, tmp_path: Path
) -> None:
    stored.save(run_message("SN-1", passes=False))
    over_http = (await web.get("/api/v1/results/1/evidence.zip")).content
    ended = await asyncio.to_thread(on_the_command_line, stored, tmp_path, "1")
    file = tmp_path / "yieldline-run-1.zip"
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == (
        f"yieldline-run-1.zip holds the evidence of run 1, {len(over_http):,} bytes.\n"
    )
    assert file.read_bytes() == over_http
    file.write_bytes(b"mine")
    ended = await asyncio.to_thread(on_the_command_line, stored, tmp_path, "1")
    assert (ended.returncode, ended.stderr) == (
        2,
        "yieldline-run-1.zip exists. Choose another name, or replace it with --force.\n",
    )
    assert file.read_bytes() == b"mine"


def test_the_command_says_that_a_run_is_not_there_and_writes_nothing(
    stored: Stored, tmp_path: Path
) -> None:
    ended = on_the_command_line(stored, tmp_path, "99", "--out", "none.zip")
    assert ended.returncode == 2
    assert ended.stderr.startswith("no run 99 is stored in sqlite:")
    assert len(ended.stderr.splitlines()) == 1
    assert list(tmp_path.glob("*.zip")) == []


def test_the_command_says_where_it_cannot_write(stored: Stored, tmp_path: Path) -> None:
    stored.save(run_message("SN-1"))
    (tmp_path / "packs").write_text("a file where a folder was meant", "utf-8")
    ended = on_the_command_line(stored, tmp_path, "1", "--out", "packs/one.zip")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1), ended.stderr
    assert ended.stderr.startswith("packs/one.zip cannot be written: ")
    assert ended.stderr.endswith(". Check folder, rights and disk.\n")


def test_the_command_is_found_by_its_name() -> None:
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text("utf-8"))["project"]
    group = "yieldline.programs"
    value = project["entry-points"][group]["evidence"]
    assert EntryPoint("evidence", value, group).load() is evidence_cli.main


async def test_a_run_that_is_not_there_is_a_sentence(web: Web) -> None:
    response = await web.get("/api/v1/results/99/evidence.zip")
    assert response.status_code == 404
    assert response.json()["detail"] == "No run 99 is stored."


STRICT = """[[rule]]
id = "vcc-strict"
test_step = "vcc"
comparator = "LE"
low = 4.9
unit = "V"
"""


async def test_a_run_is_judged_again_by_the_rulebooks_that_are_asked_for(
    stored: Stored, web: Web
) -> None:
    with stored.database.changing() as connection:
        for body in ("# none\n", STRICT):
            add_rulebook(connection, body, author="mo", reason="tighter", now=NOON)
    steps = [{"test_step": "vcc", "measured_value": 5.0, "unit": "V", "low": 4.5, "high": 5.5}]
    stored.save(run_message("SN-1", steps=steps))
    said = (await web.get("/api/v1/results/1/judged-by")).json()
    assert (said["outcome"], said["rulebook_version"]) == ("PASS", 1)
    own, strict = said["items"]
    assert (own["version"], own["judged"], own["outcome"], own["changes"]) == (1, True, "PASS", [])
    assert (strict["version"], strict["judged"], strict["outcome"]) == (2, False, "FAIL")
    assert strict["first_failure"] == "vcc"
    (change,) = strict["changes"]
    assert (change["test_step"], change["measured_value"]) == ("vcc", 5.0)
    assert (change["before"]["outcome"], change["before"]["rule_id"]) == ("PASS", None)
    assert (change["after"]["outcome"], change["after"]["rule_id"]) == ("FAIL", "vcc-strict")
    only = (await web.get("/api/v1/results/1/judged-by", version=0)).json()
    assert [each["version"] for each in only["items"]] == [0]
    assert (await web.get("/api/v1/results/1")).json()["outcome"] == "PASS"


async def test_a_rulebook_or_a_run_that_is_not_there_is_a_sentence(
    stored: Stored, web: Web
) -> None:
    stored.save(run_message("SN-1"), rules=Rulebook(0, ()))
    response = await web.get("/api/v1/results/1/judged-by", version=9)
    assert response.status_code == 422
    assert response.json()["detail"] == (
        "rulebook 9 is not stored. GET /api/v1/rulebooks lists them."
    )
    assert (await web.get("/api/v1/results/2/judged-by")).status_code == 404
    assert (await web.get("/api/v1/results/1/judged-by", version=-1)).status_code == 422

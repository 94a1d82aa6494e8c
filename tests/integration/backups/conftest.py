"""Fixtures of the tests of backups: PostgreSQL's tools, a second database, a good backup."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.commands.backups import back_up
from tests.support.backups import BY_ANN, fill, nobody
from tests.support.postgres import server_binaries
from tests.support.processes import YIELDLINE, Process
from tests.support.stored import Stored


@pytest.fixture(autouse=True)
def _tools_of_the_tests_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the pip package has PostgreSQL, its tools are on no PATH."""
    if binaries := server_binaries():
        monkeypatch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{binaries}")


@pytest.fixture
def other_url(store_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A second, empty database of the same kind."""
    if store_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'other.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    url = server.database()
    yield url
    server.drop(url)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Run `yieldline db …` on a database."""
    processes: list[Process] = []

    def start(url: str, *words: str | Path) -> Process:
        environment = {"YIELDLINE_DATABASE__URL": url}
        process = Process([YIELDLINE, "db", *words], environment=environment, directory=tmp_path)
        processes.append(process)
        process.wait(30)
        return process

    yield start
    for process in processes:
        assert "Traceback" not in process.output


@pytest.fixture
def file(stored: Stored, tmp_path: Path) -> Path:
    """A good backup of a database with something of everything."""
    fill(stored)
    return back_up(stored.database, tmp_path / "good.backup", BY_ANN, nobody).file

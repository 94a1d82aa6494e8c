"""The agent as one file, started by a Python that has none of our packages."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edge_agent.pack import bootstrap
from edge_agent.pack.build import build
from tests.support.edge import SAMPLE, Agent, TinyService, line
from tests.support.processes import Process
from tests.support.waiting import eventually

BARE = Path(sys.base_prefix) / ("python.exe" if sys.platform == "win32" else "bin/python3")
"""Not the one of this virtual environment."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BARE.exists(), reason="no Python besides the environment's"),
]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of the packages that are installed here: no network is needed."""
    file = tmp_path_factory.mktemp("pack") / "yieldline-agent.pyz"
    build(file, is_installed=True)
    return file


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def environment(cache: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(cache)}


def call(packed: Path, cache: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BARE, "-I", packed, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(cache),
        cwd=cache,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def test_it_parses_a_file_and_unpacks_only_once(packed: Path, cache: Path) -> None:
    first = call(packed, cache, "parse", "--format", "spea", SAMPLE)
    assert first.returncode == 0, first.stderr
    assert len(first.stdout.splitlines()) == 10
    assert first.stderr == "explained 1406304 of 1406304 bytes, 10 runs\n"
    (folder,) = (cache / "yieldline-agent").iterdir()
    before = folder.stat().st_mtime_ns
    helped = call(packed, cache, "--help")
    assert helped.returncode == 0, helped.stderr
    assert "yieldline-agent" in helped.stdout
    assert [each.stat().st_mtime_ns for each in (cache / "yieldline-agent").iterdir()] == [before]


async def test_it_runs_once_against_a_broker(
    packed: Path, cache: Path, agent: Agent, service: TinyService
) -> None:
    agent.log.write_bytes(line(1) + line(2))
    command = [BARE, "-I", packed, "run", "--once", "--config", agent.config]
    with Process(command, environment=environment(cache), directory=cache) as process:
        await eventually(lambda: process.exit_code is not None, 30, saw=lambda: process.output)
        assert process.exit_code == 0, process.output
    assert len(service.arrived) == 2
    assert service.states[0]["agent"]["version"] not in {"", "unknown"}
    assert service.states[0]["agent"]["paho"].startswith("2.")


def test_another_python_is_told_what_it_was_built_for(packed: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pyz"
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(other, "w") as target:
        target.writestr("__main__.py", source.read("__main__.py"))
        target.writestr(bootstrap.BUILD, json.dumps({"key": "k", "abi": ".cp39-win_amd64.pyd"}))
    done = call(other, tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("other.pyz: it was built for .cp39-win_amd64.pyd, and ")
    assert "make agent" in done.stderr


def test_a_cache_that_cannot_be_written_is_one_sentence(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "yieldline-agent").write_text("in the way", "utf-8")
    done = call(packed, tmp_path, "--help")
    assert done.returncode == 2
    assert "Set XDG_CACHE_HOME to a folder that can." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_came_damaged_is_one_sentence(packed: Path, tmp_path: Path) -> None:
    content = bytearray(packed.read_bytes())
    with zipfile.ZipFile(packed) as archive:
        largest = max(archive.infolist(), key=lambda each: each.compress_size)
    middle = largest.header_offset + largest.compress_size // 2
    content[middle : middle + 64] = bytes(64)
    (tmp_path / "half.pyz").write_bytes(content)
    done = call(tmp_path / "half.pyz", tmp_path, "--help")
    assert done.returncode == 2
    assert done.stderr.startswith("half.pyz is damaged (")
    assert done.stderr.endswith("Copy it here once more.\n")
    assert list((tmp_path / "yieldline-agent").iterdir()) == []


def test_half_an_unpacking_is_never_seen(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "cache" / "key"

    def power_cut(*_: object) -> None:
        raise OSError("no more power")

    with zipfile.ZipFile(packed) as archive:
        with monkeypatch.context() as patch:
            patch.setattr(zipfile.ZipFile, "extractall", power_cut)
            with pytest.raises(OSError, match="no more power"):
                bootstrap.unpacked(archive, target)
        assert list(target.parent.iterdir()) == []
        site = bootstrap.unpacked(archive, target)
        assert (site / "edge_agent/__main__.py").is_file()
        assert bootstrap.unpacked(archive, target) == site


def small_build(folder: Path, key: str) -> Path:
    """A pyz whose agent says that it runs, and ends when its input does."""
    file = folder / f"{key}.pyz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("__main__.py", Path(bootstrap.__file__).read_bytes())
        archive.writestr(bootstrap.BUILD, json.dumps({"key": key, "abi": bootstrap.abi()}))
        archive.writestr("site/edge_agent/__init__.py", "")
        main = "import sys\ndef main():\n    print('runs', flush=True)\n    sys.stdin.read()\n"
        archive.writestr("site/edge_agent/__main__.py", main)
    return file


def test_folders_of_other_builds_go_once_nobody_runs_from_them(tmp_path: Path) -> None:
    old, new = small_build(tmp_path, "old"), small_build(tmp_path, "new")
    cache = tmp_path / "yieldline-agent"
    unknown, left = cache / "of-an-earlier-release", cache / ".new-left"
    for folder in (unknown, left):
        (folder / "site").mkdir(parents=True)
    os.utime(left, (0, 0))

    def names() -> set[str]:
        return {each.name for each in cache.iterdir()}

    running = subprocess.Popen(
        [sys.executable, "-I", old],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(tmp_path),
    )
    with running:
        assert running.stdout
        assert running.stdin
        assert running.stdout.readline() == b"runs\n"
        assert call(new, tmp_path).stdout == "runs\n"
        assert names() == {"old", "new", unknown.name}
        running.stdin.close()
    assert call(new, tmp_path).stdout == "runs\n"
    assert names() == {"new", unknown.name}


def test_the_same_sources_are_the_same_bytes(packed: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.pyz"
    before = os.umask(0o077)
    try:
        build(again, is_installed=True)
    finally:
        os.umask(before)
    assert again.read_bytes() == packed.read_bytes()
    with zipfile.ZipFile(packed) as archive:
        assert not [name for name in archive.namelist() if name.endswith("/RECORD")], "has paths"


def test_it_holds_nothing_of_the_service_or_the_web_app(packed: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        tops = {name.split("/")[1] for name in archive.namelist() if name.startswith("site/")}
    assert {"broker", "edge_agent", "pydantic_core"} <= tops
    assert not {"service", "ui", "numpy", "sqlmodel", "nicegui", "sqlalchemy"} & tops

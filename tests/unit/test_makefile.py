"""The Makefile: what it deletes, and what it installs on a person's machine."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project that was built and has run: the Makefile and what may be in its way."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in (".venv", "dist", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "data/yieldline.db").write_bytes(b"results")
    return tmp_path


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    return subprocess.run(
        ["make", *words], cwd=folder, env=environment, check=False, capture_output=True, text=True
    )


def test_clean_removes_what_was_built_and_no_result(folder: Path) -> None:
    assert make(folder, "clean").returncode == 0
    assert sorted(each.name for each in folder.iterdir()) == ["Makefile", "data"]
    assert (folder / "data/yieldline.db").read_bytes() == b"results"


@pytest.mark.parametrize("answer", [(), ("DATA=no",)])
def test_results_are_deleted_by_who_says_so_alone(folder: Path, answer: tuple[str, ...]) -> None:
    refused = make(folder, "erase", *answer)
    assert refused.returncode == 2
    assert "nothing was deleted. To delete it, stop every program, then: make erase DATA=yes" in (
        refused.stdout
    )
    assert (folder / "data/yieldline.db").exists()
    assert make(folder, "erase", "DATA=yes").returncode == 0
    assert not (folder / "data").exists()


def test_up_installs_a_broker_and_no_browser() -> None:
    said = make(ROOT, "-n", "up").stdout
    assert [line for line in said.splitlines() if "system-packages" in line] == [
        ".ci/system-packages mosquitto mosquitto_pub"
    ]


@pytest.mark.parametrize(
    ("words", "missing"),
    [(("chromium",), {"chromium"}), ((), {"chromium", "chromium-driver", "openssh-client"})],
)
def test_what_cannot_be_installed_is_named_and_nothing_else(
    tmp_path: Path, words: tuple[str, ...], missing: set[str]
) -> None:
    (tmp_path / "id").symlink_to(shutil.which("id") or "")
    command = [shutil.which("bash") or "", ROOT / ".ci/system-packages", *words]
    ended = subprocess.run(
        command, env={"PATH": str(tmp_path)}, check=True, capture_output=True, text=True
    )
    named = set(ended.stdout.removeprefix("Not installed: ").split(". ")[0].split())
    assert missing <= named
    assert bool(words) == (named == missing)

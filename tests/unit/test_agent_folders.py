"""Which files a pattern names, here and on Windows, and what cannot be reached."""

import glob
import os
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from edge_agent import folders
from edge_agent.folders import list_files, split
from edge_agent.looks import key_of

TREE = (
    "a.log",
    "b.csv",
    ".hidden.log",
    "2026/a.log",
    "2026/01/a.log",
    "2026/01/b.LOG",
    "2026/.old/a.log",
    "deep/x/y/z/c.log",
    "[odd]/d.log",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in TREE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    "pattern",
    [
        "a.log", "*.log", "*", ".*", "*.???", "[ab].*", "**/*.log", "**/a.log", "**",
        "2026/**/*.log", "*/*.log", "*/01/*.log", "**/01/**/a.log", "missing.log",
        "[[]odd]/*.log", "*/missing/*.log",
    ],
)  # fmt: skip
def test_a_pattern_names_what_glob_names(tree: Path, pattern: str) -> None:
    found = list_files(str(tree / pattern))
    named = glob.glob(str(tree / pattern), recursive=True)  # noqa: PTH207 - Path.glob shows hidden
    assert found.paths == sorted(path for path in named if Path(path).is_file())
    assert found.unreachable == {}


def test_a_link_to_a_folder_above_does_not_go_round_for_ever(tree: Path) -> None:
    (tree / "2026/up").symlink_to(tree)
    assert len(list_files(str(tree / "**/*.log")).paths) == 5
    assert list_files(str(tree / "2026/up/*.log")).paths == [str(tree / "2026/up/a.log")]


@pytest.mark.parametrize("pattern", ["*.log", "a.log", "x/*.log", "**/*.log"])
def test_a_folder_that_is_not_there_is_unreachable_and_hides_what_is_below(
    tmp_path: Path, pattern: str
) -> None:
    found = list_files(str(tmp_path / "share" / pattern))
    assert found.paths == []
    (folder, why), *_ = found.unreachable.items()
    assert folder.startswith(str(tmp_path / "share"))
    assert why == "No such file or directory"
    assert found.may_hide(str(tmp_path / "share/x/a.log"))
    assert not found.may_hide(str(tmp_path / "a.log"))


def test_a_folder_below_that_may_not_be_listed_is_said_and_the_rest_is_found(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def refusing(folder: str) -> object:
        if folder.endswith("deep"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(folders.os, "scandir", refusing)
    found = list_files(str(tree / "**/*.log"))
    assert found.unreachable == {str(tree / "deep"): "Permission denied"}
    assert str(tree / "2026/01/a.log") in found.paths
    assert found.may_hide(str(tree / "deep/x/y/z/c.log"))


@pytest.mark.parametrize(
    ("pattern", "base", "parts"),
    [
        (r"C:\logs\*.csv", r"C:\logs", ("*.csv",)),
        (r"\\server\share\line 1\**\*.log", r"\\server\share\line 1", ("**", "*.log")),
        (r"\\?\C:\logs\a.log", r"\\?\C:\logs", ("a.log",)),
        (r"C:\*\a.log", "C:\\", ("*", "a.log")),
        ("D:/logs/[0-9]/a.log", r"D:\logs", ("[0-9]", "a.log")),
        (r"logs\a.log", "logs", ("a.log",)),
    ],
)
def test_windows_patterns_start_at_their_drive_or_share(
    pattern: str, base: str, parts: tuple[str, ...]
) -> None:
    assert split(PureWindowsPath(pattern)) == (PureWindowsPath(base), parts)


def test_posix_patterns_start_at_their_first_plain_folder() -> None:
    assert split(PurePosixPath("/var/log/t*/a.log")) == (PurePosixPath("/var/log"), ("t*", "a.log"))
    assert split(PurePosixPath("a.log")) == (PurePosixPath(), ("a.log",))


def test_two_spellings_of_a_windows_path_are_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    import ntpath  # noqa: PLC0415 - what os.path is on Windows

    assert key_of("M1", "C:\\Logs\\A.log") != key_of("M1", "c:/logs/a.LOG")
    monkeypatch.setattr(os.path, "normcase", ntpath.normcase)
    assert key_of("M1", "C:\\Logs\\A.log") == key_of("M1", "c:/logs/a.LOG")
    assert key_of("M1", "C:\\Logs\\A.log") != key_of("M2", "c:/logs/a.LOG")

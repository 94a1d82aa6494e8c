"""The fuzzer's own: what it finds is kept, told and seen again. None of it needs atheris."""

import sys
from pathlib import Path

import pytest

from edge_agent.formats import FORMAT_NAMES
from tests.fuzzing.__main__ import Done, follow, main
from tests.fuzzing.finds import Finds
from tests.fuzzing.targets import TARGETS, Target
from tests.fuzzing.work import Figures


def break_at_a_mark(content: bytes) -> None:
    if b"!" in content:
        raise IndexError(content)
    assert b"?" not in content


@pytest.fixture
def _planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "planted", Target(break_at_a_mark, [b""], [b"!"]))


def test_a_crash_is_told_once_with_its_input_and_the_command_that_repeats_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finds = Finds("planted", break_at_a_mark, tmp_path)
    for content in (b"good", b"long !", b"!", b"longer !"):
        finds(content)
    (said,) = capsys.readouterr().out.splitlines()
    (kept,) = tmp_path.iterdir()
    assert said.startswith("FOUND planted: IndexError at tests/unit/test_fuzzing.py:")
    assert said.endswith(f" -m tests.fuzzing planted --repeat {kept}")
    assert kept.read_bytes() == b"!"


def test_a_crash_elsewhere_is_another_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finds = Finds("planted", break_at_a_mark, tmp_path)
    finds(b"!")
    finds(b"?")
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == [
        "IndexError",
        "AssertionError",
    ]
    assert sorted(each.read_bytes() for each in tmp_path.iterdir()) == [b"!", b"?"]


def test_an_interrupt_is_no_crash(tmp_path: Path) -> None:
    def interrupt(_: bytes) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Finds("planted", interrupt, tmp_path)(b"")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_planted")
def test_a_kept_input_is_seen_again_with_its_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "crash"
    file.write_bytes(b"!")
    assert main(["planted", "--repeat", str(file)]) == 1
    assert "IndexError: b'!'" in capsys.readouterr().err
    file.write_bytes(b"mended")
    assert main(["planted", "--repeat", str(file)]) == 0


def test_what_a_target_prints_is_followed_to_its_figures_and_finds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed = [
        "#2\tINITED cov: 334 ft: 995 corp: 4/9b exec/s: 0 rss: 90Mb\n",
        "FOUND planted: IndexError at a.py:1. Its input is in b; see it again with: c\n",
        "#4096\tNEW    cov: 336 ft: 1001 corp: 5/11b lim: 4 exec/s: 9 rss: 90Mb L: 2/4\n",
        "ALARM: working on the last Unit for 10 seconds\n",
        "artifact_prefix='f/'; Test unit written to f/timeout-12ab\n",
        "\n",
    ]
    done = follow("planted", printed)
    assert done == Done(Figures(4096, 336, 1001), 2, printed[-2].strip())
    first, second = capsys.readouterr().out.splitlines()
    assert f"{first}\n" == printed[1]
    assert second.startswith("FOUND planted: it took longer than 10 s. Its input is in f/timeout-")


def test_without_atheris_a_sentence_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    assert main(["topic"]) == 2
    assert capsys.readouterr().out.endswith("Run: make fuzz\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["i3071"], "'i3071' is not a target. Use one of jsonl, csv"),
        (["--seconds", "0"], "--seconds must be 1 or more."),
        (["--repeat", "file"], "--repeat needs the one target"),
    ],
)
def test_what_cannot_be_asked_for_is_said(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert words in capsys.readouterr().err


def test_every_format_is_a_target_and_each_target_holds_for_its_first_seed() -> None:
    assert {name.partition("-")[0] for name in TARGETS} >= set(FORMAT_NAMES)
    for target in TARGETS.values():
        target.check(target.seeds[0])

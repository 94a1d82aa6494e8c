"""`agent parse`: what a person sees of a file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from broker.messages import RUN

SAMPLE = Path(__file__).parents[1] / "fixtures/spea/testdata_SN9871234012.csv"
ROOT = Path(__file__).parents[2]


def parse(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_agent", "parse", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=30
    )


def test_the_real_file_is_ten_valid_runs_a_line_each() -> None:
    done = parse("--format", "spea", SAMPLE)
    assert done.returncode == 0
    runs = [RUN.validate_json(text) for text in done.stdout.splitlines()]
    assert len(runs) == 10
    assert done.stderr == "explained 1406304 of 1406304 bytes, 10 runs\n"
    first = json.loads(done.stdout.splitlines()[0])
    assert first["started_at"] == "2024-10-12T16:15:03"
    assert None not in first.values()
    assert "message_id" not in first


def test_options_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_text('product_id = "PCB-7"\nunits = { V = "mV" }\n', "utf-8")
    done = parse("--format", "spea", "--options", tmp_path / "o.toml", SAMPLE)
    assert {json.loads(text)["product_id"] for text in done.stdout.splitlines()} == {"PCB-7"}


def test_what_is_not_understood_is_listed_and_counted(tmp_path: Path) -> None:
    log = tmp_path / "x.csv"
    sample = SAMPLE.read_bytes()[:125_636]
    damaged = sample.replace(b"\nSN;", b"\nDIG;1\nSN;") + b"half of it\n" + sample[:500]
    log.write_bytes(damaged)
    hole = damaged.index(b"DIG;1")
    done = parse("--format", "spea", log)
    lines = done.stderr.splitlines()
    assert done.returncode == 0
    assert [text.split(":")[0] for text in lines[:-1]] == [
        f"unparsed {hole}-{hole + 6}",
        "unparsed 125642-125653",
        "unparsed 125653-126153",
    ]
    assert lines[-1] == f"explained {125_636} of {126_153} bytes, 1 runs"


@pytest.mark.parametrize(("content", "code"), [(b"", 0), (b"no run at all\n", 1), (b"\n", 1)])
def test_the_exit_code_says_whether_a_run_was_found(
    tmp_path: Path, content: bytes, code: int
) -> None:
    (tmp_path / "x").write_bytes(content)
    done = parse("--format", "spea", tmp_path / "x")
    assert done.returncode == code
    assert ("no run found in x as spea. Check format" in done.stderr) == (code == 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "spae", SAMPLE], "Did you mean spea?"),
        (["--format", "spea", "nowhere.csv"], "nowhere.csv"),
        (["--format", "spea", "--options", "none.toml", SAMPLE], "none.toml"),
        ([SAMPLE], "--format"),
    ],
)
def test_a_mistake_is_exit_2_and_no_traceback(arguments: list[object], said: str) -> None:
    done = parse(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_option_names_the_file_and_the_closest(tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_text('procdure = "X"\n', "utf-8")
    done = parse("--format", "spea", "--options", tmp_path / "o.toml", SAMPLE)
    assert done.returncode == 2
    assert "o.toml: procdure" in done.stderr
    assert "Did you mean procedure?" in done.stderr


@pytest.mark.parametrize("command", [[], ["run"], ["parse"]])
def test_help_has_examples(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", *command, "--help"],
        capture_output=True, text=True, check=True, cwd=ROOT, timeout=30,
    )  # fmt: skip
    assert "yieldline agent" in done.stdout

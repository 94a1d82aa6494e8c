"""`agent init`: from flags, from answers, and what it never does."""

import re
import subprocess
from pathlib import Path

import pytest

from broker.sections import BrokerSettings
from edge_agent.config import AgentSettings, load_config
from edge_agent.formats import FORMAT_NAMES
from tests.support.edge import SAMPLE
from tests.support.processes import PYTHON

ROOT = Path(__file__).parents[2]
FLAGS = ("--machine-id", "ICT-3", "--line", "L1", "--format", "spea", "--path", "logs/*.csv")


def init(
    folder: Path, *flags: str, answers: str = "", output: str = "agent.toml"
) -> subprocess.CompletedProcess[str]:
    command = [PYTHON, "-m", "edge_agent", "init", "--output", str(folder / output), *flags]
    return subprocess.run(
        command, input=answers, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )


def test_with_all_flags_it_asks_nothing_and_the_file_loads(tmp_path: Path) -> None:
    done = init(tmp_path, *FLAGS, "--broker", "mqtt.plant:8883", "--username", "ICT-3")
    assert done.returncode == 0, done.stderr
    assert "[" not in done.stdout  # no question
    config = load_config(tmp_path / "agent.toml")
    (source,) = config.source
    assert (source.machine_id, source.line, source.format) == ("ICT-3", "L1", "spea")
    assert source.path == str(tmp_path / "logs/*.csv")
    assert (config.broker.host, config.broker.port) == ("mqtt.plant", 8883)
    assert (config.broker.username, config.broker.password) == ("ICT-3", None)
    assert "YIELDLINE_BROKER__PASSWORD" in done.stdout
    assert f"yieldline agent check --config {tmp_path / 'agent.toml'}" in done.stdout


def test_the_comments_are_the_settings_own_descriptions(tmp_path: Path) -> None:
    init(tmp_path, *FLAGS)
    lines = (tmp_path / "agent.toml").read_text("utf-8").splitlines()
    words = " ".join(line.removeprefix("# ") for line in lines)
    for model in (AgentSettings, BrokerSettings):
        for key, info in model.model_fields.items():
            if key not in {"password", "ingest_protocol"}:
                assert str(info.description) in words, key
    assert "password" not in [line.lstrip("# ").split(" =")[0] for line in lines]


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_for_every_format_the_file_loads_or_says_what_is_left(tmp_path: Path, name: str) -> None:
    done = init(tmp_path, "--machine-id", "M", "--format", name, "--path", "x")
    assert done.returncode == 0, done.stderr
    if "One thing is left to do" not in done.stdout:
        assert load_config(tmp_path / "agent.toml").source[0].format == name


def test_the_defaults_behind_the_hashes_are_the_defaults(tmp_path: Path) -> None:
    init(tmp_path, *FLAGS)
    file = tmp_path / "agent.toml"
    written = load_config(file)
    text = file.read_text("utf-8")
    file.write_text(re.sub(r"(?m)^# (?=\w+ = (?!.*# not set))", "", text), "utf-8")
    again = load_config(file)
    assert file.read_text("utf-8").count("\n# ") < text.count("\n# ") - 20
    assert again.model_dump(exclude={"source"}) == written.model_dump(exclude={"source"})
    assert again.options_of(again.source[0]) == written.options_of(written.source[0])


@pytest.mark.parametrize(
    "path", [r"C:\logs\ict\*.csv", r"\\server\share\x.log", "it's\\odd", "ü/*"]
)
def test_a_path_of_any_system_comes_back_as_it_was(tmp_path: Path, path: str) -> None:
    init(tmp_path, "--machine-id", "M", "--format", "jsonl", "--path", path)
    assert load_config(tmp_path / "agent.toml").source[0].path.endswith(path)


def test_it_never_writes_over_a_file_without_force(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text("mine", "utf-8")
    done = init(tmp_path, *FLAGS)
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert (tmp_path / "agent.toml").read_text("utf-8") == "mine"
    assert init(tmp_path, *FLAGS, "--force").returncode == 0
    load_config(tmp_path / "agent.toml")


def test_it_asks_guesses_the_format_and_asks_again_after_a_wrong_answer(tmp_path: Path) -> None:
    folder = tmp_path / "line [3]"  # it is no glob
    (folder / "logs").mkdir(parents=True)
    (folder / "logs/a.csv").write_bytes(SAMPLE.read_bytes())
    answers = ["no/id", "ICT-3", "", "logs/*.csv", "y", "", "plant:0", "plant:1884", "ICT-3"]
    done = init(folder, answers="\n".join(answers) + "\n")
    assert done.returncode == 0, done.stderr
    assert "'no/id' may not stand in a topic" in done.stdout
    assert "spea       100.0 %" in done.stdout
    assert "'plant:0' is not HOST or HOST:PORT" in done.stdout
    config = load_config(folder / "agent.toml")
    assert config.source[0].format == "spea"  # the guess was the default
    assert (config.source[0].line, config.broker.port) == ("unassigned", 1884)
    assert config.broker.username == "ICT-3"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--machine-id", "a b", *FLAGS[2:]), "--machine-id 'a b' may not stand"),
        ((*FLAGS, "--format", "spae"), "Did you mean spea?"),
        ((*FLAGS, "--path", ""), "--path is empty"),
        ((*FLAGS, "--broker", "a:b"), "--broker 'a:b' is not HOST or HOST:PORT"),
        ((), "nobody answered. Give --machine-id, --format and --path."),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    done = init(tmp_path, *flags)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    done = init(tmp_path, *FLAGS, output="none/agent.toml")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr

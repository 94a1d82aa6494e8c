"""agent.toml: what it may hold, and the sentence when it does not."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from broker.errors import SettingsError
from broker.topics import Channel
from edge_agent.config import load_config, setting_names
from edge_agent.tail import find

GOOD = """
[agent]
spool_file = "spool.db"
[[source]]
machine_id = "ICT-3"
line = "L1"
format = "spea"
path = "logs/*.csv"
[source.options]
procedure = "ICT-2"
"""
ROOT = Path(__file__).parents[2]


def write(folder: Path, text: str) -> Path:
    file = folder / "agent.toml"
    file.write_text(text, "utf-8")
    return file


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_config(write(folder, text))
    return str(caught.value)


def test_a_good_file_is_read_and_its_paths_are_its_own(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD))
    (source,) = config.source
    assert config.agent.spool_file == tmp_path / "spool.db"
    assert source.path == str(tmp_path / "logs/*.csv")
    assert config.options_of(source).procedure == "ICT-2"
    assert config.topic(source, Channel.TEST) == "factory/v1/L1/ICT-3/test"


def test_the_name_of_the_file_s_own_folder_is_no_glob(tmp_path: Path) -> None:
    folder = tmp_path / "line [3]"
    log = folder / "logs/a.csv"
    log.parent.mkdir(parents=True)
    log.touch()
    (source,) = load_config(write(folder, GOOD)).source
    assert find(source.path) == [log]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("spool_file", "spol_file"), r"agent\.spol_file is not .* Did you mean spool_file\?"),
        (("[agent]", "[agnt]"), r"agnt is not a setting\. Did you mean agent\?"),
        (("machine_id", "machin_id"), r"source\.1\.machine"),
        (("format =", "fromat ="), r"source\.1\.f"),
        (("procedure", "procdure"), r"source 1 \(ICT-3\): procdure .* Did you mean procedure\?"),
        (('"spea"', '"spae"'), r"'spae' is not a format .* Did you mean spea\?"),
        (('"ICT-3"', '"ICT/3"'), r"machine_id"),
        (('"L1"', '"#"'), r"line"),
        ((GOOD[GOOD.index("[[source]]") :], ""), r"no \[\[source\]\]\. Add one"),
        (("[agent]", "[agent"), r"cannot be read as TOML"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_file(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    sentence = complaint(tmp_path, GOOD.replace(*change))
    assert re.search(said, sentence)
    assert "agent.toml" in sentence
    assert "\n" not in sentence


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"does not exist\. .* `yieldline agent init`"):
        load_config(tmp_path / "agent.toml")


def test_paths_are_the_same_from_wherever_the_file_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    (tmp_path / "below").mkdir()
    assert load_config(tmp_path / "below" / ".." / file.name) == load_config(file)


def test_a_machine_has_one_place(tmp_path: Path) -> None:
    other = GOOD[GOOD.index("[[source]]") :].replace("L1", "L2")
    assert "one place" in complaint(tmp_path, GOOD + other)


def test_the_environment_holds_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIELDLINE_BROKER__USERNAME", "ict-3")
    monkeypatch.setenv("YIELDLINE_BROKER__PASSWORD", "secret")
    config = load_config(write(tmp_path, GOOD + '[broker]\nhost = "mqtt.plant"\n'))
    assert (config.broker.host, config.broker.secret()) == ("mqtt.plant", "secret")
    assert "secret" not in repr(config)


def test_a_wrong_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIELDLINE_BROKER__PORT", "many")
    assert "YIELDLINE_BROKER__PORT" in complaint(tmp_path, GOOD)


def test_the_example_file_is_valid_and_names_every_setting() -> None:
    example = ROOT / "docs/agent.example.toml"
    load_config(example)
    text = example.read_text("utf-8")
    for section, key in setting_names():
        if section in {"agent", "source"}:
            assert re.search(rf"^(# )?(\[source\.)?{key}( =|\])", text, re.MULTILINE), key


def test_the_page_says_how_to_show_a_certificate(tmp_path: Path) -> None:
    page = (ROOT / "docs/agent.md").read_text("utf-8")
    block = (
        page.partition("### With a certificate")[2].partition("```toml\n")[2].partition("```")[0]
    )
    file = tmp_path / "agent.toml"
    file.write_text(GOOD + block, "utf-8")
    broker = load_config(file).broker
    assert (broker.port, broker.tls, broker.username) == (8883, True, None)
    assert broker.login() == "certificate ICT-3.crt"
    assert broker.cert_file == tmp_path / "ICT-3.crt"
    assert broker.key_file == tmp_path / "ICT-3.key"
    assert broker.ca_file == tmp_path / "ca.crt"


def test_every_setting_of_the_agent_is_in_its_documentation() -> None:
    text = (ROOT / "docs/agent.md").read_text("utf-8")
    for section, key in setting_names():
        if section in {"agent", "source"}:
            assert f"`{key}`" in text, key


def test_the_agent_starts_without_the_packages_of_the_service() -> None:
    code = (
        "import sys\n"
        "for name in ('sqlmodel', 'sqlalchemy', 'nicegui', 'numpy', 'aiomqtt', 'psycopg'):\n"
        "    sys.modules[name] = None\n"
        "import edge_agent.__main__, edge_agent.formats.spea, edge_agent.formats.jsonl\n"
        "assert not {'service', 'ui'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)

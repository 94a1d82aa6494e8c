"""A file that a person names and that cannot be read: which, why, what to do, in one sentence."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.errors import AccountError, RulebookError, SettingsError, YieldlineError
from broker.files import read_text, trouble_of
from edge_agent.__main__ import app as agent
from service.__main__ import app


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ("rules check {}", "{}"),
        ("rules activate {} --reason x", "{}"),
        ("rules backtest {}", "{}"),
        ("rules shadow start {} --reason x", "{}"),
        ("users add ann --password-file {}", "--password-file {}"),
        ("users passwd ann --password-file {}", "--password-file {}"),
    ],
)
def test_each_command_says_which_file_does_not_exist_and_what_to_do(
    tmp_path: Path, arguments: str, name: str
) -> None:
    file = str(tmp_path / "none.toml")
    error = CliRunner().invoke(app, arguments.format(file).split()).exception
    assert isinstance(error, RulebookError | AccountError)
    assert str(error) == f"{name.format(file)} does not exist. Check the path."


def test_the_agents_options_are_said_likewise(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.touch()
    parse = ["parse", "--format", "csv", "--options", str(tmp_path), str(log)]
    error = CliRunner().invoke(agent, parse).exception
    assert isinstance(error, SettingsError)
    assert str(error) == f"--options {tmp_path} is a folder. Name the file in it."


def test_every_trouble_has_its_own_words(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# M\xfcnchen")
    with pytest.raises(YieldlineError) as caught:
        read_text(latin, SettingsError)
    assert str(caught.value) == f"{latin} is not UTF-8 text (byte 3). Save it as UTF-8."
    assert trouble_of(PermissionError(13, "Permission denied")).startswith("may not be read")
    said = trouble_of(OSError(5, "Input/output error"))
    assert said == "cannot be read: Input/output error. Check it, or use another file."


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_bytes(b"a = 1\r\nb = 2\n")
    assert read_text(file, SettingsError) == "a = 1\r\nb = 2\n"

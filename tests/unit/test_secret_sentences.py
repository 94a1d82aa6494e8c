"""No sentence about a wrong setting repeats a secret: it may end up in a log or a ticket."""

from pathlib import Path

import pytest

from broker.errors import SettingsError
from broker.sections import DatabaseSettings
from broker.settings import load_settings
from edge_agent.config import load_config
from service.store.database import Database

SECRET = "s3cret-word"
AGENT = '[[source]]\nmachine_id = "M1"\nformat = "jsonl"\npath = "*.log"\n'


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("BROKER__PASSWORD", SECRET, "password without a username"),
        ("BROKER__PASSWORT", SECRET, "PASSWORT is not a setting"),
        ("BROKER", f'{{"password": "{SECRET}"', "YIELDLINE_BROKER"),
        ("ALERTS__NOTIFY_URLS", f'"json://{SECRET}"', "ALERTS__NOTIFY_URLS"),
        ("ALERTS__NOTIFY_URLS", f"json://{SECRET}", "variable YIELDLINE_ALERTS… is not JSON"),
    ],
)
def test_a_wrong_variable_is_not_repeated(
    variable: str, value: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"YIELDLINE_{variable}", value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert SECRET not in str(raised.value)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        f'[broker]\npassword = "{SECRET}"\n',
        f'[broker]\npassword = "{SECRET}\n',
        f'[broker]\nusername = "a"\npassword = ["{SECRET}"]\n',
        f'[database]\nurl = ["{SECRET}"]\n',
    ],
)
def test_a_wrong_file_is_not_repeated(text: str, tmp_path: Path) -> None:
    file = tmp_path / "yieldline.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(SettingsError) as raised:
        load_settings(file)
    assert SECRET not in str(raised.value)
    file.write_text(text + AGENT, "utf-8")
    with pytest.raises(SettingsError) as raised:
        load_config(file)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "url", [SECRET, f"mysql://ann:{SECRET}@db/x", f"postgresql://ann:{SECRET}@db:port/x"]
)
def test_a_wrong_address_of_a_database_is_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Database(DatabaseSettings.model_validate({"url": url}))
    assert SECRET not in str(raised.value)


def test_settings_as_a_program_prints_them_show_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YIELDLINE_BROKER__USERNAME", "ann")
    monkeypatch.setenv("YIELDLINE_BROKER__PASSWORD", SECRET)
    monkeypatch.setenv("YIELDLINE_DATABASE__URL", f"postgresql://ann:{SECRET}@db/x")
    settings = load_settings()
    assert settings.broker.secret() == SECRET
    assert SECRET in settings.database.address()
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump_json()}"

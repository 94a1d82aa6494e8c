"""Where a setting comes from, and that no secret is shown."""

from pathlib import Path

import pytest

from broker.origins import Layers, ShownSetting, explain_settings
from broker.settings import NAMED_SECTIONS, Settings, load_settings, read_layers, setting_names


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def shown(settings: Settings, layers: Layers = Layers()) -> dict[str, ShownSetting]:  # noqa: B008
    return {each.name: each for each in explain_settings(settings, layers)}


def loaded(flags: dict[str, dict[str, object]] | None = None) -> dict[str, ShownSetting]:
    return shown(load_settings(flags=flags), read_layers(flags=flags))


def test_without_anything_every_setting_is_there_and_has_its_default() -> None:
    found = loaded()
    wanted = {
        f"{section}.{key}" for section, key in setting_names() if section not in NAMED_SECTIONS
    }
    assert set(found) == wanted
    assert {each.origin for each in found.values()} == {"default"}
    assert found["database.url"].value == "sqlite:///data/yieldline.db"


def test_each_value_names_the_layer_that_won(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("yieldline.toml").write_text('[broker]\nhost = "a"\nport = 1\nkeepalive_s = 11\n', "utf-8")
    monkeypatch.setenv("YIELDLINE_BROKER__PORT", "2")
    monkeypatch.setenv("YIELDLINE_BROKER__HOST", "b")
    found = loaded({"broker": {"host": "c"}})
    assert found["broker.host"][1:] == ("c", "flag")
    assert found["broker.port"][1:] == ("2", "environment")
    assert found["broker.keepalive_s"][1:] == ("11", "yieldline.toml")
    assert found["broker.tls"][1:] == ("false", "default")


def test_a_value_that_no_layer_names_was_chosen_by_the_program() -> None:
    settings = Settings.model_validate({"broker": {"port": 99}})
    assert shown(settings)["broker.port"][1:] == ("99", "program")


def test_secrets_are_hidden_whatever_they_come_from() -> None:
    settings = Settings.model_validate(
        {
            "broker": {"username": "u", "password": "hush-1"},
            "database": {"url": "postgresql://u:hush-2@plant/db"},
            "alerts": {"notify_urls": ["mailto://u:hush-3@plant"]},
        }
    )
    found = shown(settings)
    assert not any("hush" in each.value for each in found.values())
    assert found["broker.password"].value == "set, not shown"
    assert found["alerts.notify_urls"].value == "1 set, not shown"


def test_of_machines_only_what_is_set_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("yieldline.toml").write_text('[machines.FCT-12]\nline = "L1"\n', "utf-8")
    monkeypatch.setenv("YIELDLINE_MACHINES__FCT-12__EXPECTED_INTERVAL_S", "42")
    found = loaded()
    machines = {name: each[1:] for name, each in found.items() if name.startswith("machines")}
    assert machines == {
        "machines.FCT-12.line": ("L1", "yieldline.toml"),
        "machines.FCT-12.expected_interval_s": ("42.0", "environment"),
    }

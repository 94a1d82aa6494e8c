"""A demo that is started without a rules file is judged by the sample rulebook."""

from pathlib import Path

import pytest

from broker.settings import Settings, load_settings
from service import up

SAMPLE = Path("/opt/yieldline/service/rules.toml")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("service.up.sample_rules", lambda: SAMPLE)


def chosen(settings: Settings) -> tuple[dict[str, str], list[str]]:
    sentences: list[str] = []
    return up._rules_of_demo(settings, sentences), sentences


def test_without_a_rules_file_the_sample_is_named_and_said() -> None:
    variables, (said,) = chosen(load_settings())
    assert variables == {"YIELDLINE_RULES__FILE": str(SAMPLE)}
    assert said == (
        f"Rules: rules.toml is not here, so results are judged by the sample, {SAMPLE},"
        " as long as no rulebook is in force."
    )


def test_a_rules_file_that_is_there_is_taken() -> None:
    Path("rules.toml").touch()
    assert chosen(load_settings()) == ({}, [])


def test_a_rules_file_that_somebody_chose_is_taken_even_where_it_is_missing_yet() -> None:
    assert chosen(load_settings(flags={"rules": {"file": "plant.toml"}})) == ({}, [])

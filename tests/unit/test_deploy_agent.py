"""The agent's service files name only what exists: settings, commands, options."""

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import typer.main

from broker.settings import setting_names as service_setting_names
from edge_agent.__main__ import app
from edge_agent.config import setting_names
from edge_agent.pack.build import OUTPUT

DEPLOY = Path(__file__).parents[2] / "docs/deploy"
UNIT = (DEPLOY / "yieldline-agent.service").read_text("utf-8")
WINSW = ET.parse(DEPLOY / "yieldline-agent.xml").getroot()
WINDOWS = (DEPLOY / "agent-windows.md").read_text("utf-8")
README = (DEPLOY / "README.md").read_text("utf-8")


def text(name: str) -> str:
    return WINSW.findtext(name) or ""


def variables() -> set[str]:
    """Return every variable of ours that the files set."""
    named = {each.get("name", "") for each in WINSW.findall("env")}
    named |= set(re.findall(r"\bYIELDLINE_\w+", UNIT + WINDOWS + README))
    return {each for each in named if each.startswith("YIELDLINE_")}


def test_every_variable_is_a_setting() -> None:
    names = [*setting_names(), *service_setting_names()]  # the README is of the service too
    known = {f"YIELDLINE_{section}__{key}".upper() for section, key in names}
    assert {"YIELDLINE_BROKER__PASSWORD_FILE", "YIELDLINE_AGENT__SPOOL_FILE"} <= variables()
    assert variables() <= known


def words_of(line: str) -> list[str]:
    """Return what stands behind the agent's file on a line."""
    rest = re.split(r"yieldline-agent\.pyz\"? ", line)[-1].split("#")[0]
    return re.sub("[`,]", " ", rest).split()


COMMANDS = [
    *re.findall(r"^ExecStart=(.+)$", UNIT, re.MULTILINE),
    text("arguments"),
    *(
        line
        for line in re.findall(r"^.*yieldline-agent\.pyz .+$", WINDOWS + README, re.MULTILINE)
        if not words_of(line)[0].startswith(("/", "dist", "|"))  # it copies the file there
    ),
]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one_with_its_options(line: str) -> None:
    words = words_of(line)
    commands = typer.main.get_group(app).commands  # type: ignore[attr-defined]
    assert words[0] in commands
    known = {option for each in commands[words[0]].params for option in each.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_the_file_is_named_as_it_is_built() -> None:
    assert OUTPUT.name in UNIT
    assert OUTPUT.name in text("arguments")
    assert f"dist/{OUTPUT.name}" in README


def test_the_unit_writes_only_its_spool_and_its_cache() -> None:
    settings = dict(re.findall(r"^(\w+)=(.*)$", UNIT, re.MULTILINE))
    assert settings["ProtectSystem"] == "strict"
    assert settings["DynamicUser"] == settings["NoNewPrivileges"] == "yes"
    assert settings["CapabilityBoundingSet"] == ""
    assert settings["RestartPreventExitStatus"] == "2"
    state = f"/var/lib/{settings['StateDirectory']}"
    assert f"YIELDLINE_AGENT__SPOOL_FILE={state}/" in UNIT
    assert "ReadWritePaths" not in settings


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_understands_the_unit() -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", DEPLOY / "yieldline-agent.service"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_windows_page_says_that_it_was_not_run() -> None:
    assert "Nothing on this page was run on Windows" in WINDOWS

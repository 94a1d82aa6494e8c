"""The agent's service files name only what exists: settings, commands, options."""

import re
import shutil
import subprocess
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import typer.main

from broker.settings import setting_names as service_setting_names
from edge_agent.__main__ import app
from edge_agent.config import setting_names
from edge_agent.formats import open_parser, read_options
from edge_agent.pack.build import OUTPUT
from tests.support.logs import openhtf, teststand
from tests.support.logs.stdf import limited
from tests.support.stdf_records import HEAD, W

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


_OBJECT = openhtf.GOOD.rstrip(b"}\n") + b',"x":[@1]}\n'
_LINE = (
    b'{"barcode": "S1", "product_id": "P", "procedure": "x", "started_at": "2026-11-23T10:00:00Z",'
    b'"measurements": [{"test_step": "v", "measured_value": 1}], "x": [@1]}\n'
)
_REPORT = teststand.GOOD.replace(b"</Report>", b"@</Report>")


def filled(around: bytes, piece: bytes) -> Callable[[int], bytes]:
    return lambda size: around.replace(b"@", piece * (size // len(piece)))


def touchdown(size: int) -> bytes:
    """Parts of 100 tests each, side by side."""
    sites = range(size // 4_000)
    parts = (
        b"".join(limited(W, number, site=site) for number in range(100)) + W.prr(b"7", site=site)
        for site in sites
    )
    return HEAD + b"".join(W.pir(site) for site in sites) + b"".join(parts)


def peak_bytes(name: str, content: bytes) -> int:
    """Return how much memory it takes to read a file with one unit."""
    parser = open_parser(name, read_options(name, {}), "x")
    tracemalloc.start()
    found = [
        item for at in range(0, len(content), 65_536) for item in parser.feed(content[at:][:65_536])
    ]
    found += parser.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) <= 2
    return peak


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("openhtf", filled(_OBJECT, b"[],")),
        ("openhtf", filled(_OBJECT, b'{"a":1},')),
        ("jsonl", filled(_LINE, b"[],")),
        ("teststand", filled(_REPORT, b"<Prop Type='TEResult'/>")),
        ("teststand", filled(_REPORT.replace(b"On", b"\xb5"), b"\n")),
        ("stdf", touchdown),
    ],
    ids=["lists", "objects", "jsonl", "steps", "line ends", "parts"],
)
def test_the_largest_unit_fits_the_memory_that_the_unit_file_allows(
    name: str, unit: Callable[[int], bytes]
) -> None:
    some, more = unit(20_000), unit(80_000)
    growth = (peak_bytes(name, more) - peak_bytes(name, some)) / (len(more) - len(some))
    allowed = int(dict(re.findall(r"^(\w+)=(\d+)M$", UNIT, re.MULTILINE))["MemoryMax"]) * 2**20
    agent, fragments = 96 * 2**20, 1.3
    assert read_options(name, {}).max_unit_bytes * growth * fragments + agent < allowed


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

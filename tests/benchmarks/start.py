"""P8: how long a person waits for the page, and a machine for its agent."""

import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figures import Figure, Yardstick
from tests.benchmarks.parts import broker, temporary_folder
from tests.support.ports import free_port
from tests.support.processes import PYTHON, YIELDLINE, Process
from tests.support.raw_mqtt import Listener
from tests.support.waiting import eventually_sync

NOTES = (
    (
        "**P8, page**: from the start of `yieldline up --no-demo` in an empty folder until"
        " `/readyz` and `/` answer 200. The yardstick is a Python that imports the web framework"
        " and the ORM."
    ),
    (
        "**P8, agent**: from the start of `yieldline agent run --once` until the broker delivers"
        " its first result. The yardstick is a Python that imports the MQTT client and the"
        " settings."
    ),
)
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_LOG_LINE = """\
{"barcode": "B1", "product_id": "P1", "test_step": "vcc", "measured_value": 5.0, \
"timestamp": "2026-11-23T10:00:00Z"}
"""


def start(rounds: int) -> Iterator[Figure]:
    """Measure P8."""
    pages, bare_pages = [], []
    agents, bare_agents = [], []
    for _ in range(rounds + 1):
        pages.append(_until_page())
        bare_pages.append(_imports("nicegui, sqlmodel"))
        agents.append(_until_agent_published())
        bare_agents.append(_imports("paho.mqtt.client, pydantic_settings"))
    yield Figure(
        "P8",
        "`up` to live page",
        "SQLite",
        "s",
        pages[1:],
        Yardstick("imports alone", bare_pages[1:]),
        floor=8,
        goal=4,
    )
    yield Figure(
        "P8",
        "agent start to first publish",
        "-",
        "s",
        agents[1:],
        Yardstick("imports alone", bare_agents[1:]),
        floor=1,
        goal=0.4,
    )


def _until_page() -> float:
    with temporary_folder() as folder:
        port = free_port()
        words = ["--http-port", str(port), "--mqtt-port", str(free_port()), "--no-demo"]
        started = time.monotonic()
        with Process([YIELDLINE, "up", *words], directory=folder) as process:
            for path in ("/readyz", "/"):
                address = f"http://127.0.0.1:{port}{path}"
                eventually_sync(
                    lambda at=address: _answers(at),  # type: ignore[misc]
                    60,
                    saw=lambda: process.output,
                )
            return time.monotonic() - started


def _answers(address: str) -> bool:
    with contextlib.suppress(OSError), _direct.open(address, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def _until_agent_published() -> float:
    with (
        temporary_folder() as folder,
        broker(folder) as port,
        Listener(port, "bench-listener", "factory/v1/+/+/test") as listener,
    ):
        config = _agent_config(folder, port)
        started = time.monotonic()
        words = ["agent", "run", "--once", "--config", str(config)]
        with Process([YIELDLINE, *words], directory=folder) as process:
            eventually_sync(lambda: listener.heard, 30, saw=lambda: process.output)
            process.kill()  # there is no service: it would wait for its receipt
        return listener.heard[0].at - started


def _agent_config(folder: Path, port: int) -> Path:
    (folder / "results.jsonl").write_text(_LOG_LINE, "utf-8")
    config = folder / "agent.toml"
    config.write_text(
        f'[broker]\nport = {port}\n[[source]]\nmachine_id = "FCT-1"\nline = "line-1"\n'
        'format = "jsonl"\npath = "results.jsonl"\n',
        "utf-8",
    )
    return config


def _imports(modules: str) -> float:
    started = time.monotonic()
    with Process([PYTHON, "-c", f"import {modules}"]) as process:
        process.wait(60)
        return time.monotonic() - started

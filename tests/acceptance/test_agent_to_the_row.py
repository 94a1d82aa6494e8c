"""From a growing log file to the row, with everything on the way killed again and again.

The judge is one clean parse of the very bytes that were written, read back past the agent, and the
database, read with plain SQL.
"""

import json
import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from edge_agent.formats import Parsed, Unparsed, open_parser, read_options
from tests.support.mosquitto import EXECUTABLE
from tests.support.ports import free_port
from tests.support.processes import PYTHON, YIELDLINE, Process
from tests.support.waiting import eventually_sync

KILLS = 20
MACHINE_ID = "ICT-3"
UNIT = (
    "FORMAT;mmdd\nSTART;Programme;prog;1.0;prod;op;11/25/2026;{clock}\nLOT;\n"
    "ANL;1;C1;1;1;first;;PASS;{value};0.5;2.0;V;;1\n"
    "ANL;1;C2;1;2;second;;{verdict};{value};0.1;1.8;V;;2\n"
    "SN;SN-{number:06}\nBOARDRESULT;{result}\nEND;{result};11/25/2026;{clock}\n"
)
LITTER = "this line is no record\n"


def unit(number: int) -> str:
    """A board's log; every seventh fails, every eleventh is followed by something unreadable."""
    failed = number % 7 == 0
    return UNIT.format(
        number=number,
        clock=f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}",
        value=f"{0.5 + number % 150 / 100:.2f}",
        verdict="FAIL(+)" if failed else "PASS",
        result="FAIL" if failed else "PASS",
    ) + (LITTER if number % 11 == 0 else "")


class Writer:
    """A tester that writes its log in pieces that end anywhere; remembers each file's bytes."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "board.csv"
        self.files: list[bytes] = []
        """What was written into each file, or each life of one."""
        self._dice = random.Random(7)
        self._number = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._begin()
        self._thread = threading.Thread(target=self._run, name="tester")
        self._thread.start()

    def rename(self, name: str) -> None:
        """Rotate as a tester or logrotate does."""
        with self._lock:
            self.log.rename(self.log.with_name(name))
            self._begin()

    def truncate(self) -> None:
        """Cut the file to nothing once all of it was read; what came between would be lost."""
        with self._lock:
            self._end_with_a_unit()
            eventually_sync(lambda: lag_bytes(self.log.parent) == 0, 60)
            os.truncate(self.log, 0)
            self._begin()

    def stop(self) -> None:
        """Finish the unit in hand."""
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join(30)
            self._end_with_a_unit()

    def _end_with_a_unit(self) -> None:
        """Litter at the end of a file that grows is told only when more has come."""
        if self.files[-1].endswith(LITTER.encode()):
            self._number += 1
            self._write(unit(self._number).encode())

    def _begin(self) -> None:
        self.files.append(b"")

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._lock:  # a rotation comes between two units, as testers do it
                self._number += 1
                self._write(unit(self._number).encode())
            time.sleep(0.004)

    def _write(self, content: bytes) -> None:
        cut = self._dice.randrange(len(content))
        for piece in (content[:cut], content[cut:]):
            with self.log.open("ab") as file:
                file.write(piece)
            self.files[-1] += piece
            time.sleep(self._dice.choice([0, 0, 0.002]))


def lag_bytes(folder: Path) -> int:
    """Ask `agent status`, as a person would."""
    with Process(
        [YIELDLINE, "agent", "status", "--config", folder / "agent.toml", "--json"]
    ) as asked:
        assert asked.wait(30) == 0, asked.output
        said = json.loads(asked.output)
    return sum(each["lag_bytes"] for machine in said["machines"] for each in machine["sources"])


class Plant:
    """`yieldline up`, whose broker and service can be killed."""

    def __init__(self, folder: Path) -> None:
        self.mqtt_port, self.http_port = free_port(), free_port()
        words = ["--data-dir", folder / "data", "--http-port", self.http_port]
        words += ["--mqtt-port", self.mqtt_port, "--broker", "mosquitto"]
        self.process = Process([YIELDLINE, "up", "--no-demo", *map(str, words)], directory=folder)
        self.process.wait_for("Open http://", 60)

    def kill(self, word: str) -> None:
        """Kill the child with this word in its command line (SIGKILL); `up` starts it again."""

        def child() -> psutil.Process | None:
            for each in psutil.Process(self.process.pid).children(recursive=True):
                try:
                    if word in " ".join(each.cmdline()):
                        return each
                except psutil.NoSuchProcess:
                    continue
            return None

        found = eventually_sync(child, 30)
        assert found is not None
        os.kill(found.pid, signal.SIGKILL)

    def books(self) -> dict[str, Any]:
        answer = httpx.get(f"http://127.0.0.1:{self.http_port}/api/v1/books", trust_env=False)
        return dict(answer.json())


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    if EXECUTABLE is None:
        pytest.skip("Mosquitto is not installed")
    plant = Plant(tmp_path)
    yield plant
    plant.process.stop(15)


class Agent:
    """`yieldline agent run`, and its successors."""

    def __init__(self, folder: Path, mqtt_port: int) -> None:
        self._config = folder / "agent.toml"
        self._config.write_text(
            f"""
[agent]
poll_s = 0.1
heartbeat_s = 1
[broker]
port = {mqtt_port}
retry_delay_max_s = 0.5
[[source]]
machine_id = "{MACHINE_ID}"
line = "L1"
format = "spea"
path = '{folder}/board.csv*'
settle_s = 1
""",
            "utf-8",
        )
        self.process = self._start()

    def kill(self, after_s: float) -> None:
        """`kill -9` some time after it began to work, and start the next one."""
        self.process.wait_for("agent_started", 30)
        time.sleep(after_s)
        self.process.kill()
        self.process = self._start()

    def _start(self) -> Process:
        return Process([PYTHON, "-m", "edge_agent", "run", "--config", self._config])


def clean_parse(files: list[bytes]) -> tuple[Counter[str], int]:
    """Read the bytes once, undisturbed: the runs, and how many records were not understood."""
    runs: Counter[str] = Counter()
    refused = 0
    for content in files:
        parser = open_parser("spea", read_options("spea", {}), "board.csv")
        for item in [*parser.feed(content), *parser.finish()]:
            refused += isinstance(item, Unparsed)
            if isinstance(item, Parsed):
                runs.update(
                    told(
                        run.barcode,
                        str(run.reported_outcome),
                        [(each.test_step, each.measured_value) for each in run.measurements],
                    )
                    for run in item.runs
                )
    return runs, refused


def told(barcode: str, outcome: str, measurements: list[tuple[str, Any]]) -> str:
    return json.dumps([barcode, outcome, measurements])


def stored(database: Path) -> Counter[str]:
    """Read the rows, past all of our queries."""
    connection = sqlite3.connect(database)
    steps = {}
    for run_id, step, number in connection.execute(
        "SELECT m.run_id, n.text, m.number FROM measurement m JOIN name n ON n.id = m.step"
        " ORDER BY m.run_id, m.position"
    ):
        steps.setdefault(run_id, []).append((step, number))
    outcomes = {1: "PASS", 2: "FAIL"}
    found = Counter(
        told(barcode, outcomes[reported], steps[run_id])
        for run_id, barcode, reported in connection.execute(
            "SELECT r.id, u.barcode, r.reported FROM run r JOIN unit u ON u.id = r.unit_id"
        )
    )
    connection.close()
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_log_line_reaches_the_row_once_whatever_is_killed_on_the_way(
    tmp_path: Path, plant: Plant
) -> None:
    dice = random.Random(11)
    writer, agent = Writer(tmp_path), Agent(tmp_path, plant.mqtt_port)
    disturbances = {
        4: lambda: writer.rename("board.csv.1"),
        6: lambda: plant.kill("mosquitto"),
        8: lambda: plant.kill("yieldline service"),
        10: writer.truncate,
        13: lambda: writer.rename("board.csv.2"),
        15: lambda: plant.kill("yieldline service"),
        17: lambda: plant.kill("mosquitto"),
        18: writer.truncate,
    }
    try:
        for number in range(KILLS):
            agent.kill(dice.uniform(0.0, 0.6))
            disturbances.get(number, lambda: None)()
        writer.stop()
        runs, refused = clean_parse(writer.files)
        assert sum(runs.values()) > 500
        assert len(writer.files) == 5

        def books() -> dict[str, Any]:
            items = plant.books()["items"]
            return next((each for each in items if each["machine_id"] == MACHINE_ID), {})

        def all_arrived() -> bool:
            found = books()
            has_told = found.get("read") == sum(runs.values()) + refused  # a heartbeat later
            return has_told and found["stored"] == sum(runs.values()) and found["waiting"] == 0

        eventually_sync(
            all_arrived,
            90,
            saw=lambda: (sum(runs.values()), refused, books(), agent.process.output[-2000:]),
        )
        found = books()
        assert found["read"] == found["refused"] + found["spooled"] == sum(runs.values()) + refused
        assert (found["refused"], found["spooled"]) == (refused, sum(runs.values()))
        assert found["receipted"] == found["spooled"]
        assert found["received"] == found["stored"] + found["rejected"] + found["duplicates"]
        assert (found["rejected"], found["difference"], found["hop"]) == (0, 0, None)
    finally:
        writer.stop()
        agent.process.stop()
    assert plant.process.stop(20) == 0
    assert stored(tmp_path / "data/yieldline.db") == runs, "nothing missing, nothing twice"

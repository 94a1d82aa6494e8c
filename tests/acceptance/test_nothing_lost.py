"""`kill -9` of the service in mid-stream, twice: the sender's own list is the judge.

Real processes from the command line, a real broker, both databases. What is stored is read with
plain SQL, past all of our queries.
"""

import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import psutil
import psycopg
import pytest

from service.store.codes import NameKind
from tests.support.mosquitto import EXECUTABLE
from tests.support.ports import free_port
from tests.support.processes import YIELDLINE, Process
from tests.support.raw_mqtt import Listener, Sender, heard_on
from tests.support.waiting import eventually_sync

_COUNT = 6_000
_PER_SECOND = 1_500
_MACHINES = 50
_MORE = 300
"""Results to see from each new life of the service before it is killed: it is in full swing."""
_RULES = """
[[rule]]
id = "voltage"
test_step = "voltage_test"
comparator = "GE"
low = 80.0
"""


class Plant:
    """`yieldline up` on free ports, in a folder of its own."""

    def __init__(self, folder: Path, database_url: str) -> None:
        (folder / "rules.toml").write_text(_RULES, "utf-8")
        self.mqtt_port = free_port()
        flags = {
            "--data-dir": folder / "data",
            "--http-port": free_port(),
            "--mqtt-port": self.mqtt_port,
            "--broker": "mosquitto",
            "--database": database_url,
        }
        words = [str(each) for flag in flags.items() for each in flag]
        self.process = Process([YIELDLINE, "up", "--no-demo", *words], directory=folder)
        self.process.wait_for("Open http://", 60)

    def service(self) -> psutil.Process | None:
        """The child `yieldline service`, None while it is being restarted."""
        for child in psutil.Process(self.process.pid).children():
            try:
                if "service" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                    return child
            except psutil.NoSuchProcess:
                continue
        return None


@pytest.fixture
def plant(tmp_path: Path, database_url: str) -> Iterator[Plant]:
    """A plant that leaves nothing running."""
    if EXECUTABLE is None:
        pytest.skip("Mosquitto is not installed")
    plant = Plant(tmp_path, database_url)
    yield plant
    plant.process.stop(15)


@pytest.mark.slow
def test_two_kills_in_mid_stream_lose_nothing_and_double_nothing(
    plant: Plant, database_url: str
) -> None:
    messages = [_message(number) for number in range(_COUNT)]
    sent = {(f"M{number % _MACHINES:02}", _message_id(number)) for number in range(_COUNT)}
    ids = {message_id for _, message_id in sent}
    channels = ("factory/v1/+/+/result", "factory/v1/+/+/receipt", "factory/v1/+/+/rejected")
    with (
        Listener(plant.mqtt_port, "oracle", *channels) as listener,
        Sender(plant.mqtt_port, "machines") as sender,
    ):
        rate: dict[str, Any] = {"window": _PER_SECOND, "per_second": _PER_SECOND}
        stream = threading.Thread(target=sender.send, args=(messages,), kwargs=rate)
        stream.start()
        killed = [_kill_in_full_swing(plant, listener) for _ in range(2)]
        stream.join(60)
        assert not stream.is_alive()
        assert len(set(killed)) == 2

        results: dict[str, set[tuple[int, str]]] = {}
        receipted: set[str] = set()
        read = 0

        def all_answered() -> bool:
            nonlocal read
            for each in listener.heard[read:]:
                read += 1
                body = orjson.loads(each.payload)
                if each.channel == "result":
                    said = (body["run_id"], body["outcome"])
                    results.setdefault(body["message_id"], set()).add(said)
                elif each.channel == "receipt":
                    receipted.update(body["message_ids"])
            return results.keys() >= ids and receipted >= ids

        eventually_sync(
            all_answered,
            60,
            saw=lambda: f"{len(results)} results, {len(receipted)} receipts of {_COUNT}",
        )
    assert plant.process.stop(15) == 0
    assert results.keys() == ids
    assert receipted == ids
    assert not heard_on(listener.heard, "rejected")
    # However often it was said, it was the same verdict on the same row.
    assert [each for each, said in results.items() if len(said) > 1] == []

    query = _reader(database_url)
    stored = query(
        "SELECT n.text, r.message_id FROM run r JOIN name n ON n.id = r.machine"
        f" WHERE n.kind = {NameKind.MACHINE.value}"
    )
    assert Counter(stored) == Counter(sent)
    run_ids = dict(query("SELECT message_id, id FROM run"))
    assert {each: run_id for each, said in results.items() for run_id, _ in said} == run_ids
    assert query("SELECT count(*), count(DISTINCT run_id) FROM measurement") == [(_COUNT, _COUNT)]
    assert query("SELECT sum(runs) FROM unit_state") == [(_COUNT,)]
    for roll_up in ("run_hour", "step_hour"):
        outcomes = query(f"SELECT sum(passed + failed + errors + unjudged) FROM {roll_up}")
        assert outcomes == [(_COUNT,)], roll_up
    books = query(
        "SELECT sum(stored), sum(rejected), sum(received - stored - rejected - duplicates)"
        " FROM machine"
    )
    assert books == [(_COUNT, 0, 0)]
    assert query("SELECT count(*) FROM outbox") == [(0,)]


def _kill_in_full_swing(plant: Plant, listener: Listener) -> int:
    """Kill the service after it has published some more results; return its process id."""
    enough = len(heard_on(listener.heard, "result")) + _MORE
    eventually_sync(lambda: len(heard_on(listener.heard, "result")) >= enough, 30)
    service = eventually_sync(plant.service)
    assert service is not None
    os.kill(service.pid, signal.SIGKILL)
    return service.pid


def _message_id(number: int) -> str:
    return f"voltage-{number}"


def _message(number: int) -> tuple[str, bytes]:
    machine_id = f"M{number % _MACHINES:02}"
    body = {
        "barcode": f"SN-{number:06}",
        "machine_id": machine_id,
        "product_id": "PROD-A",
        "test_step": "voltage_test",
        "measured_value": 70 + number % 300 / 10,
        "timestamp": "2026-11-23T10:00:00Z",
        "message_id": _message_id(number),
        "reported_outcome": "PASS",
        "source": {
            "file": "voltage.log",
            "byte_start": number * 100,
            "byte_end": number * 100 + 99,
        },
    }
    return f"factory/v1/line-1/{machine_id}/test", orjson.dumps(body)


def _reader(database_url: str) -> Callable[[str], list[Any]]:
    """Return a function that runs one query past everything of ours."""

    def query(sql: str) -> list[Any]:
        if database_url.startswith("sqlite:///"):
            connection = sqlite3.connect(database_url.removeprefix("sqlite:///"))
            try:
                return connection.execute(sql).fetchall()
            finally:
                connection.close()
        with psycopg.connect(database_url) as server:
            return server.execute(sql.encode()).fetchall()

    return query

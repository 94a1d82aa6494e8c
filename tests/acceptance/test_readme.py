"""A person follows the README: what it prints works as printed, against a running floor."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mosquitto import EXECUTABLE
from tests.support.ports import free_port
from tests.support.processes import YIELDLINE, Process
from tests.support.waiting import eventually_sync

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"<!-- The tests run this block\. -->\n```sh\n(.*?)```", README, re.DOTALL)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(EXECUTABLE is None, reason="Mosquitto is not installed"),
    pytest.mark.skipif(
        not all(map(shutil.which, ("bash", "curl", "mosquitto_pub", "mosquitto_sub"))),
        reason="bash, curl or Mosquitto's clients are not installed",
    ),
]


class Reader:
    """Somebody who types what stands there, at a product on ports of its own."""

    def __init__(self, http_port: int, mqtt_port: int) -> None:
        self._ports = {"8080": str(http_port), "1883": str(mqtt_port)}

    def command(self, *words: str) -> list[str]:
        """Return the one block that holds all `words`, as a command; only ports are replaced."""
        [block] = [each for each in BLOCKS if all(word in each for word in words)]
        typed = re.sub(r"\b(8080|1883)\b", lambda port: self._ports[port[0]], block)
        return ["bash", "-euo", "pipefail", "-c", typed]

    def types(self, *words: str) -> str:
        """Run a block and return what it prints."""
        path = f"{Path(YIELDLINE).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            self.command(*words),
            cwd=ROOT,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader beside `yieldline up`, run where the project's rules.toml is."""
    http_port, mqtt_port = free_port(), free_port()
    command = [YIELDLINE, "up", "--no-demo", "--http-port", str(http_port)]
    command += ["--mqtt-port", str(mqtt_port), "--data-dir", str(tmp_path_factory.mktemp("data"))]
    with Process(command, directory=ROOT) as up:
        up.wait_for("Open http://", 30)
        url = f"http://127.0.0.1:{http_port}"
        health = [YIELDLINE, "health", "--url", url]
        eventually_sync(
            lambda: subprocess.run(health, capture_output=True, check=False).returncode == 0,
            30,
            saw=lambda: up.output,
        )
        yield Reader(http_port, mqtt_port)


def messages(listener: Process, channel: str, machine_id: str) -> list[dict[str, Any]]:
    """Return what the listener has printed of one channel of a machine, oldest first."""
    pattern = rf"^factory/v1/\S+/{machine_id}/{channel} (\{{.*\}})$"
    return [json.loads(body) for body in re.findall(pattern, listener.output, re.MULTILINE)]


@pytest.fixture
def listener(reader: Reader) -> Iterator[Process]:
    """The reader's other terminal; it hears."""
    with Process(reader.command("mosquitto_sub")) as process:

        def hears() -> bool:
            reader.types("mosquitto_pub", '{"barcode": ""}')
            return bool(messages(process, "rejected", "MACH-01"))

        eventually_sync(hears, 20, saw=lambda: process.output)
        yield process


def test_a_posted_result_is_judged_by_the_rule_and_found(reader: Reader) -> None:
    answer = json.loads(reader.types("curl", "/ingest"))
    assert len(answer["message_ids"]) == 1

    def unit() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(reader.types("curl", "/api/v1/units/"))
        assert found.get("outcome") == "PASS"
        return found

    first = eventually_sync(unit)
    assert json.loads(reader.types("curl", "/ingest")) == answer
    [procedure] = first["units"][0]["procedures"]
    assert procedure["procedure"] == "voltage_test"


def test_a_plc_hears_its_fail_and_its_receipt(reader: Reader, listener: Process) -> None:
    reader.types("mosquitto_pub", "SN-1002")

    def of_this_unit() -> list[dict[str, Any]]:  # the answer to the curl's repeat may come late
        results = messages(listener, "result", "MACH-01")
        return [each for each in results if each["barcode"] == "SN-1002"]

    [result] = eventually_sync(of_this_unit)
    assert result["outcome"] == "FAIL"
    [measurement] = result["measurements"]
    assert measurement["rule_id"] == "voltage"
    assert measurement["reason"] == "75 V is below 80 V"
    assert measurement["reason"] in README
    [receipt] = eventually_sync(lambda: messages(listener, "receipt", "MACH-01"))
    assert receipt["message_ids"] == ["mach01-000002"]

    def failures() -> list[str]:
        found = json.loads(reader.types("curl", "outcome=FAIL"))
        return [each["barcode"] for each in found["items"]]

    assert "SN-1002" in failures()


def test_a_test_stations_own_verdict_stands(reader: Reader, listener: Process) -> None:
    reader.types("mosquitto_pub", "PCB7-000217")
    [result] = eventually_sync(lambda: messages(listener, "result", "ICT-3"))
    assert (result["outcome"], result["agrees"], result["first_failure"]) == ("FAIL", True, "c17")
    assert all(each["rule_id"] is None for each in result["measurements"])


def test_what_is_wrong_is_rejected_with_a_sentence(listener: Process) -> None:
    rejection = messages(listener, "rejected", "MACH-01")[0]
    assert rejection["code"] == "schema"
    assert "barcode is empty" in rejection["reason"]


def test_the_agent_shows_what_a_file_holds(reader: Reader) -> None:
    runs = reader.types("agent parse").splitlines()
    assert len(runs) == 10
    assert all(json.loads(run)["barcode"] for run in runs)


def test_every_block_is_run_by_one_of_these() -> None:
    source = Path(__file__).read_text("utf-8")
    called = re.findall(r"reader\.(?:types|command)\(([^)]*)\)", source)
    told = [[word.strip("\"' ") for word in re.split(r",\s", words)] for words in called]
    unused = [block for block in BLOCKS if not any(all(w in block for w in some) for some in told)]
    assert len(BLOCKS) == 8
    assert unused == []

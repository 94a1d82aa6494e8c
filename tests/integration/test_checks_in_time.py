"""Checks of a real service process: after the results before them, and never too late."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from broker.sections import DatabaseSettings
from service.store.database import Database
from service.store.queries.health import services
from tests.support.checks import check
from tests.support.mosquitto import Mosquitto
from tests.support.processes import YIELDLINE, Process
from tests.support.raw_mqtt import Listener, Sender
from tests.support.stored import run_message
from tests.support.waiting import eventually_sync


@pytest.fixture
def service(
    tmp_path: Path, mosquitto: Mosquitto, topic_root: str, database_url: str
) -> Iterator[Process]:
    """A `yieldline service` whose checks are too old after a second."""
    (tmp_path / "yieldline.toml").write_text('[products.P1]\nroute = ["ICT", "FCT"]\n', "utf-8")
    environment = {
        "YIELDLINE_BROKER__PORT": str(mosquitto.port),
        "YIELDLINE_BROKER__RETRY_DELAY_MAX_S": "0.2",
        "YIELDLINE_TOPICS__TEMPLATE": f"{topic_root}/{{line}}/{{machine_id}}/{{channel}}",
        "YIELDLINE_DATABASE__URL": database_url,
        "YIELDLINE_SERVICE__CHECK_AGE_MAX_S": "1",
        "YIELDLINE_SERVICE__HEARTBEAT_S": "0.2",
    }
    with Process([YIELDLINE, "service"], environment=environment, directory=tmp_path) as process:
        process.wait_for("answering_checks", 30)
        process.wait_for("connected", 30)
        yield process
        assert "Traceback" not in process.output


def test_a_check_sees_the_result_that_the_broker_had_before_it(
    service: Process, mosquitto: Mosquitto, topic_root: str, database_url: str
) -> None:
    del service
    rounds = 40
    base = f"{topic_root}/L1/M1"
    with (
        Listener(mosquitto.port, "ears", f"{base}/verdict") as ears,
        Sender(mosquitto.port, "machine") as sender,
    ):
        for number in range(rounds):
            result = run_message(f"SN-{number}", procedure="ICT", passes=number % 2 == 0)
            sender.send([(f"{base}/test", orjson.dumps(result))])
            question = check(f"r{number}", f"SN-{number}")
            sender.send([(f"{base}/check", orjson.dumps(question))])
        eventually_sync(lambda: len(ears.heard) == rounds, saw=lambda: len(ears.heard))
        verdicts = [orjson.loads(each.payload) for each in ears.heard]
    found = {each["request_id"]: each["allowed"] for each in verdicts}
    assert found == {f"r{number}": number % 2 == 0 for number in range(rounds)}
    # And the service says of itself what it has done.
    database = Database(DatabaseSettings(url=database_url))  # type: ignore[arg-type]
    eventually_sync(lambda: _last_word(database)["checks"]["refused"] == rounds // 2)
    said = _last_word(database)
    assert said["checks"] == {"allowed": 20, "refused": 20, "invalid": 0, "late": 0}
    batches = {stage: sum(times["counts"]) for stage, times in said["stages"].items()}
    assert batches == dict.fromkeys(("judge", "store", "publish", "whole"), said["batches"])
    assert 0 < said["stages"]["store"]["sum_s"] < said["stages"]["whole"]["sum_s"]
    eventually_sync(lambda: _last_word(database)["looked_at"])
    database.dispose()


def test_a_check_that_waited_while_the_service_was_away_is_not_answered(
    service: Process, mosquitto: Mosquitto, topic_root: str
) -> None:
    base = f"{topic_root}/L1/M1"
    with (
        Listener(mosquitto.port, "ears", f"{base}/verdict") as ears,
        Sender(mosquitto.port, "machine") as sender,
    ):

        def ask(request_id: str) -> None:
            sender.send([(f"{base}/check", orjson.dumps(check(request_id)))])

        def heard() -> list[str]:
            return [orjson.loads(each.payload)["request_id"] for each in list(ears.heard)]

        ask("before")
        eventually_sync(lambda: heard() == ["before"])
        service.pause()
        for number in range(20):
            ask(f"paused-{number}")
        # Nothing tells that the second has passed but the clock.
        eventually_sync(_after(1.5))
        service.resume()
        eventually_sync(lambda: service.output.count("answering_checks") == 2)
        ask("after")
        eventually_sync(lambda: "after" in heard(), saw=heard)
        assert heard() == ["before", "after"]


def _last_word(database: Database) -> dict[str, Any]:
    (found,) = services(database, datetime.now(UTC))
    facts: dict[str, Any] = found["facts"]
    return facts


def _after(seconds: float) -> Callable[[], bool]:
    """Return what becomes true after so long."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end

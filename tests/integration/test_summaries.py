"""Each machine's live figures on the broker: kept, renewed, and told by one process of all."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from broker.answers import MachineSummary
from broker.sections import DatabaseSettings
from service.store.database import Database
from service.store.queries.machines import machines
from tests.support.mosquitto import Mosquitto
from tests.support.processes import PYTHON, YIELDLINE, Process
from tests.support.raw_mqtt import Listener, Sender, connect, publish_packet
from tests.support.waiting import eventually_sync

STORE_ON_L3 = """
import sys
from tests.support.stored import Stored, run_message
Stored(sys.argv[1]).save(run_message("B3"), line="L3")
"""
"""In a process of its own: who has written to a SQLite file locks it until it ends."""


class Ear(Listener):
    """Hears the summaries from now on, and what the broker has kept."""

    def __init__(self, broker: Mosquitto, root: str) -> None:
        super().__init__(broker.port, f"ear-{id(self)}", f"{root}/+/+/summary")

    def summaries(self) -> list[MachineSummary]:
        said = [each.payload for each in list(self.heard) if each.payload]
        return [MachineSummary.model_validate_json(each) for each in said]

    def cleared(self) -> list[str]:
        """The lines on which it was cleared, in order."""
        return [each.topic.split("/")[-3] for each in list(self.heard) if not each.payload]

    def wait_for(self, **wanted: Any) -> MachineSummary:  # noqa: ANN401 - fields of a summary
        """Return the newest summary once it has these fields."""

        def newest() -> MachineSummary | None:
            last = self.summaries()[-1]
            return last if all(getattr(last, name) == wanted[name] for name in wanted) else None

        found = eventually_sync(lambda: self.summaries() and newest(), 20, saw=self.summaries)
        assert isinstance(found, MachineSummary)
        return found


@pytest.fixture
def start(
    tmp_path: Path, mosquitto: Mosquitto, topic_root: str
) -> Iterator[Callable[..., Process]]:
    """Start services that sum up five times a second; they are ended afterwards."""
    services: list[Process] = []

    def make(url: str, **more: str) -> Process:
        environment = {
            "YIELDLINE_BROKER__PORT": str(mosquitto.port),
            "YIELDLINE_TOPICS__TEMPLATE": f"{topic_root}/{{line}}/{{machine_id}}/{{channel}}",
            "YIELDLINE_DATABASE__URL": url,
            "YIELDLINE_ALERTS__CHECK_S": "0.1",
            "YIELDLINE_SERVICE__SUMMARY_S": "0.2",
            **more,
        }
        process = Process([YIELDLINE, "service"], environment=environment, directory=tmp_path)
        services.append(process)
        process.wait_for("connected", 30)
        return process

    yield make
    for process in services:
        process.stop()
        assert "Traceback" not in process.output


def send(
    broker: Mosquitto, root: str, *values: float, barcode: str = "SN", line: str = "L1"
) -> None:
    """Let M1 send a flat measurement a value, of a unit each."""
    with Sender(broker.port, "machine") as sender:
        for number, value in enumerate(values):
            now = datetime.now(UTC).isoformat()
            body = {
                "barcode": f"{barcode}-{number}",
                "product_id": "P",
                "procedure": "FCT",
                "test_step": "vcc",
                "measured_value": value,
                "low": 4.75,
                "timestamp": now,
            }
            sender.send([(f"{root}/{line}/M1/test", orjson.dumps(body))])


def say_offline(broker: Mosquitto, root: str) -> None:
    link = connect(broker.port, "states")
    body = orjson.dumps({"status": "offline", "at": datetime.now(UTC).isoformat()})
    link.sendall(publish_packet(f"{root}/L1/M1/state", body, 1))
    assert link.recv(4)
    link.close()


def test_a_machines_figures_are_kept_by_the_broker_and_follow_what_it_does(
    mosquitto: Mosquitto, topic_root: str, database_url: str, start: Callable[..., Process]
) -> None:
    zone = ZoneInfo("Pacific/Marquesas")  # nine and a half hours behind
    start(
        database_url,
        YIELDLINE_PLANT__STALE_AFTER_S="2",
        YIELDLINE_PLANT__TIME_ZONE=zone.key,
    )
    with Ear(mosquitto, topic_root) as ear:
        send(mosquitto, topic_root, 5.0, 4.0, 5.0, 5.0)
        told = ear.wait_for(total_tests=4, status="live")
        assert ear.heard[-1].topic == f"{topic_root}/L1/M1/summary"
        assert (told.pass_count, told.fail_count, told.units) == (3, 1, 4)
        assert told.first_pass_yield == told.final_yield == 0.75
        assert told.last_result
        assert (told.last_result.barcode, told.last_result.outcome) == ("SN-3", "PASS")
        assert told.since.astimezone(zone).time() == time()
        assert told.at - timedelta(days=1) < told.since <= told.at
        assert figures_of(database_url, told.since) == figures_told(told)
        say_offline(mosquitto, topic_root)
        assert ear.wait_for(status="offline").total_tests == 4
        send(mosquitto, topic_root, 5.0, barcode="again")
        ear.wait_for(status="live", total_tests=5)
        stale = ear.wait_for(status="stale")
    with Ear(mosquitto, topic_root) as newcomer:
        assert newcomer.wait_for(status="stale") == stale


def test_a_machine_that_moves_leaves_no_summary_behind_also_while_nobody_sums_up(
    mosquitto: Mosquitto, topic_root: str, sqlite_url: str, start: Callable[..., Process]
) -> None:
    service = start(sqlite_url)
    with Ear(mosquitto, topic_root) as ear:
        for number, line in enumerate(("L1", "L2"), start=1):
            send(mosquitto, topic_root, 5.0, barcode=f"B{number}", line=line)
            ear.wait_for(total_tests=number, line=line)
        eventually_sync(lambda: ear.cleared() == ["L1"], 20, saw=ear.cleared)
        service.stop()
        with Process([PYTHON, "-c", STORE_ON_L3, sqlite_url]) as storing:
            assert storing.wait(30) == 0, storing.output
        start(sqlite_url)
        ear.wait_for(line="L3")
        eventually_sync(lambda: set(ear.cleared()) == {"L1", "L2"}, 20, saw=ear.cleared)
    with Ear(mosquitto, topic_root) as newcomer:
        newcomer.wait_for(line="L3")
        assert [each.topic.split("/")[-3] for each in newcomer.heard] == ["L3"]


def figures_of(url: str, since: datetime) -> dict[str, Any]:
    """What the HTTP API says of the machine."""
    database = Database(DatabaseSettings(url=url))  # type: ignore[arg-type]
    (found,) = machines(database, since)
    database.dispose()
    figures: dict[str, Any] = found["figures"]
    return figures


def figures_told(told: MachineSummary) -> dict[str, Any]:
    names = ("total_tests", "pass_count", "fail_count", "error_count", "unjudged_count")
    names += ("units", "first_pass_yield", "final_yield")
    rate = told.pass_count / told.total_tests
    return {name: getattr(told, name) for name in names} | {"pass_rate": rate}


@pytest.mark.postgres
def test_of_two_services_one_sums_up_and_the_other_goes_on_when_it_dies(
    mosquitto: Mosquitto, topic_root: str, postgres_url: str, start: Callable[..., Process]
) -> None:
    quiet = {"YIELDLINE_ALERTS__ENABLED": "false"}
    first = start(postgres_url, **quiet)
    first.wait_for("watching")
    second = start(postgres_url, **quiet)
    with Ear(mosquitto, topic_root) as ear:
        for number in range(1, 5):
            send(mosquitto, topic_root, 5.0, barcode=f"B{number}")
            ear.wait_for(total_tests=number)
        assert [each.total_tests for each in ear.summaries()] == [1, 2, 3, 4]
        assert "watching" not in second.output
        first.kill()
        second.wait_for("watching", 30)
        ear.wait_for(total_tests=4)
        eventually_sync(lambda: len(ear.heard) == 5, 20, saw=ear.summaries)  # it told all again

"""A service that looks for trouble all the time, and who hears of its alerts."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from broker.sections import DatabaseSettings
from service.store.database import Database
from tests.support.mosquitto import Mosquitto
from tests.support.processes import YIELDLINE, Process
from tests.support.raw_mqtt import Listener, Sender
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually_sync

Brokers = Callable[..., Mosquitto]
ALERTS = "factory/v1/+/+/alert"
MARKER = "factory/v1/marker/marker/alert"


class Service:
    """One `yieldline service` that looks for trouble all the time; its log lines are JSON."""

    command: tuple[str, ...] = (YIELDLINE, "service")

    def __init__(self, folder: Path, port: int, database_url: str, **more: str) -> None:
        environment = {
            "YIELDLINE_BROKER__PORT": str(port),
            "YIELDLINE_BROKER__RETRY_DELAY_MAX_S": "0.5",
            "YIELDLINE_BROKER__PUBLISH_TIMEOUT_S": "2",
            "YIELDLINE_DATABASE__URL": database_url,
            "YIELDLINE_SERVICE__RETRY_DELAY_MAX_S": "0.5",
            "YIELDLINE_ALERTS__CHECK_S": "0.1",
            "YIELDLINE_PLANT__TARGET_FPY_PERCENT": "0",  # most tests are not about yields
            "YIELDLINE_LOG__JSON_LINES": "true",
            **more,
        }
        self.process = Process(self.command, environment=environment, directory=folder)

    def wait_for(self, event: str) -> None:
        self.process.wait_for(f'"{event}"', 30)


class Ear(Listener):
    """Hears the alert topics from now on, and what the broker has kept."""

    def __init__(self, broker: Mosquitto, client_id: str = "integrator") -> None:
        super().__init__(broker.port, client_id, ALERTS)

    def bodies(self) -> list[dict[str, Any] | None]:
        """What was said; None is an empty body."""
        heard = [each for each in list(self.heard) if each.topic != MARKER]
        return [orjson.loads(each.payload) if each.payload else None for each in heard]

    def states(self) -> list[str | None]:
        return [each and each["state"] for each in self.bodies()]

    def wait_for(self, *states: str | None) -> list[dict[str, Any] | None]:
        eventually_sync(lambda: self.states() == list(states), 20, saw=self.bodies)
        return self.bodies()


def kept(broker: Mosquitto) -> list[dict[str, Any]]:
    """What a newcomer hears; a marker of our own ends the wait."""
    with Ear(broker, "newcomer") as ear:
        with Sender(broker.port, "marker") as sender:
            sender.send([(MARKER, b"")])
        eventually_sync(lambda: any(each.topic == MARKER for each in list(ear.heard)))
        return [each for each in ear.bodies() if each]


def run(number: int, value: float, barcode: str | None = None) -> tuple[str, bytes]:
    now = datetime.now(UTC).isoformat()
    body = {
        "message_id": f"m-{number}-{now}",
        "barcode": barcode or f"SN-{number}",
        "product_id": "P",
        "test_step": "vcc",
        "measured_value": value,
        "low": 4.75,
        "timestamp": now,
    }
    return "factory/v1/L1/M1/test", orjson.dumps(body)


def send(broker: Mosquitto, *values: float) -> None:
    with Sender(broker.port, "machine") as sender:
        for number, value in enumerate(values):
            sender.send([run(number, value)])


def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    database = Database(DatabaseSettings(url=url))  # type: ignore[arg-type]
    with database.reading() as session:
        found = [tuple(row) for row in session.connection().exec_driver_sql(sql)]
    database.dispose()
    return found


def alerts_of(url: str) -> list[tuple[Any, ...]]:
    return rows(url, "SELECT kind, state FROM alert ORDER BY id")


@contextlib.contextmanager
def watchers_in(folder: Path) -> Iterator[Callable[..., Service]]:
    """Start services; they are ended afterwards."""
    services: list[Service] = []

    def make(broker: Mosquitto | TcpProxy, url: str, **more: str) -> Service:
        services.append(Service(folder, broker.port, url, **more))
        services[-1].wait_for("connected")
        return services[-1]

    yield make
    for service in services:
        service.process.stop()
        assert "Traceback" not in service.process.output

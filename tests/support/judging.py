"""A service as machines and integrators meet it: its rules, their messages, its answers."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from tests.support.keeper import query
from tests.support.mosquitto import Mosquitto
from tests.support.raw_mqtt import Heard, Listener, Sender
from tests.support.services import Service as PlainService
from tests.support.waiting import eventually_sync

Brokers = Callable[..., Mosquitto]
ANSWERS = ("factory/v1/+/+/result", "factory/v1/+/+/receipt", "factory/v1/+/+/rejected")
RULES = """
[[rule]]
id = "voltage"
test_step = "voltage_test"
comparator = "GE"
low = 80.0
"""
NOW = datetime.now(UTC)


class Service(PlainService):
    """A service with rules, whose database can be asked past it."""

    def __init__(
        self, folder: Path, port: int, database_url: str, *, rules: str | None = RULES, **more: str
    ) -> None:
        if rules is not None:
            (folder / "rules.toml").write_text(rules, "utf-8")
        self._database_url = database_url
        super().__init__(folder, port, database_url, **more)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Read past all code of ours."""
        return query(self._database_url, sql)

    def stored(self) -> Counter[str]:
        """Return how often each message id is stored."""
        found = self.query("SELECT message_id, count(*) FROM run GROUP BY message_id")
        return Counter(dict(found))


@contextlib.contextmanager
def services_in(folder: Path) -> Iterator[Callable[..., Service]]:
    """Start services in a folder, and end them at last. With `ready=False` do not wait for it."""
    services: list[Service] = []

    def start(broker: Mosquitto | int, url: str, *, ready: bool = True, **options: Any) -> Service:  # noqa: ANN401
        port = broker if isinstance(broker, int) else broker.port
        services.append(Service(folder, port, url, **options))
        if ready:
            services[-1].wait_until("connected")
        return services[-1]

    yield start
    for service in services:
        service.process.stop()
        assert "Traceback" not in service.process.output


def flat(number: int | str, value: Any = 85.5, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a flat message; by its value it passes from 80 on."""
    return {
        "barcode": f"SN-{number}",
        "product_id": "PROD-A",
        "test_step": "voltage_test",
        "measured_value": value,
        "timestamp": NOW.isoformat(),
        "message_id": f"m-{number}",
        **fields,
    }


def on(machine_id: str, content: Any, line: str = "L1") -> tuple[str, bytes]:  # noqa: ANN401
    """Return a message on the test topic of a machine."""
    payload = content if isinstance(content, bytes) else orjson.dumps(content)
    return f"factory/v1/{line}/{machine_id}/test", payload


def send(broker: Mosquitto, *messages: tuple[str, bytes]) -> None:
    """Publish as a machine does."""
    with Sender(broker.port, "machines") as sender:
        sender.send(messages)


class Ear(Listener):
    """A listener for all answers that knows what they say."""

    def __init__(self, broker: Mosquitto) -> None:
        super().__init__(broker.port, "integrator", *ANSWERS)

    def bodies(self, channel: str) -> list[dict[str, Any]]:
        return [orjson.loads(each.payload) for each in list(self.heard) if each.channel == channel]

    def receipted(self) -> Counter[str]:
        return Counter(one for each in self.bodies("receipt") for one in each["message_ids"])

    def wait_for(self, channel: str, count: int) -> list[dict[str, Any]]:
        eventually_sync(lambda: len(self.bodies(channel)) >= count, 20, saw=self.said)
        return self.bodies(channel)

    def said(self) -> list[Heard]:
        return self.heard[-20:]

"""Two brokers without a cluster: a standby at the same address, and a line's own broker in front.

Both without a shared memory of any kind: what a dead broker held is gone. The sender keeps its
copies until the receipt, as the agent does.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.keeper import Keeper, assert_all_once, message
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port
from tests.support.services import Service

Brokers = Callable[..., Mosquitto]
StartService = Callable[..., Service]
StartKeeper = Callable[..., Keeper]
BRIDGE = Path(__file__).parents[3] / "docs/deploy/mosquitto-bridge.conf"
_COUNT = 900


@pytest.mark.slow
@pytest.mark.postgres
def test_a_standby_broker_that_takes_over_the_address_loses_and_doubles_nothing(
    mosquitto_factory: Brokers,
    start_service: StartService,
    start_keeper: StartKeeper,
    postgres_url: str,
) -> None:
    """Two services, two killed brokers: the second knows of nothing, nor does the third."""
    broker = mosquitto_factory()
    services = [start_service(broker.port, postgres_url) for _ in range(2)]
    for each in services:
        each.wait_until("connected")
    keeper = start_keeper(broker.port, per_second=600)
    keeper.give(*(message(number) for number in range(_COUNT)))
    for part in (1, 2):
        keeper.wait_for_receipts(count=_COUNT * part // 3)
        broker.kill()
        broker = mosquitto_factory(port=broker.port)
    keeper.wait_for_receipts(60)
    assert_all_once(postgres_url, keeper.sent.keys())
    assert any(each.events("session_lost") for each in services)


@pytest.mark.slow
def test_a_lines_broker_that_bridges_to_the_plants_loses_and_doubles_nothing(
    mosquitto_factory: Brokers,
    start_service: StartService,
    start_keeper: StartKeeper,
    sqlite_url: str,
) -> None:
    """The plant's broker dies with all it held; the machines' own broker goes on taking."""
    port = free_port()
    line = mosquitto_factory(extra=_bridge_to(port))
    keeper = start_keeper(line.port, per_second=600)
    keeper.give(*(message(number) for number in range(_COUNT)))
    plant = mosquitto_factory(port=port)
    start_service(plant.port, sqlite_url).wait_until("connected")
    keeper.wait_for_receipts(count=_COUNT // 3)
    plant.kill()
    plant = mosquitto_factory(port=port)
    keeper.wait_for_receipts(60)
    assert_all_once(sqlite_url, keeper.sent.keys())


def _bridge_to(port: int) -> list[str]:
    """Return the guide's bridge, to a plant on this machine and without TLS."""
    lines = [line for line in BRIDGE.read_text("utf-8").splitlines() if line and line[0] != "#"]
    plain = [line for line in lines if not re.match(r"bridge_(ca|cert|key)file", line)]
    assert "address broker.example:8883" in plain
    return [line.replace("broker.example:8883", f"127.0.0.1:{port}") for line in plain]

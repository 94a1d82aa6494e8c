"""Row 35 of the fault matrix: a switch dies, and 500 machines are gone at once."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

from tests.support.mosquitto import Mosquitto
from tests.support.raw_mqtt import Listener, connect
from tests.support.services import Service
from tests.support.waiting import eventually_sync

_MACHINES = 500
_OFFLINE = {"YIELDLINE_ALERTS__OFFLINE_AFTER_S": "1"}


def will_of(number: int) -> tuple[str, bytes]:
    body = {"status": "offline", "at": "2026-11-23T10:00:00Z"}
    return f"factory/v1/L1/M{number}/state", json.dumps(body).encode()


def test_500_machines_whose_connections_drop_at_once_are_one_alert(
    mosquitto_factory: Callable[..., Mosquitto],
    start_service: Callable[..., Service],
    sqlite_url: str,
) -> None:
    broker = mosquitto_factory()
    service = start_service(broker.port, sqlite_url, **_OFFLINE)
    service.wait_until("watching")
    topics = ("factory/v1/+/+/alert", "factory/v1/+/+/state")
    with Listener(broker.port, "integrator", *topics) as ear, contextlib.ExitStack() as sockets:
        for number in range(_MACHINES):
            link = connect(broker.port, f"machine-{number}", will=will_of(number))
            sockets.enter_context(contextlib.closing(link))

        def said(channel: str) -> list[dict[str, Any]]:
            return [json.loads(each.payload) for each in list(ear.heard) if each.channel == channel]

        assert not said("state")
        sockets.close()  # without a goodbye: the broker says each will
        eventually_sync(lambda: len(said("state")) == _MACHINES, 20)
        (alert,) = eventually_sync(lambda: said("alert"), 20, saw=lambda: service.process.output)
        assert alert["state"] == "open"
        assert alert["message"].startswith(f"{_MACHINES} machines went offline together on L1: M")
        assert service.process.stop() == 0
        assert len(said("alert")) == 1

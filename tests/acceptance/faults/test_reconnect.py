"""The fault matrix about a crowd that comes back at once: row 27, with fewer machines.

All 10,000 are a part of `make bench`.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import mosquitto as mosquitto_parts
from tests.support.crowd import Crowd, take_file_handles
from tests.support.keeper import assert_all_once, message
from tests.support.raw_mqtt import Sender
from tests.support.services import OwnBroker, Service, WebApp
from tests.support.waiting import eventually_sync

MACHINES = 500
BACK_S = 120


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[OwnBroker]:
    if mosquitto_parts.EXECUTABLE is None:
        pytest.skip("Mosquitto is not installed")
    take_file_handles(MACHINES)
    started = OwnBroker(tmp_path)
    yield started
    started.close()


@pytest.mark.slow
def test_a_crowd_whose_broker_is_killed_is_all_back_and_nothing_is_lost(
    broker: OwnBroker,
    start_service: Callable[..., Service],
    start_web: Callable[[int, str], WebApp],
    sqlite_url: str,
) -> None:
    """Row 27. The broker dies while every machine waits for a receipt, and has forgotten all."""
    service = start_service(broker.port, sqlite_url)
    service.wait_until("connected")
    web = start_web(broker.port, sqlite_url)
    with Crowd(broker.port, MACHINES, repeat_s=1) as crowd:
        crowd.give()
        crowd.wait_until_all_are_there(30)
        web.becomes(200, 60)
        crowd.give()
        eventually_sync(lambda: crowd.waiting < MACHINES, saw=lambda: crowd.life)
        broker.kill()
        eventually_sync(lambda: not crowd.connected, saw=lambda: crowd.life)
        crowd.give()
        web.becomes(503, 10)
        broker.start()
        begun_s = time.monotonic()
        crowd.wait_until_all_are_there(BACK_S)
        web.becomes(200, 10)
        service.wait_until("connected", 2)
        assert time.monotonic() - begun_s < BACK_S
        assert_the_page_hears(web, broker.port)
        sent = {*crowd.sent, ("LATER-1", "later")}
    assert service.process.stop() == 0
    assert len(sent) == 3 * MACHINES + 1
    assert_all_once(sqlite_url, sent)


def assert_the_page_hears(web: WebApp, mqtt_port: int) -> None:
    with web.stream("/api/v1/live?machine_id=LATER-1") as lines, Sender(mqtt_port, "later") as plc:
        plc.send([message(1, "LATER-1", message_id="later")])
        assert b'"later"' in next(line for line in lines if line.startswith(b"data:"))

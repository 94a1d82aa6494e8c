"""F27, of the fault matrix: 10,000 machines whose broker is killed, and how soon all are back."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.benchmarks.figures import Figure, Yardstick
from tests.benchmarks.parts import temporary_folder
from tests.support.crowd import Crowd, take_file_handles
from tests.support.keeper import assert_all_once
from tests.support.services import OwnBroker, Service, WebApp
from tests.support.waiting import eventually_sync

NOTES = (
    (
        "**F27**: 10,000 machines, each with a connection of its own, as their agents have; the"
        " broker is `yieldline broker`. It is killed (SIGKILL) while every machine waits for a"
        " receipt, and each tests one more unit meanwhile. The clock runs from the start of the new"
        " broker until the service and the web app are back and every machine has the receipt of"
        " all that it sent: who lost the connection tries again after 0.1 to 30 s, as agents do,"
        " and repeats after 10 s. Then the database is compared with what was sent: nothing is"
        " missing, nothing double. Three rounds at most. The yardstick is the same crowd on a"
        " broker alone, where each machine hears itself."
    ),
)
MACHINES: Final = 10_000
BACK_S: Final = 120
_FIRST_S, _WEB_S = 120, 60
_ROUNDS_MAX: Final = 3  # each is a minute or so on a busy machine


def reconnect(rounds: int) -> Iterator[Figure]:
    """Measure F27."""
    take_file_handles(MACHINES)
    rounds = min(rounds, _ROUNDS_MAX)
    with temporary_folder() as folder:
        bare = _on_a_broker_alone(folder, rounds)
    with temporary_folder() as folder:
        ours = _on_a_plant(folder, rounds)
    yield Figure(
        "F27",
        "10,000 machines back after the broker was killed",
        "SQLite",
        "s",
        ours,
        Yardstick("broker alone", bare),
        floor=BACK_S,
        goal=BACK_S / 4,
    )


def _on_a_broker_alone(folder: Path, rounds: int) -> list[float]:
    broker = OwnBroker(folder)
    try:
        with Crowd(broker.port, MACHINES, root="echo/v1/L1", answer="test") as crowd:
            crowd.give()
            crowd.wait_until_all_are_there(_FIRST_S)
            return [_back_after_s(broker, crowd) for _ in range(rounds)]
    finally:
        broker.close()


def _on_a_plant(folder: Path, rounds: int) -> list[float]:
    broker = OwnBroker(folder)
    url = f"sqlite:///{folder / 'yieldline.db'}"
    service, web = Service(folder, broker.port, url), WebApp(folder, broker.port, url)
    try:
        service.wait_until("connected")
        web.becomes(200, _WEB_S)
        with Crowd(broker.port, MACHINES) as crowd:
            crowd.give()
            crowd.wait_until_all_are_there(_FIRST_S)
            times = [_back_after_s(broker, crowd, web) for _ in range(rounds)]
            assert service.process.stop() == 0
            assert_all_once(url, crowd.sent)
            return times
    finally:
        web.process.stop()
        service.process.stop()
        broker.close()


def _back_after_s(broker: OwnBroker, crowd: Crowd, web: WebApp | None = None) -> float:
    """Kill the broker in mid-stream and start it; return the seconds until all is as it was."""
    crowd.give()
    eventually_sync(lambda: crowd.waiting < MACHINES, 30, saw=lambda: crowd.life)
    broker.kill()
    eventually_sync(lambda: not crowd.connected, 30, saw=lambda: crowd.life)
    crowd.give()
    begun_s = time.monotonic()
    broker.start()
    crowd.wait_until_all_are_there(2 * BACK_S)
    if web:
        web.becomes(200, BACK_S)
    return time.monotonic() - begun_s

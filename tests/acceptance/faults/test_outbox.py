"""Service and broker die together: what was stored is published all the same.

The broker forgets every session and queue, and the sender repeats nothing before the subscriber's
list was compared: only the outbox can tell of what was committed and not yet published.
"""

import contextlib
import json
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from service import failpoints
from tests.support.keeper import Keeper, Key, assert_all_once, key_of, message, query, stored
from tests.support.mosquitto import Mosquitto
from tests.support.raw_mqtt import Listener, Sender
from tests.support.services import Service
from tests.support.waiting import eventually_sync

_EACH = 200
_RESULTS = "factory/v1/+/+/result"


class Subscriber:
    """Hears results, on a new connection for each life of the broker; its list is its own."""

    def __init__(self) -> None:
        self._ears: list[Listener] = []

    def listen(self, port: int) -> None:
        """Subscribe anew: no broker here keeps a session."""
        self._ears.append(Listener(port, "subscriber", _RESULTS))

    def told(self) -> dict[Key, int]:
        """Return what it was given: whose message, and the run's number."""
        bodies = [json.loads(each.payload) for ear in self._ears for each in list(ear.heard)]
        found = {((each["machine_id"], each["message_id"]), each["run_id"]) for each in bodies}
        assert len(dict(found)) == len(found), "however often it was said, it was the same run"
        return dict(found)

    def close(self) -> None:
        for ear in self._ears:
            ear.__exit__()


def runs(url: str) -> dict[Key, int]:
    """Return the number of each stored run."""
    sql = "SELECT n.text, r.message_id, r.id FROM run r JOIN name n ON n.id = r.machine"
    return {(machine_id, message_id): run_id for machine_id, message_id, run_id in query(url, sql)}


def send_until_both_are_dead(
    broker: Mosquitto, service: Service, messages: list[tuple[str, bytes]]
) -> None:
    """Send like a machine that repeats nothing; the broker is killed as the service dies."""

    def follow() -> None:
        assert service.process.wait(20) == -signal.SIGKILL, service.process.output
        broker.kill()

    with ThreadPoolExecutor(1) as beside:
        followed = beside.submit(follow)
        with contextlib.suppress(ConnectionError), Sender(broker.port, "plc") as plc:
            plc.send(messages, per_second=1_000)
        followed.result()


@pytest.mark.slow
def test_what_was_stored_as_service_and_broker_died_together_is_published_to_its_subscriber(
    mosquitto_factory: Callable[..., Mosquitto],
    start_service: Callable[..., Service],
    start_keeper: Callable[..., Keeper],
    database_url: str,
) -> None:
    broker, subscriber = mosquitto_factory(), Subscriber()
    sent: dict[Key, tuple[str, bytes]] = {}
    for number, point in enumerate(("after_commit", "before_publish")):
        trap = {failpoints.VARIABLE: f"{point}=kill~crash-{number}"}
        subscriber.listen(broker.port)
        service = start_service(broker.port, database_url, **trap)
        service.wait_until("connected")
        messages = [
            message(number * _EACH + each, message_id=f"crash-{number}-{each}")
            for each in range(_EACH)
        ]
        sent |= {key_of(each): each for each in messages}
        send_until_both_are_dead(broker, service, messages)
        assert stored(database_url).keys() - subscriber.told().keys(), "stored, and not yet told"
        broker.start()
    subscriber.listen(broker.port)
    last = start_service(broker.port, database_url)
    eventually_sync(
        lambda: subscriber.told() == runs(database_url), 20, saw=lambda: last.process.output
    )
    keeper = start_keeper(broker.port)
    keeper.give(*sent.values())
    keeper.wait_for_receipts()
    assert last.process.stop() == 0
    subscriber.close()
    assert subscriber.told() == runs(database_url)
    assert_all_once(database_url, sent)
    assert query(database_url, "SELECT count(*) FROM outbox") == [(0,)]

"""Row 16 of the fault matrix: ids of every kind on their way through broker and service."""

import json
import re
from collections.abc import Callable
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.keeper import Books, books, message, query, stored
from tests.support.mosquitto import Mosquitto
from tests.support.raw_mqtt import Sender
from tests.support.services import Service
from tests.support.waiting import eventually_sync

_is_id = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}").fullmatch
ODD = st.text(st.sampled_from("aZ09._-+#/$ %\x01\x1f\x7fü€😀\u202e\t'\"<{"), max_size=8)
ANY = st.text(st.characters(max_codepoint=0xD7FF), max_size=20)
IDS = st.one_of(ODD, ANY, st.integers(60, 70).map("m".__mul__), st.just("x" * 300))


def test_any_id_through_the_broker_is_stored_as_it_is_or_rejected_with_its_bytes(
    mosquitto_factory: Callable[..., Mosquitto],
    start_service: Callable[..., Service],
    database_url: str,
) -> None:
    """What the topic may say and what the payload may say, each by the contract's one pattern."""
    broker = mosquitto_factory()
    start_service(broker.port, database_url).wait_until("connected")
    numbers = count()
    wanted: dict[str, bytes] = {}  # by message id: what must be kept of it as a rejection
    stored_ids: dict[str, str] = {}

    with Sender(broker.port, "plc") as plc:

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(IDS, st.booleans())
        def send(machine_id: str, in_topic: bool) -> None:  # noqa: FBT001
            number = next(numbers)
            if in_topic and (not machine_id or set(machine_id) & set("+#\0/")):
                in_topic = False  # no broker takes such a topic from anybody
            place = machine_id if in_topic else "M1"
            body = json.loads(message(number)[1]) | ({} if in_topic else {"machine_id": machine_id})
            payload = json.dumps(body).encode()
            topic = f"factory/v1/L1/{place}/test"
            if any(ord(each) < 32 or 127 <= ord(each) < 160 for each in topic):
                return  # Mosquitto closes the connection of who publishes to such a topic
            name = f"m-{number}"
            if _is_id(place) and machine_id == place:
                stored_ids[name] = place
            else:
                wanted[name] = payload
            plc.send([(topic, payload)])

        send()
    sent = len(wanted) + len(stored_ids)
    eventually_sync(
        lambda: books(database_url).received == sent, 20, saw=lambda: books(database_url)
    )
    found = {name: machine_id for machine_id, name in stored(database_url)}
    assert found == stored_ids
    assert books(database_url) == Books(sent, len(stored_ids), len(wanted), 0)
    kept = query(database_url, "SELECT code, payload FROM rejection")
    assert {bytes(payload) for _, payload in kept} == set(wanted.values())
    assert {code for code, _ in kept} <= {"bad_topic", "schema", "machine_mismatch"}
    assert all(json.loads(payload) for _, payload in kept)

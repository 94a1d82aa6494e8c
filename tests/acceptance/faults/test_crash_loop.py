"""A bug of ours that one message brings out: three crashes, then caution, and one rejection."""

from collections.abc import Callable

from service import failpoints
from service.caution import CRASHES_MAX
from tests.support.keeper import Keeper, books, message, query, stored
from tests.support.mosquitto import Mosquitto
from tests.support.services import Service


def test_a_message_that_ends_the_service_again_and_again_is_rejected_and_its_neighbours_are_stored(
    mosquitto_factory: Callable[..., Mosquitto],
    start_service: Callable[..., Service],
    start_keeper: Callable[..., Keeper],
    database_url: str,
) -> None:
    broker = mosquitto_factory()
    poisoned = {failpoints.VARIABLE: "before_judging=raise~m-50"}
    keeper = start_keeper(broker.port)
    service = start_service(broker.port, database_url, **poisoned)
    service.wait_until("connected")
    keeper.give(*(message(number) for number in range(100)))
    for _ in range(CRASHES_MAX):
        assert service.process.wait(20) == 1
        assert service.process.output.count("failpoint before_judging") == 1, "said once"
        service = start_service(broker.port, database_url, **poisoned)
    said = service.wait_until("message_refused")
    assert said["topic"].endswith("/M5/test")
    keeper.wait_for_receipts()
    assert service.process.stop() == 0
    found = query(database_url, "SELECT code, message_id, payload FROM rejection")
    payload = keeper.sent["M5", "m-50"][1]
    assert [(code, name, bytes(kept)) for code, name, kept in found] == [
        ("not_storable", "m-50", payload)
    ]
    (rejection,) = {each["rejection_id"]: each for each in keeper.bodies("rejected")}.values()
    assert "ended the service again and again (Failure)" in rejection["reason"]
    good = keeper.sent.keys() - {("M5", "m-50")}
    assert stored(database_url) == dict.fromkeys(good, 1)
    said_of_all = books(database_url)
    assert said_of_all.stored == 99
    assert said_of_all.received == 99 + said_of_all.rejected + said_of_all.duplicates

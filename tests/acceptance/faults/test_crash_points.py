"""Row 2 of the fault matrix: the service dies at every step of a batch, on both databases."""

import signal
from collections.abc import Callable

import pytest

from service import failpoints
from tests.support.keeper import Keeper, assert_all_once, message
from tests.support.mosquitto import Mosquitto
from tests.support.services import Service

_EACH = 40
_STORED_BEFORE = ("after_commit", "before_publish", "after_publish", "before_acknowledge")
"""Points behind the commit and before the acknowledgement: what comes again is a duplicate."""


@pytest.mark.slow
def test_a_kill_at_any_step_of_a_batch_loses_and_doubles_nothing(
    mosquitto_factory: Callable[..., Mosquitto],
    start_service: Callable[..., Service],
    start_keeper: Callable[..., Keeper],
    database_url: str,
) -> None:
    broker = mosquitto_factory()
    keeper = start_keeper(broker.port)
    for number, point in enumerate(failpoints.POINTS):
        mine = {failpoints.VARIABLE: f"{point}=kill"}
        service = start_service(broker.port, database_url, **mine)
        keeper.give(*(message(number * _EACH + each) for each in range(_EACH)))
        assert service.process.wait(20) == -signal.SIGKILL, (point, service.process.output)
    last = start_service(broker.port, database_url)
    last.wait_until("connected")  # before that a stop ends it like any program
    keeper.wait_for_receipts()
    results = {each["message_id"] for each in keeper.bodies("result")}
    assert results == {message_id for _, message_id in keeper.sent}, "every one was published"
    assert last.process.stop() == 0
    said = assert_all_once(database_url, keeper.sent)
    assert said.duplicates >= len(_STORED_BEFORE), "what came again was seen, and counted"


def test_a_failpoint_that_is_none_is_one_sentence(
    start_service: Callable[..., Service], sqlite_url: str
) -> None:
    service = start_service(1, sqlite_url, **{failpoints.VARIABLE: "after_lunch=kill"})
    said = service.sentence()
    assert said.startswith("environment YIELDLINE_TEST_FAILPOINTS: 'after_lunch=kill' is no")
    assert "before_commit" in said

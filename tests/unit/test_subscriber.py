"""What the subscriber does when its connections end at bad moments."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from broker.errors import StoreUnavailable
from broker.sections import DatabaseSettings
from broker.settings import Settings
from service.core.lookup import Rulebook
from service.pipeline import Pipeline
from service.pulse import Pulse
from service.store.database import Database
from service.subscriber import Subscriber
from tests.support.waiting import eventually

LOOKS_MAX = 1_000
AWAY_COUNT = 30


class EnoughError(Exception):
    """The test has seen what it wanted."""


class Consumer:
    """A connection that has messages pending; whoever looks without a pause fails."""

    def __init__(self, *, is_over: bool, pending_count: int = 1) -> None:
        self.acked_count, self.pending_count = 0, pending_count
        self._is_over = is_over
        self.look_count = 0

    @property
    def is_over(self) -> bool:
        self.look_count += 1
        assert self.look_count < LOOKS_MAX, "it looks for ever and lets nobody else have a turn"
        return self._is_over


@pytest.fixture
def subscriber(tmp_path: Path) -> Subscriber:
    url = SecretStr(f"sqlite:///{tmp_path}/y.db")
    settings = Settings(database=DatabaseSettings(url=url))
    pipeline = Pipeline(settings, Database(settings.database), Rulebook(1, ()))
    return Subscriber(settings, pipeline, asyncio.Event(), Pulse())


async def test_who_waits_for_a_connection_that_ended_lets_the_others_go_on(
    subscriber: Subscriber,
) -> None:
    ended: Any = Consumer(is_over=True)
    subscriber._consumer = ended
    waiting = asyncio.create_task(subscriber._stored_what_arrived())
    await eventually(lambda: ended.look_count > 2)
    assert not waiting.done(), "what was on the connection is not stored"
    alive: Any = Consumer(is_over=False)
    subscriber._consumer = alive
    await eventually(lambda: alive.look_count > 2)
    assert not waiting.done()
    alive.acked_count, alive.pending_count = 1, 0
    async with asyncio.timeout(5):
        await waiting


async def test_an_idle_service_says_that_the_database_is_away_and_asks_ever_more_rarely(
    subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle: Any = Consumer(is_over=False, pending_count=0)
    subscriber._consumer, subscriber._vitals.trouble = idle, ""
    waits: list[float] = []

    def report(*_: object) -> None:
        if len(waits) < AWAY_COUNT:
            raise StoreUnavailable("the database is away")

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) > AWAY_COUNT:
            raise EnoughError

    monkeypatch.setattr(subscriber._pipeline.writer, "report", report)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with capture_logs() as said, pytest.raises(EnoughError):
        await subscriber._heartbeat()
    heartbeat_s = subscriber._settings.service.heartbeat_s
    assert waits[0] < 0.5, "a session that was lost is made anew at once"
    assert sum(waits[:-1]) > AWAY_COUNT * heartbeat_s / 4
    assert max(waits) <= heartbeat_s == waits[-1]
    assert said[0] == {
        "event": "database_lost",
        "log_level": "warning",
        "reason": "the database is away",
        "attempt": 1,
        "retry_in_s": round(waits[1], 1),
    }
    assert len(said) < 8, "not at every attempt"
    assert said[-1]["event"] == "database_back"

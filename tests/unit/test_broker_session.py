"""Whether the broker lets a service write and read: one that stood still does not deny."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from broker.envelopes import Delivery, Outgoing
from broker.errors import BrokerRefused, BrokerUnavailable
from broker.settings import Settings
from service import broker_session
from service.broker_session import BrokerSession
from service.vitals import Vitals


class Publisher:
    """A connection to a broker that gives back the nth message only, falls silent or is lost."""

    def __init__(
        self,
        gives_back: int | None = None,
        silent_from: int | None = None,
        *,
        is_lost: bool = False,
    ) -> None:
        self.published = self.pending_count = 0
        self.is_over = is_lost
        self.acked: list[Delivery] = []
        self._gives_back, self._silent_from = gives_back, silent_from

    async def subscribe(self, *_: str) -> None:
        """Granted, whatever the truth is."""

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        self.published += len(messages)
        if self.published == self._silent_from:
            raise BrokerUnavailable("silent")
        self.pending_count += self.published == self._gives_back
        return []

    async def next_batch(self) -> list[Delivery]:
        if self.is_over:
            return []
        if not self.pending_count:
            await asyncio.sleep(60)
        return [Delivery("_check/yieldline-service-0", b"{}", 1, retained=False)]

    def ack(self, batch: Sequence[Delivery]) -> None:
        self.acked += batch


async def prove(publisher: Publisher) -> None:
    pipeline: Any = SimpleNamespace(probe_topic=lambda client_id: f"_check/{client_id}")
    session = BrokerSession(Settings(), pipeline, Vitals(), "yieldline-service-0")
    await session.prove_rights(publisher)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_session, "_RIGHTS_TIMEOUT_S", 0.01)


@pytest.mark.parametrize("gives_back", [1, 2])
async def test_what_comes_back_at_once_or_after_a_while_is_proof(gives_back: int) -> None:
    publisher = Publisher(gives_back)
    await prove(publisher)
    assert publisher.published == gives_back


async def test_what_came_back_is_acknowledged() -> None:
    publisher = Publisher(1)
    await prove(publisher)
    assert [each.packet_id for each in publisher.acked] == [1]


async def test_a_connection_that_is_lost_proves_nothing() -> None:
    with pytest.raises(BrokerUnavailable, match="lost before our proof of rights came back"):
        await prove(Publisher(is_lost=True))


async def test_a_broker_that_confirms_and_gives_nothing_back_denies() -> None:
    with pytest.raises(BrokerRefused, match="not both write and read _check/yieldline-service-0"):
        await prove(Publisher())


async def test_a_broker_that_falls_silent_is_away_and_does_not_deny() -> None:
    with pytest.raises(BrokerUnavailable):
        await prove(Publisher(silent_from=2))

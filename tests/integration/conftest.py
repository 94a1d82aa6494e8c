"""Fixtures of the tests with real parts: an agent to start, and a service that answers it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support.edge import Agent, TinyService
from tests.support.links import Script, scripted_brokers
from tests.support.mosquitto import Mosquitto


@pytest.fixture
async def service(mosquitto: Mosquitto, topic_root: str) -> AsyncIterator[TinyService]:
    made = TinyService(mosquitto, topic_root)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def agent(
    tmp_path: Path, mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> AsyncIterator[Agent]:
    made = Agent(tmp_path, topic_root, unique_id, mosquitto.port)
    yield made
    for process in made.processes:
        process.stop()


@pytest.fixture
async def scripted_broker() -> AsyncIterator[Callable[[Script], int]]:
    """Make servers that do what no real broker does at will; each returns its port."""
    async with scripted_brokers() as make:
        yield make

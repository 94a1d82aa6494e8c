"""Service processes that are ended afterwards, and senders that keep their copies."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.keeper import Keeper
from tests.support.services import Service, WebApp

StartService = Callable[..., Service]
StartKeeper = Callable[..., Keeper]
StartWeb = Callable[[int, str], WebApp]


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[StartService]:
    """Start services: `start_service(broker_port, database_url, **environment)`."""
    services: list[Service] = []

    def start(broker_port: int, database_url: str, **environment: str) -> Service:
        services.append(Service(tmp_path, broker_port, database_url, **environment))
        return services[-1]

    yield start
    for service in services:
        service.process.stop()


@pytest.fixture
def start_keeper() -> Iterator[StartKeeper]:
    """Start senders that repeat what has no receipt: the arguments are those of `Keeper`."""
    keepers: list[Keeper] = []

    def start(port: int, name: str = "keeper", per_second: float = 500) -> Keeper:
        keepers.append(Keeper(port, name, per_second))
        return keepers[-1]

    yield start
    for keeper in keepers:
        keeper.close()


@pytest.fixture
def start_web(tmp_path: Path) -> Iterator[StartWeb]:
    """Start web apps; they are ended afterwards."""
    made: list[WebApp] = []

    def start(broker_port: int, database_url: str) -> WebApp:
        made.append(WebApp(tmp_path, broker_port, database_url))
        return made[-1]

    yield start
    for web in made:
        web.process.stop()

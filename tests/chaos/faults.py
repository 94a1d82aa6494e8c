"""The faults: each takes a plant, does its harm for a moment, and undoes it."""

import contextlib
import time
from collections.abc import Callable
from typing import Final, TypeAlias

import psycopg

from tests.chaos.plant import DENYING_ACL, OPEN_ACL, Plant
from tests.support.tcp_proxy import TcpProxy

Fault: TypeAlias = Callable[[Plant], None]
_END_SESSIONS: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_locks"
    " WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"
)


def _wait(plant: Plant, low_s: float, high_s: float) -> None:
    time.sleep(plant.dice.uniform(low_s, high_s))


def kill_broker(plant: Plant) -> None:
    """Kill it as a power cut would, and start it again."""
    plant.broker.kill()
    _wait(plant, 0, 1.5)
    plant.broker.start()


def freeze_broker(plant: Plant) -> None:
    """Stop its clock: it answers nobody."""
    plant.broker.process.pause()
    _wait(plant, 0.2, 3)
    plant.broker.process.resume()


def kill_service(plant: Plant) -> None:
    """Kill one; it is started again."""
    plant.dice.choice(plant.services).process.kill()


def freeze_service(plant: Plant) -> None:
    """Stop one's clock."""
    process = plant.dice.choice(plant.services).process
    process.pause()
    _wait(plant, 0.2, 5)
    process.resume()


def kill_agent(plant: Plant) -> None:
    """Kill it; it is started again."""
    plant.agent.kill()


def lock_database(plant: Plant) -> None:
    """Let nobody write for a while."""
    with plant.locked_database():
        _wait(plant, 0.2, 3)


def deny(plant: Plant) -> None:
    """Take the right to test topics away; senders hear Success all the same."""
    plant.allow(DENYING_ACL)
    _wait(plant, 0.2, 2)
    plant.allow(OPEN_ACL)


def cut_senders(plant: Plant) -> None:
    """Cut the senders' cable to the broker."""
    _cut(plant, plant.sender_cable)


def hold_senders(plant: Plant) -> None:
    """Pull it silently."""
    _hold(plant, plant.sender_cable)


def cut_services(plant: Plant) -> None:
    """Cut the services' cable to the broker."""
    _cut(plant, plant.service_cable)


def hold_services(plant: Plant) -> None:
    """Pull it silently."""
    _hold(plant, plant.service_cable)


def lose_service(plant: Plant) -> None:
    """Kill one and start none for longer than it takes to adopt its queue."""
    with plant.without_service():
        _wait(plant, 4, 8)


def kill_database(plant: Plant) -> None:
    """Stop the server at once, and start it again."""
    assert plant.server
    plant.server.kill()
    _wait(plant, 0, 2)
    plant.server.start()


def end_sessions(plant: Plant) -> None:
    """End the database sessions that hold the services' numbers."""
    with contextlib.suppress(psycopg.Error), psycopg.connect(plant.url, autocommit=True) as session:
        session.execute(_END_SESSIONS)


def cut_database(plant: Plant) -> None:
    """Cut the cable to the database."""
    assert plant.database_cable
    _cut(plant, plant.database_cable)


def hold_database(plant: Plant) -> None:
    """Pull it silently."""
    assert plant.database_cable
    _hold(plant, plant.database_cable)


def _cut(plant: Plant, cable: TcpProxy) -> None:
    cable.cut()
    _wait(plant, 0, 1)
    cable.restore()


def _hold(plant: Plant, cable: TcpProxy) -> None:
    cable.hold()
    _wait(plant, 0.2, 4)
    cable.restore()


TO_THE_BROKER: Final[tuple[Fault, ...]] = (kill_broker, deny)
"""A sender without a second copy may lose by them, as docs/promises.md says."""
EVERYWHERE: Final[tuple[Fault, ...]] = (
    freeze_broker,
    kill_service,
    freeze_service,
    kill_agent,
    lock_database,
    cut_senders,
    hold_senders,
    cut_services,
    hold_services,
)
ON_POSTGRES: Final[tuple[Fault, ...]] = (
    lose_service,
    kill_database,
    end_sessions,
    cut_database,
    hold_database,
)

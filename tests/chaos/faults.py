"""The faults: each takes a plant, does its harm for a moment, and undoes it."""

import contextlib
import time
from collections.abc import Callable
from typing import Final, TypeAlias

import psycopg

from tests.chaos.plant import DENYING_ACL, MUTE_ACL, OPEN_ACL, Plant
from tests.support.keeper import message
from tests.support.raw_mqtt import connect, publish_packet
from tests.support.small_disk import SmallDisk
from tests.support.tcp_proxy import TcpProxy

Fault: TypeAlias = Callable[[Plant], None]
_END_SESSIONS: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_locks"
    " WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"
)


def _wait(plant: Plant, low_s: float, high_s: float) -> None:
    time.sleep(plant.dice.uniform(low_s, high_s))


def kill_broker(plant: Plant) -> None:
    """Kill it as a power cut would, and start it again: sessions and queues are gone."""
    plant.broker.kill()
    _wait(plant, 0, 1.5)
    _begin_again(plant)


def restart_broker(plant: Plant) -> None:
    """Stop it in good order and start it: even with persistence it forgets who shares a topic."""
    plant.broker.stop()
    _wait(plant, 0, 1.5)
    _begin_again(plant)


def _begin_again(plant: Plant) -> None:
    plant.service_cable.cut()
    plant.broker.start()
    if not plant.has_persistence:
        plant.retain_junk()
    plant.service_cable.restore()


def freeze_broker(plant: Plant) -> None:
    """Stop its clock: it answers nobody."""
    plant.broker.process.pause()
    _wait(plant, 0.2, 3)
    plant.broker.process.resume()


def kill_service(plant: Plant) -> None:
    """Kill one; it is started again."""
    plant.one_service().process.kill()


def stop_service(plant: Plant) -> None:
    """Stop one in good order, if it has got so far, and start another."""
    service = plant.one_service()
    if service.events("connected"):
        plant.stop_service(service, is_replaced=True)


def freeze_service(plant: Plant) -> None:
    """Stop one's clock."""
    process = plant.one_service().process
    process.pause()
    _wait(plant, 0.2, 5)
    process.resume()


def kill_agent(plant: Plant) -> None:
    """Kill it; it is started again."""
    plant.agent.kill()


def lose_spool(plant: Plant) -> None:
    """Delete the agent's spool: all that it sends now are repeats."""
    plant.lose_spool()


def rotate_log(plant: Plant) -> None:
    """Rename the log that the agent reads, twice at once now and then."""
    for _ in range(plant.dice.choice((1, 1, 2))):
        plant.agent_floor.rotate()


def fill_spool(plant: Plant) -> None:
    """Fill the agent's disk."""
    _fill(plant, plant.spool_disk)


def fill_database(plant: Plant) -> None:
    """Fill the disk under the SQLite file."""
    _fill(plant, plant.disk)


def _fill(plant: Plant, disk: SmallDisk | None) -> None:
    assert disk
    disk.fill()
    _wait(plant, 0.2, 3)
    disk.make_room()


def change_rules(plant: Plant) -> None:
    """Put another rulebook in force in mid-stream."""
    plant.activate_rules(plant.dice.choice((75.0, 80.0, 85.0, 90.0)))


def send_too_much(plant: Plant) -> None:
    """Send a packet larger than the broker takes; it ends the sender's connection."""
    topic, payload = message(1, "BIG", attributes={"pad": "x" * 2_000_000})
    with contextlib.suppress(OSError), contextlib.closing(connect(plant.broker.port, "big")) as big:
        big.sendall(publish_packet(topic, payload, 1))
        big.recv(4)


def steal_name(plant: Plant) -> None:
    """Connect under a service's client id for a moment; its queue stays."""
    _steal(plant, clean_session=False)


def steal_queue(plant: Plant) -> None:
    """Connect under a service's client id, and so throw away what waits for it."""
    _steal(plant, clean_session=True)


def _steal(plant: Plant, *, clean_session: bool) -> None:
    plant.is_robbed = True
    name = f"yieldline-service-{plant.dice.randrange(plant.service_count)}"
    link = connect(plant.broker.port, name, clean_session=clean_session)
    with contextlib.closing(link):
        _wait(plant, 0, 0.5)


def lock_database(plant: Plant) -> None:
    """Let nobody write for a while."""
    with plant.locked_database():
        _wait(plant, 0.2, 3)


def deny(plant: Plant) -> None:
    """Take the right to test topics away; senders hear Success all the same."""
    _allow_for_a_while(plant, DENYING_ACL)


def deny_answers(plant: Plant) -> None:
    """Take the right to answer away; services hear Success all the same."""
    _allow_for_a_while(plant, MUTE_ACL)


def _allow_for_a_while(plant: Plant, acl: str) -> None:
    plant.allow(acl)
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


def scale_up_and_down(plant: Plant) -> None:
    """Start one service more, and stop it: nobody comes back for its queue."""
    more = plant.start_service()
    more.wait_until("connected", timeout_s=60)
    _wait(plant, 0.5, 3)
    plant.stop_service(more, is_replaced=False)


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


TO_THE_BROKER: Final[tuple[Fault, ...]] = (kill_broker, restart_broker, deny, steal_queue)
"""A sender without a second copy may lose by them, as docs/promises.md says."""
EVERYWHERE: Final[tuple[Fault, ...]] = (
    freeze_broker,
    deny_answers,
    send_too_much,
    steal_name,
    kill_service,
    stop_service,
    freeze_service,
    change_rules,
    kill_agent,
    lose_spool,
    rotate_log,
    lock_database,
    cut_senders,
    hold_senders,
    cut_services,
    hold_services,
)
ON_POSTGRES: Final[tuple[Fault, ...]] = (
    lose_service,
    scale_up_and_down,
    kill_database,
    end_sessions,
    cut_database,
    hold_database,
)


def faults_for(plant: Plant) -> tuple[Fault, ...]:
    """Return what may be done to a plant."""
    faults = EVERYWHERE
    faults += () if plant.server is None else ON_POSTGRES
    faults += () if plant.spares_broker else TO_THE_BROKER
    faults += (fill_spool,) if plant.spool_disk else ()
    faults += (fill_database,) if plant.disk and plant.server is None else ()
    return faults

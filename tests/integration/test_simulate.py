"""The simulated floor against a real Mosquitto: what a subscriber sees of it."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import aiomqtt
import orjson
import pytest

from broker.errors import BrokerRefused
from broker.messages import State
from broker.settings import Settings, load_settings
from broker.topics import Channel
from service.simulator.life import Event, Life
from service.simulator.machine_link import KEPT_COUNT_MAX, MachineLink
from service.simulator.play import SimulateOptions, simulate
from tests.support.mosquitto import Mosquitto
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually


class Listener:
    """What arrives at a subscriber, by machine and channel, in order."""

    def __init__(self) -> None:
        self.payloads: dict[tuple[str, str], list[bytes]] = defaultdict(list)

    def add(self, message: aiomqtt.Message) -> None:
        *_, machine_id, channel = str(message.topic).split("/")
        assert isinstance(message.payload, bytes)
        self.payloads[machine_id, channel].append(message.payload)

    def runs(self) -> list[dict[str, Any]]:
        """Every result that can be read."""
        found: list[dict[str, Any]] = []
        for (_, channel), payloads in self.payloads.items():
            for payload in payloads if channel == "test" else ():
                with contextlib.suppress(orjson.JSONDecodeError):
                    parsed = orjson.loads(payload)
                    found += parsed if isinstance(parsed, list) else [parsed]
        return [run for run in found if run["barcode"]]

    def statuses(self, machine_id: str) -> list[str]:
        """What a machine, or its last will, has said of itself."""
        states = self.payloads[machine_id, "state"]
        return [State.model_validate_json(payload).status for payload in states]

    def machines(self) -> set[str]:
        """The machines that have said something of themselves."""
        return {machine_id for machine_id, channel in self.payloads if channel == "state"}


@contextlib.asynccontextmanager
async def listening(port: int, topic_root: str, client_id: str) -> AsyncIterator[Listener]:
    """Subscribe to everything under a root."""
    listener = Listener()

    async def listen(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            listener.add(message)

    async with aiomqtt.Client("127.0.0.1", port, identifier=client_id) as client:
        await client.subscribe(f"{topic_root}/#", qos=1)
        task = asyncio.create_task(listen(client))
        try:
            yield listener
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await task


def settings_for(port: int, topic_root: str, **broker: object) -> Settings:
    template = f"{topic_root}/{{line}}/{{machine_id}}/{{channel}}"
    address = {"host": "127.0.0.1", "port": port, "retry_delay_max_s": 0.2, **broker}
    return load_settings(flags={"broker": address, "topics": {"template": template}})


async def said_last(listener: Listener, machine_id: str, status: str) -> None:
    await eventually(
        lambda: listener.statuses(machine_id)[-1:] == [status],
        saw=lambda: (machine_id, listener.statuses(machine_id)),
    )


async def test_the_asked_number_of_runs_arrives_and_every_machine_says_goodbye(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    async with listening(mosquitto.port, topic_root, unique_id) as listener:
        options = SimulateOptions(seed=7, speed=50, runs=400)
        await simulate(options, settings_for(mosquitto.port, topic_root), asyncio.Event())
        await eventually(lambda: len(listener.runs()) >= 400)
        await eventually(lambda: len(listener.machines()) == 13)
        for machine_id in listener.machines():
            await said_last(listener, machine_id, "offline")
            assert listener.statuses(machine_id)[0] == "online"
    assert len(listener.runs()) == 400
    ids = [run["message_id"] for run in listener.runs() if "message_id" in run]
    assert len(set(ids)) == len(ids) > 300


async def test_results_arrive_within_two_seconds_and_stop_ends_it_quickly(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    stop = asyncio.Event()
    async with listening(mosquitto.port, topic_root, unique_id) as listener:
        settings = settings_for(mosquitto.port, topic_root)
        floor = asyncio.create_task(simulate(SimulateOptions(seed=7), settings, stop))
        await eventually(lambda: len(listener.runs()) >= 3, timeout_s=3)
        started = min(run.get("started_at", run.get("timestamp")) for run in listener.runs())
        assert abs((datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds()) < 30
        stop.set()
        await asyncio.wait_for(floor, 4)
        await said_last(listener, "EOL-31", "offline")


async def test_a_machine_that_is_cut_off_leaves_its_last_will(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    stop = asyncio.Event()
    async with listening(mosquitto.port, topic_root, unique_id) as listener:
        settings = settings_for(mosquitto.port, topic_root)
        floor = asyncio.create_task(simulate(SimulateOptions(seed=7, speed=50), settings, stop))
        await eventually(
            lambda: listener.statuses("FLASH-11")[:3] == ["online", "offline", "online"],
            saw=lambda: listener.statuses("FLASH-11"),
        )
        assert "offline" not in listener.statuses("FCT-11")
        stop.set()
        await floor


async def test_history_comes_first_and_in_time_order(
    mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    stop = asyncio.Event()
    async with listening(mosquitto.port, topic_root, unique_id) as listener:
        settings = settings_for(mosquitto.port, topic_root)
        before = datetime.now(UTC)
        options = SimulateOptions(seed=7, history_minutes=5)
        floor = asyncio.create_task(simulate(options, settings, stop))

        def live() -> bool:
            ended = [run["ended_at"] for run in listener.runs() if "ended_at" in run]
            return any(datetime.fromisoformat(each) > before for each in ended)

        await eventually(live, timeout_s=20)
        stop.set()
        await floor
    ended = [
        datetime.fromisoformat(orjson.loads(payload)["ended_at"])
        for payload in listener.payloads["EOL-31", "test"]
    ]
    assert ended == sorted(ended)
    assert 280 < (before - ended[0]).total_seconds() < 300
    assert len(listener.runs()) > 1_000


async def test_what_is_tested_while_the_broker_is_away_is_sent_late(
    mosquitto: Mosquitto,
    tcp_proxy_factory: Callable[[int], TcpProxy],
    topic_root: str,
    unique_id: str,
) -> None:
    cable = tcp_proxy_factory(mosquitto.port)
    settings = settings_for(cable.port, topic_root)
    async with listening(mosquitto.port, topic_root, unique_id) as listener:
        options = SimulateOptions(seed=7, speed=50, runs=600)
        floor = asyncio.create_task(simulate(options, settings, asyncio.Event()))
        await eventually(lambda: len(listener.runs()) > 100)
        cable.cut()
        await said_last(listener, "EOL-31", "offline")  # the last will
        cable.restore()
        await asyncio.wait_for(floor, 30)
        await said_last(listener, "EOL-31", "offline")
        first_of_each = {run["barcode"] + run["procedure"] for run in listener.runs()}
        for machine_id in listener.machines() - {"LEAK-31"}:
            runs = [run for run in listener.runs() if run.get("machine_id") == machine_id]
            numbers = {run["sequence"]["seq"] for run in runs}
            assert numbers == set(range(1, max(numbers) + 1)), machine_id
    assert len(first_of_each) > 500


async def test_a_broker_that_hangs_does_not_hold_up_the_stop(
    mosquitto: Mosquitto, tcp_proxy_factory: Callable[[int], TcpProxy], topic_root: str
) -> None:
    cable, stop = tcp_proxy_factory(mosquitto.port), asyncio.Event()
    floor = asyncio.create_task(
        simulate(SimulateOptions(seed=7), settings_for(cable.port, topic_root), stop)
    )
    await eventually(lambda: cable.connection_count == 13)
    cable.hold()
    stop.set()
    await asyncio.wait_for(floor, 5)


async def test_a_refused_login_is_our_own_error(
    mosquitto_factory: Callable[..., Mosquitto], topic_root: str
) -> None:
    own = mosquitto_factory(users={"sim": "right"})
    settings = settings_for(own.port, topic_root, username="sim", password="wrong")
    with pytest.raises(BrokerRefused, match="refused the login of 'sim'"):
        await simulate(SimulateOptions(seed=7), settings, asyncio.Event())


async def test_a_machine_keeps_a_bounded_number_of_messages_while_the_broker_is_away(
    mosquitto_factory: Callable[..., Mosquitto], topic_root: str, unique_id: str
) -> None:
    own = mosquitto_factory()
    own.kill()
    life = Life(7, datetime.now(UTC))
    link = MachineLink(settings_for(own.port, topic_root), "L1", "ICT-11", life, set())
    for number in range(KEPT_COUNT_MAX + 20):
        await link.hand(Event(0.0, "L1", "ICT-11", Channel.TEST, str(number).encode()))
    assert link.dropped == 20
    own.restart()
    async with listening(own.port, topic_root, unique_id) as listener:
        link.finish()
        await asyncio.wait_for(link.run(), 10)
        await link.say_goodbye()
        arrived = listener.payloads["ICT-11", "test"]
        await eventually(lambda: len(arrived) == KEPT_COUNT_MAX)
    assert arrived[0] == b"20"  # the oldest went
    assert arrived == [str(number).encode() for number in range(20, KEPT_COUNT_MAX + 20)]

"""Checks over a real broker: asked, answered, and not answered when it is too late."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt
import orjson
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker.envelopes import Outgoing
from broker.link import Connection
from broker.sections import DatabaseSettings
from broker.settings import Settings
from service.checker import Checker
from service.core.lookup import Rulebook
from service.pipeline import Pipeline
from service.pulse import Pulse
from service.simulator.play import SimulateOptions, simulate
from service.store.database import Database
from service.store.queries.health import services
from service.subscriber import Subscriber
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port
from tests.support.processes import YIELDLINE, Process
from tests.support.raw_mqtt import Listener, Sender
from tests.support.stored import Stored, run_message
from tests.support.waiting import eventually, eventually_sync

ROUTE = {"P1": {"route": ["ICT", "FCT"]}}


def settings_of(port: int, root: str, url: str, **service: Any) -> Settings:  # noqa: ANN401
    return Settings.model_validate(
        {
            "broker": {"port": port, "retry_delay_max_s": 0.2},
            "topics": {"template": f"{root}/{{line}}/{{machine_id}}/{{channel}}"},
            "database": {"url": url},
            "products": ROUTE,
            "service": service,
        }
    )


async def at_once(_: Connection) -> None:
    """Nothing has to be waited for."""


@asynccontextmanager
async def checking(
    settings: Settings, caught_up: Callable[[Connection], Awaitable[None]] = at_once
) -> AsyncIterator[Pulse]:
    """Answer checks until the end of the block."""
    database, pulse = Database(settings.database), Pulse()
    task = asyncio.create_task(Checker(settings, database, pulse, caught_up).run())
    try:
        yield pulse
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait([task])
        database.dispose()


class Machine:
    """A machine that asks; every topic of its own below `root`."""

    def __init__(self, client: aiomqtt.Client, root: str) -> None:
        self._client = client
        self._root = root
        self.heard: list[aiomqtt.Message] = []

    async def listen(self) -> None:
        async for message in self._client.messages:
            self.heard.append(message)

    async def ask(self, body: dict[str, Any] | bytes, properties: Properties | None = None) -> None:
        payload = body if isinstance(body, bytes) else orjson.dumps(body)
        topic = f"{self._root}/L1/M1/check"
        await self._client.publish(topic, payload, qos=1, properties=properties)

    async def give(self, result: dict[str, Any]) -> None:
        """Publish a test result; returns once the broker has confirmed it."""
        await self._client.publish(f"{self._root}/L1/M1/test", orjson.dumps(result), qos=1)

    async def verdict(self, body: dict[str, Any]) -> dict[str, Any]:
        """Ask again and again, as a machine does, until the service is there; the answer."""

        async def answered() -> dict[str, Any] | None:
            found = [said for said in self.said() if said["request_id"] == body["request_id"]]
            if not found:
                await self.ask(body)
                await asyncio.sleep(0.1)
            return found[0] if found else None

        said = await eventually(answered)
        assert said
        return said

    def said(self) -> list[dict[str, Any]]:
        return [orjson.loads(bytes(each.payload)) for each in self.heard]


@asynccontextmanager
async def machine(broker: Mosquitto, root: str) -> AsyncIterator[Machine]:
    """An MQTT 5 client that hears all verdicts, and what goes to `…/replies`."""
    protocol = aiomqtt.ProtocolVersion.V5
    async with aiomqtt.Client("127.0.0.1", broker.port, protocol=protocol) as client:
        await client.subscribe([(f"{root}/+/+/verdict", 1), (f"{root}/replies", 1)])  # type: ignore[arg-type]
        asking = Machine(client, root)
        task = asyncio.create_task(asking.listen())
        yield asking
        task.cancel()
        await asyncio.wait([task])


def check(request_id: str, barcode: str = "SN-1", procedure: str = "FCT") -> dict[str, Any]:
    return {
        "request_id": request_id,
        "barcode": barcode,
        "product_id": "P1",
        "procedure": procedure,
    }


# -- asked and answered ----------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_a_machine_hears_whether_a_unit_may_be_run(
    stored: Stored, mosquitto: Mosquitto, topic_root: str, protocol: str
) -> None:
    stored.save(run_message("SN-1", procedure="ICT"))
    settings = settings_of(mosquitto.port, topic_root, stored.url, check_protocol=protocol)
    async with checking(settings) as pulse, machine(mosquitto, topic_root) as asking:
        said = await asking.verdict(check("r1"))
        assert said.pop("answered_at").endswith("Z")
        assert said == {
            "request_id": "r1",
            "allowed": True,
            "reason": "It has passed what comes before FCT: ICT.",
        }
        said = await asking.verdict(check("r2", "SN-2"))
        assert (said["allowed"], said["reason"]) == (
            False,
            "ICT comes before FCT, and was not run.",
        )
        assert {str(each.topic) for each in asking.heard} == {f"{topic_root}/L1/M1/verdict"}
        assert pulse.checks["allowed"] >= 1
        assert pulse.checks["refused"] >= 1


async def test_over_mqtt_5_the_answer_goes_where_it_is_wanted_and_carries_what_it_should(
    sqlite_store_url: str, mosquitto: Mosquitto, topic_root: str
) -> None:
    settings = settings_of(mosquitto.port, topic_root, sqlite_store_url)
    async with checking(settings), machine(mosquitto, topic_root) as asking:
        await asking.verdict(check("first"))
        asking.heard.clear()
        for number, topic in enumerate((f"{topic_root}/replies", f"{topic_root}/L1/M2/verdict")):
            properties = Properties(PacketTypes.PUBLISH)
            properties.ResponseTopic = topic
            properties.CorrelationData = f"c{number}".encode()
            await asking.ask(check(f"r{number}"), properties)
        await eventually(lambda: len(asking.heard) == 2)
        answers = {
            orjson.loads(bytes(each.payload))["request_id"]: (
                str(each.topic),
                each.properties and each.properties.CorrelationData,  # type: ignore[attr-defined]
            )
            for each in asking.heard
        }
        assert answers == {
            "r0": (f"{topic_root}/replies", b"c0"),
            "r1": (f"{topic_root}/L1/M1/verdict", b"c1"),  # M2's topic is not M1's to write
        }


async def test_a_bad_check_is_answered_where_its_request_can_be_read(
    sqlite_store_url: str, mosquitto: Mosquitto, topic_root: str
) -> None:
    settings = settings_of(mosquitto.port, topic_root, sqlite_store_url)
    async with checking(settings) as pulse, machine(mosquitto, topic_root) as asking:
        await asking.verdict(check("first"))
        asking.heard.clear()
        await asking.ask(b"\xff no JSON")
        await asking.ask({"request_id": "r1", "barcode": "SN-1", "procedure": "FCT"})
        await eventually(lambda: len(asking.heard) == 1)
        (said,) = asking.said()
        assert (said["request_id"], said["allowed"]) == ("r1", False)
        assert said["reason"] == "product_id is missing. Correct it and send it again."
        assert pulse.checks["invalid"] == 2


async def test_a_secret_that_is_gone_after_the_start_does_not_matter(
    sqlite_store_url: str, mosquitto: Mosquitto, topic_root: str, tmp_path: Path
) -> None:
    group = tmp_path / "group"
    group.write_text("0f3a9c", "utf-8")
    shares = {"share": True, "shared_group_file": str(group)}
    settings = settings_of(mosquitto.port, topic_root, sqlite_store_url, **shares)
    async with checking(settings):
        group.unlink()  # the checker is made, and has not connected yet
        async with machine(mosquitto, topic_root) as asking:
            assert (await asking.verdict(check("r1", procedure="ICT")))["allowed"]


async def test_the_simulated_floor_asks_and_runs_no_unit_that_is_refused(
    sqlite_store_url: str, mosquitto: Mosquitto, topic_root: str, unique_id: str
) -> None:
    refused = {"GW-7": {"route": ["NEVER"]}}
    settings = settings_of(mosquitto.port, topic_root, sqlite_store_url)
    settings = settings.model_copy(update={"products": Settings(products=refused).products})  # type: ignore[arg-type]
    with Listener(mosquitto.port, unique_id, f"{topic_root}/#") as ears:
        async with checking(settings) as pulse, machine(mosquitto, topic_root) as asking:
            await asking.verdict(check("somebody answers"))
            options = SimulateOptions(seed=7, speed=50, runs=120, check=True)
            await simulate(options, settings, asyncio.Event())
            answers = pulse.checks
        tests = [each.payload for each in list(ears.heard) if each.topic.endswith("/test")]
    products = {product for product in (b"EC", b"GW-7", b"BCM-220") if product in b"".join(tests)}
    assert products == {b"EC", b"BCM-220"}
    assert answers["refused"] > 10
    assert answers["allowed"] > 50


# -- when nobody can tell --------------------------------------------------------------------------


async def test_while_the_database_is_away_nobody_may_be_run(
    mosquitto: Mosquitto, topic_root: str
) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    settings = settings_of(mosquitto.port, topic_root, url)
    async with checking(settings), machine(mosquitto, topic_root) as asking:
        said = await asking.verdict(check("r1"))
        assert (said["allowed"], said["reason"]) == (
            False,
            "Nobody can tell while the database is away. Ask again in a moment.",
        )


async def test_while_earlier_results_wait_to_be_stored_nobody_may_be_run(
    sqlite_store_url: str, mosquitto: Mosquitto, topic_root: str
) -> None:
    settings = settings_of(mosquitto.port, topic_root, sqlite_store_url, check_age_max_s=1)
    never = asyncio.Event().wait

    async def caught_up(_: Connection) -> None:
        await never()

    async with checking(settings, caught_up), machine(mosquitto, topic_root) as asking:
        said = await asking.verdict(check("r1", procedure="ICT"))
        assert (said["allowed"], said["reason"]) == (
            False,
            "Results that came before are not all stored yet. Ask again in a moment.",
        )


async def test_a_service_that_is_alone_answers_behind_all_that_waits_for_it_at_the_broker(
    sqlite_store_url: str, mosquitto: Mosquitto, topic_root: str
) -> None:
    """It holds ten results, and cannot store them, while ninety more are at the broker."""
    few = {"pending_count_max": 10, "batch_count_max": 10, "retry_delay_max_s": 0.2}
    settings = settings_of(mosquitto.port, topic_root, sqlite_store_url, **few)
    database, stop, pulse = Database(settings.database), asyncio.Event(), Pulse()
    subscriber = Subscriber(settings, Pipeline(settings, database, Rulebook(1, ())), stop, pulse)
    serving = asyncio.create_task(subscriber.run())
    try:
        async with (
            checking(settings, subscriber.caught_up),
            machine(mosquitto, topic_root) as asking,
        ):
            assert (await asking.verdict(check("r1", procedure="ICT")))["allowed"]
            held = sqlite3.connect(database.file, isolation_level=None)
            held.execute("BEGIN IMMEDIATE")
            for number in range(100):
                await asking.give(run_message(f"SN-{number}", procedure="ICT"))
            await asking.ask(check("r2", "SN-99"))
            held.execute("ROLLBACK")
            held.close()
            await eventually(lambda: asking.said()[-1]["request_id"] == "r2", saw=asking.said)
            assert asking.said()[-1]["reason"] == "It has passed what comes before FCT: ICT."
    finally:
        stop.set()
        await asyncio.wait([serving])
        database.dispose()


async def test_a_connection_that_is_lost_while_a_check_is_answered_is_made_anew(
    sqlite_store_url: str, mosquitto: Mosquitto, topic_root: str
) -> None:
    settings = settings_of(mosquitto.port, topic_root, sqlite_store_url)
    lost: list[Connection] = []

    async def caught_up(connection: Connection) -> None:
        if not lost:
            lost.append(connection)
            connection.abort()
            await connection.publish([Outgoing(f"{topic_root}/_check/a/test", b"{}")])

    async with checking(settings, caught_up), machine(mosquitto, topic_root) as asking:
        assert (await asking.verdict(check("r1", procedure="ICT")))["allowed"]
        assert lost


# -- real service processes ------------------------------------------------------------------------


@pytest.fixture
def service(
    tmp_path: Path, mosquitto: Mosquitto, topic_root: str, database_url: str
) -> Iterator[Process]:
    """A `yieldline service` whose checks are too old after a second."""
    (tmp_path / "yieldline.toml").write_text('[products.P1]\nroute = ["ICT", "FCT"]\n', "utf-8")
    environment = {
        "YIELDLINE_BROKER__PORT": str(mosquitto.port),
        "YIELDLINE_BROKER__RETRY_DELAY_MAX_S": "0.2",
        "YIELDLINE_TOPICS__TEMPLATE": f"{topic_root}/{{line}}/{{machine_id}}/{{channel}}",
        "YIELDLINE_DATABASE__URL": database_url,
        "YIELDLINE_SERVICE__CHECK_AGE_MAX_S": "1",
        "YIELDLINE_SERVICE__HEARTBEAT_S": "0.2",
    }
    with Process([YIELDLINE, "service"], environment=environment, directory=tmp_path) as process:
        process.wait_for("answering_checks", 30)
        process.wait_for("connected", 30)
        yield process
        assert "Traceback" not in process.output


def test_a_check_sees_the_result_that_the_broker_had_before_it(
    service: Process, mosquitto: Mosquitto, topic_root: str, database_url: str
) -> None:
    del service
    rounds = 40
    base = f"{topic_root}/L1/M1"
    with (
        Listener(mosquitto.port, "ears", f"{base}/verdict") as ears,
        Sender(mosquitto.port, "machine") as sender,
    ):
        for number in range(rounds):
            result = run_message(f"SN-{number}", procedure="ICT", passes=number % 2 == 0)
            sender.send([(f"{base}/test", orjson.dumps(result))])
            question = check(f"r{number}", f"SN-{number}")
            sender.send([(f"{base}/check", orjson.dumps(question))])
        eventually_sync(lambda: len(ears.heard) == rounds, saw=lambda: len(ears.heard))
        verdicts = [orjson.loads(each.payload) for each in ears.heard]
    found = {each["request_id"]: each["allowed"] for each in verdicts}
    assert found == {f"r{number}": number % 2 == 0 for number in range(rounds)}
    # And the service says of itself what it has done.
    database = Database(DatabaseSettings(url=database_url))  # type: ignore[arg-type]
    eventually_sync(lambda: _last_word(database)["checks"]["refused"] == rounds // 2)
    said = _last_word(database)
    assert said["checks"] == {"allowed": 20, "refused": 20, "invalid": 0, "late": 0}
    batches = {stage: sum(times["counts"]) for stage, times in said["stages"].items()}
    assert batches == dict.fromkeys(("judge", "store", "publish", "whole"), said["batches"])
    assert 0 < said["stages"]["store"]["sum_s"] < said["stages"]["whole"]["sum_s"]
    eventually_sync(lambda: _last_word(database)["looked_at"])
    database.dispose()


def test_a_check_that_waited_while_the_service_was_away_is_not_answered(
    service: Process, mosquitto: Mosquitto, topic_root: str
) -> None:
    base = f"{topic_root}/L1/M1"
    with (
        Listener(mosquitto.port, "ears", f"{base}/verdict") as ears,
        Sender(mosquitto.port, "machine") as sender,
    ):

        def ask(request_id: str) -> None:
            sender.send([(f"{base}/check", orjson.dumps(check(request_id)))])

        def heard() -> list[str]:
            return [orjson.loads(each.payload)["request_id"] for each in list(ears.heard)]

        ask("before")
        eventually_sync(lambda: heard() == ["before"])
        service.pause()
        for number in range(20):
            ask(f"paused-{number}")
        # Nothing tells that the second has passed but the clock.
        eventually_sync(_after(1.5))
        service.resume()
        eventually_sync(lambda: service.output.count("answering_checks") == 2)
        ask("after")
        eventually_sync(lambda: "after" in heard(), saw=heard)
        assert heard() == ["before", "after"]


def _last_word(database: Database) -> dict[str, Any]:
    (found,) = services(database, datetime.now(UTC))
    facts: dict[str, Any] = found["facts"]
    return facts


def _after(seconds: float) -> Callable[[], bool]:
    """Return what becomes true after so long."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end

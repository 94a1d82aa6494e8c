"""Checks over a real broker: asked and answered."""

import asyncio
from pathlib import Path

import orjson
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker.settings import Settings
from service.simulator.play import SimulateOptions, simulate
from tests.support.checks import check, checking, machine, settings_of
from tests.support.mosquitto import Mosquitto
from tests.support.raw_mqtt import Listener
from tests.support.stored import Stored, run_message
from tests.support.waiting import eventually


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

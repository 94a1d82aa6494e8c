"""Is a broker, or a cluster of two nodes, fit for a plant? Tried on real Mosquittos."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.sections import BrokerSettings
from broker.topics import TopicTemplate
from broker.trials import Finding, Trials
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port
from tests.support.processes import PYTHON, Process
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

Brokers = Callable[..., Mosquitto]
TEMPLATE = TopicTemplate("factory/v1/{line}/{machine_id}/{channel}")
ROOT = Path(__file__).parents[2]


def trials(first: Mosquitto, second: Mosquitto) -> Trials:
    nodes = [
        BrokerSettings(port=each.port).model_copy(update={"connect_timeout_s": 3})
        for each in (first, second)
    ]
    return Trials(nodes[0], nodes[1], TEMPLATE, quiet_s=0.3)


async def found(trials: Trials) -> dict[str, Finding]:
    return {each.need: each async for each in trials.run()}


async def test_a_mosquitto_is_fit_for_a_plant_and_keeps_no_session_of_the_trial(
    mosquitto_factory: Brokers,
) -> None:
    broker = mosquitto_factory()
    trial = trials(broker, broker)
    seen = await found(trial)
    assert [each for each in seen.values() if not each.is_met] == []
    assert seen["a shared subscription"].seen == "200 and 200 of 400, none twice"
    member = await trial._member(0, "left")
    assert not member.session_was_kept
    await member.link.close()


async def test_two_brokers_that_are_bridged_are_told_from_a_cluster(
    mosquitto_factory: Brokers,
) -> None:
    """Each message comes to a member at either of them, and a session stays where it was made."""
    first = mosquitto_factory()
    bridge = ["connection first", f"address 127.0.0.1:{first.port}", "topic # both 1"]
    second = mosquitto_factory(extra=[*bridge, "notifications false"])
    seen = await found(trials(first, second))
    assert seen["write and read"].is_met
    assert not seen["a shared subscription"].is_met
    words = "400 came twice: the nodes share no subscription"
    assert seen["a shared subscription"].seen == words
    assert not seen["kept sessions"].is_met
    assert "a session was forgotten" in seen["kept sessions"].seen
    assert seen["one connection a client id"].seen == "two of one name at once"


async def test_what_is_retained_may_come_late_to_another_node(
    mosquitto_factory: Brokers, tcp_proxy_factory: Callable[[int], TcpProxy]
) -> None:
    """Later than the trial listens at once: nodes tell each other when they get round to it."""
    first = mosquitto_factory()
    way = tcp_proxy_factory(first.port)
    bridge = ["connection first", f"address 127.0.0.1:{way.port}", "topic # in 1"]
    second = mosquitto_factory(extra=[*bridge, "notifications false"])
    trial = trials(first, second)
    async with trial._opened(1, "reader") as link:
        await link.subscribe(trial._topic)
        await eventually(lambda: way.connection_count)
        await trial._wait_for_way(link, 0)
    way.delay_s = 0.5
    assert (await trial._retains()).is_met


def test_the_command_finds_out_a_broker_that_keeps_too_little(mosquitto_factory: Brokers) -> None:
    """Mosquitto's own default drops what waits for who is away, and says Success."""
    broker = mosquitto_factory(extra=["max_queued_messages 50", "max_packet_size 100000"])
    said = _qualify(broker.port, "--quiet", "0.3")
    assert said.wait(60) == 1
    assert re.search(r"^kept sessions: NO; \d+ of 400 never came$", said.output, re.MULTILINE)
    assert re.search(r"^messages of 1 MiB: NO; ", said.output, re.MULTILINE)
    assert "\na shared subscription: yes; 200 and 200 of 400, none twice\n" in said.output
    assert "\nNot tried here: rights by user name" in said.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "does not answer"),
        (("--second", "broker-2"), "--second 'broker-2' is not HOST:PORT"),
    ],
)
def test_nobody_there_and_no_address_are_sentences(words: tuple[str, ...], sentence: str) -> None:
    said = _qualify(free_port(), *words)
    assert said.wait(30) == 2
    assert sentence in said.output


def _qualify(port: int, *words: str) -> Process:
    environment = {**os.environ, "YIELDLINE_BROKER__PORT": str(port)}
    return Process(
        [PYTHON, "-m", "broker.qualify", *words], environment=environment, directory=ROOT
    )

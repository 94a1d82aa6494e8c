"""The agent as its own process, a real Mosquitto, and a tiny service that sends receipts."""

import json
from collections.abc import Callable

from broker.messages import RUN
from tests.support.edge import SAMPLE, Agent, TinyService, line
from tests.support.mosquitto import Mosquitto
from tests.support.processes import YIELDLINE, Process
from tests.support.waiting import eventually


async def test_once_sends_the_real_spea_file_and_waits_for_the_receipts(
    agent: Agent, service: TinyService
) -> None:
    agent.configure("spea")
    agent.log.write_bytes(SAMPLE.read_bytes())
    process = await agent.once()
    assert process.exit_code == 0, process.output
    assert "10 stored by the service, 0 waiting" in process.output
    runs = [RUN.validate_json(payload) for payload in service.payloads]
    assert [run.barcode for run in runs] == ["SN9871234012"] * 10
    assert [run.sequence.seq for run in runs if run.sequence] == list(range(1, 11))
    assert set(service.arrived.values()) == {1}
    assert agent.books() == (10, 0, 10, 10)
    again = await agent.once()
    assert again.exit_code == 0
    assert sum(service.arrived.values()) == 10


async def test_a_line_with_its_own_id_arrives_byte_for_byte(
    agent: Agent, service: TinyService
) -> None:
    raw = b'{ "message_id":"m-1",' + line(1)[1:].strip() + b" "
    agent.log.write_bytes(raw + b"\n" + line(2))
    assert (await agent.once()).exit_code == 0
    assert service.payloads[0] == raw.strip()
    assert json.loads(service.payloads[1])["barcode"] == "S2"


async def test_an_array_is_done_when_every_element_is_receipted(
    agent: Agent, service: TinyService
) -> None:
    agent.log.write_bytes(b"[" + line(1).strip() + b"," + line(2).strip() + b"]\n")
    assert (await agent.once()).exit_code == 0
    (payload,) = service.payloads
    assert [each["barcode"] for each in json.loads(payload)] == ["S1", "S2"]


async def test_without_receipts_once_says_how_many_are_still_in_the_spool(
    agent: Agent, service: TinyService
) -> None:
    service.answers = False
    agent.log.write_bytes(b"".join(line(number) for number in range(700)))
    process = await agent.once("--timeout", "1")
    assert process.exit_code == 1
    assert "700 messages are still in the spool" in process.output
    assert "Traceback" not in process.output
    assert len(service.arrived) == 500  # never more without a receipt
    service.answers = True
    assert (await agent.once()).exit_code == 0
    assert len(service.arrived) == 700
    assert agent.books() == (700, 0, 700, 700)


async def test_it_follows_growing_files_and_says_its_state(
    agent: Agent, service: TinyService
) -> None:
    process = agent.start()
    await eventually(lambda: service.states, saw=lambda: process.output)
    assert service.states[0]["status"] == "online"
    with agent.log.open("ab", buffering=0) as file:
        for number in range(20):
            file.write(line(number))
            await eventually(lambda number=number: len(service.arrived) == number + 1)
        file.write(b"{bad}\n")
    await eventually(lambda: service.states[-1]["agent"]["refused"] == 1)
    state = service.states[-1]["agent"]
    assert (state["read"], state["spooled"], state["receipted"]) == (21, 20, 20)
    assert (state["spool_depth"], state["lag_s"]) == (0, 0)
    assert {"version", "spool_bytes", "last_error"} <= state.keys()
    process.stop()
    assert process.exit_code == 0, process.output
    await eventually(lambda: service.states[-1]["status"] == "offline")
    told = service.states[-1]["agent"]
    assert (told["read"], told["receipted"]) == (21, 20), "how its books closed"
    assert set(service.arrived.values()) == {1}


async def test_the_last_will_says_offline(agent: Agent, service: TinyService) -> None:
    process = agent.start()
    await eventually(lambda: service.states, saw=lambda: process.output)
    process.kill()
    await eventually(lambda: service.states[-1]["status"] == "offline")
    assert service.states[-1]["session"] == service.states[0]["session"]


async def test_killed_again_and_again_it_loses_and_doubles_nothing(
    agent: Agent, service: TinyService
) -> None:
    agent.log.write_bytes(b"".join(line(number) for number in range(3000)))
    for wanted in (1, 700, 1500):
        process = agent.start()
        await eventually(lambda wanted=wanted: len(service.arrived) >= wanted, 20)
        process.kill()
    assert (await agent.once()).exit_code == 0
    assert {json.loads(payload)["barcode"] for payload in service.payloads} == {
        f"S{number}" for number in range(3000)
    }
    assert len(service.arrived) == 3000
    assert agent.books() == (3000, 0, 3000, 3000)


async def test_a_broker_killed_in_the_middle_is_waited_for(
    agent: Agent, mosquitto_factory: Callable[..., Mosquitto], topic_root: str
) -> None:
    broker = mosquitto_factory()
    agent.configure(port=broker.port)
    agent.log.write_bytes(b"".join(line(number) for number in range(2000)))
    service = TinyService(broker, topic_root)
    await service.start()
    process = agent.start("--once")
    await eventually(lambda: len(service.arrived) >= 300, saw=lambda: process.output)
    broker.kill()
    await service.stop()
    broker.start()
    await service.start()
    # What the broker had and lost is repeated when its receipt stays away for 10 s.
    await eventually(lambda: process.exit_code is not None, 60, saw=lambda: process.output)
    await service.stop()
    assert process.exit_code == 0, process.output
    assert len(service.arrived) == 2000
    assert agent.books() == (2000, 0, 2000, 2000)


async def test_a_broker_that_is_away_is_one_warning_and_a_timeout(agent: Agent) -> None:
    agent.configure(port=1)
    agent.log.write_bytes(line(1))
    process = await agent.once("--timeout", "2")
    assert process.exit_code == 1
    assert process.output.count("broker_lost") == 1
    assert "1 message is still in the spool" in process.output


async def test_a_rejection_without_readable_id_ends_the_repeats(
    agent: Agent, service: TinyService
) -> None:
    service.reject = lambda body: body["barcode"] == "S1"
    agent.log.write_bytes(line(1) + line(2))
    process = await agent.once()
    assert process.exit_code == 0
    assert "too large here" in process.output


async def test_a_refused_login_is_one_sentence_and_exit_2(
    agent: Agent, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    broker = mosquitto_factory(users={"someone": "else"})
    agent.configure(port=broker.port)
    agent.log.write_bytes(line(1))
    process = await agent.once()
    assert process.exit_code == 2
    assert "refused the login" in process.output
    assert "Traceback" not in process.output


async def test_stopped_early_once_says_so_and_exits_1(agent: Agent, service: TinyService) -> None:
    service.answers = False
    agent.log.write_bytes(line(1))
    process = agent.start("--once")
    await eventually(lambda: service.arrived, saw=lambda: process.output)
    process.interrupt()
    await eventually(lambda: process.exit_code == 1, saw=lambda: process.output)
    assert "stopped before everything was stored" in process.output


async def test_a_second_agent_on_the_same_spool_is_refused(
    agent: Agent, service: TinyService
) -> None:
    agent.log.write_bytes(line(1))
    first = agent.start()
    await eventually(lambda: service.arrived, saw=lambda: first.output)
    second = await agent.once()
    assert second.exit_code == 2
    assert "another agent" in second.output
    assert first.exit_code is None


async def test_the_console_script_finds_the_agent(agent: Agent) -> None:
    process = Process([YIELDLINE, "agent", "parse", "--format", "spea", SAMPLE])
    await eventually(lambda: process.exit_code is not None, saw=lambda: process.output)
    assert process.exit_code == 0, process.output[-500:]
    assert process.output.count('"barcode":"SN9871234012"') == 10
    assert agent.processes == []

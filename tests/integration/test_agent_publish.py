"""What the agent publishes of itself, and when a message leaves its spool."""

import sqlite3
from collections.abc import Callable

from tests.support.edge import Agent, TinyService, line
from tests.support.mosquitto import Mosquitto
from tests.support.waiting import eventually


def waiting_count(agent: Agent) -> int:
    with sqlite3.connect(f"file:{agent.folder / 'agent-spool.db'}?mode=ro", uri=True) as db:
        count: int = db.execute("SELECT count(*) FROM messages").fetchone()[0]
    db.close()
    return count


async def test_state_says_what_runs_where_and_how_far_behind(
    agent: Agent, service: TinyService
) -> None:
    service.answers = False
    agent.log.write_bytes(line(1) + line(2) + b'{"half": ')
    process = agent.start()
    await eventually(lambda: service.states, saw=lambda: process.output)
    await eventually(lambda: service.states[-1]["agent"]["spool_depth"] == 2)
    state = service.states[-1]
    told = state["agent"]
    assert told["spool_bytes"] > len(line(1))
    assert told["lag_bytes"] == len(b'{"half": ')
    assert told["lag_s"] >= 0
    assert told["last_error"] is None
    assert told["python"].startswith("3.")
    assert told["paho"].startswith("2.")
    assert told["os"]
    assert told["version"] not in {"", "unknown"}
    assert len(state["session"]) == 16
    process.stop()
    await eventually(lambda: service.states[-1]["status"] == "offline")
    assert service.states[-1]["session"] == state["session"]


async def test_no_more_is_under_way_than_the_setting_allows(
    agent: Agent, service: TinyService
) -> None:
    service.answers = False
    agent.configure(extra="in_flight_max = 7")
    agent.log.write_bytes(b"".join(line(number) for number in range(100)))
    process = await agent.once("--timeout", "1")
    assert process.exit_code == 1
    assert len(service.arrived) == 7
    service.answers = True
    assert (await agent.once()).exit_code == 0
    assert len(service.arrived) == 100


async def test_on_puback_a_message_is_done_without_any_receipt(
    agent: Agent, service: TinyService
) -> None:
    service.answers = False
    agent.configure(extra='delete_on = "puback"')
    array = b"[" + line(11).strip() + b"," + line(12).strip() + b"]\n"
    own_id = b'{"message_id": "own", ' + line(13)[1:]
    agent.log.write_bytes(b"".join(line(number) for number in range(700)) + array + own_id)
    process = await agent.once()
    assert process.exit_code == 0, process.output
    await eventually(lambda: len(service.arrived) == 703)
    assert set(service.arrived.values()) == {1}
    assert agent.books() == (702, 0, 702, 702)
    assert waiting_count(agent) == 0


async def test_on_puback_nothing_is_dropped_while_the_broker_is_away(
    agent: Agent, mosquitto_factory: Callable[..., Mosquitto], topic_root: str
) -> None:
    broker = mosquitto_factory()
    broker.stop()
    agent.configure(extra='delete_on = "puback"', port=broker.port)
    agent.log.write_bytes(line(1) + line(2))
    process = agent.start()
    await eventually(lambda: "broker_lost" in process.output)
    await eventually(lambda: waiting_count(agent) == 2)
    broker.start()
    service = TinyService(broker, topic_root)
    await service.start()
    await eventually(lambda: waiting_count(agent) == 0, saw=lambda: process.output)
    await service.stop()


async def test_a_backlog_is_told_in_plain_lines_where_there_is_no_terminal(
    agent: Agent, service: TinyService
) -> None:
    service.answers = False
    agent.log.write_bytes(b"".join(line(number) for number in range(600)))
    process = await agent.once("--timeout", "7")
    assert process.exit_code == 1
    said = [text for text in process.output.splitlines() if "catching_up" in text]
    assert len(said) == 1
    assert "600 spooled, 0 stored by the service, 600 waiting" in said[0]


async def test_files_of_the_broker_section_are_beside_the_configuration(
    agent: Agent, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    broker = mosquitto_factory(users={"someone": "secret"})
    (agent.folder / "word").write_text("secret\n", "utf-8")
    agent.configure(port=broker.port)
    text = agent.config.read_text("utf-8")
    login = 'username = "someone"\npassword_file = "word"\n[topics]'
    agent.config.write_text(text.replace("[topics]", login), "utf-8")
    agent.log.write_bytes(line(1))
    process = agent.start()
    await eventually(lambda: "broker_connected" in process.output, saw=lambda: process.output)

"""`agent check` against real files and a real Mosquitto, with rights and without."""

import asyncio
import contextlib
import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from broker.link import Connection
from broker.sections import BrokerSettings
from tests.support.edge import SAMPLE, Agent, TinyService, line
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port, listens
from tests.support.processes import PYTHON, YIELDLINE, Process
from tests.support.raw_mqtt import Listener
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]


async def check(
    agent: Agent, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [PYTHON, "-m", "edge_agent", "check", "--config", agent.config],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        timeout=60,
    )


def lines_of(done: subprocess.CompletedProcess[str], verdict: str) -> list[str]:
    return [text for text in done.stdout.splitlines() if text.startswith(f"{verdict} ")]


async def test_all_is_well_is_a_line_each_and_exit_0(agent: Agent, service: TinyService) -> None:
    agent.configure("spea")
    agent.log.write_bytes(SAMPLE.read_bytes())
    done = await check(agent)
    assert done.returncode == 0, done.stdout
    assert lines_of(done, "FAIL") == lines_of(done, "warn") == []
    assert "1 file at" in done.stdout
    assert "a.log as spea: 100 % explained, " in done.stdout
    assert "answers and takes the login of 'anonymous'" in done.stdout
    assert "lets 'anonymous' publish test results of this machine" in done.stdout
    assert "somebody listens to test results" in done.stdout
    assert service.payloads == []  # no made-up result came out
    assert sorted(each.name for each in agent.folder.iterdir()) == ["a.log", "agent.toml"]


async def test_no_service_is_a_warning(
    agent: Agent, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    agent.configure(port=mosquitto_factory().port)
    agent.log.write_bytes(line(1))
    done = await check(agent)
    assert done.returncode == 0, done.stdout
    (warning,) = lines_of(done, "warn")
    assert "nobody listens to test results" in warning


async def test_a_machine_without_the_right_to_publish_fails(
    agent: Agent, mosquitto_factory: Callable[..., Mosquitto], topic_root: str
) -> None:
    login = {"YIELDLINE_BROKER__USERNAME": agent.machine_id, "YIELDLINE_BROKER__PASSWORD": "x"}
    acl = f"pattern write {topic_root}/+/%u/state\npattern read {topic_root}/+/%u/receipt\n"
    broker = mosquitto_factory(users={agent.machine_id: "x"}, acl=acl)
    agent.configure(port=broker.port)
    agent.log.write_bytes(line(1))
    done = await check(agent, login)
    assert done.returncode == 1
    (failure,) = lines_of(done, "FAIL")
    assert f"does not let '{agent.machine_id}' publish to {topic_root}/_check/" in failure
    assert "mosquitto.acl" in failure


async def test_the_rights_of_the_sample_acl_are_enough(
    agent: Agent, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    acl = (ROOT / "docs/deploy/mosquitto.acl").read_text("utf-8")
    users = {agent.machine_id: "x", "yieldline-service": "y"}
    broker = mosquitto_factory(users=users, acl=acl)
    agent.topic_root = "factory/v1"
    agent.configure(port=broker.port)
    agent.log.write_bytes(line(1))
    settings = BrokerSettings(port=broker.port, username="yieldline-service", password="y")
    async with subscribed(settings, "$share/yieldline/factory/v1/+/+/test"):
        login = {"YIELDLINE_BROKER__USERNAME": agent.machine_id, "YIELDLINE_BROKER__PASSWORD": "x"}
        done = await check(agent, login)
    assert done.returncode == 0, done.stdout
    assert lines_of(done, "warn") == []


@contextlib.asynccontextmanager
async def subscribed(settings: BrokerSettings, wanted: str) -> AsyncIterator[None]:
    connection = Connection(settings, "a-service")
    await connection.open()
    await connection.subscribe(wanted)
    yield
    await connection.close()


async def test_a_refused_login_and_a_broker_that_is_away_fail_once(
    agent: Agent, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    broker = mosquitto_factory(users={"someone": "else"})
    agent.configure(port=broker.port)
    agent.log.write_bytes(line(1))
    done = await check(agent)
    assert done.returncode == 1
    (failure,) = lines_of(done, "FAIL")
    assert "refused the login" in failure
    broker.stop()
    done = await check(agent)
    (failure,) = lines_of(done, "FAIL")
    assert "does not answer" in failure


async def test_a_broker_that_only_speaks_3_1_1_is_a_warning(agent: Agent) -> None:
    port = free_port()
    command = [YIELDLINE, "broker", "--broker", "embedded", "--port", str(port)]
    with Process(command, directory=agent.folder) as broker:
        await eventually(lambda: listens(port), 20, saw=lambda: broker.output)
        agent.configure(port=port)
        agent.log.write_bytes(line(1))
        done = await check(agent)
    assert done.returncode == 0, done.stdout
    (warning,) = lines_of(done, "warn")
    assert "does not speak MQTT 5" in warning


@pytest.mark.parametrize(
    ("content", "verdict", "said"),
    [
        (b"", "ok", "empty so far"),
        (b"no run\n" * 9, "FAIL", "no run found; first trouble: not JSON"),
        (line(1) * 9 + b"{bad}\n" * 100, "warn", "explained, 9 runs; first trouble: not JSON"),
    ],
)
async def test_the_newest_file_says_whether_the_format_fits(
    agent: Agent, service: TinyService, content: bytes, verdict: str, said: str
) -> None:
    (agent.folder / "old.log").write_bytes(line(1))
    os.utime(agent.folder / "old.log", (1, 1))
    agent.log.write_bytes(content)
    done = await check(agent)
    assert any(said in text for text in lines_of(done, verdict)), done.stdout
    assert done.returncode == (verdict == "FAIL")
    assert service.payloads == []


async def test_no_file_yet_is_a_warning(agent: Agent, service: TinyService) -> None:
    done = await check(agent)
    assert any("no file matches" in text for text in lines_of(done, "warn"))
    assert done.returncode == 0
    assert service.payloads == []


async def test_a_spool_that_cannot_be_made_fails(agent: Agent, service: TinyService) -> None:
    agent.log.write_bytes(line(1))
    (agent.folder / "file").write_bytes(b"")
    agent.configure(extra='spool_file = "file/spool.db"')
    done = await check(agent)
    assert done.returncode == 1
    assert any("cannot be written" in text for text in lines_of(done, "FAIL"))
    (agent.folder / "x.db").write_bytes(b"no database" * 1000)
    agent.configure(extra='spool_file = "x.db"')
    assert any("spool" in text for text in lines_of(await check(agent), "FAIL"))
    assert service.payloads == []


async def test_it_disturbs_no_running_agent(agent: Agent, service: TinyService) -> None:
    agent.log.write_bytes(line(1))
    process = agent.start()
    await eventually(lambda: service.arrived, saw=lambda: process.output)
    await eventually(agent.alive.exists)
    with Listener(agent.port, "watcher", f"{agent.topic_root}/#") as listener:
        done = await check(agent)
        heard = [(each.channel, json.loads(each.payload)) for each in listener.heard]
    assert done.returncode == 0, done.stdout
    assert f"in use by the running agent, process {process.pid}" in done.stdout
    assert process.exit_code is None
    assert "broker_lost" not in process.output
    assert {body["status"] for channel, body in heard if channel == "state"} <= {"online"}
    assert [body for channel, body in heard if channel == "test"] == [{}]  # on `_check`, nobody's


async def test_a_bad_configuration_is_exit_2(agent: Agent) -> None:
    text = agent.config.read_text("utf-8").replace("[agent]", "[agnt]")
    agent.config.write_text(text, "utf-8")
    done = await check(agent)
    assert done.returncode == 2
    assert done.stderr.startswith("FAIL ")
    assert "Did you mean agent?" in done.stderr

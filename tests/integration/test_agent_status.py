"""`agent status` and `agent refused`: what a person sees, beside a running agent."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edge_agent.presence import Presence
from tests.support.edge import Agent, TinyService, line
from tests.support.processes import PYTHON
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [PYTHON, "-m", "edge_agent", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )


async def status(agent: Agent, *options: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(call, "status", "--config", agent.config, *options)


async def told(agent: Agent) -> dict[str, Any]:
    done = await status(agent, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_it_tells_files_books_and_connection_of_a_running_agent(
    agent: Agent, service: TinyService
) -> None:
    service.answers = False
    agent.log.write_bytes(line(1) + b"{bad}\n" + line(2) + b"{half")
    process = agent.start()
    await eventually(lambda: len(service.arrived) == 2, saw=lambda: process.output)

    async def beaten() -> dict[str, Any]:
        found = await told(agent)
        connection = found["machines"][0]["connection"]
        assert connection["in_flight_count"] == 2
        return found

    found = await eventually(beaten)
    assert found["is_running"]
    assert found["agent"]["pid"] == process.pid
    (machine,) = found["machines"]
    assert machine["machine_id"] == agent.machine_id
    counts = {key: machine[key] for key in ("read", "refused", "spooled", "receipted")}
    assert counts == {"read": 3, "refused": 1, "spooled": 2, "receipted": 0}
    assert machine["waiting_count"] == 2
    assert machine["oldest_s"] >= 0
    assert machine["connection"]["is_connected"]
    ((file,),) = [source["files"] for source in machine["sources"]]
    size = agent.log.stat().st_size
    assert file == {"path": str(agent.log), "offset": size - 5, "size": size}
    assert found["lag_bytes"] == 5
    (refused,) = machine["last_refused"]
    assert (refused["byte_start"], refused["byte_end"]) == (len(line(1)), len(line(1)) + 6)
    words = (await status(agent)).stdout
    assert f"An agent is running: process {process.pid}" in words
    assert "connected, 2 messages under way" in words
    assert "read 3 = refused 1 + spooled 2; receipted 0, waiting 2" in words
    assert "1 file, 5 bytes to read" in words
    assert f"{agent.log}: {size - 5:,} of {size:,} bytes" in words
    service.answers = True
    agent.log.write_bytes(agent.log.read_bytes() + b"}\n")
    assert process.exit_code is None  # nobody took its lock


async def test_a_connection_is_told_before_the_next_heartbeat(
    agent: Agent, service: TinyService
) -> None:
    text = agent.config.read_text("utf-8").replace("heartbeat_s = 1\n", "heartbeat_s = 600\n")
    agent.config.write_text(text, "utf-8")
    agent.log.write_bytes(line(1))
    process = agent.start()
    await eventually(lambda: service.arrived, saw=lambda: process.output)

    def presence() -> Presence:
        said = Presence.read(agent.folder / "agent-spool.db")
        assert said is not None
        assert said.machines[agent.machine_id].is_connected
        return said

    assert (await eventually(presence)).heartbeat_s == 600


async def test_after_a_clean_stop_and_after_a_kill_it_says_that_none_is_running(
    agent: Agent, service: TinyService
) -> None:
    agent.log.write_bytes(line(1))
    process = agent.start()
    await eventually(lambda: service.arrived, saw=lambda: process.output)
    await eventually(agent.alive.exists)
    process.kill()
    assert f"process {process.pid} did not stop in good order" in (await status(agent)).stdout
    assert not (await told(agent))["is_running"]
    assert (await agent.once()).exit_code == 0
    done = await status(agent)
    assert done.stdout.startswith("No agent is running on this spool.\n")
    assert f"{agent.machine_id}: no agent sends" in done.stdout
    assert sorted(each.name for each in agent.folder.glob("agent-spool*")) == [
        "agent-spool.db", "agent-spool.db.lock",
    ]  # fmt: skip


async def test_a_machine_that_left_the_configuration_is_named(
    agent: Agent, service: TinyService
) -> None:
    service.answers = False
    agent.log.write_bytes(line(1))
    await agent.once("--timeout", "1")
    text = agent.config.read_text("utf-8").replace(agent.machine_id, "another")
    agent.config.write_text(text, "utf-8")
    words = (await status(agent)).stdout
    assert f"{agent.machine_id}: not in agent.toml; what waits here is not sent" in words


async def test_without_a_spool_it_says_so(agent: Agent) -> None:
    done = await status(agent)
    assert done.returncode == 2
    assert "does not exist. Has `yieldline agent run` ever started" in done.stderr


async def test_what_is_no_spool_is_a_sentence(agent: Agent) -> None:
    (agent.folder / "agent-spool.db").write_bytes(b"no database" * 1000)
    done = await status(agent)
    assert done.returncode == 2
    assert "cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
async def agent_with_refused(agent: Agent, service: TinyService) -> Agent:
    agent.configure(extra="refused_bytes_max = 8")
    agent.log.write_bytes(line(1) + b"{bad}\n" + line(2) + b"also bad, longer than the bound\n")
    assert service.answers
    await agent.once()
    return agent


async def test_refused_records_are_listed_with_place_and_reason(agent_with_refused: Agent) -> None:
    agent = agent_with_refused
    done = await asyncio.to_thread(call, "refused", "--config", agent.config)
    first, second = done.stdout.splitlines()
    start = len(line(1))
    assert f"{agent.machine_id}  {agent.log} {start}-{start + 6}: not JSON" in first
    assert "not JSON" in second
    none = await asyncio.to_thread(call, "refused", "--config", agent.config, "--machine", "X")
    assert (none.returncode, none.stdout) == (0, "")


async def test_refused_records_are_exported_byte_for_byte(agent_with_refused: Agent) -> None:
    agent = agent_with_refused
    folder = agent.folder / "out"
    words = ("refused", "--config", agent.config, "--export", folder)
    done = await asyncio.to_thread(call, *words)
    assert done.returncode == 0, done.stderr
    entries = [json.loads(each) for each in (folder / "index.jsonl").read_text().splitlines()]
    assert [entry["kept_bytes"] for entry in entries] == [6, 0]
    assert (folder / entries[0]["export"]).read_bytes() == b"{bad}\n"
    assert entries[1]["export"] is None  # beyond the bound: the log has it, at this position
    content = agent.log.read_bytes()
    assert content[entries[1]["byte_start"] :].startswith(b"also bad")
    again = await asyncio.to_thread(call, *words, "--forget")
    assert again.returncode == 2
    assert "is not empty" in again.stderr  # and nothing is forgotten that was not written


async def test_refused_records_are_forgotten_and_stay_counted(agent_with_refused: Agent) -> None:
    agent = agent_with_refused
    words = ("refused", "--config", agent.config)
    done = await asyncio.to_thread(call, *words, "--export", agent.folder / "out", "--forget")
    assert done.stdout.splitlines()[1:] == ["2 forgotten."], done.stderr
    assert len((agent.folder / "out/index.jsonl").read_text().splitlines()) == 2
    assert (await asyncio.to_thread(call, *words)).stdout == ""
    (machine,) = (await told(agent))["machines"]
    assert machine["refused"] == 2

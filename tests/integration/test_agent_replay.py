"""`agent replay`: the same messages again, beside a running agent, and the service knows them."""

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from broker.errors import SpoolFull
from edge_agent.config import load_config
from edge_agent.errors import NotDone
from edge_agent.filebook import FileBook
from edge_agent.replay import Wanted
from edge_agent.replay import replay as send_again
from edge_agent.span import Span
from tests.support.edge import SAMPLE, Agent, TinyService, line
from tests.support.mosquitto import Mosquitto
from tests.support.processes import PYTHON, YIELDLINE, Process
from tests.support.raw_mqtt import Listener
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]


async def replay(agent: Agent, *options: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [PYTHON, "-m", "edge_agent", "replay", "--config", agent.config, *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )


def make_quiet(*files: Path) -> None:
    """Let files look as if nobody has written for a while."""
    for file in files:
        os.utime(file, (time.time() - 60, time.time() - 60))


def at(hour: int, number: int) -> bytes:
    return line(number, timestamp=f"2026-11-23T{hour:02}:00:00Z")


async def test_a_span_comes_again_with_the_ids_it_had(agent: Agent, service: TinyService) -> None:
    agent.configure("spea")
    agent.log.write_bytes(SAMPLE.read_bytes())
    make_quiet(agent.log)
    process = agent.start()
    await eventually(lambda: len(service.arrived) == 10, saw=lambda: process.output)
    first = list(service.payloads)
    # The sample's runs 5 to 9 start at 16:18:24 and until 16:19:57.
    done = await replay(agent, "--since", "2024-10-12T16:18:24", "--until", "2024-10-12T16:22:03")
    assert done.returncode == 0, done.stderr
    assert "Found 5 messages in 1 file" in done.stderr
    assert "5 messages sent again" in done.stderr
    assert sorted(service.arrived.values()) == [1] * 5 + [2] * 5
    again = service.payloads[10:]
    assert [without_number(each) for each in again] == [without_number(each) for each in first[4:9]]
    assert process.exit_code is None
    assert "broker_lost" not in process.output
    assert {state["status"] for state in service.states} == {"online"}
    assert {state["session"] for state in service.states} == {service.states[0]["session"]}


def without_number(payload: bytes) -> dict[str, Any]:
    """Return a message without its sequence, which a replay counts anew."""
    body: dict[str, Any] = json.loads(payload)
    del body["sequence"]
    return body


@pytest.fixture
async def real_service(tmp_path: Path, mosquitto: Mosquitto, agent: Agent) -> AsyncIterator[Path]:
    """The service itself; gives its database."""
    database = tmp_path / "yieldline.db"
    environment = {
        "YIELDLINE_BROKER__PORT": str(mosquitto.port),
        "YIELDLINE_DATABASE__URL": f"sqlite:///{database}",
        "YIELDLINE_TOPICS__TEMPLATE": f"{agent.topic_root}/{{line}}/{{machine_id}}/{{channel}}",
    }
    with Process([YIELDLINE, "service"], environment=environment, directory=tmp_path) as process:
        await eventually(lambda: "connected" in process.output, 20, saw=lambda: process.output)
        yield database


def counts(database: Path) -> tuple[int, int]:
    """Return how many runs are stored, and how many repeats were counted."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        (stored,) = db.execute("SELECT count(*) FROM run").fetchone()
        (duplicates,) = db.execute("SELECT total(duplicates) FROM machine").fetchone()
    db.close()
    return stored, int(duplicates)


async def test_the_service_counts_duplicates_and_takes_what_it_never_had(
    agent: Agent, real_service: Path
) -> None:
    agent.log.write_bytes(b"".join(at(hour, hour) for hour in range(10)))
    late = agent.folder / "late.log"
    late.write_bytes(at(3, 100))
    make_quiet(agent.log, late)
    text = agent.config.read_text("utf-8")
    agent.config.write_text(text.replace("*.log", "a.log"), "utf-8")
    assert (await agent.once()).exit_code == 0
    assert counts(real_service) == (10, 0)
    agent.config.write_text(text, "utf-8")
    done = await replay(agent, "--since", "2026-11-23T02:00Z", "--until", "2026-11-23T05:00Z")
    assert done.returncode == 0, done.stderr
    assert "4 messages sent again, stored by the service, which counts those it had" in done.stderr
    assert "rejected" not in done.stderr
    assert counts(real_service) == (11, 3)


async def test_a_dry_run_only_counts(agent: Agent, service: TinyService) -> None:
    agent.log.write_bytes(at(1, 1) + at(2, 2) + b"{bad}\n")
    other = agent.folder / "b.log"
    other.write_bytes(at(2, 3))
    make_quiet(agent.log, other)
    with Listener(agent.port, f"watch-{agent.machine_id}", f"{agent.topic_root}/#") as listener:
        done = await replay(agent, "--since", "2026-11-23T02:00", "--dry-run")
        named = await replay(agent, "--since", "2026-11-23", "--file", "b.*", "--dry-run")
        assert [each.topic for each in listener.heard] == []
    assert done.returncode == 0, done.stderr
    assert "Found 2 messages in 2 files (" in done.stderr
    assert f"{agent.machine_id} 2." in done.stderr
    assert "Nothing was sent." in done.stderr
    assert "Found 1 message in 1 file" in named.stderr
    assert service.payloads == []
    assert sorted(each.name for each in agent.folder.iterdir()) == [
        "a.log", "agent.toml", "b.log",
    ]  # fmt: skip


async def test_half_a_record_of_a_growing_file_is_left_to_the_agent(
    agent: Agent, service: TinyService
) -> None:
    agent.log.write_bytes(at(1, 1) + at(2, 2).rstrip())
    done = await replay(agent, "--since", "2026-11-23")
    assert "1 message sent again" in done.stderr, done.stderr
    assert [json.loads(each)["barcode"] for each in service.payloads] == ["S1"]


async def test_an_array_comes_whole_where_one_of_it_is_in_the_span(
    agent: Agent, service: TinyService
) -> None:
    agent.log.write_bytes(b"[" + at(1, 1).strip() + b"," + at(5, 2).strip() + b"]\n")
    make_quiet(agent.log)
    done = await replay(agent, "--since", "2026-11-23T05:00")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(service.payloads[0])) == 2


def test_a_full_disk_is_said_instead_of_waited_for(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.log.write_bytes(at(1, 1))
    make_quiet(agent.log)
    full = shutil.disk_usage(agent.folder)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(NotDone, match="set TMPDIR to a larger disk"):
        send_again(load_config(agent.config), Wanted(Span(None, None)), is_dry=True, timeout_s=1)


def test_a_disk_that_fills_before_a_record_is_complete_is_said_too(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(*_: object) -> int:
        raise SpoolFull("the spool cannot be written (database or disk is full).")

    agent.log.write_bytes(at(1, 1)[:-5])
    monkeypatch.setattr(FileBook, "put", put)
    with pytest.raises(NotDone, match="set TMPDIR to a larger disk"):
        send_again(load_config(agent.config), Wanted(Span(None, None)), is_dry=True, timeout_s=1)


async def test_without_receipts_it_says_how_many_are_left_and_exits_1(
    agent: Agent, service: TinyService
) -> None:
    service.answers = False
    agent.log.write_bytes(at(1, 1) + at(2, 2))
    make_quiet(agent.log)
    done = await replay(agent, "--since", "2026-11-23", "--timeout", "1")
    assert done.returncode == 1
    assert "2 of 2 messages without an answer" in done.stderr
    assert "Traceback" not in done.stderr


async def test_where_a_login_may_connect_once_it_gives_way_to_the_agent(
    agent: Agent,
    service: TinyService,
    mosquitto_factory: Any,  # noqa: ANN401
) -> None:
    broker = mosquitto_factory(
        users={agent.machine_id: "x"}, extra=["use_username_as_clientid true"]
    )
    agent.configure(port=broker.port)
    text = agent.config.read_text("utf-8")
    login = f'username = "{agent.machine_id}"\npassword = "x"\n[topics]'
    agent.config.write_text(text.replace("[topics]", login), "utf-8")
    agent.log.write_bytes(at(1, 1))
    make_quiet(agent.log)
    process = agent.start()
    await eventually(agent.alive.exists, saw=lambda: process.output)
    done = await replay(agent, "--since", "2026-11-23")
    assert done.returncode == 1
    assert "one connection a login" in done.stderr
    assert process.exit_code is None
    assert service.payloads == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--since", "yesterday"), "--since 'yesterday' is not a time such as"),
        (("--since", "2026-11-23", "--until", "24:00"), "--until '24:00' is not a time"),
        (("--since", "2026-11-23", "--machine", "X"), "--machine X is not in"),
        ((), "--since"),
    ],
)
async def test_a_mistake_is_one_sentence_and_exit_2(
    agent: Agent, options: tuple[str, ...], said: str
) -> None:
    done = await replay(agent, *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr

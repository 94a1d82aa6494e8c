"""The brokers for one machine, started for real."""

import asyncio
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from broker.embedded import (
    PACKET_BYTES_MAX,
    BrokerKind,
    broker_answers,
    choose_kind,
    describe,
    find_mosquitto,
    mosquitto_conf,
    port_is_free,
    run_broker,
)
from broker.envelopes import Outgoing
from broker.errors import SettingsError
from broker.link import Connection
from broker.sections import DatabaseSettings
from broker.settings import load_settings
from service.adoption import Adoption
from service.caution import Caution
from service.core.lookup import Rulebook
from service.failpoints import VARIABLE
from service.pipeline import Pipeline
from service.store.database import Database
from service.store.schema import count_rows, upgrade
from tests.support.mosquitto import EXECUTABLE, Mosquitto
from tests.support.ports import free_port
from tests.support.processes import PYTHON, Process
from tests.support.product import measurement
from tests.support.services import Service
from tests.support.waiting import eventually, eventually_sync

_RUN = """
import sys
from pathlib import Path
from broker.embedded import run_broker
sys.exit(run_broker(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
"""

needs_mosquitto = pytest.mark.skipif(EXECUTABLE is None, reason="Mosquitto is not installed")


@pytest.fixture(
    params=[pytest.param("mosquitto", marks=needs_mosquitto), "embedded"], scope="module"
)
def kind(request: pytest.FixtureRequest) -> str:
    """Both brokers."""
    name: str = request.param
    return name


@pytest.fixture
def port(kind: str, tmp_path: Path) -> Iterator[int]:
    """The port of a running one."""
    port = free_port()
    with start(kind, port, tmp_path):
        yield port


def start(kind: str, port: int, folder: Path) -> Process:
    process = Process([PYTHON, "-c", _RUN, kind, str(port), folder])

    def answers() -> bool:
        assert process.exit_code is None, "it ended"
        return broker_answers("127.0.0.1", port)

    eventually_sync(answers, saw=lambda: process.output)
    return process


def publish(port: int, topic: str, payload: bytes, *flags: str) -> None:
    command = ["mosquitto_pub", "-p", str(port), "-V", "311", "-q", "1", "-t", topic, "-s", *flags]
    subprocess.run(command, input=payload, check=True, timeout=10, capture_output=True)


def subscribe(port: int, *flags: str) -> subprocess.CompletedProcess[bytes]:
    command = ["mosquitto_sub", "-p", str(port), "-V", "311", "-q", "1", "-W", "5", *flags]
    return subprocess.run(command, check=False, timeout=10, capture_output=True)


@needs_mosquitto
def test_a_message_of_one_mebibyte_passes(port: int) -> None:
    publish(port, "hello", b"x", "-r")  # the client library is there
    payload = b"a" * 1_048_576
    subscriber = Process(
        [
            "mosquitto_sub",
            "-p",
            str(port),
            "-V",
            "311",
            "-q",
            "1",
            "-t",
            "big",
            "-C",
            "1",
            "-W",
            "9",
        ]
    )
    with subscriber:

        def arrived() -> bool:
            publish(port, "big", payload)
            return subscriber.exit_code is not None

        eventually_sync(arrived)
        assert subscriber.wait() == 0
        assert len(subscriber.output.strip()) == len(payload)
    assert len(payload) < PACKET_BYTES_MAX


@needs_mosquitto
def test_a_kept_session_is_given_what_came_while_it_was_away(port: int) -> None:
    session = ("-i", "kept", "-c", "-t", "kept/#")
    subscribe(port, *session, "-E")
    publish(port, "kept/1", b"while away")
    assert subscribe(port, *session, "-C", "1").stdout == b"while away\n"


async def test_only_mosquitto_lets_a_session_that_came_back_leave_what_it_had(
    kind: str, port: int
) -> None:
    """README.md says so of the embedded one; when it no longer holds, that is to be changed."""
    settings = load_settings(flags={"broker": {"port": port}})

    async def session() -> Connection:
        connection = Connection(settings.broker, "kept", clean_session=False)
        await connection.open()
        return connection

    before = await session()
    await before.subscribe("former/#")
    await before.close()
    again = await session()
    await again.subscribe("new/#")
    again.leave("former/#")
    await again.publish([Outgoing("former/1", b"old"), Outgoing("new/1", b"new")])
    came: list[str] = []
    while "new/1" not in came:
        came += [each.topic for each in await again.next_batch()]
    await again.close()
    assert came == (["new/1"] if kind == "mosquitto" else ["former/1", "new/1"])


@needs_mosquitto
def test_mosquitto_keeps_sessions_over_a_normal_stop(tmp_path: Path) -> None:
    port = free_port()
    session = ("-i", "kept", "-c", "-t", "kept/#")
    with start("mosquitto", port, tmp_path) as first:
        subscribe(port, *session, "-E")
        publish(port, "kept/1", b"before the stop")
        assert first.stop() == 0
    with start("mosquitto", port, tmp_path):
        assert subscribe(port, *session, "-C", "1").stdout == b"before the stop\n"


@needs_mosquitto
def test_mosquitto_may_open_more_files_than_the_shell_that_started_it(tmp_path: Path) -> None:
    of_shell = "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (64, 4000))"
    port = free_port()
    with Process([PYTHON, "-c", of_shell + _RUN, "mosquitto", str(port), tmp_path]) as process:
        eventually_sync(lambda: broker_answers("127.0.0.1", port), saw=lambda: process.output)
        limits = Path(f"/proc/{process.pid}/limits")
        if not limits.exists():
            pytest.skip("this system has no /proc")
        (line,) = [each for each in limits.read_text().splitlines() if "open files" in each]
        assert line.split()[3:5] == ["4000", "4000"]


async def test_a_service_that_dies_with_messages_in_hand_leaves_the_embedded_broker_at_work(
    tmp_path: Path,
) -> None:
    port, url = free_port(), f"sqlite:///{tmp_path / 'yieldline.db'}"
    older = {"YIELDLINE_SERVICE__CHECK_PROTOCOL": "3.1.1"}
    settings = load_settings(flags={"broker": {"port": port}})
    message = Outgoing("factory/v1/L1/MACH-01/test", orjson.dumps(measurement("SN-1", "MACH-01")))
    with start("embedded", port, tmp_path):
        dying = Service(tmp_path, port, url, **older, **{VARIABLE: "before_commit=kill"})
        with dying.process:
            await asyncio.to_thread(dying.wait_until, "connected")
            machine = Connection(settings.broker, "machine")
            await machine.open()
            await machine.publish([message])
            await machine.close()
            await eventually(lambda: dying.process.exit_code is not None, 20)
        assert broker_answers("127.0.0.1", port)
        next_one = Service(tmp_path, port, url, **older)
        with next_one.process:
            stored = Database(DatabaseSettings(url=SecretStr(url)))
            await eventually(lambda: count_rows(stored)["run"] == 1, 20)
            stored.dispose()


async def test_an_embedded_broker_that_fell_silent_ends_so_that_it_is_started_again(
    tmp_path: Path,
) -> None:
    port = free_port()
    impatient = "import broker.embedded as e; e._SILENCE_S = 0.5" + _RUN
    with Process([PYTHON, "-c", impatient, "embedded", str(port), tmp_path]) as process:
        await eventually(lambda: broker_answers("127.0.0.1", port), saw=lambda: process.output)
        settings = load_settings(flags={"broker": {"port": port}})
        member = Connection(settings.broker, "member", clean_session=False)
        await member.open()
        await member.subscribe("$share/group/hello")
        await member.publish([Outgoing("hello", b"x")])
        await member.next_batch()
        await member.close()  # its message is not acknowledged
        await eventually(lambda: process.exit_code is not None, 30, saw=lambda: process.output)
        assert f"127.0.0.1:{port} answers nobody any more and ends" in process.output


async def test_the_queue_of_a_service_that_is_gone_is_drained_and_looked_at_again(
    port: int, tmp_path: Path
) -> None:
    settings = load_settings(
        flags={
            "broker": {"port": port, "connect_timeout_s": 2},
            "database": {"url": f"sqlite:///{tmp_path}/y.db"},
            "service": {"adopt_after_s": 3},
        }
    )
    database = Database(settings.database)
    upgrade(database)
    pipeline = Pipeline(settings, database, Rulebook(1, ()))
    adoption = Adoption(settings, pipeline, Caution(pipeline, 500), asyncio.to_thread)
    custody: Any = SimpleNamespace(client_id="yieldline-service-1", check=lambda: None)
    absent = Connection(settings.broker, custody.client_id, clean_session=False)
    await absent.open()
    await absent.subscribe(pipeline.filter)
    await absent.close()
    publisher = Connection(settings.broker, "publisher")
    await publisher.open()
    message = Outgoing("factory/v1/L1/MACH-01/test", orjson.dumps(measurement("SN-1", "MACH-01")))
    await publisher.publish([message])
    assert [await adoption._visit(custody, publisher) for _ in range(2)] == [1, 0]
    await publisher.close()
    pipeline.writer.close()
    database.dispose()


def test_it_ends_in_good_order(kind: str, tmp_path: Path) -> None:
    port = free_port()
    with start(kind, port, tmp_path) as process:
        assert process.stop() == 0
    assert "Traceback" not in process.output
    assert not broker_answers("127.0.0.1", port)


def test_it_listens_on_loopback_alone(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; asks for our own address
            own = probe.getsockname()[0]
        except OSError:
            pytest.skip("this machine has loopback only")
    if own.startswith("127."):
        pytest.skip("this machine has loopback only")
    assert broker_answers("127.0.0.1", port)
    assert not broker_answers(own, port)


def test_a_taken_port_is_one_sentence(kind: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {taken} is in use by another program"):
            run_broker(kind, taken, tmp_path)


def test_a_listener_that_is_no_broker_does_not_count() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert not broker_answers("127.0.0.1", port, timeout_s=0.1)

        def answer_as_a_web_server() -> None:
            other.accept()[0].close()  # the silent one above
            with other.accept()[0] as visitor:
                visitor.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer_as_a_web_server)
        thread.start()
        assert not broker_answers("127.0.0.1", port)
        thread.join()
    assert not broker_answers("127.0.0.1", free_port())


def test_a_broker_that_refuses_us_is_a_broker(
    mosquitto_factory: Callable[..., Mosquitto],
) -> None:
    broker = mosquitto_factory(users={"bob": "secret"})
    assert broker_answers("127.0.0.1", broker.port)


def test_a_port_is_free_until_somebody_listens() -> None:
    port = free_port()
    assert port_is_free("127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)):
        assert not port_is_free("127.0.0.1", port)


def test_mosquitto_is_taken_where_it_is_installed_and_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert choose_kind("embedded") is BrokerKind.EMBEDDED
    if find_mosquitto():
        assert choose_kind("auto") is BrokerKind.MOSQUITTO
    monkeypatch.setattr("broker.embedded.find_mosquitto", lambda: None)
    assert choose_kind("auto") is BrokerKind.EMBEDDED
    with pytest.raises(SettingsError, match="Mosquitto is not installed"):
        choose_kind("mosquitto")
    monkeypatch.setattr("broker.embedded.has_embedded", lambda: False)
    with pytest.raises(SettingsError, match="neither Mosquitto nor the package iotcore"):
        choose_kind("auto")


def test_the_start_line_says_what_may_be_lost() -> None:
    assert "killed" in describe(BrokerKind.MOSQUITTO, 1883)
    embedded = describe(BrokerKind.EMBEDDED, 1883)
    assert "lost when it stops" in embedded
    assert "no retained messages" in embedded


def test_only_a_broker_started_by_root_stays_root() -> None:
    assert "user root" in mosquitto_conf(1883, Path("/data"), as_root=True).splitlines()
    assert "user root" not in mosquitto_conf(1883, Path("/data")).splitlines()

"""`up` with real processes: small scripts stand in for service, web app and simulator."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from broker.embedded import broker_answers
from tests.support.handles import few_handles, handles_of, needs_limits
from tests.support.mosquitto import EXECUTABLE, Mosquitto
from tests.support.ports import free_port, listens
from tests.support.processes import PYTHON, Process
from tests.support.waiting import eventually_sync

_CHILD = '''
"""Stands in for `yieldline NAME`; CHILD_NAME in the environment says how it behaves."""
import http.server, os, pathlib, runpy, signal, sys, time

name = sys.argv[1]
mode = os.environ.get(f"CHILD_{name.upper()}", "lives")
lives = pathlib.Path(os.environ["CHILD_FOLDER"], name)
with lives.open("a") as file:
    file.write(f"{os.getpid()}\\n")
if name == "broker":
    from service.__main__ import main
    main()
if mode == "refuses":
    sys.stderr.write("yieldline.toml: broker.hosst is not a setting. Did you mean broker.host?\\n")
    sys.exit(2)
if mode == "dies once" and len(lives.read_text().split()) == 1:
    sys.exit(1)
if mode == "does not stop":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    def end(*_):
        with open(os.environ["CHILD_FOLDER"] + "/ends", "a") as file:
            file.write(f"{name}\\n")
        os._exit(0)
    signal.signal(signal.SIGTERM, end)
print(f"{name} says hello", flush=True)
if name == "ui" and mode != "mute":
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            is_ready = os.environ.get("CHILD_READY", "yes") == "yes" or self.path == "/healthz"
            self.send_response(200 if is_ready else 503)
            self.end_headers()
        def log_message(self, *_):
            pass
    place = os.environ["YIELDLINE_HTTP__HOST"], int(os.environ["YIELDLINE_HTTP__PORT"])
    http.server.HTTPServer(place, Page).serve_forever()
while True:
    time.sleep(60)
'''

_UP = """
import sys
from pathlib import Path
import service.up_plan as plan
plan.executable = lambda: (sys.executable, sys.argv[1])
from service.up import up
sys.exit(up(plan.UpOptions(data_dir=Path(sys.argv[2]), **eval(sys.argv[3]))))
"""


class Floor:
    """Starts `up` in a folder of its own; children note their process ids there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http_port, self.mqtt_port = free_port(), free_port()
        self._script = folder / "yieldline"
        self._script.write_text(_CHILD, "utf-8")
        self._started: list[Process] = []

    def up(self, *, environment: dict[str, str] | None = None, **options: object) -> Process:
        """Start it; options as in `UpOptions`, on free ports unless they say otherwise."""
        given = {"http_port": self.http_port, "mqtt_port": self.mqtt_port, **options}
        process = Process(
            [PYTHON, "-c", _UP, self._script, self.folder / "data", repr(given)],
            environment={"CHILD_FOLDER": str(self.folder), **(environment or {})},
        )
        self._started.append(process)
        return process

    def up_and_open(self, **options: Any) -> Process:  # noqa: ANN401 - passed on
        """Start it and wait until service and page are there."""
        process = self.up(**options)
        process.wait_for("service says hello")
        process.wait_for("Open http://")
        return process

    def pids(self, name: str) -> list[int]:
        """The ids of all lives of one child so far."""
        lives = self.folder / name
        return [int(pid) for pid in lives.read_text().split()] if lives.exists() else []

    def ends(self) -> list[str]:
        """The children that stopped in good order, in that order."""
        file = self.folder / "ends"
        return file.read_text().split() if file.exists() else []

    def close(self) -> None:
        """End what still runs."""
        for process in self._started:
            process.stop(12)
        for name in ("service", "ui", "simulate", "broker"):
            assert not [pid for pid in self.pids(name) if is_alive(pid)], f"{name} is left behind"


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    """A floor that leaves nothing running."""
    floor = Floor(tmp_path)
    yield floor
    floor.close()


@pytest.fixture
def shared(mosquitto: Mosquitto, floor: Floor) -> Floor:
    """A floor that uses the broker of all tests."""
    floor.mqtt_port = mosquitto.port
    return floor


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def has_died(pid: int) -> Callable[[], bool]:
    return lambda: not is_alive(pid)


def test_everything_starts_and_ctrl_c_stops_it_in_reverse_order(shared: Floor) -> None:
    up = shared.up(demo=True)
    up.wait_for("simulate | simulate says hello")
    assert f"Open http://127.0.0.1:{shared.http_port}" in up.output
    assert "already answers" in up.output
    assert "yieldline.db" in up.output
    up.interrupt()
    assert up.wait() == 0
    assert shared.ends()[0] == "simulate"
    assert sorted(shared.ends()) == ["service", "simulate", "ui"]
    assert "Traceback" not in up.output


def test_a_signal_to_every_process_ends_it_without_a_traceback(shared: Floor) -> None:
    up = shared.up(demo=True)
    up.wait_for("simulate says hello")
    everyone = [up.pid, *(shared.pids(name)[0] for name in ("service", "ui", "simulate"))]
    for pid in everyone:
        os.kill(pid, signal.SIGTERM)
    assert up.wait() == 0
    assert "Traceback" not in up.output


def test_without_a_demo_nothing_is_simulated(shared: Floor) -> None:
    up = shared.up_and_open()
    up.stop()
    assert shared.pids("simulate") == []


def test_the_floor_is_simulated_only_once_the_service_is_ready(shared: Floor) -> None:
    up = shared.up_and_open(demo=True, environment={"CHILD_READY": "no"})
    up.stop()
    assert shared.pids("simulate") == []


def test_a_killed_child_comes_back(shared: Floor) -> None:
    up = shared.up_and_open()
    os.kill(shared.pids("service")[0], signal.SIGKILL)
    up.wait_for("service was ended by SIGKILL: started again in 0.2 s.")
    eventually_sync(lambda: len(shared.pids("service")) == 2)


def test_a_child_that_dies_at_the_start_is_started_again(shared: Floor) -> None:
    up = shared.up(environment={"CHILD_UI": "dies once"})
    up.wait_for("ui ended with exit code 1: started again in 0.2 s.")
    up.wait_for("Open http://")


@pytest.mark.parametrize("name", ["service", "ui"])
def test_a_child_that_refuses_at_the_start_ends_everything_with_its_sentence(
    shared: Floor, name: str
) -> None:
    up = shared.up(environment={f"CHILD_{name.upper()}": "refuses", "CHILD_READY": "no"})
    assert up.wait() == 2
    assert f"{name} is not started again: yieldline.toml: broker.hosst is not a set" in up.output
    assert len(shared.pids(name)) == 1


def test_a_simulator_that_refuses_stops_nothing_else(shared: Floor) -> None:
    up = shared.up(demo=True, environment={"CHILD_SIMULATE": "refuses"})
    up.wait_for("simulate is not started again")
    assert is_alive(shared.pids("service")[0])
    assert up.stop() == 0
    assert len(shared.pids("simulate")) == 1


@pytest.mark.slow
def test_a_child_that_does_not_stop_is_ended_within_ten_seconds(shared: Floor) -> None:
    up = shared.up_and_open(environment={"CHILD_SERVICE": "does not stop"})
    asked_at = time.monotonic()
    up.interrupt()
    assert up.wait(15) == 0
    assert time.monotonic() - asked_at < 10
    assert "service does not stop within 5.5 s: ended." in up.output


def test_a_second_ctrl_c_ends_everything_at_once(shared: Floor) -> None:
    up = shared.up_and_open(environment={"CHILD_SERVICE": "does not stop"})
    asked_at = time.monotonic()
    up.interrupt()
    up.wait_for("once more")
    up.interrupt()
    assert up.wait() == 0
    assert time.monotonic() - asked_at < 5


@pytest.mark.skipif(not Path("/proc").exists(), reason="the kernel's help is asked on Linux only")
def test_children_do_not_outlive_a_killed_parent(shared: Floor) -> None:
    up = shared.up_and_open()
    up.kill()
    for name in ("service", "ui"):
        eventually_sync(has_died(shared.pids(name)[0]))


def test_the_embedded_broker_is_a_child_and_comes_back(floor: Floor) -> None:
    up = floor.up_and_open(broker="embedded")
    assert "lost when it stops" in up.output
    assert broker_answers("127.0.0.1", floor.mqtt_port)
    os.kill(floor.pids("broker")[0], signal.SIGKILL)
    eventually_sync(lambda: len(floor.pids("broker")) == 2)
    eventually_sync(lambda: broker_answers("127.0.0.1", floor.mqtt_port))
    assert up.stop() == 0
    assert not listens(floor.mqtt_port)


@pytest.mark.skipif(EXECUTABLE is None, reason="Mosquitto is not installed")
def test_mosquitto_is_started_where_no_broker_answers(floor: Floor) -> None:
    up = floor.up_and_open()
    assert f"Broker: Mosquitto on 127.0.0.1:{floor.mqtt_port}." in up.output
    assert up.stop() == 0
    assert not listens(floor.mqtt_port)
    assert (floor.folder / "data" / "broker" / "mosquitto.db").exists()


@needs_limits
@pytest.mark.skipif(EXECUTABLE is None, reason="Mosquitto is not installed")
def test_mosquitto_may_open_more_files_than_the_shell_that_started_up(floor: Floor) -> None:
    with few_handles() as allowed:
        up = floor.up_and_open()
    (broker,) = [each for each in psutil.Process(up.pid).children() if each.name() == "mosquitto"]
    assert handles_of(broker.pid) == allowed


@pytest.mark.parametrize("flag", ["http_port", "mqtt_port"])
def test_a_taken_port_given_by_flag_is_one_sentence_and_exit_2(floor: Floor, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        up = floor.up(broker="embedded", **{flag: taken})
        assert up.wait() == 2
    option = f"--{flag.replace('_', '-')}"
    assert up.output.splitlines()[-1] == (
        f"{option} {taken} is in use by another program."
        " Choose another, or leave it out to get the next free one."
    )
    assert floor.pids("service") == []


def test_a_taken_default_port_moves_and_says_so(shared: Floor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        up = shared.up(http_port=None, environment={"YIELDLINE_HTTP__PORT": str(taken)})
        up.wait_for("Open http://")
        assert f"Port {taken} is in use by another program: using " in up.output
        assert f"Open http://127.0.0.1:{taken} " not in up.output
        up.stop()


def test_another_address_without_a_login_is_one_sentence_and_exit_2(shared: Floor) -> None:
    up = shared.up(host="0.0.0.0")
    assert up.wait() == 2
    assert len(up.output.splitlines()) == 1
    assert "needs a login" in up.output
    assert "yieldline users add NAME --role admin" in up.output


def test_an_address_of_another_machine_is_one_sentence_and_exit_2(shared: Floor) -> None:
    up = shared.up(host="192.0.2.1", no_login=True)
    assert up.wait() == 2
    assert up.output.startswith("--host 192.0.2.1 is no address of this machine.")
    assert len(up.output.splitlines()) == 1


def test_with_no_login_another_address_is_served_and_said(shared: Floor) -> None:
    up = shared.up(host="0.0.0.0", no_login=True)
    up.wait_for(f"Open http://127.0.0.1:{shared.http_port}")
    assert f"Anyone who reaches 0.0.0.0:{shared.http_port} can see everything" in up.output


def test_a_folder_that_cannot_be_made_is_one_sentence_and_exit_2(shared: Floor) -> None:
    (shared.folder / "data").write_text("a file in the way")
    up = shared.up()
    assert up.wait() == 2
    assert "Choose another folder." in up.output
    assert len(up.output.splitlines()) == 1


def test_a_broken_setting_is_one_sentence_and_exit_2(shared: Floor) -> None:
    up = shared.up(environment={"YIELDLINE_BROKR__HOST": "x"})
    assert up.wait() == 2
    assert "Did you mean YIELDLINE_BROKER__HOST?" in up.output
    assert len(up.output.splitlines()) == 1


def test_a_password_is_never_printed(shared: Floor) -> None:
    up = shared.up(database="postgresql://bob:s3cret@127.0.0.1:1/yield")
    up.wait_for("Database: postgresql://bob:***@127.0.0.1:1/yield")
    up.wait_for("Other users of this machine can read the password that stands in --database.")
    up.stop()
    assert "s3cret" not in up.output

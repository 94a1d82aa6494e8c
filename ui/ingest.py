"""Publish what came over HTTP, and say yes only when the broker has it."""

import asyncio
import time
import uuid
from collections.abc import Sequence

from broker.envelopes import Outgoing
from broker.errors import BrokerUnavailable
from broker.link import Connection
from broker.settings import Settings
from broker.topics import UNASSIGNED_LINE, Channel, TopicTemplate
from service.store.database import Database
from service.store.incoming import Element
from service.store.queries.machines import line_of

_LINE_KEPT_S = 60.0
_LINES_MAX = 10_000
_V5 = "5"


class IngestLink:
    """One connection to the broker for all of this process: opened lazily, opened again after loss.

    MQTT 5 by default, because only there a broker says that its ACL denies or nobody listens.
    """

    def __init__(self, settings: Settings, template: TopicTemplate, database: Database) -> None:
        self._settings = settings
        self._template = template
        self._database = database
        self._lock = asyncio.Lock()
        self._connection: Connection | None = None
        self._lines: dict[str, tuple[str, float]] = {}
        self.published_count = 0
        """Elements that the broker has confirmed."""

    async def publish(self, elements: Sequence[Element]) -> None:
        """Publish to the machines' test topics; returns once the broker has confirmed it all.

        A body of one element goes byte for byte as it came; the elements of one machine go as one
        array of theirs.

        Raises:
            BrokerUnavailable: The broker is away, denies it, or no service has subscribed.
            BrokerRefused: The broker refuses the login.
            StoreUnavailable: The machine's line cannot be looked up.
        """
        of_machine: dict[str, list[bytes]] = {}
        for element in elements:
            of_machine.setdefault(element.machine_id, []).append(element.payload)
        messages = [
            Outgoing(await self._topic(machine_id), _joined(pieces))
            for machine_id, pieces in of_machine.items()
        ]
        await self._publish(messages)
        self.published_count += len(elements)

    async def send(self, topic: str, payload: bytes) -> None:
        """Publish one message to a test topic as it is; returns once the broker has confirmed it.

        Raises:
            BrokerUnavailable: The broker is away, denies it, or no service has subscribed.
            BrokerRefused: The broker refuses the login.
        """
        await self._publish([Outgoing(topic, payload)])
        self.published_count += 1

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None and not self._connection.is_over:
            await self._connection.close()
        self._connection = None

    async def _publish(self, messages: Sequence[Outgoing]) -> None:
        async with self._lock:
            connection = await self._opened()
            heard = self._settings.broker.ingest_protocol == _V5
            refusals = await connection.publish(messages, must_be_heard=heard)
        if refusals:
            topics = ", ".join(message.topic for message in messages[:3])
            raise BrokerUnavailable(
                f"the broker does not take it ({refusals[0]})."
                f" Let {self._settings.broker.login()} write {topics} in its ACL."
            )

    async def _opened(self) -> Connection:
        if self._connection is None or self._connection.is_over:
            self._connection = None
            connection = Connection(
                self._settings.broker,
                f"yieldline-ingest-{uuid.uuid4().hex[:12]}",
                protocol=self._settings.broker.ingest_protocol,
            )
            await connection.open()
            self._connection = connection
        return self._connection

    async def _topic(self, machine_id: str) -> str:
        return self._template.format(machine_id, Channel.TEST, line=await self._line(machine_id))

    async def _line(self, machine_id: str) -> str:
        """Return a machine's line: by its settings, as last seen, or `unassigned`."""
        section = self._settings.machines.get(machine_id)
        if section is not None and section.line is not None:
            return section.line
        line, until_s = self._lines.get(machine_id, ("", 0.0))
        if time.monotonic() < until_s:
            return line
        if len(self._lines) >= _LINES_MAX:
            self._lines.clear()
        found = await asyncio.to_thread(line_of, self._database, machine_id)
        line = found or UNASSIGNED_LINE
        self._lines[machine_id] = (line, time.monotonic() + _LINE_KEPT_S)
        return line


def _joined(pieces: Sequence[bytes]) -> bytes:
    return pieces[0] if len(pieces) == 1 else b"[" + b",".join(pieces) + b"]"

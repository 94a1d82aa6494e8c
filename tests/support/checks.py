"""Checks over a real broker: a service that answers them, and a machine that asks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt
import orjson
from paho.mqtt.properties import Properties

from broker.link import Connection
from broker.settings import Settings
from service.checker import Checker
from service.pulse import Pulse
from service.store.database import Database
from tests.support.mosquitto import Mosquitto
from tests.support.waiting import eventually

ROUTE = {"P1": {"route": ["ICT", "FCT"]}}


def settings_of(port: int, root: str, url: str, **service: Any) -> Settings:  # noqa: ANN401
    """Return the settings of a service at this broker, for units of P1."""
    return Settings.model_validate(
        {
            "broker": {"port": port, "retry_delay_max_s": 0.2},
            "topics": {"template": f"{root}/{{line}}/{{machine_id}}/{{channel}}"},
            "database": {"url": url},
            "products": ROUTE,
            "service": service,
        }
    )


async def at_once(_: Connection) -> None:
    """Nothing has to be waited for."""


@asynccontextmanager
async def checking(
    settings: Settings, caught_up: Callable[[Connection], Awaitable[None]] = at_once
) -> AsyncIterator[Pulse]:
    """Answer checks until the end of the block."""
    database, pulse = Database(settings.database), Pulse()
    task = asyncio.create_task(Checker(settings, database, pulse, caught_up).run())
    try:
        yield pulse
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait([task])
        database.dispose()


class Machine:
    """A machine that asks; every topic of its own below `root`."""

    def __init__(self, client: aiomqtt.Client, root: str) -> None:
        self._client = client
        self._root = root
        self.heard: list[aiomqtt.Message] = []

    async def listen(self) -> None:
        """Keep all that comes, until cancelled."""
        async for message in self._client.messages:
            self.heard.append(message)

    async def ask(self, body: dict[str, Any] | bytes, properties: Properties | None = None) -> None:
        """Publish a check, or bytes that are none."""
        payload = body if isinstance(body, bytes) else orjson.dumps(body)
        topic = f"{self._root}/L1/M1/check"
        await self._client.publish(topic, payload, qos=1, properties=properties)

    async def give(self, result: dict[str, Any]) -> None:
        """Publish a test result; returns once the broker has confirmed it."""
        await self._client.publish(f"{self._root}/L1/M1/test", orjson.dumps(result), qos=1)

    async def verdict(self, body: dict[str, Any]) -> dict[str, Any]:
        """Ask again and again, as a machine does, until the service is there; the answer."""

        async def answered() -> dict[str, Any] | None:
            found = [said for said in self.said() if said["request_id"] == body["request_id"]]
            if not found:
                await self.ask(body)
                await asyncio.sleep(0.1)
            return found[0] if found else None

        said = await eventually(answered)
        assert said
        return said

    def said(self) -> list[dict[str, Any]]:
        """Return every verdict so far, as the machine reads it."""
        return [orjson.loads(bytes(each.payload)) for each in self.heard]


@asynccontextmanager
async def machine(broker: Mosquitto, root: str) -> AsyncIterator[Machine]:
    """An MQTT 5 client that hears all verdicts, and what goes to `…/replies`."""
    protocol = aiomqtt.ProtocolVersion.V5
    async with aiomqtt.Client("127.0.0.1", broker.port, protocol=protocol) as client:
        await client.subscribe([(f"{root}/+/+/verdict", 1), (f"{root}/replies", 1)])  # type: ignore[arg-type]
        asking = Machine(client, root)
        task = asyncio.create_task(asking.listen())
        yield asking
        task.cancel()
        await asyncio.wait([task])


def check(request_id: str, barcode: str = "SN-1", procedure: str = "FCT") -> dict[str, Any]:
    """Return what a machine asks before it runs a unit of P1."""
    return {
        "request_id": request_id,
        "barcode": barcode,
        "product_id": "P1",
        "procedure": procedure,
    }

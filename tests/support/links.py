"""Connections of `broker.link` for tests, and a broker that follows a script."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

from broker.envelopes import Delivery, Outgoing
from broker.link import Connection
from broker.sections import BrokerSettings
from tests.support.mosquitto import Mosquitto
from tests.support.tcp_proxy import TcpProxy

Brokers = Callable[..., Mosquitto]


def settings(broker: Mosquitto | TcpProxy | int, **fields: Any) -> BrokerSettings:  # noqa: ANN401
    """Return settings that reach a broker, a proxy or a port; `open` gives up after 3 s."""
    port = broker if isinstance(broker, int) else broker.port
    return BrokerSettings(port=port).model_copy(update={"connect_timeout_s": 3, **fields})


@contextlib.asynccontextmanager
async def opened(
    broker: Mosquitto | TcpProxy | BrokerSettings,
    client_id: str,
    **options: Any,  # noqa: ANN401
) -> AsyncIterator[Connection]:
    """Give an open connection."""
    wanted = broker if isinstance(broker, BrokerSettings) else settings(broker)
    connection = Connection(wanted, client_id, **options)
    try:
        await connection.open()
        yield connection
    finally:
        await connection.close()


async def publish(broker: Mosquitto, *messages: Outgoing) -> None:
    """Publish on a connection made for it."""
    async with opened(broker, "publisher") as connection:
        await connection.publish(messages)


async def received(connection: Connection, count: int, *, ack: bool = True) -> list[Delivery]:
    """Take until `count` messages are here."""
    got: list[Delivery] = []
    async with asyncio.timeout(10):
        while len(got) < count:
            batch = await connection.next_batch()
            assert batch, "the connection is over"
            got += batch
            if ack:
                connection.ack(batch)
    return got


async def acknowledge(connection: Connection, batch: list[Delivery]) -> None:
    """Acknowledge, and wait until the broker has read it: what is confirmed came behind it."""
    connection.ack(batch)
    await connection.publish([Outgoing("behind/it", b"")])


def numbered(topic: str, count: int) -> list[Outgoing]:
    """Return messages that say 0, 1, 2 …"""
    return [Outgoing(topic, str(number).encode()) for number in range(count)]


def numbers(deliveries: list[Delivery]) -> list[int]:
    """Return what messages of `numbered` say."""
    return [int(each.payload) for each in deliveries]


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@contextlib.asynccontextmanager
async def scripted_brokers() -> AsyncIterator[Callable[[Script], int]]:
    """Make servers that let one client in and then do as told: what no real broker does at will."""
    listeners: list[socket.socket] = []
    servers: list[asyncio.Task[None]] = []

    async def serve(listener: socket.socket, script: Script) -> None:
        raw, _ = await asyncio.get_running_loop().sock_accept(listener)
        reader, writer = await asyncio.open_connection(sock=raw)
        try:
            await read_packet(reader)
            writer.write(b"\x20\x02\x00\x00")
            await script(reader, writer)
            await reader.read(-1)
        except (OSError, asyncio.IncompleteReadError):
            logging.getLogger(__name__).debug("the client left")
        finally:
            writer.close()

    def make(script: Script) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)  # noqa: FBT003 - a socket's signature
        listeners.append(listener)
        servers.append(asyncio.create_task(serve(listener, script)))
        return int(listener.getsockname()[1])

    try:
        yield make
    finally:
        for server in servers:
            server.cancel()
        await asyncio.gather(*servers, return_exceptions=True)
        for listener in listeners:
            listener.close()


async def read_packet(reader: asyncio.StreamReader) -> bytes:
    """Return the body of a packet of up to 127 bytes."""
    head = await reader.readexactly(2)
    return await reader.readexactly(head[1])


async def read_publish(reader: asyncio.StreamReader) -> bytes:
    """Return the packet id of the next PUBLISH."""
    body = await read_packet(reader)
    topic_end = 2 + int.from_bytes(body[:2])
    return body[topic_end : topic_end + 2]

"""A cable that can be cut, held and slowed down: a TCP proxy on loopback."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from tests.support.ports import free_port

T = TypeVar("T")

_CHUNK_BYTES = 65_536


class TcpProxy:
    """Passes bytes between `port` and 127.0.0.1:`target_port`, from its own thread."""

    host = "127.0.0.1"

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self.delay_s = 0.0
        """How long each chunk waits before it is passed on, in both directions."""
        self._target_port = target_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._run(self._open())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def connection_count(self) -> int:
        """Connections passing through now."""
        return len(self._writers) // 2

    def cut(self) -> None:
        """Drop every connection (reset) and refuse new ones until `restore`."""
        self._run(self._cut())

    def hold(self) -> None:
        """Let nothing through, but keep connections open: a cable pulled silently."""
        self._run(self._set_flow(flows=False))

    def restore(self) -> None:
        """Undo `cut` and `hold`."""
        self._run(self._open())

    def close(self) -> None:
        """Cut it for good and end the thread."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    async def _open(self) -> None:
        await self._set_flow(flows=True)
        if self._server is None:
            self._server = await asyncio.start_server(self._pass, self.host, self.port)

    async def _set_flow(self, *, flows: bool) -> None:
        if flows:
            self._flows.set()
        else:
            self._flows.clear()

    async def _cut(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        for writer in self._writers:
            with contextlib.suppress(OSError):  # it has just closed by itself
                # A linger of zero sends a reset instead of a goodbye.
                linger = struct.pack("ii", 1, 0)
                end = writer.get_extra_info("socket")
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    async def _end(self) -> None:
        await self._cut()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection(self.host, self._target_port)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, there[1]}
        self._writers |= both
        for end in both:
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))
        finally:
            self._writers -= both
            for end in both:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await self._flows.wait()
                writer.write(chunk)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()

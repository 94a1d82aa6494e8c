"""A cable that can be cut, held and slowed down: a TCP proxy on loopback."""

import queue
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from tests.support.ports import free_port

_CHUNK_BYTES = 65_536
_WAITING_CHUNKS_MAX = 64
_RESET = struct.pack("ii", 1, 0)  # a linger of zero sends a reset instead of a goodbye


@dataclass(eq=False)
class _End:
    """One socket of a pair, and what waits to be sent into it."""

    raw: socket.socket
    peer: "_End | None" = None
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)
    """When to send, and what; `b""` is the end of the stream."""


class TcpProxy:
    """Passes bytes between `port` and 127.0.0.1:`target_port`, from its own thread."""

    host = "127.0.0.1"

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self.delay_s = 0.0
        """How long each chunk waits before it is passed on, in both directions."""
        self._target_port = target_port
        self._ends: set[_End] = set()
        self._listener: socket.socket | None = None
        self._flows = True
        self._is_over = False
        self._orders: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]]
        self._orders = queue.SimpleQueue()
        self._bell, self._ears = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="tcp proxy", daemon=True)
        self._thread.start()
        self.restore()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def connection_count(self) -> int:
        """Connections passing through now."""
        return sum(end.peer is not None for end in self._ends) // 2

    def cut(self) -> None:
        """Drop every connection (reset) and refuse new ones until `restore`."""
        self._do(self._cut)

    def hold(self) -> None:
        """Let nothing through, but keep connections open: a cable pulled silently."""
        self._do(lambda: setattr(self, "_flows", False))

    def restore(self) -> None:
        """Undo `cut` and `hold`."""
        self._do(self._open)

    def close(self) -> None:
        """Cut it for good and end the thread."""
        self._do(self._end)
        self._thread.join(5)
        self._bell.close()
        self._ears.close()

    def _do(self, order: Callable[[], None]) -> None:
        done = threading.Event()
        self._orders.put((order, done))
        self._bell.send(b"!")
        assert done.wait(5), "the proxy's thread does not answer"

    # Everything below runs in the thread.

    def _run(self) -> None:
        while not self._is_over:
            for raw, end in self._readable():
                if raw is self._ears:
                    self._obey()
                elif raw is self._listener:
                    self._accept()
                elif end in self._ends and end.peer:
                    self._read(end, end.peer)
            for end in list(self._ends):
                self._send_due(end)

    def _readable(self) -> list[tuple[object, _End]]:
        with selectors.DefaultSelector() as selector:
            selector.register(self._ears, selectors.EVENT_READ)
            if self._listener and self._flows:
                selector.register(self._listener, selectors.EVENT_READ)
            for end in self._ends:
                if self._flows and end.peer and len(end.peer.waiting) < _WAITING_CHUNKS_MAX:
                    selector.register(end.raw, selectors.EVENT_READ, end)
            is_busy = self._flows and any(end.waiting for end in self._ends)
            found = selector.select(0.002 if is_busy else None)
        return [(key.fileobj, key.data) for key, _ in found]

    def _obey(self) -> None:
        self._ears.recv(_CHUNK_BYTES)
        while not self._orders.empty():
            order, done = self._orders.get()
            order()
            done.set()

    def _open(self) -> None:
        self._flows = True
        if self._listener is None:
            self._listener = socket.create_server((self.host, self.port))

    def _cut(self) -> None:
        if self._listener:
            self._listener.close()
            self._listener = None
        for end in list(self._ends):
            self._drop(end)

    def _end(self) -> None:
        self._cut()
        self._is_over = True

    def _drop(self, end: _End) -> None:
        for each in (end, end.peer):
            if each in self._ends:
                self._ends.discard(each)
                each.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                each.raw.close()

    def _accept(self) -> None:
        assert self._listener
        try:
            near = _End(self._listener.accept()[0])
        except OSError:
            return  # gone again
        try:
            far = _End(socket.create_connection((self.host, self._target_port), timeout=5), near)
        except OSError:
            near.raw.close()
            return
        near.peer = far
        for end in (near, far):
            end.raw.settimeout(0)
            end.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ends.add(end)

    def _read(self, end: _End, peer: _End) -> None:
        try:
            chunk = end.raw.recv(_CHUNK_BYTES)
        except OSError:
            self._drop(end)
            return
        peer.waiting.append((time.monotonic() + self.delay_s, chunk))
        if not chunk:
            end.peer = peer.peer = None  # no more is read from either
            self._ends.discard(end)
            end.raw.close()

    def _send_due(self, end: _End) -> None:
        while self._flows and end.waiting and end.waiting[0][0] <= time.monotonic():
            due, chunk = end.waiting.popleft()
            if not chunk:
                self._ends.discard(end)
                end.raw.close()
                return
            try:
                sent = end.raw.send(chunk)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._drop(end)
                return
            if sent < len(chunk):
                end.waiting.appendleft((due, chunk[sent:]))
                return

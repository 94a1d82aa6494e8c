"""A socket that reads ahead and gathers writes, for clients that read byte by byte.

paho asks the kernel for one byte, then another, then the rest of each packet, and sends each packet
by itself. Behind this wrapper the same calls cost a slice of memory, and an express lane can take
the frequent packets out before paho sees them (docs/decisions/001-paho-with-an-express-lane.md).
"""

import socket
import ssl
from collections.abc import Callable

_READ_BYTES = 65_536


class BufferedSocket:
    """A connected, non-blocking socket. Not thread-safe: one event loop owns it."""

    def __init__(self, raw: socket.socket, take: Callable[[bytes], bytes] | None = None) -> None:
        """Wrap a connected socket.

        Args:
            raw: The socket; it is this object's from now on.
            take: Is given all that arrives and returns what `recv` shall see of it.
        """
        self._raw = raw
        self._take = take
        self._read = b""
        self._read_at = 0
        self._unsent = bytearray()
        self.has_heard = False
        """Something has arrived since whoever watches over the connection set this to False."""

    def recv(self, count: int) -> bytes:
        """Return up to `count` bytes, `b""` at the end; raises BlockingIOError like a socket."""
        start = self._read_at
        if start >= len(self._read):
            self._read = self._raw.recv(_READ_BYTES)
            self.has_heard = True
            start = 0
            if self._take and self._read:
                self._read = self._take(self._read)
                if not self._read:
                    self._read_at = 0
                    raise BlockingIOError  # all of it was taken; not the end
        self._read_at = start + count
        return self._read[start : start + count]

    def send(self, data: bytes | bytearray) -> int:
        """Keep `data` for `flush`; always takes all of it."""
        self._unsent += data
        return len(data)

    def flush(self) -> bool:
        """Send what is kept, as far as the kernel takes it. Returns True when nothing is left."""
        while self._unsent:
            try:
                sent = self._raw.send(self._unsent)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            del self._unsent[:sent]
        return True

    def buffered(self) -> bool:
        """Tell whether `recv` has bytes that the kernel will not announce again."""
        if self._read_at < len(self._read):
            return True
        return isinstance(self._raw, ssl.SSLSocket) and self._raw.pending() > 0

    def shutdown(self) -> None:
        """End the connection without a word, as a lost cable would."""
        self._unsent.clear()
        self._raw.close()

    def close(self) -> None:
        """Send what the kernel takes at once (a DISCONNECT, say) and close."""
        try:
            self.flush()
        except OSError:
            pass  # the other side is gone; there is nobody to tell
        finally:
            self._raw.close()

    def fileno(self) -> int:
        """Return the descriptor, -1 once closed."""
        return self._raw.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - a socket's signature
        """Set blocking mode, as on a socket."""
        self._raw.setblocking(flag)

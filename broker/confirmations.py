"""What was published on a connection and waits for the broker's PUBACK. No I/O."""

import asyncio

from broker.paho_client import Reason

_NO_MATCHING_SUBSCRIBERS = 0x10


class Confirmations:
    """Packet ids without their PUBACK, and what the broker said against others (MQTT 5 only)."""

    def __init__(self) -> None:
        self.missing: set[int] = set()
        """Packet ids."""
        self.refused: list[Reason] = []
        self.unheard_count = 0
        """How many messages went nowhere: nobody had subscribed."""
        self._room = asyncio.Event()  # the last PUBACK, or the end
        self._is_closed = False

    def start(self) -> None:
        """Forget what was said of earlier messages."""
        self.refused.clear()
        self.unheard_count = 0

    def note(self, packet_id: int, reason: Reason) -> None:
        """Take a PUBACK of MQTT 5."""
        self.missing.discard(packet_id)
        if reason.value:
            if reason.is_failure:
                self.refused.append(reason)
            elif reason.value == _NO_MATCHING_SUBSCRIBERS:
                self.unheard_count += 1

    def announce(self) -> None:
        """Wake whoever waits, if none is missing any more."""
        if not self.missing:
            self._room.set()

    def close(self) -> None:
        """Wake whoever waits: no more will come."""
        self._is_closed = True
        self._room.set()

    async def wait(self, timeout_s: float) -> None:
        """Wait until none is missing, or for the end.

        Raises:
            TimeoutError: None came for so long; slow is not silent.
        """
        while self.missing and not self._is_closed:
            left = len(self.missing)
            self._room.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._room.wait()
            except TimeoutError:
                if len(self.missing) == left:
                    raise

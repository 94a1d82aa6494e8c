"""A message to ourselves behind all that the broker has for us: stored is what came before it."""

import asyncio
import uuid
from collections.abc import Sequence

from broker.envelopes import Delivery, Outgoing
from broker.link import Connection


class Echoes:
    """What we sent to our own subscription, until it is acknowledged there.

    Only for a service that subscribes plainly: of a group another member may be given it.
    """

    def __init__(self) -> None:
        self._awaited: dict[bytes, asyncio.Event] = {}

    async def come_back(self, topic: str, asking: Connection) -> None:
        """Send one and wait until it is acknowledged, and so all before it. Give it a timeout.

        Args:
            topic: No machine has it, and we subscribe to it.
            asking: A connection that nothing else publishes on meanwhile.

        Raises:
            BrokerUnavailable: The connection is lost.
        """
        payload = f'{{"echo": "{uuid.uuid4().hex}"}}'.encode()
        is_back = self._awaited[payload] = asyncio.Event()
        try:
            await asking.publish([Outgoing(topic, payload)])
            await is_back.wait()
        finally:
            del self._awaited[payload]

    def acknowledged(self, deliveries: Sequence[Delivery]) -> None:
        """Note what is stored and acknowledged; nothing is looked at while nobody waits."""
        if self._awaited:
            for each in deliveries:
                if (is_back := self._awaited.get(each.payload)) is not None:
                    is_back.set()

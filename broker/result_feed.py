"""The results for screens: as `broker.live`, over the express lane of `broker.link`.

Results come by thousands a second where states and rejections come by the handful. Through aiomqtt
a result costs a screen's process about 50 µs, over the lane about 5; the rest of the machine's
processor belongs to storing (docs/decisions/007-results-reach-screens-by-the-lane.md).
"""

import asyncio
import uuid
from collections.abc import AsyncIterator

from broker.envelopes import Delivery
from broker.errors import BrokerRefused, BrokerUnavailable
from broker.feed import LOST, Feed, LiveMessage
from broker.link import Connection
from broker.topics import Channel

_BATCH_MAX = 1_000  # some ten milliseconds of the loop, then a viewer's turn


class ResultFeed(Feed):
    """One subscription to all results."""

    losses = (BrokerUnavailable, BrokerRefused)
    _shall_renew = False

    def renew(self) -> None:
        """End this connection with the next result, and begin another.

        Its session ends with it, and what the broker keeps for it: for who has fallen behind.
        """
        self._shall_renew = True

    async def _one_connection(self) -> AsyncIterator[list[LiveMessage]]:
        link = Connection(self._settings, f"yieldline-ui-{uuid.uuid4().hex[:12]}-results")
        try:
            await link.open()
            await link.subscribe(self._template.subscription(Channel.RESULT))
            self._set(None)
            self._shall_renew = False
            while batch := await link.next_batch(_BATCH_MAX):
                # On arrival: a screen that dies reads the database when it starts again.
                link.ack(batch)
                yield self._shown(batch)
                if self._shall_renew:
                    raise BrokerUnavailable("too many results waited; what is stored is read anew")
                await asyncio.sleep(0)
            raise BrokerUnavailable(LOST)
        finally:
            self._set(self.trouble or LOST)
            await link.close()

    def _shown(self, batch: list[Delivery]) -> list[LiveMessage]:
        shown = []
        for delivery in batch:
            topic = self._topic(delivery.topic)
            if topic is not None:
                shown.append(LiveMessage(topic, delivery.payload, delivery.retained))
        return shown

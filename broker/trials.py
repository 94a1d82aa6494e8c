"""What we need of a broker, tried from outside: on one address, or on two nodes of a cluster.

On the topic that no machine can have, under names of its own: beside a plant at work nothing of
this is stored or shown. Two members share a subscription as two services do, each with a session
that the broker keeps. With two nodes each stands on another one, and they change places.
"""

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Final, NamedTuple

from broker.envelopes import Delivery, Outgoing
from broker.errors import BrokerUnavailable, YieldlineError
from broker.link import Connection
from broker.sections import BrokerSettings
from broker.topics import TopicTemplate

_COUNT: Final = 200
_WINDOW: Final = 500  # heard, not acknowledged: service.batch_count_max allows a service more
_LARGE_BYTES: Final = 1_048_576
_COUNTERS_S: Final = 15.0  # brokers say them anew every ten seconds or so
_DROPPED: Final = "$SYS/broker/publish/messages/dropped"


class Finding(NamedTuple):
    """One need, and what was seen of it."""

    need: str
    is_met: bool
    seen: str
    is_needed: bool = True
    """Without it results are lost or stand still; else something is only worse."""


Trial = Callable[[], Awaitable[Finding]]


class Trials:
    """All trials of a broker, in order. Use each object once.

    Args:
        first: How to reach it.
        second: Another node of the same cluster; the same again for a single broker.
        template: Of the plant's topics.
        quiet_s: After so many seconds without a message none is expected any more; what nodes tell
            each other may take them three times that.
    """

    def __init__(
        self,
        first: BrokerSettings,
        second: BrokerSettings,
        template: TopicTemplate,
        *,
        quiet_s: float = 2.0,
    ) -> None:
        self._nodes = (first, second)
        self._name = f"yieldline-trial-{uuid.uuid4().hex[:8]}"
        self._topic = template.check_topic(self._name)
        self._shared = f"$share/{self._name}/{self._topic}"
        self._quiet_s, self._patience_s = quiet_s, 3 * quiet_s
        self._number = 0

    async def run(self) -> AsyncIterator[Finding]:
        """Yield a finding a need; a lost connection is a finding too.

        Raises:
            BrokerUnavailable: Nobody answers at one of the addresses.
            BrokerRefused: It refuses our login.
        """
        for node in (0, 1):
            async with self._opened(node, "knock"):
                pass
        trials: dict[str, Trial] = {
            "write and read": self._reads_back,
            "a shared subscription": self._shares,
            "kept sessions": self._keeps,
            "what is not acknowledged comes again": self._repeats,
            "one connection a client id": self._throws_out,
            "retained messages": self._retains,
            "messages of 1 MiB": self._takes_large,
            f"{_WINDOW} messages under way": self._fills_the_window,
            f"a count of dropped messages on {_DROPPED}": self._counts,
        }
        try:
            for need, trial in trials.items():
                yield await self._finding(need, trial)
        finally:
            await self._forget()

    async def _finding(self, need: str, trial: Trial) -> Finding:
        try:
            return await trial()
        except YieldlineError as error:
            return Finding(need, is_met=False, seen=str(error))

    # -- the trials ----------------------------------------------------------------------------

    async def _reads_back(self) -> Finding:
        """What is published at either node arrives at the other."""
        seen = []
        for writer, reader in ((0, 1), (1, 0)):
            async with self._opened(reader, "reader") as link:
                await link.subscribe(self._topic)
                await self._wait_for_way(link, writer)
                sent = await self._publish(writer, _COUNT)
                heard = await self._take(link)
                seen.append(_missing(sent, heard) or _doubled(heard))
                if not seen[-1] and heard != sorted(heard):
                    seen.append("in another order than it was sent")
        words = next(filter(None, seen), f"all of {2 * _COUNT} arrived, in order")
        return Finding("write and read", is_met=not any(seen), seen=words)

    async def _shares(self) -> Finding:
        """Each message comes to one member, wherever it was published."""
        async with self._members() as (left, right):
            await self._wait_for_way(left, 1, right)
            sent = await self._publish(0, _COUNT) + await self._publish(1, _COUNT)
            one, other = await asyncio.gather(self._take(left), self._take(right))
        trouble = _missing(sent, one + other)
        if not trouble and (doubled := _doubled(one + other)):
            trouble = f"{doubled}: the nodes share no subscription"
        if not (one and other):
            trouble = trouble or "all of it came to one member: a second service would be idle"
        words = f"{len(one)} and {len(other)} of {len(sent)}, none twice"
        return Finding("a shared subscription", is_met=not trouble, seen=trouble or words)

    async def _keeps(self) -> Finding:
        """What comes while one member is away, then both, waits for them; at either node."""
        async with self._members() as (_, second):
            await second.close()
            sent = await self._publish(0, _COUNT)
        sent += await self._publish(1, _COUNT)
        left, right = await self._member(1, "left"), await self._member(0, "right")
        try:
            are_kept = (left.session_was_kept, right.session_was_kept)
            one, other = await asyncio.gather(self._take(left.link), self._take(right.link))
        finally:
            await left.link.close()
            await right.link.close()
        trouble = _missing(sent, one + other)
        if not all(are_kept):
            trouble = f"{trouble or 'nothing is missing'}, but a session was forgotten"
        words = f"all of {len(sent)} came after both were away"
        return Finding("kept sessions", is_met=not trouble, seen=trouble or words)

    async def _repeats(self) -> Finding:
        """A member that dies with messages in hand gets them again, or another one does."""
        async with self._members() as (left, right):
            sent = await self._publish(0, _COUNT)
            in_hand, heard = await asyncio.gather(self._take(left, ack=False), self._take(right))
            left.abort()
            again = await self._member(1, "left")
            try:
                one, other = await asyncio.gather(self._take(again.link), self._take(right))
            finally:
                await again.link.close()
        trouble = _missing(sent, heard + one + other)
        words = f"{len(in_hand)} were in the hands of one that died; all came again"
        need = "what is not acknowledged comes again"
        return Finding(need, is_met=not trouble, seen=trouble or words)

    async def _throws_out(self) -> Finding:
        """A client id that connects again, at another node, ends the first connection."""
        async with self._opened(0, "twin") as first, self._opened(1, "twin"):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience_s):
                    await first.next_batch()
            is_met = first.is_over
        words = "the first was thrown out" if is_met else "two of one name at once"
        return Finding("one connection a client id", is_met=is_met, seen=words)

    async def _retains(self) -> Finding:
        """The last state and summary of a machine are there for who subscribes later."""
        await self._publish(0, 1, retain=True)
        give_up_at = (clock := asyncio.get_running_loop().time)() + self._patience_s
        while not (is_met := await self._is_retained(1)) and clock() < give_up_at:
            pass  # the other node may hear of it a moment later; each look lasts
        async with self._opened(0, "sender") as sender:
            await sender.publish([Outgoing(self._topic, b"", retain=True)])
        words = "kept for a late subscriber" if is_met else "a late subscriber hears nothing"
        return Finding("retained messages", is_met=is_met, seen=words)

    async def _is_retained(self, node: int) -> bool:
        """Tell whether who subscribes now hears of the last state."""
        async with self._opened(node, "late") as link:
            await link.subscribe(self._topic)
            return any(each.retained for each in await self._deliveries(link))

    async def _takes_large(self) -> Finding:
        """A message of the size that a service takes."""
        async with self._opened(1, "large") as link:
            await link.subscribe(self._topic)
            await self._wait_for_way(link, 0)
            async with self._opened(0, "sender") as sender:
                await sender.publish([Outgoing(self._topic, b" " * _LARGE_BYTES)])
            heard = await self._deliveries(link)
        is_met = any(len(each.payload) == _LARGE_BYTES for each in heard)
        words = "it arrived" if is_met else "it did not arrive: raise the broker's packet limit"
        return Finding("messages of 1 MiB", is_met=is_met, seen=words)

    async def _fills_the_window(self) -> Finding:
        """So many come before the first is acknowledged: a batch."""
        async with self._opened(0, "window", clean_session=False) as link:
            await link.subscribe(self._topic)
            await self._publish(0, _WINDOW)
            heard = await self._take(link, ack=False)
        need, is_met = f"{_WINDOW} messages under way", len(heard) >= _WINDOW
        words = f"{len(heard)} came unacknowledged"
        if not is_met:
            words += ": batches are that small, raise the broker's limit of messages in flight"
        return Finding(need, is_met=is_met, seen=words, is_needed=False)

    async def _counts(self) -> Finding:
        """It says how many messages it has dropped, where Mosquitto says it."""
        need, heard = f"a count of dropped messages on {_DROPPED}", []
        async with self._opened(0, "counter") as link:
            await link.subscribe(_DROPPED)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_COUNTERS_S):
                    heard = await link.next_batch()
        words = (
            f"{_DROPPED} is said" if heard else f"nothing on {_DROPPED}: watch it by its own means"
        )
        return Finding(need, is_met=bool(heard), seen=words, is_needed=False)

    # -- what they are made of -----------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _opened(
        self, node: int, role: str, *, clean_session: bool = True
    ) -> AsyncIterator[Connection]:
        link = Connection(self._nodes[node], self._id(role), clean_session=clean_session)
        try:
            await link.open()
            yield link
        finally:
            await link.close()

    def _id(self, role: str) -> str:
        return f"{self._name}-{role}"

    async def _member(self, node: int, role: str) -> "_Member":
        link = Connection(self._nodes[node], self._id(role), clean_session=False)
        try:
            was_kept = await link.open()
            await link.subscribe(self._shared)
        except YieldlineError:
            await link.close()
            raise
        return _Member(link, was_kept)

    @contextlib.asynccontextmanager
    async def _members(self) -> AsyncIterator[tuple[Connection, Connection]]:
        """Two services, one at each node."""
        left, right = await self._member(0, "left"), await self._member(1, "right")
        try:
            yield left.link, right.link
        finally:
            await left.link.close()
            await right.link.close()

    async def _publish(self, node: int, count: int, *, retain: bool = False) -> list[int]:
        """Publish the next numbers; return them."""
        numbers = list(range(self._number, self._number + count))
        self._number += count
        async with self._opened(node, "sender") as sender:
            messages = [Outgoing(self._topic, b"%d" % each, retain) for each in numbers]
            await sender.publish(messages)
        return numbers

    async def _wait_for_way(self, link: Connection, node: int, *others: Connection) -> None:
        """Wait until nodes have told each other of the subscription: a plant starts once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s):
                while True:
                    await self._publish(node, 1)
                    found = await asyncio.gather(*map(self._take, (link, *others)))
                    if any(found):
                        return

    async def _take(self, link: Connection, *, ack: bool = True) -> list[int]:
        """Return the numbers that arrive until it is quiet."""
        return [int(each.payload) for each in await self._deliveries(link, ack=ack)]

    async def _deliveries(self, link: Connection, *, ack: bool = True) -> list[Delivery]:
        heard: list[Delivery] = []
        while True:
            try:
                async with asyncio.timeout(self._quiet_s):
                    batch = await link.next_batch()
            except TimeoutError:
                return heard
            if not batch:
                raise BrokerUnavailable("the broker closed the connection.")
            if ack:
                link.ack(batch)
            heard += batch

    async def _forget(self) -> None:
        """End the sessions that the broker keeps for us."""
        for role in ("left", "right", "window"):
            with contextlib.suppress(YieldlineError):
                async with self._opened(0, role):
                    pass


class _Member(NamedTuple):
    link: Connection
    session_was_kept: bool


def _missing(sent: Sequence[int], heard: Iterable[int]) -> str:
    count = len(set(sent) - set(heard))
    return f"{count} of {len(sent)} never came" if count else ""


def _doubled(heard: Iterable[int]) -> str:
    count = sum(each > 1 for each in Counter(heard).values())
    return f"{count} came twice" if count else ""

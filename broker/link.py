"""The lossless end of an MQTT connection: acknowledged by hand, confirmed by PUBACK.

paho's public external-loop calls (`loop_read`, `loop_write`) run it on the asyncio loop, so there
is no network thread and no lock to wait for. It connects, logs in and subscribes; on MQTT 3.1.1
messages and their acknowledgements take the express lane past it.
The keepalive is ours: to paho a ping that is answered behind a long backlog is lost.
"""

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any

from broker.buffered import BufferedSocket
from broker.confirmations import Confirmations
from broker.envelopes import Delivery, Outgoing
from broker.errors import BrokerUnavailable, YieldlineError
from broker.express import ExpressLane, PacketIds, puback_packet, publish_packet
from broker.inbox import Inbox
from broker.link_errors import connection_lost, connection_refused, filters_denied, no_answer
from broker.paho_client import PahoClient, Reason, delivery_of, make_client
from broker.sections import BrokerSettings
from broker.tls import checked_context, handshake_trouble

_IN_FLIGHT_MAX = 10_000  # packet ids end at 65,535, and each waits in memory for its PUBACK
_PINGREQ = b"\xc0\x00"


class Connection:
    """One connection, used once. After a loss make a new one: packet ids do not survive it."""

    def __init__(  # noqa: PLR0913 - each is a fact of the connection
        self,
        settings: BrokerSettings,
        client_id: str,
        *,
        clean_session: bool = True,
        will: Outgoing | None = None,
        protocol: str = "3.1.1",
        pending_count_max: int = 20_000,
        pending_bytes_max: int = 67_108_864,
    ) -> None:
        self.client_id = client_id
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._is_v5 = protocol == "5"
        self._clean_session = clean_session
        self._socket: BufferedSocket | None = None
        self._inbox = Inbox(pending_count_max, pending_bytes_max, self._pause)
        self._confirmations = Confirmations()
        self._packet_ids = PacketIds()
        self._answers: dict[int, asyncio.Future[list[Reason]]] = {}
        self._connack: asyncio.Future[tuple[bool, Reason]] | None = None
        self._is_paused = False
        self._ticker: asyncio.Task[None] | None = None
        self.is_over = False
        self.was_closed_by_broker = False
        """It ended by no doing of ours: broker or cable are gone, or our client id is taken."""
        self._client = self._make_client(will)

    # -- opening and closing -------------------------------------------------------------------

    async def open(self) -> bool:
        """Connect and log in.

        Returns:
            True when the broker kept a session of this client id (never with a clean one).

        Raises:
            BrokerUnavailable: Nobody answers, or it does not speak MQTT.
            BrokerRefused: It refuses the login.
        """
        self._connack = self._loop.create_future()
        wait_s = self._settings.connect_timeout_s
        try:
            # The DNS look-up and the TLS handshake block; everything after them does not.
            # Not wait_for: Python 3.11's can swallow a cancellation that meets a failed connect.
            async with asyncio.timeout(wait_s + 1):
                await asyncio.to_thread(self._connect)
            self._watch()
            async with asyncio.timeout(wait_s):
                session_present, reason = await self._connack
        except ssl.SSLError as error:
            self.abort()
            raise await asyncio.to_thread(handshake_trouble, self._settings, error) from error
        except (OSError, TimeoutError, ValueError) as error:
            self.abort()
            raise no_answer(self._settings, error, is_connected=self._socket is not None) from error
        except YieldlineError:
            self.abort()
            raise
        if reason.is_failure:
            self.abort()
            raise connection_refused(self._settings, reason.value, str(reason))
        self._ticker = self._loop.create_task(self._tick(), name=f"keepalive {self.client_id}")
        return session_present

    async def close(self) -> None:
        """Say goodbye: no last will; a kept session stays with the broker."""
        self._client.disconnect()
        self._flush()
        self.abort()
        if self._ticker:
            self._ticker.cancel()
            await asyncio.wait([self._ticker])  # our own cancellation, if any, passes through

    def abort(self) -> None:
        """Drop the connection without a word: the broker sends the last will."""
        self._end()
        for each in (self._socket, self._client.socket()):
            if isinstance(each, BufferedSocket):
                self._unwatch(each)
                each.shutdown()

    # -- receiving -----------------------------------------------------------------------------

    async def subscribe(self, *filters: str) -> None:
        """Subscribe at QoS 1.

        Raises:
            BrokerRefused: The broker denies one of the filters.
            BrokerUnavailable: The connection is lost meanwhile.
        """
        _, packet_id = self._client.subscribe([(each, 1) for each in filters])
        codes = await self._answer_to(packet_id)
        denied = [each for each, code in zip(filters, codes, strict=True) if code.is_failure]
        if denied:
            raise filters_denied(self._settings, denied)

    def leave(self, *filters: str) -> None:
        """Take subscriptions back that there may be, and wait for no answer.

        Not every broker answers where there is none to take (the embedded one, which also keeps
        those that a session had before it came back). Until it has heard it, messages may come
        twice; what it has queued for us comes all the same.
        """
        self._client.unsubscribe(list(filters))
        self._flush()

    async def _answer_to(self, packet_id: int | None) -> list[Reason]:
        """Wait for the SUBACK of a packet."""
        answer: asyncio.Future[list[Reason]] = self._loop.create_future()
        if packet_id is None or self.is_over:
            raise self._lost()
        self._answers[packet_id] = answer
        self._read_on()  # a backlog may have filled our memory before we came to subscribe
        self._flush()
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                return await answer
        except TimeoutError as error:
            raise self._lost() from error

    async def next_batch(self, count_max: int = 500, bytes_max: int = 8_388_608) -> list[Delivery]:
        """Wait for messages and return what has arrived, in order; empty once it is over.

        At least one message, then as many as fit `count_max` and `bytes_max`. Commits pace it, no
        timer: what arrives while one batch is stored is the next.
        """
        return await self._inbox.next_batch(count_max, bytes_max)

    @property
    def pending_count(self) -> int:
        """How many messages have arrived and are not acknowledged."""
        return self._inbox.pending_count

    @property
    def acked_count(self) -> int:
        """How many messages were acknowledged, in order of arrival, since it was opened."""
        return self._inbox.acked_count

    def finish(self) -> None:
        """Let `next_batch` return nothing more, while what it gave can still be acknowledged."""
        self._inbox.close()

    def ack(self, batch: Sequence[Delivery]) -> None:
        """Let the broker forget `batch`. Only after its rows are committed."""
        if self.is_over:
            return  # packet ids do not outlive their connection: the broker sends it all again
        self._send_acks([each.packet_id for each in batch if each.packet_id])
        self._inbox.forget(batch)
        self._flush()
        if self._inbox.is_half_empty():
            self._read_on()

    # -- sending -------------------------------------------------------------------------------

    async def publish(
        self, messages: Sequence[Outgoing], *, must_be_heard: bool = False
    ) -> list[str]:
        """Publish at QoS 1 and wait until the broker has confirmed every message.

        One caller at a time. Returns the broker's words for each refusal (MQTT 5 only; on 3.1.1 a
        broker confirms what its ACL denies), empty when all were taken.

        Args:
            messages: Any number, in order.
            must_be_heard: Fail when nobody subscribes, so that the message went nowhere (MQTT 5).

        Raises:
            BrokerUnavailable: The connection was lost or the broker is silent.
        """
        self._confirmations.start()
        for start in range(0, len(messages), _IN_FLIGHT_MAX):
            await self._publish_some(messages[start : start + _IN_FLIGHT_MAX])
        if must_be_heard and self._confirmations.unheard_count:
            raise BrokerUnavailable(
                "no service has subscribed at this broker yet: the message would be lost."
                " Start `yieldline service`, then send it again."
            )
        return [str(code) for code in self._confirmations.refused]

    async def _publish_some(self, messages: Sequence[Outgoing]) -> None:
        link = self._socket
        if link is None or self.is_over:
            raise self._lost()
        missing = self._confirmations.missing
        for message in messages:
            if self._is_v5:
                missing.add(self._client.publish_v5(message))
                continue
            packet_id = self._packet_ids.next()
            missing.add(packet_id)
            topic = message.topic.encode()
            link.send(publish_packet(topic, message.payload, packet_id, retain=message.retain))
        self._flush()
        try:
            await self._confirmations.wait(self._settings.publish_timeout_s)
        except TimeoutError as error:
            self.abort()
            raise self._lost() from error
        if self.is_over:
            raise self._lost()

    # -- the machinery between paho and the loop -----------------------------------------------

    def _send_acks(self, packet_ids: Sequence[int]) -> None:
        if self._is_v5:
            for packet_id in packet_ids:
                self._client.ack(packet_id, 1)
        elif self._socket is not None:
            self._socket.send(b"".join(map(puback_packet, packet_ids)))

    def _make_client(self, will: Outgoing | None) -> PahoClient:
        client = make_client(
            self._settings,
            self.client_id,
            is_v5=self._is_v5,
            clean_session=self._clean_session,
            will=will,
        )
        if not self._is_v5:
            client.lane = ExpressLane(self._inbox.take_packet, self._confirmations.missing.discard)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_answer
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = lambda *_: self._end()
        client.on_socket_close = self._on_socket_close
        return client

    def _connect(self) -> None:
        settings = self._settings
        if settings.tls:
            self._client.tls = checked_context(settings)
        start: dict[str, Any] = {"clean_start": self._clean_session} if self._is_v5 else {}
        self._client.connect(settings.host, settings.port, settings.keepalive_s, **start)
        link = self._client.socket()
        if self.is_over and isinstance(link, BufferedSocket):
            link.shutdown()  # it took so long that `open` gave up

    def _pause(self) -> None:
        """Read no more, until half of what our memory is full of is acknowledged."""
        # A kept session's backlog may come before the SUBACK: whoever waits for that must read on.
        if not self._answers and self._socket is not None:
            self._is_paused = True
            self._loop.remove_reader(self._socket.fileno())

    def _read_on(self) -> None:
        """Read again, if we had stopped because our memory was full."""
        if self._is_paused:
            self._is_paused = False
            self._watch()

    def _watch(self) -> None:
        link = self._client.socket()
        if isinstance(link, BufferedSocket):
            self._socket = link
            self._loop.add_reader(link.fileno(), self._on_readable)
            self._flush()
            if link.buffered():
                self._on_readable()

    def _unwatch(self, link: BufferedSocket) -> None:
        if link.fileno() >= 0 and not self._loop.is_closed():
            self._loop.remove_reader(link.fileno())
            self._loop.remove_writer(link.fileno())

    def _on_readable(self) -> None:
        link = self._socket
        while not self.is_over and not self._is_paused and link is not None:
            if not self._client.can_read_on():
                self.was_closed_by_broker = True
                self.abort()
                return
            if not link.buffered():
                break
        self._inbox.announce()
        self._confirmations.announce()
        self._flush()

    def _flush(self) -> None:
        """Hand paho's packets to the kernel; what it does not take goes when it is writable."""
        link = self._socket
        if link is None or self.is_over:
            return
        try:
            self._client.loop_write()
            is_done = link.flush()
        except OSError:
            self.abort()  # not only `_end`: a socket left to the loop would wake it for ever
            return
        if link.fileno() >= 0:
            if is_done:
                self._loop.remove_writer(link.fileno())
            else:
                self._loop.add_writer(link.fileno(), self._flush)

    async def _tick(self) -> None:
        """Send pings, notice silence, and end a connection that stayed paused for too long."""
        keepalive_s = self._settings.keepalive_s
        paused_s = silent_s = unpinged_s = 0.0
        while not self.is_over:
            await asyncio.sleep(1)
            link = self._socket
            if link is None:
                return
            paused_s = paused_s + 1 if self._is_paused else 0
            silent_s = 0 if self._is_paused or link.has_heard else silent_s + 1
            link.has_heard = False
            unpinged_s += 1
            if paused_s > keepalive_s / 2 or silent_s > keepalive_s:
                self.abort()  # the broker keeps the rest for the next connection
            elif unpinged_s >= keepalive_s / 2:
                unpinged_s = 0
                link.send(_PINGREQ)
                self._flush()

    def _end(self) -> None:
        self.is_over = True
        self._inbox.close()
        self._confirmations.close()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(self._lost())
                answer.exception()  # nobody may be waiting any more; that is no news
        self._answers.clear()
        if self._connack is not None and not self._connack.done():
            self._connack.set_exception(ConnectionError("the connection was closed"))
            self._connack.exception()

    def _on_connect(self, *event: Any) -> None:  # noqa: ANN401 - paho's signature
        _, _, flags, reason, _ = event
        if self._connack is not None and not self._connack.done():
            self._connack.set_result((bool(flags.session_present), reason))

    def _on_answer(self, *event: Any) -> None:  # noqa: ANN401
        _, _, packet_id, codes, _ = event
        answer = self._answers.pop(packet_id, None)
        if answer is not None and not answer.done():
            answer.set_result(codes)

    def _on_message(self, *event: Any) -> None:  # noqa: ANN401
        self._inbox.take(delivery_of(event[-1]))

    def _on_publish(self, *event: Any) -> None:  # noqa: ANN401
        _, _, packet_id, reason, _ = event
        self._confirmations.note(packet_id, reason)

    def _on_socket_close(self, *event: Any) -> None:  # noqa: ANN401
        self._unwatch(event[-1])

    def _lost(self) -> BrokerUnavailable:
        return connection_lost(self._settings, self.client_id)

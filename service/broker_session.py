"""Our session at the broker: may we use it, is it still there, does nobody else use our name."""

import asyncio
import time
from typing import Final

import structlog

from broker.envelopes import Outgoing
from broker.errors import BrokerRefused, BrokerUnavailable
from broker.link import Connection
from broker.settings import Settings
from service.pipeline import Pipeline
from service.vitals import Vitals

log = structlog.get_logger()

_RIGHTS_TIMEOUT_S: Final = 5.0
_ALIVE_TIMEOUT_S: Final = 1.0


class BrokerSession:
    """What a service looks at when it connects under a client id, and when it was disconnected."""

    def __init__(
        self, settings: Settings, pipeline: Pipeline, vitals: Vitals, client_id: str
    ) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._vitals = vitals
        self._client_id = client_id

    async def prove_rights(self, publisher: Connection) -> None:
        """Publish to a topic no machine can have and read it back.

        A broker whose ACL denies us says Granted and Success all the same, and a shared
        subscription would swallow its share of the results (measured). On the publisher, because
        the consumer may have a day's backlog in front of it.

        Raises:
            BrokerRefused: Nothing came back from a broker that confirms what we write.
            BrokerUnavailable: It is silent, or the connection is lost.
        """
        topic = self._pipeline.probe_topic(self._client_id)
        await publisher.subscribe(topic)
        await publisher.publish([Outgoing(topic, b"{}")])
        try:
            async with asyncio.timeout(_RIGHTS_TIMEOUT_S):
                proof = await publisher.next_batch()
        except TimeoutError as error:
            await publisher.publish([Outgoing(topic, b"{}")])  # a frozen broker is no refusal
            if publisher.pending_count:
                return
            user = self._settings.broker.login()
            raise BrokerRefused(
                f"the broker lets {user} not both write and read {topic}: results would be lost."
                " Grant the service's rights in the broker's ACL (docs/deploy/mosquitto.acl)."
            ) from error
        if not proof:
            raise BrokerUnavailable("the connection was lost before our proof of rights came back.")
        publisher.ack(proof)

    def look(self, *, is_present: bool) -> None:
        """Say that the broker has forgotten our queue, or that somebody took our name.

        Raises:
            BrokerRefused: Somebody certainly did.
        """
        is_gone = self._vitals.has_session and not is_present
        claim_count = self._pipeline.writer.claim_count
        if self._vitals.thefts.are_certain(time.monotonic(), claim_count, is_session_gone=is_gone):
            raise BrokerRefused(
                f"{self._client_id} is used by another client: it takes our messages from us."
                " End that client, or give it another client id; then start the service again."
            )
        if is_gone:
            self._vitals.session_was_lost()
            log.error(
                "session_lost",
                client_id=self._client_id,
                consequence="the broker has forgotten what it had not delivered",
                remedy="give the broker persistence (mosquitto.conf); agents repeat by themselves",
            )

    async def note_theft(self, consumer: Connection, publisher: Connection) -> None:
        """Note that we were thrown out, if the broker that closed our connection lives."""
        if not consumer.was_closed_by_broker:
            return
        try:
            async with asyncio.timeout(_ALIVE_TIMEOUT_S):
                await publisher.publish(
                    [Outgoing(self._pipeline.probe_topic(self._client_id), b"{}")]
                )
        except (BrokerUnavailable, TimeoutError):
            return
        log.warning(
            "thrown_out", client_id=self._client_id, reason="another client may use this id"
        )
        self._vitals.thefts.note(time.monotonic(), self._pipeline.writer.claim_count)

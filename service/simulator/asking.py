"""A simulated machine that asks before it runs: what is refused it does not send."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final

import orjson
import structlog
from pydantic import ValidationError

from broker.answers import Verdict
from broker.envelopes import Outgoing
from broker.link import Connection
from broker.topics import Channel, TopicTemplate
from service.simulator.life import Event, Message

ANSWER_TIMEOUT_S: Final = 2.0

log = structlog.get_logger(__name__)


class Asking:
    """The questions of one machine, over one connection after the other."""

    def __init__(self, template: TopicTemplate, line: str, machine_id: str) -> None:
        self._machine_id = machine_id
        self._check_topic = template.format(machine_id, Channel.CHECK, line=line)
        self._verdict_topic = template.format(machine_id, Channel.VERDICT, line=line)
        self._numbers = count(1)
        self._open: dict[str, asyncio.Future[Verdict]] = {}
        self._listening: asyncio.Task[None] | None = None

    async def listen(self, connection: Connection) -> None:
        """Hear verdicts on a new connection.

        Raises:
            BrokerUnavailable: It is lost meanwhile.
            BrokerRefused: The broker does not let the machine read them.
        """
        self.end()
        await connection.subscribe(self._verdict_topic)
        self._listening = asyncio.create_task(
            self._hear(connection), name=f"verdicts {self._machine_id}"
        )

    def end(self) -> None:
        """Hear no more."""
        if self._listening is not None:
            self._listening.cancel()

    async def allowed(self, connection: Connection, events: Sequence[Event]) -> list[Event]:
        """Return the events without the runs that are refused; unanswered ones are run.

        Raises:
            BrokerUnavailable: The connection was lost.
        """
        asked = {
            f"{self._machine_id}-{next(self._numbers)}": run
            for event in events
            if event.due_s >= 0
            for run in _runs(event)
        }
        refused = await self._refused(connection, asked)
        return [left for each in events if (left := _without(each, refused)) is not None]

    async def _refused(self, connection: Connection, asked: dict[str, Message]) -> list[Message]:
        loop = asyncio.get_running_loop()
        self._open = {request_id: loop.create_future() for request_id in asked}
        try:
            await connection.publish(
                [Outgoing(self._check_topic, _check(each, run)) for each, run in asked.items()]
            )
            if self._open:
                await asyncio.wait(self._open.values(), timeout=ANSWER_TIMEOUT_S)
            verdicts = {each: said.result() for each, said in self._open.items() if said.done()}
        finally:
            self._open = {}
        for verdict in verdicts.values():
            if not verdict.allowed:
                log.info("run_refused", machine_id=self._machine_id, reason=verdict.reason)
        return [asked[each] for each, verdict in verdicts.items() if not verdict.allowed]

    async def _hear(self, connection: Connection) -> None:
        while batch := await connection.next_batch():
            connection.ack(batch)
            for delivery in batch:
                with contextlib.suppress(ValidationError):
                    verdict = Verdict.model_validate_json(delivery.payload)
                    waiting = self._open.get(verdict.request_id)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(verdict)


def _runs(event: Event) -> Iterator[Message]:
    """Yield the runs that can be asked about; one without a barcode is the machine's mistake."""
    if isinstance(event.message, bytes):
        return
    messages = event.message if isinstance(event.message, list) else [event.message]
    yield from (each for each in messages if each["barcode"])


def _check(request_id: str, run: Message) -> bytes:
    procedure = run.get("procedure") or run["test_step"]
    unit = {"barcode": run["barcode"], "product_id": run["product_id"]}
    return orjson.dumps({"request_id": request_id, **unit, "procedure": procedure})


def _without(event: Event, refused: Sequence[Message]) -> Event | None:
    """Return an event without some of its runs; None: nothing is left."""
    if not any(run is each for run in _runs(event) for each in refused):
        return event
    if not isinstance(event.message, list):
        return None
    left = [run for run in event.message if not any(run is each for each in refused)]
    return event._replace(message=left) if left else None

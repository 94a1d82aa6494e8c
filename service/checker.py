"""Answers `check`: may this unit be run here? A part of every service process, apart from results.

It has its own connection, with a clean session: a check that waited while nobody was there is of no
use to anybody, and with the connection the broker forgets it. Nothing of it is ever in the way of a
result, while a result that a service had answered before a check is in its answer; and from a
service that is alone also what the broker had confirmed before it.
"""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Final, NamedTuple

import structlog

from broker.answers import Verdict
from broker.backoff import backoff_s
from broker.envelopes import Delivery, Outgoing
from broker.errors import BrokerRefused, BrokerUnavailable, StoreRefused, StoreUnavailable
from broker.link import Connection
from broker.messages import Check
from broker.outage import Outage, Refusals
from broker.settings import Settings
from broker.topics import Channel
from service.core.checks import BadCheck, read_check, verdict_topic
from service.core.routes import Permission
from service.pulse import Pulse
from service.store.database import Database
from service.store.queries.checks import Asked, answer_checks

log = structlog.get_logger()

_TOGETHER_MAX: Final = 200
_WAITING_MAX: Final = 2_000
"""Checks that wait for their answer; beyond it the oldest are given up."""
_WARNINGS_MAX: Final = 10  # a machine that asks wrongly does it always; its name once is enough
_AGAIN: Final = "Ask again in a moment."


class _Question(NamedTuple):
    at_s: float
    """When it arrived at the latest, by `time.monotonic`."""
    delivery: Delivery
    machine_id: str
    check: Check | BadCheck


class Checker:
    """Answers checks while there is a broker, until cancelled."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        pulse: Pulse,
        caught_up: Callable[[Connection], Awaitable[None]],
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            settings: Broker, topics, routes.
            database: What is asked.
            pulse: Counts the answers.
            caught_up: Waits until the results that came by now are stored; the connection of the
                checks may be used for that.

        Raises:
            SettingsError: A file that the subscription depends on cannot be read.
        """
        self._settings = settings
        self._database = database
        self._pulse = pulse
        self._caught_up = caught_up
        self._template = settings.template()
        self._filter = settings.filters(Channel.CHECK)[0]
        """Worked out once: secrets that are files may be gone when we connect again."""
        self._age_max_s = settings.service.check_age_max_s
        self._waiting: deque[_Question] = deque()
        self._something = asyncio.Event()
        self._awake_at_s = 0.0
        self._warned: set[str] = set()
        self._away = Outage("checks_unheard", "checks_heard")
        self._refusals = Refusals("verdicts_refused")

    async def run(self) -> None:
        """Connect, and connect again after losses."""
        attempt = 0
        broker = self._settings.broker
        with ThreadPoolExecutor(1, "checks") as worker:
            while True:
                try:
                    await self._one_connection(worker)
                    attempt = 0
                except (BrokerUnavailable, BrokerRefused) as error:
                    self._away.note(str(error))
                attempt += 1
                low_s, high_s = broker.retry_delay_min_s, broker.retry_delay_max_s
                await asyncio.sleep(backoff_s(attempt, low_s, high_s))

    async def _one_connection(self, worker: ThreadPoolExecutor) -> None:
        client_id = f"yieldline-check-{uuid.uuid4().hex[:8]}"
        protocol = self._settings.service.check_protocol
        connection = Connection(self._settings.broker, client_id, protocol=protocol)
        self._waiting.clear()
        self._awake_at_s = time.monotonic()
        try:
            await connection.open()
            await connection.subscribe(self._filter)
            log.info("answering_checks", client_id=client_id)
            self._away.over()
            async with asyncio.TaskGroup() as group:
                waking = group.create_task(self._stay_awake(connection), name="check clock")
                group.create_task(self._hear(connection), name="check hearing")
                await self._answer(connection, worker)
                waking.cancel()
        finally:
            await connection.close()

    async def _stay_awake(self, connection: Connection) -> None:
        """Notice that this process stood still: what waited with the broker meanwhile is old."""
        while not connection.is_over:
            await asyncio.sleep(min(1.0, self._age_max_s / 4))
            if time.monotonic() - self._awake_at_s > self._age_max_s / 2:
                connection.abort()
            self._awake_at_s = time.monotonic()

    async def _hear(self, connection: Connection) -> None:
        """Take checks as they come: only then is their age known."""
        while batch := await connection.next_batch():
            connection.ack(batch)
            for delivery in batch:
                self._take(delivery)
            self._something.set()
        self._something.set()

    def _take(self, delivery: Delivery) -> None:
        topic = self._template.parse(delivery.topic)
        if topic is None or delivery.retained:
            self._refuse_to_hear(delivery.topic, "a check is not retained, and names its machine")
            return
        check = read_check(delivery.payload, topic)
        if isinstance(check, BadCheck):
            self._refuse_to_hear(delivery.topic, check.reason)
            if check.request_id is None:
                return
        if len(self._waiting) >= _WAITING_MAX:
            self._waiting.popleft()
            self._pulse.checks["late"] += 1
        # Not the time of now: if the process stood still, it may have come just after it began to.
        self._waiting.append(_Question(self._awake_at_s, delivery, topic.machine_id, check))

    def _refuse_to_hear(self, topic: str, reason: str) -> None:
        self._pulse.checks["invalid"] += 1
        if topic not in self._warned and len(self._warned) < _WARNINGS_MAX:
            self._warned.add(topic)
            log.warning("check_not_understood", topic=topic, reason=reason)

    async def _answer(self, connection: Connection, worker: ThreadPoolExecutor) -> None:
        while not connection.is_over:
            self._something.clear()
            while questions := self._fresh():
                try:
                    answers = await self._verdicts(questions, connection, worker)
                    refused = await connection.publish(answers)
                except BrokerUnavailable:
                    return
                self._refusals.note(refused)
            await self._something.wait()

    def _fresh(self) -> list[_Question]:
        """Take the next questions; those that are too old by now are given up."""
        oldest_s = time.monotonic() - self._age_max_s
        questions: list[_Question] = []
        while self._waiting and len(questions) < _TOGETHER_MAX:
            question = self._waiting.popleft()
            if question.at_s < oldest_s:
                self._pulse.checks["late"] += 1
            else:
                questions.append(question)
        return questions

    async def _verdicts(
        self, questions: Sequence[_Question], connection: Connection, worker: ThreadPoolExecutor
    ) -> list[Outgoing]:
        asked = [
            Asked(each.check.barcode, each.check.product_id, each.check.procedure, each.machine_id)
            for each in questions
            if isinstance(each.check, Check)
        ]
        found = iter(await self._ask(asked, connection, worker))
        now = datetime.now(UTC)
        answers = []
        for each in questions:
            check = each.check
            if isinstance(check, BadCheck):
                permission = Permission("", allowed=False, reason=check.reason)
            else:
                permission = next(found)
                self._pulse.checks["allowed" if permission.allowed else "refused"] += 1
            answers.append(self._verdict(each, permission, now))
        return answers

    async def _ask(
        self, asked: list[Asked], connection: Connection, worker: ThreadPoolExecutor
    ) -> list[Permission]:
        """Ask the database; while it is away nobody may be run: nobody knows.

        Raises:
            BrokerUnavailable: The connection is lost.
        """
        if not asked:
            return []
        work = partial(answer_checks, self._database, self._settings, asked)
        try:
            async with asyncio.timeout(self._age_max_s / 2):
                await self._caught_up(connection)
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(worker, work)
        except TimeoutError:
            reason = f"Results that came before are not all stored yet. {_AGAIN}"
        except (StoreUnavailable, StoreRefused):  # the batches say why
            reason = f"Nobody can tell while the database is away. {_AGAIN}"
        return [Permission(each.procedure, allowed=False, reason=reason) for each in asked]

    def _verdict(self, question: _Question, permission: Permission, now: datetime) -> Outgoing:
        delivery = question.delivery
        request_id = question.check.request_id
        assert request_id is not None  # else it was not taken
        verdict = Verdict(
            request_id=request_id,
            allowed=permission.allowed,
            reason=permission.reason,
            answered_at=now,
        )
        topic = verdict_topic(
            self._template, delivery.topic, question.machine_id, delivery.response_topic
        )
        payload = verdict.model_dump_json().encode()
        return Outgoing(topic, payload, correlation=delivery.correlation)

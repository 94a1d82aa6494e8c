"""From the live hub to the browsers: result topics -> floor model -> one frame a tick.

One model and one tick for the whole process, whatever the number of viewers. A frame is encoded
once for all who watch the same view. A browser gets one only when it has given credit: painted the
last one, and visible. Who missed some gets the whole view instead of the changes: newest wins.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from time import perf_counter
from typing import Any, Final

import structlog
from nicegui import Client, core
from pydantic import ValidationError

from broker.answers import Rejection, Result
from broker.errors import StoreRefused, StoreUnavailable, YieldlineError
from broker.feed import LiveMessage
from broker.messages import State
from broker.outage import Outage, Repeats
from broker.topics import Channel, Topic
from service.store.queries.alerts import alert_pulse, list_living
from service.store.queries.health import books
from service.store.queries.pages_status import read_status
from ui.alert_view import alert_cards, cards_of, floor_alerts
from ui.books import add_up, balance_all
from ui.floor_earlier import keep_whole
from ui.floor_model import FloorModel
from ui.floor_seed import seed
from ui.floor_view import Frame, floor_changes, floor_frame, line_part
from ui.lag import Lag
from ui.live_pages import may_watch
from ui.machine_view import machine_frame
from ui.meter import AgentWord, FeedFacts, Meter
from ui.state import AppState
from ui.status_line import StoredStatus, status_line
from ui.stored_facts import keep_stored_facts
from ui.viewers import Viewers
from ui.views import is_view, line_of, machine_and_step
from ui.watched_steps import WatchedSteps

log = structlog.get_logger()

TICK_S: Final = 0.25
HEARTBEAT_S: Final = 1.0
STATUS_S: Final = 2.0
PENDING_MAX: Final = 50_000
FRAME_EVENT: Final = "yieldline_frame"
CREDIT_EVENT: Final = "yieldline_credit"


@dataclass(frozen=True)
class _Tick:
    """What happened since the tick before."""

    model: FloorModel
    changed: set[str]
    new_runs: int
    now_s: float

    @cached_property
    def floor(self) -> Frame:
        """The changes of the floor: worked out once, for the viewers of all lines."""
        if not self.changed:
            return {}
        return floor_changes(self.model, self.changed, self.new_runs, self.now_s)


class Feed:
    """The live path of this web process. `running` keeps it going."""

    def __init__(self, state: AppState) -> None:
        self.state = state
        self.model = self._new_model()
        self.rail: list[dict[str, Any]] = []
        """What stands in the rail of every page; the registry of the pages says it."""
        self.number = 0
        """Of the newest frame."""
        self.seeded_at: datetime | None = None
        self._database_away = Outage("database_lost", "database_back")
        self._ignored = Repeats()
        """What was not in the contract's form, by channel and machine."""
        self._stored = StoredStatus()
        self._cards: list[Frame] = []
        """What rings, as the pages show it."""
        self._has_new_cards = False
        """They changed since the last frame."""
        self._steps = WatchedSteps(state.settings.plant.is_golden)
        self._pending: deque[LiveMessage] | None = None
        """What arrives while the database is read; None: nothing is being read."""
        self._lag = Lag()
        """From the service's hand to ours: judged, stored, published, shown."""
        self._taken = 0
        self._meter = Meter()
        self._viewers = Viewers(self._meter)
        self._heart_s = 0.0
        self._is_rebuilt = False
        """The model was replaced: changes since the last frame would not add up."""

    def _new_model(self) -> FloorModel:
        settings = self.state.settings
        plant, products, now = settings.plant, settings.products, datetime.now(UTC)
        return FloorModel(plant, now, settings.machines, settings.lines, products=products)

    # Life

    async def run(self) -> None:
        """Keep the model and the viewers up to date until cancelled."""
        stop_listening = self.state.live.listen(self._on_messages)
        core.sio.on(CREDIT_EVENT, self._on_credit)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_seeded(), name="floor seed")
                for keep in (keep_whole, keep_stored_facts):
                    work = keep(self.state.database, lambda: self.model, self._database_away)
                    tasks.create_task(work, name=keep.__name__)
                tasks.create_task(self._keep_status(), name="status line")
                tasks.create_task(self._keep_ticking(), name="floor frames")
        finally:
            stop_listening()

    async def _keep_seeded(self) -> None:
        """Rebuild the model at start, and whenever messages may have been missed.

        Also when too many wait: a machine that was too busy to take them in would show what was
        true minutes ago, and the database knows what is true now.
        """
        while True:
            live = self.state.live
            if self._lag.is_behind:
                log.warning("floor_behind", lag_s=self._lag.usual_s, remedy="reads it anew")
                self._lag.restart()
                live.renew()
            is_new = self.seeded_at is None or (live.connected and live.changed_at > self.seeded_at)
            if is_new:
                await self._seed()
            await asyncio.sleep(TICK_S)

    async def _seed(self) -> None:
        self._pending = deque(maxlen=PENDING_MAX)
        begun_at = datetime.now(UTC)
        model = self._new_model()
        self.model.forget_units()  # a busy shift's fill a hundred megabytes: once is enough
        try:
            await asyncio.to_thread(seed, self.state.database, model)
        except (StoreUnavailable, StoreRefused) as error:
            self._database_away.note(str(error))
            self._replay(self.model)
            await asyncio.sleep(STATUS_S)
            return
        is_whole = len(self._pending) < PENDING_MAX  # else some was dropped: read it once more
        self._keep_states(model)
        self._replay(model)
        self.model, self._is_rebuilt = model, True
        self.seeded_at = begun_at if is_whole else None
        log.info("floor_seeded", machines=len(model.machines), runs=model.taken)

    def _keep_states(self, model: FloorModel) -> None:
        """Carry over what is not in the seed: who is online, agents' words, what retests took."""
        if model.start_s == self.model.start_s:
            model.retest_times = self.model.retest_times
            model.program_changes = self.model.program_changes
        for old in self.model.machines.values():
            machine = model.machine(old.machine_id, old.line)
            if machine is not None:
                machine.online_s, machine.offline_s = old.online_s, old.offline_s
                machine.agent, machine.agent_s = old.agent, old.agent_s
                machine.skew_s = old.skew_s

    def _replay(self, model: FloorModel) -> None:
        pending, self._pending = self._pending, None
        for message in pending or ():
            self._take(model, message)

    async def _keep_status(self) -> None:
        while True:
            try:
                self._stored.books = await asyncio.to_thread(self._read_books, self._agents())
                status = await asyncio.to_thread(read_status, self.state.database)
                self._stored.facts = status
                await self._read_alerts()
                self._stored.trouble = None
                self._stored.answered_s = datetime.now(UTC).timestamp()
                self._database_away.over()
                self._meter.pings_ms.append(status.database_ms)
            except YieldlineError as error:
                self._stored.trouble = str(error)
                self._database_away.note(str(error))
            await asyncio.sleep(STATUS_S)

    async def _read_alerts(self) -> None:
        """Ask what rings, once for all viewers; the list only when something changed."""
        pulse = await asyncio.to_thread(alert_pulse, self.state.database)
        if pulse != self._stored.alerts:
            living = await asyncio.to_thread(self._living_cards)
            before, self._cards = self._cards, living
            about = {card["machine"] for card in (*before, *self._cards)}
            self.model.dirty |= about & self.model.machines.keys()
            self._has_new_cards = True
        self._stored.alerts = pulse

    def _living_cards(self) -> list[Frame]:
        """Blocks; it sorts as many as live, which may be one a machine."""
        return alert_cards(list_living(self.state.database))

    def _read_books(self, agents: Sequence[AgentWord]) -> Mapping[str, Any]:
        """Blocks. What agents said is older than what the database answers: it has no more then."""
        told = {agent.machine_id: agent.facts for agent in agents}
        return add_up(balance_all(books(self.state.database), told))

    # What arrives

    def _on_messages(self, messages: Sequence[LiveMessage]) -> None:
        if self._pending is not None:
            self._pending.extend(messages)
            return
        for message in messages:
            self._take(self.model, message)

    def _take(self, model: FloorModel, message: LiveMessage) -> None:
        channel, topic = message.topic.channel, message.topic
        try:
            if channel is Channel.RESULT and not message.retained:
                result = Result.model_validate_json(message.payload)
                if model.apply(result):
                    self._steps.take(result)
                    self._lag.note((datetime.now(UTC) - result.received_at).total_seconds())
            elif channel is Channel.STATE and message.payload:
                state = State.model_validate_json(message.payload)
                now = datetime.now(UTC)
                model.apply_state(
                    topic.machine_id, topic.line, state, now, retained=message.retained
                )
            elif channel is Channel.REJECTED and not message.retained:
                model.apply_rejected(Rejection.model_validate_json(message.payload))
        except ValidationError as error:
            # Anyone may publish anything: what is not in the contract's form is not shown.
            self._note_ignored(topic, error.error_count())

    def _note_ignored(self, topic: Topic, error_count: int) -> None:
        channel = topic.channel.value
        if self._ignored.is_worth_a_line(f"{channel} {topic.machine_id}"):
            log.warning(
                "live_message_ignored",
                machine_id=topic.machine_id,
                channel=channel,
                errors=error_count,
                count=self._ignored.count,
            )

    # What leaves

    async def _on_credit(self, socket_id: str, message: Any) -> None:  # noqa: ANN401 - from a browser
        """A browser has painted a frame, or shows a view anew."""
        if not isinstance(message, dict):
            return
        client_id, view = str(message.get("client_id")), str(message.get("view"))
        seen = message.get("seen")
        if client_id not in core.sio.rooms(socket_id) or not isinstance(seen, int):
            return
        if not is_view(view) or not may_watch(client_id, view):
            return
        if self._viewers.give_credit(client_id, view, seen):
            machine_id, step = machine_and_step(view)
            if step:
                self._steps.watch(machine_id)

    async def _keep_ticking(self) -> None:
        while True:
            begun_s = perf_counter()
            await asyncio.sleep(TICK_S)
            self._meter.late_ms.append((perf_counter() - begun_s - TICK_S) * 1000)
            await self._tick(datetime.now(UTC))

    async def _tick(self, now: datetime) -> None:
        model, now_s = self.model, now.timestamp()
        is_new = model.roll(now) or self._is_rebuilt
        changed = model.drain()
        if not changed and not is_new and now_s - self._heart_s < HEARTBEAT_S:
            return
        self._heart_s, self._is_rebuilt = now_s, False
        before, self.number = self.number, self.number + 1
        new_runs, self._taken = model.taken - self._taken, model.taken
        self._viewers.keep_only(Client.instances)
        self._steps.keep_only({machine_and_step(view)[0] for view in self._viewers.views})
        begun_s = perf_counter()
        tick = _Tick(model, changed, new_runs, now_s)
        for (view, is_current), client_ids in self._viewers.take_ready(
            -1 if is_new else before
        ).items():
            frame = self._changes(view, tick) if is_current else None
            frame = frame if frame is not None else self._whole(view, now_s)
            await self._send(frame, client_ids, base=before if is_current else None)
        self._has_new_cards = False
        self._meter.frame_ms.append((perf_counter() - begun_s) * 1000)

    async def _send(self, frame: Frame, client_ids: list[str], base: int | None) -> None:
        frame |= {"number": self.number, "base": base}
        await core.sio.emit(FRAME_EVENT, frame, to=client_ids)

    def frame(self, view: str) -> Frame:
        """Return a whole view, for the page that is being built."""
        whole = self._whole(view, datetime.now(UTC).timestamp())
        return whole | {"number": self.number, "base": None}

    def _whole(self, view: str, now_s: float) -> Frame:
        frame: Frame = {"at": now_s, "status": self.status(now_s)}
        if (line := line_of(view)) is not None:
            of_line = line_part(self.model, line, now_s) if line else {}
            cards = floor_alerts(self._cards, line)
            return frame | floor_frame(self.model, now_s) | of_line | cards
        machine_id, step = machine_and_step(view)
        if machine := self.model.machines.get(machine_id):
            frame |= machine_frame(self.model, machine, now_s)
            frame["alerts"] = cards_of(self._cards, machine_id)
            frame["values"] = self._steps.values(machine_id, step) if step else []
        return frame

    def _changes(self, view: str, tick: _Tick) -> Frame | None:
        """Return the changes of a view; None: send it whole."""
        frame: Frame = {"at": tick.now_s, "status": self.status(tick.now_s)}
        if (line := line_of(view)) is not None:
            cards = floor_alerts(self._cards, line) if self._has_new_cards else {}
            of_line = line_part(self.model, line, tick.now_s) if line and tick.changed else {}
            return frame | cards | tick.floor | of_line
        if machine_and_step(view)[0] in tick.changed:
            return None
        return frame

    def status_of(self, machine_id: str) -> str:
        """Return live, stale, offline or never of a machine; unknown: nobody has heard of it."""
        machine = self.model.machines.get(machine_id)
        if machine is None:
            return "unknown"
        return self.model.status(machine, datetime.now(UTC).timestamp())

    def agent_of(self, machine_id: str) -> Mapping[str, object] | None:
        """Return what a machine's agent last said of itself; None: nothing."""
        machine = self.model.machines.get(machine_id)
        return machine.agent if machine else None

    def facts(self) -> FeedFacts:
        """Return how the feed does, and what agents last said."""
        meter = self._meter
        return FeedFacts(
            len(self._viewers),
            meter.frames,
            meter.skipped,
            list(meter.frame_ms),
            list(meter.late_ms),
            list(meter.pings_ms),
            self._agents(),
        )

    def _agents(self) -> list[AgentWord]:
        now_s = datetime.now(UTC).timestamp()
        return [
            AgentWord(
                machine.machine_id,
                machine.line,
                self.model.status(machine, now_s),
                machine.agent,
                machine.agent_s,
                is_offline=machine.offline_s is not None,
                skew_s=machine.skew_s,
            )
            for machine in tuple(self.model.machines.values())  # also from other threads
            if machine.agent
        ]

    def status(self, now_s: float) -> Frame:
        """Return the status line and the pulse: also what is not well, in words."""
        live, lag_s = self.state.live, self._lag.usual_s
        return status_line(live, self.model, self._stored, lag_s=lag_s, now_s=now_s)

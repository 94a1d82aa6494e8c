"""The life of a simulated floor, as a stream of what its machines send.

Pure: no I/O, no clock. The same life and options give the same events: values, order, delays.
All times are offsets in seconds from the start.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random
from typing import Final, NamedTuple

from broker.topics import Channel
from service.simulator.life import Event, Life, Message
from service.simulator.plant import Line, Machine, Shape, Window, machines, plant
from service.simulator.tester import Attempt, Unit, run_test, spoil

HISTORY_RUNS_MAX: Final = 3_000
ATTEMPTS_MAX: Final = 3
_WARM_UP_S: Final = 120.0
"""Before the first event, so that every machine has units from the start."""
_FULL_RATE_S: Final = 60.0
"""The way through the longest line: so long before the start units enter at the live rate."""
_RETESTS_SHARE: Final = 0.05
_LONG_AGO_S: Final = -1e9


@dataclass(slots=True)
class _Post:
    """One machine at work."""

    line: Line
    machine: Machine
    free_at_s: dict[str, float]
    """By fixture."""
    sent: int = field(default=0)


class _Visit(NamedTuple):
    """Units in a fixture: one, or the boards of a panel."""

    units: tuple[Unit, ...]
    stage: int
    post: _Post
    attempt: Attempt


class Floor:
    """The floor's life, used once: iterate over `events()`."""

    def __init__(self, life: Life, *, lines: int = 3, history_s: float = 0.0) -> None:
        """Lay out the floor.

        Args:
            life: Seed and start.
            lines: How many lines, 1 to 9.
            history_s: Seconds of the floor before the start; thinned to at most 3,000 runs.
        """
        self._life = life
        self._random = Random(life.seed)  # noqa: S311 - a simulation keeps no secret
        self._lines = plant(lines)
        self._history_s = history_s
        self._thin = _thinning(self._lines, history_s)
        self._posts = {
            machine.machine_id: _Post(line, machine, dict.fromkeys(machine.fixtures, _LONG_AGO_S))
            for line, machine in machines(self._lines)
        }
        prefixes = {line.barcode_prefix for line in self._lines}
        self._serials = {each: count(life.first_serial(each)) for each in prefixes}
        self._order = count()
        self._agenda: list[tuple[float, int, Callable[[float], Sequence[Event]]]] = []

    def events(self) -> Iterator[Event]:
        """Yield what the machines send, by due time, without end; history first."""
        for line in self._lines:
            first_s = self._random.uniform(0, line.takt_s) - self._history_s - _WARM_UP_S
            self._at(first_s, partial(self._enter, line))
        for post in self._posts.values():
            window = post.machine.troubles.offline
            if window:
                self._at(window.first_s, partial(self._go_offline, post, window))
        while True:
            at_s, _, action = heapq.heappop(self._agenda)
            yield from action(at_s)

    def _at(self, at_s: float, action: Callable[[float], Sequence[Event]]) -> None:
        heapq.heappush(self._agenda, (at_s, next(self._order), action))

    def _enter(self, line: Line, at_s: float) -> Sequence[Event]:
        """Let a unit, or a panel of them, begin its way."""
        wait_s = line.takt_s * self._random.uniform(0.8, 1.2)
        if at_s < -_FULL_RATE_S:
            # The last wait of the thinned history must not reach into the live part.
            wait_s = min(wait_s * self._thin, max(wait_s, -_FULL_RATE_S - at_s))
        self._at(at_s + wait_s, partial(self._enter, line))
        serials = [next(self._serials[line.barcode_prefix]) for _ in range(line.boards)]
        panel_id = self._life.barcode(f"{line.barcode_prefix}P", serials[0])
        units = [
            Unit(
                self._life.barcode(line.barcode_prefix, serial),
                {"id": panel_id, "position": position} if line.boards > 1 else None,
            )
            for position, serial in enumerate(serials, 1)
        ]
        self._reach(line, units, 0, at_s)
        return ()

    def _reach(self, line: Line, units: Sequence[Unit], stage: int, at_s: float) -> None:
        """Let units come to a stage: a panel as a whole, else each by itself."""
        if line.stages[stage][0].shape is Shape.PANEL:
            self._begin(line, tuple(units), stage, at_s)
        else:
            for unit in units:
                self._begin(line, (unit,), stage, at_s)

    def _begin(
        self,
        line: Line,
        units: tuple[Unit, ...],
        stage: int,
        at_s: float,
        *,
        number: int = 1,
    ) -> None:
        """Put units into the fixture that has been free for longest, or will be first."""
        post, fixture = min(
            (
                (self._posts[machine.machine_id], fixture)
                for machine in line.stages[stage]
                for fixture in machine.fixtures
            ),
            key=lambda place: place[0].free_at_s[place[1]],
        )
        began_s = max(at_s, post.free_at_s[fixture])
        taken_s = post.machine.cycle_s * self._random.uniform(0.85, 1.15)
        window = post.machine.troubles.offline
        if window and (window.holds(began_s) or window.holds(began_s + taken_s)):
            began_s = window.end_s(began_s + taken_s) + self._random.uniform(1.0, 3.0)
        ended_s = began_s + taken_s
        post.free_at_s[fixture] = ended_s + 0.5
        attempt = Attempt(line, post.machine, fixture, number, began_s, ended_s)
        self._at(ended_s, partial(self._finish, _Visit(units, stage, post, attempt)))

    def _finish(self, visit: _Visit, at_s: float) -> Sequence[Event]:
        """Let the units have their results: the good go on, the others are tested again."""
        line, attempt = visit.attempt.line, visit.attempt
        runs = [run_test(unit, attempt, self._life, self._random) for unit in visit.units]
        results = list(zip(visit.units, runs, strict=True))
        good = [unit for unit, run in results if run["reported_outcome"] == "PASS"]
        failed = tuple(unit for unit, run in results if run["reported_outcome"] != "PASS")
        if failed and attempt.number < ATTEMPTS_MAX:
            self._begin(line, failed, visit.stage, at_s + 1.0, number=attempt.number + 1)
        if good and visit.stage + 1 < len(line.stages):
            self._reach(line, good, visit.stage + 1, at_s + self._random.uniform(0.5, 1.5))
        silent = attempt.machine.troubles.silent
        if at_s < -self._history_s or (silent and silent.holds(at_s)):
            return ()
        return self._send(visit.post, runs, at_s)

    def _send(self, post: _Post, runs: list[Message], at_s: float) -> Sequence[Event]:
        machine = post.machine
        event = partial(Event, at_s, post.line.name, machine.machine_id, Channel.TEST)
        if machine.shape is Shape.FLAT:
            return [event(run) for run in runs]
        for run in runs:
            post.sent += 1
            run["sequence"] = {"epoch": self._life.epoch, "seq": post.sent}
            run["message_id"] = f"{machine.machine_id}-{self._life.epoch}-{post.sent:06}"
        if machine.shape is Shape.PANEL:
            return [event(runs)]
        events = [event(run) for run in runs]
        share = machine.troubles.bad_message_share
        if share and self._random.random() < share:
            events.insert(0, event(spoil(runs[0], self._random)))  # and then once more, well
        return events

    def _go_offline(self, post: _Post, window: Window, at_s: float) -> Sequence[Event]:
        self._at(at_s + window.length_s, partial(self._come_back, post))
        self._at(at_s + window.every_s, partial(self._go_offline, post, window))
        return [self._state(post, "offline", at_s)]

    def _come_back(self, post: _Post, at_s: float) -> Sequence[Event]:
        return [self._state(post, "online", at_s)]

    def _state(self, post: _Post, status: str, at_s: float) -> Event:
        message = self._life.state(status, self._life.moment(at_s))
        return Event(at_s, post.line.name, post.machine.machine_id, Channel.STATE, message)


def _thinning(lines: Sequence[Line], history_s: float) -> float:
    """Return by how much the waits of the history are longer, so that it stays in its bound."""
    runs_a_second = sum(len(each.stages) * each.boards / each.takt_s for each in lines)
    runs_a_second *= 1 + _RETESTS_SHARE
    room = HISTORY_RUNS_MAX - _FULL_RATE_S * runs_a_second
    return max(1.0, (history_s - _FULL_RATE_S) * runs_a_second / room)

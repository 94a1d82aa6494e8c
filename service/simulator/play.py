"""The simulated floor against a real broker, event by event as each is due."""

import asyncio
import secrets
import time
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from broker.errors import SettingsError, YieldlineError
from broker.settings import Settings
from service.simulator.floor import Floor
from service.simulator.life import Event, Life, first_runs
from service.simulator.machine_link import MachineLink
from service.simulator.plant import LINES_MAX, machines, plant

GOODBYE_S: Final = 2.0
HISTORY_MINUTES_MAX: Final = 7 * 24 * 60
_CHUNK_COUNT: Final = 100
_CHUNK_S: Final = 0.1
"""A thousand a second at most: a broker drops what a slow subscriber leaves in its queue."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """What kind of floor, and for how long.

    Raises:
        SettingsError: A value is out of its range.
    """

    seed: int | None = None
    """The same seed is the same floor; None: another one each time."""
    speed: float = 1.0
    """Seconds of the floor in one second of the clock, 0.01 to 1,000."""
    runs: int | None = None
    """Stop after so many runs, history included; None: go on."""
    lines: int = 3
    """1 to 9; some 1.6 runs a second each."""
    history_minutes: float = 0.0
    """Publish so much of the past first, thinned to at most 3,000 runs."""
    check: bool = False
    """Machines ask before each run, and send none that is refused."""

    def __post_init__(self) -> None:
        checks = (
            ("--seed", 0 if self.seed is None else self.seed, 0, 2**32),
            ("--speed", self.speed, 0.01, 1_000),
            ("--runs", 1 if self.runs is None else self.runs, 1, 10**9),
            ("--lines", self.lines, 1, LINES_MAX),
            ("--history", self.history_minutes, 0, HISTORY_MINUTES_MAX),
        )
        for flag, value, low, high in checks:
            if not low <= value <= high:
                raise SettingsError(f"{flag} {value} is out of range. Use {low} to {high}.")


async def simulate(options: SimulateOptions, settings: Settings, stop: asyncio.Event) -> None:
    """Run the floor until `stop`, or until the broker has all the runs that were asked for.

    A broker that is away is waited for. At the end every machine says `offline`.

    Raises:
        BrokerRefused: The broker refuses the login.
        SettingsError: The broker's password cannot be read.
    """
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    life = Life(seed, datetime.now(UTC), options.speed)
    history_s = options.history_minutes * 60 * options.speed
    events: Iterable[Event] = Floor(life, lines=options.lines, history_s=history_s).events()
    if options.runs is not None:
        events = first_runs(iter(events), options.runs)
    away: set[str] = set()
    links = {
        machine.machine_id: MachineLink(
            settings, line.name, machine.machine_id, life, away, asks=options.check
        )
        for line, machine in machines(plant(options.lines))
    }
    log.info("floor_started", seed=seed, machines=len(links), speed=options.speed)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_unless(stop, _play(events, links, life.speed)), name="floor")
            for name, link in links.items():
                group.create_task(_attend(link, stop), name=f"machine {name}")
    except ExceptionGroup as errors:
        ours = errors.subgroup(YieldlineError)
        raise (ours or errors).exceptions[0] from errors
    log.info("floor_stopped")


async def _play(events: Iterable[Event], links: Mapping[str, MachineLink], speed: float) -> None:
    began_s = time.monotonic()
    past = 0
    for event in events:
        if event.due_s < 0:
            past += 1
            if past % _CHUNK_COUNT == 0:
                # In time order over all machines, as far as a hundred messages blur it.
                await asyncio.gather(
                    asyncio.sleep(_CHUNK_S), *map(MachineLink.emptied, links.values())
                )
        else:
            await asyncio.sleep(max(0.0, event.due_s / speed - (time.monotonic() - began_s)))
        await links[event.machine_id].hand(event)
    for link in links.values():
        link.finish()


async def _attend(link: MachineLink, stop: asyncio.Event) -> None:
    """Run one machine to its end; even then it does not hold up the others for long."""
    await _unless(stop, link.run())
    try:
        async with asyncio.timeout(GOODBYE_S):
            await link.say_goodbye()
    except TimeoutError:
        log.warning("broker_silent", action="left without a goodbye")


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do the work, or drop it when `stop` is set."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait([working])
    if not working.cancelled():
        working.result()

"""P10: what more service processes add: a second one, and as many as there are cores."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Final, NamedTuple

import psutil

from tests.benchmarks.costs import spent_s
from tests.benchmarks.figures import Figure, Yardstick
from tests.benchmarks.load import Message, flat_results, take
from tests.benchmarks.parts import Plant, plant
from tests.benchmarks.quota import limited
from tests.benchmarks.throughput import until_receipted
from tests.support.processes import YIELDLINE, Process

NOTES: Final = (
    (
        "**P10**: as P1, with several service processes on one broker and one PostgreSQL; beside"
        " them a plant with a single one, in the same rounds. Each process more takes a core, and"
        " its session at the database a part of one: where fewer are free while one process is at"
        " work with its broker, its database and the sender, the row says so and no target applies."
    ),
    (
        "**P10, at a quarter of a core each**: the same two plants while the kernel gives each"
        " service process no more than that, so that two find a broker and a database with room, as"
        " they would on more cores. It tells what two processes keep each other from, and not how"
        " far one broker or one database goes. It takes Linux and root."
    ),
)
_COUNT: Final = 20_000
_SHARE: Final = 0.25
_COUNT_LIMITED: Final = 6_000
"""Takes one process at a quarter of a core as long as the others at a whole one."""
_FLOOR, _GOAL = 1.5, 1.9
"""Of two processes, in rates of one."""


class _Round(NamedTuple):
    rate: float
    busy_cores: float
    """Of the whole machine."""
    database_share: float
    """Of the database's processor time, in the service's."""


class _Site(NamedTuple):
    place: Plant
    services: Sequence[Process]
    messages: Iterator[Message]


def replicas(rounds: int) -> Iterator[Figure]:
    """Measure P10."""
    cores = os.cpu_count() or 1
    counts = sorted({1, 2, cores})
    with contextlib.ExitStack() as stack:
        sites = {count: stack.enter_context(_site_of(count)) for count in counts}
        yield from _with_whole_cores(sites, rounds, cores)
        limits = [stack.enter_context(limited(sites[n].services, _SHARE)) for n in (1, 2)]
        if all(limits):
            yield _with_a_share_each(sites, rounds)


def _with_whole_cores(sites: Mapping[int, _Site], rounds: int, cores: int) -> Iterator[Figure]:
    seen = _rounds_of(sites, rounds, _COUNT)
    alone = seen[1]
    rate = median(each.rate for each in alone)
    free = cores - median(each.busy_cores for each in alone)
    for count in sorted(sites)[1:]:
        needed = (count - 1) * (1 + median(each.database_share for each in alone))
        what, has_room = f"flat results through {count} service processes", free >= needed
        if not has_room:
            what += f" (they need {needed:.1f} cores more than one, {free:.1f} of {cores} are free)"
        targets = (_FLOOR * rate, _GOAL * rate) if has_room and count == 2 else (None, None)
        yield _figure(what, seen[count], Yardstick("one process", _rates(alone)), targets)


def _with_a_share_each(sites: Mapping[int, _Site], rounds: int) -> Figure:
    seen = _rounds_of({count: sites[count] for count in (1, 2)}, rounds, _COUNT_LIMITED)
    yardstick = Yardstick("one process at a quarter", _rates(seen[1]))
    rate = median(yardstick.values)
    what = "flat results through 2 service processes at a quarter of a core each"
    return _figure(what, seen[2], yardstick, (_FLOOR * rate, _GOAL * rate))


def _figure(
    what: str,
    seen: Sequence[_Round],
    yardstick: Yardstick,
    targets: tuple[float | None, float | None],
) -> Figure:
    floor, goal = targets
    values = _rates(seen)
    return Figure("P10", what, "PostgreSQL", "/s", values, yardstick, floor, goal, is_rate=True)


def _rates(seen: Sequence[_Round]) -> list[float]:
    return [each.rate for each in seen]


def _rounds_of(sites: Mapping[int, _Site], rounds: int, size: int) -> dict[int, list[_Round]]:
    """Measure each site in turn, so many rounds after one that warms up."""
    seen: dict[int, list[_Round]] = {count: [] for count in sites}
    for _ in range(rounds + 1):
        for count, site in sites.items():
            seen[count].append(_measured(site.place, take(site.messages, size)))
    return {count: found[1:] for count, found in seen.items()}


@contextlib.contextmanager
def _site_of(count: int) -> Iterator[_Site]:
    """Start a plant with so many service processes."""
    with plant("PostgreSQL") as place, contextlib.ExitStack() as stack:
        environment = {
            "YIELDLINE_BROKER__PORT": str(place.mqtt_port),
            "YIELDLINE_DATABASE__URL": place.url,
        }
        services = [place.service]
        for _ in range(count - 1):
            more = Process([YIELDLINE, "service"], environment=environment, directory=place.folder)
            services.append(stack.enter_context(more))
            more.wait_for("connected", 30)
        yield _Site(place, services, flat_results())


def _measured(place: Plant, messages: Sequence[Message]) -> _Round:
    parts = {"service": place.service}
    before = spent_s(parts)
    psutil.cpu_percent()
    until_s = until_receipted(place, messages, window=4_000)
    busy = psutil.cpu_percent() / 100 * (os.cpu_count() or 1)
    after = spent_s(parts)
    spent = {part: after[part] - before[part] for part in after}
    return _Round(len(messages) / until_s, busy, spent["database"] / spent["service"])

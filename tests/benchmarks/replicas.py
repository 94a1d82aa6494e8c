"""P10: what more service processes add: a second one, and as many as there are cores."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final, NamedTuple

import psutil

from tests.benchmarks.costs import spent_s
from tests.benchmarks.figures import Figure, Yardstick
from tests.benchmarks.load import Message, flat_results, take
from tests.benchmarks.parts import Plant, plant
from tests.benchmarks.throughput import until_receipted
from tests.support.processes import YIELDLINE, Process

NOTES: Final = (
    (
        "**P10**: as P1, with several service processes on one broker and one PostgreSQL; beside"
        " them a plant with a single one, in the same rounds. Each process more takes a core, and"
        " its session at the database a part of one: where fewer are free while one process is at"
        " work with its broker, its database and the sender, the row says so and no target applies."
    ),
)
_COUNT: Final = 20_000
_FLOOR, _GOAL = 1.5, 1.9
"""Of two processes, in rates of one."""


class _Round(NamedTuple):
    rate: float
    busy_cores: float
    """Of the whole machine."""
    database_share: float
    """Of the database's processor time, in the service's."""


def replicas(rounds: int) -> Iterator[Figure]:
    """Measure P10."""
    cores = os.cpu_count() or 1
    counts = sorted({1, 2, cores})
    seen: dict[int, list[_Round]] = {count: [] for count in counts}
    with contextlib.ExitStack() as stack:
        places = {count: stack.enter_context(_plant_of(count)) for count in counts}
        messages = {count: flat_results() for count in counts}
        for _ in range(rounds + 1):
            for count, place in places.items():
                seen[count].append(_measured(place, take(messages[count], _COUNT)))
    alone = seen[1][1:]
    rate = median(each.rate for each in alone)
    free = cores - median(each.busy_cores for each in alone)
    for count in counts[1:]:
        needed = (count - 1) * (1 + median(each.database_share for each in alone))
        what, has_room = f"flat results through {count} service processes", free >= needed
        if not has_room:
            what += f" (they need {needed:.1f} cores more than one, {free:.1f} of {cores} are free)"
        yield Figure(
            "P10",
            what,
            "PostgreSQL",
            "/s",
            [each.rate for each in seen[count][1:]],
            Yardstick("one process", [each.rate for each in alone]),
            floor=_FLOOR * rate if has_room and count == 2 else None,
            goal=_GOAL * rate if has_room and count == 2 else None,
            is_rate=True,
        )


@contextlib.contextmanager
def _plant_of(count: int) -> Iterator[Plant]:
    """Start a plant with so many service processes."""
    with plant("PostgreSQL") as place, contextlib.ExitStack() as stack:
        environment = {
            "YIELDLINE_BROKER__PORT": str(place.mqtt_port),
            "YIELDLINE_DATABASE__URL": place.url,
        }
        for _ in range(count - 1):
            more = Process([YIELDLINE, "service"], environment=environment, directory=place.folder)
            stack.enter_context(more).wait_for("connected", 30)
        yield place


def _measured(place: Plant, messages: Sequence[Message]) -> _Round:
    parts = {"service": place.service}
    before = spent_s(parts)
    psutil.cpu_percent()
    until_s = until_receipted(place, messages, window=4_000)
    busy = psutil.cpu_percent() / 100 * (os.cpu_count() or 1)
    after = spent_s(parts)
    spent = {part: after[part] - before[part] for part in after}
    return _Round(len(messages) / until_s, busy, spent["database"] / spent["service"])

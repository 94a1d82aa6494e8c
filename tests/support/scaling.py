"""What a plant of a size needs: unit costs that were measured, and arithmetic. Pure: no I/O.

Each figure says where it is from. `tests.benchmarks.costs` measures the costs of one result again.
"""

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

_DAY_S: Final = 86_400
_DAYS: Final = 365


class Processor(NamedTuple):
    """Processor time of one result, in µs."""

    service: float
    web: float
    broker: float
    database: float


# tests.benchmarks.costs on PostgreSQL, flat results, a machine of two cores that did other work
# beside it. At a low rate a batch is one result, and each pays for a transaction of its own.
BY_RATE: Final = (
    (0.0, Processor(service=630, web=550, broker=115, database=360)),  # measured at 198/s
    (890.0, Processor(service=140, web=60, broker=56, database=80)),
    (1_400.0, Processor(service=99, web=58, broker=36, database=49)),  # as many as went
)
A_MEASUREMENT: Final = Processor(service=15, web=1.5, broker=0.1, database=3.5)
"""µs of each measurement after a result's first: runs of 700, likewise."""

WIRE_RESULT_BYTES: Final = 900
"""Through the broker, each way: a message without its measurements, its result, its receipt."""
WIRE_MEASUREMENT_BYTES: Final = 107
VIEWER_CORES: Final = 0.001
"""One screen on the floor at 1,000 results/s: (17.3 - 9.7) % of a core for 80 more screens."""
VIEWER_MIB: Final = 1.0
SERVICE_MIB: Final = 150
WEB_MIB: Final = 350
"""With its 200,000 units held, after half an hour of 1,000/s: python -m tests.benchmarks.soak."""
PROCESS_RATE: Final = 9_000
"""Flat results a second of one service process on PostgreSQL: P1 of docs/benchmarks.md."""


class Disk(NamedTuple):
    """Bytes with all indexes."""

    run: float
    """A run, its raw message, its unit and the unit's state."""
    measurement: float
    machine_hour: float
    """The roll-ups of a machine and hour, of a mixed plant."""


# A month of 60 machines, 589,000 runs and 10,000,000 measurements (tests/benchmarks/month.py), by
# dbstat and by pg_table_size and pg_indexes_size. 0.97 GB and 2.29 GB in all.
SQLITE: Final = Disk(run=560, measurement=53, machine_hour=2_470)
POSTGRES: Final = Disk(run=901, measurement=141, machine_hour=8_070)
DISK_GB: Final = 4_000
"""Of a database that is still backed up in a night; an assumption, as are the next two."""
SQLITE_GB: Final = 50
_DAYS_KEPT_MIN: Final = 30


class Load(NamedTuple):
    """What each machine sends."""

    name: str
    results_a_day: float
    measurements_a_result: float
    peak: float
    """The busy hour against the mean; an assumption."""


MIXED: Final = Load("mixed", 589_000 / 60 / 30, 10_000_000 / 589_000, 3)
"""As in that month: two board testers, 18 functional testers, 40 stations."""
STEADY: Final = Load("steady", _DAY_S, 1, 1)
"""One flat result a second from each machine, day and night."""


class Size(NamedTuple):
    """So many machines, of so many plants, with one service, broker and database."""

    name: str
    machines: int
    screens: int


SIZES: Final = (
    Size("1 line", 10, 5),
    Size("1 plant", 60, 20),
    Size("a large plant", 1_000, 100),
    Size("100 plants in one", 6_000, 500),
    Size("1,000 plants in one", 60_000, 5_000),
)


class Need(NamedTuple):
    """What it comes to. Cores and rates are of the busy hour."""

    results_a_s: float
    measurements_a_s: float
    cores: Processor
    processes: int
    """Services, each at most half busy."""
    wire_mbit_a_s: float
    """Through the broker, each way."""
    sqlite_gb_a_year: float
    postgres_gb_a_year: float
    memory_gib: float
    """Of services and web app."""


def need(size: Size, load: Load) -> Need:
    """Return what machines of a size need under a load."""
    rate = size.machines * load.results_a_day / _DAY_S * load.peak
    more = rate * (load.measurements_a_result - 1)
    cores = Processor(
        *map(sum, zip(_scaled(_at(rate), rate), _scaled(A_MEASUREMENT, more), strict=True))
    )
    cores = cores._replace(web=cores.web + size.screens * VIEWER_CORES)
    processes = max(1, math.ceil(max(cores.service, rate / PROCESS_RATE) / 0.5))
    wire = rate * (WIRE_RESULT_BYTES + WIRE_MEASUREMENT_BYTES * load.measurements_a_result)
    memory_mib = processes * SERVICE_MIB + WEB_MIB + size.screens * VIEWER_MIB
    return Need(
        rate,
        rate * load.measurements_a_result,
        cores,
        processes,
        wire * 8 / 1e6,
        _gb_a_year(SQLITE, size, load),
        _gb_a_year(POSTGRES, size, load),
        memory_mib / 1024,
    )


class Limit(NamedTuple):
    """A part that has an end, and how much of it is used: above 1 it breaks."""

    what: str
    used: float


def limits(found: Need) -> Iterator[Limit]:
    """Yield what may break. A thread is full at 0.7 of a core, a server at half of 16."""
    yield Limit("Mosquitto", found.cores.broker / 0.7)
    yield Limit("web app", found.cores.web / 0.7)
    yield Limit("PostgreSQL", found.cores.database / 8)
    yield Limit("network", found.wire_mbit_a_s / 500)
    yield Limit("disk", found.postgres_gb_a_year / DISK_GB)


def first_to_break(found: Need) -> Limit:
    """Return the part that is used most."""
    return max(limits(found), key=lambda each: each.used)


def form(found: Need) -> str:
    """Return which database and brokers, in words."""
    broken = {each.what for each in limits(found) if each.used > 1}
    days_kept = int(DISK_GB / found.postgres_gb_a_year * _DAYS)
    if broken - {"disk"} or days_kept < _DAYS_KEPT_MIN:
        return "not in one: divide by plant"
    if broken:
        return f"PostgreSQL, {days_kept} days kept; Mosquitto and a standby"
    if found.processes == 1 and found.sqlite_gb_a_year <= SQLITE_GB:
        return "SQLite or PostgreSQL; Mosquitto"
    return "PostgreSQL; Mosquitto and a standby"


def _at(rate: float) -> Processor:
    """Return the cost of a result at the nearest lower rate that was measured."""
    return [costs for since, costs in BY_RATE if rate >= since][-1]


def _scaled(costs: Processor, rate: float) -> Processor:
    return Processor(*(each * rate / 1e6 for each in costs))


def _gb_a_year(disk: Disk, size: Size, load: Load) -> float:
    results = size.machines * load.results_a_day * _DAYS
    rows = results * (disk.run + disk.measurement * load.measurements_a_result)
    return (rows + disk.machine_hour * size.machines * 24 * _DAYS) / 1e9

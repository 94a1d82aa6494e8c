"""P1 and P2: how many results and measurements a second one service process stores and answers."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence

import orjson
import psycopg

from tests.benchmarks.bare_receiver import FILTER
from tests.benchmarks.figures import Figure, Yardstick
from tests.benchmarks.load import STEPS, Message, board_runs, flat_results, take
from tests.benchmarks.parts import Plant, helper, memory_mib
from tests.support.processes import Process
from tests.support.raw_mqtt import Listener, Sender
from tests.support.waiting import eventually_sync

NOTES = (
    (
        "**P1**: 20,000 flat results of 50 machines are published as fast as a window of 2,000"
        " allows; the clock runs from the first publish to the last receipt. Each is judged"
        " against a rulebook of 500 rules. The yardstick is a process that receives and"
        " acknowledges the same messages through the same link, and does nothing else."
    ),
    "**P1, memory**: resident memory of the service after its last round.",
    (
        "**P2**: 100 runs of 700 measurements, each value with its own limits; the clock runs to"
        " the last receipt. The yardstick is the driver's `executemany` of as many integer rows."
    ),
)
_FLAT, _RUNS = 20_000, 100
_ROWS_A_COMMIT = 7_000


def flat(plant: Plant, rounds: int) -> Iterator[Figure]:
    """Measure P1, and the service's memory after it."""
    ours, bare = flat_results(), flat_results(FILTER.replace("+/+", "line-1/{}"))
    rates: list[float] = []
    bare_rates: list[float] = []
    with helper("bare_receiver", plant.mqtt_port, _FLAT) as receiver:
        receiver.wait_for("subscribed")
        for _ in range(rounds + 1):
            rates.append(_FLAT / until_receipted(plant, take(ours, _FLAT), window=2_000))
            bare_rates.append(_FLAT / _until_received(plant, receiver, take(bare, _FLAT)))
        memory, bare_memory = plant.memory_mib(), memory_mib(receiver)
    yield Figure(
        "P1",
        "flat results through one service process",
        plant.database,
        "/s",
        rates[1:],
        Yardstick("bare receiver", bare_rates[1:]),
        floor=8_000,
        goal=12_000,
        is_rate=True,
    )
    beside = Yardstick("bare receiver", [bare_memory])
    yield Figure("P1", "memory of the service after it", plant.database, "MiB", [memory], beside)


def runs(plant: Plant, rounds: int) -> Iterator[Figure]:
    """Measure P2."""
    boards = board_runs()
    insert = _bare_sqlite if plant.url.startswith("sqlite") else _bare_postgres
    count = _RUNS * STEPS
    rates: list[float] = []
    bare_rates: list[float] = []
    for _ in range(rounds + 1):
        rates.append(count / until_receipted(plant, take(boards, _RUNS), window=40))
        bare_rates.append(count / insert(plant, count))
    yield Figure(
        "P2",
        f"measurements in runs of {STEPS}",
        plant.database,
        "/s",
        rates[1:],
        Yardstick("bare executemany", bare_rates[1:]),
        floor=40_000,
        goal=150_000,
        is_rate=True,
    )


def until_receipted(
    plant: Plant, messages: Sequence[Message], *, window: int, per_second: int | None = None
) -> float:
    """Send; return the seconds from the first publish to the last receipt."""
    with (
        Listener(plant.mqtt_port, "bench-receipts", "factory/v1/+/+/receipt") as listener,
        Sender(plant.mqtt_port, "bench-sender") as sender,
    ):
        started = sender.send(messages, window=window, per_second=per_second)[0]
        count, read = 0, 0

        def all_receipted() -> bool:
            nonlocal count, read
            for each in listener.heard[read:]:
                read += 1
                count += len(orjson.loads(each.payload)["message_ids"])
            return count >= len(messages)

        eventually_sync(all_receipted, 120, saw=lambda: f"{count} receipts")
        return listener.heard[-1].at - started


def _until_received(plant: Plant, receiver: Process, messages: Sequence[Message]) -> float:
    """Send; return the seconds from the first publish to the receiver's last acknowledgement."""
    before = receiver.output.count("at ")
    with Sender(plant.mqtt_port, "bench-sender") as sender:
        started = sender.send(messages, window=2_000)[0]
    eventually_sync(lambda: receiver.output.count("at ") > before, 60)
    return float(receiver.output.split()[-1]) - started


_Insert = Callable[[Plant, int], float]
_CREATE = (
    "CREATE TABLE bare (run bigint, position int, step int, value int, unit int, low int, high int,"
    " outcome int, PRIMARY KEY (run, position))"
)


def _rows(count: int) -> list[list[tuple[int, ...]]]:
    rows = [(n // STEPS, n % STEPS, n % STEPS, n, 1, 0, 9, 1) for n in range(count)]
    return [rows[start : start + _ROWS_A_COMMIT] for start in range(0, count, _ROWS_A_COMMIT)]


def _bare_sqlite(plant: Plant, count: int) -> float:
    """Insert rows into a new file beside ours, as durably; return the seconds."""
    file = plant.folder / "bare.db"
    file.unlink(missing_ok=True)
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"{_CREATE} WITHOUT ROWID")
    commits = _rows(count)
    start = time.monotonic()
    for rows in commits:
        connection.executemany("INSERT INTO bare VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.commit()
    passed = time.monotonic() - start
    connection.close()
    return passed


def _bare_postgres(plant: Plant, count: int) -> float:
    """Insert rows into a new table of the same server; return the seconds."""
    with psycopg.connect(plant.url) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bare")
        cursor.execute(_CREATE.encode())
        connection.commit()
        commits = _rows(count)
        start = time.monotonic()
        for rows in commits:
            cursor.executemany("INSERT INTO bare VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", rows)
            connection.commit()
        return time.monotonic() - start

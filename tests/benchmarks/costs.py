"""`python -m tests.benchmarks.costs [--database SQLite]`: what one result costs, part by part.

Processor time of each process, bytes through the broker and on the disk, resident memory. With the
web app beside the service, and a sender that hears its receipts. Prints a line a figure.
docs/scaling.md calculates with them (tests/support/scaling.py). Not a part of `make bench`: it is
run when those figures are to be measured again.
"""

import argparse
import contextlib
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

import psutil
import psycopg

from tests.benchmarks.load import Message, board_runs, flat_results, take
from tests.benchmarks.parts import Plant, memory_mib, plant
from tests.benchmarks.screens import web_app
from tests.benchmarks.throughput import until_receipted
from tests.support.processes import Process
from tests.support.raw_mqtt import Listener
from tests.support.waiting import eventually_sync

_BYTES: Final = "$SYS/broker/bytes/+"
_PACES: Final = ((200, 4_000), (1_000, 20_000), (None, 40_000))
"""Results a second, None is as many as go; and how many in all."""
_WARM_UP: Final = 4_000
_WINDOW: Final = 2_000
_BOARDS: Final = 100
"""Runs of 700 measurements, at the end."""


def main() -> None:
    """Measure one database."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.costs", description=__doc__)
    parser.add_argument("--database", choices=["SQLite", "PostgreSQL"], default="PostgreSQL")
    options = parser.parse_args()
    with plant(options.database) as place, web_app(place) as (web, _):
        parts = {"service": place.service, "web app": web}
        messages = flat_results()
        until_receipted(place, take(messages, _WARM_UP), window=_WINDOW)
        bytes_before = _database_bytes(place.url)
        for pace, count in _PACES:
            _measure(place, parts, take(messages, count), pace)
        count = sum(count for _, count in _PACES)
        _say("disk", (_database_bytes(place.url) - bytes_before) / count, "B a result")
        for way, total in _wire_bytes(place.mqtt_port).items():
            _say(f"broker {way}", total / (count + _WARM_UP), "B a result")
        _measure(place, parts, take(board_runs(), _BOARDS), None)
        for name, process in parts.items():
            assert process.exit_code is None, process.output
            _say(f"{name}, memory", memory_mib(process), "MiB")


def spent_s(parts: Mapping[str, Process]) -> dict[str, float]:
    """Return processor seconds by now of our programs, of the broker and of the database."""
    spent = {name: _processor_s([psutil.Process(each.pid)]) for name, each in parts.items()}
    below = psutil.Process().children(recursive=True)
    for name, program in (("broker", "mosquitto"), ("database", "postgres")):
        spent[name] = _processor_s([each for each in below if _name_of(each) == program])
    return spent


def _processor_s(processes: Sequence[psutil.Process]) -> float:
    total = 0.0
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _name_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return str(process.name())
    return ""


def _measure(
    place: Plant, parts: Mapping[str, Process], messages: Sequence[Message], pace: int | None
) -> None:
    before, began = spent_s(parts), time.monotonic()
    until_receipted(place, messages, window=_WINDOW, per_second=pace)
    after, took_s = spent_s(parts), time.monotonic() - began
    for name, total in after.items():
        each_us = (total - before[name]) / len(messages) * 1e6
        _say(f"{name} at {len(messages) / took_s:,.0f}/s", each_us, "µs a result")


def _wire_bytes(port: int) -> dict[str, float]:
    """Return what the broker has received and sent, once it has counted anew."""
    with Listener(port, "bench-wire", _BYTES, qos=0) as wire:
        eventually_sync(lambda: len(wire.heard) >= 4, 60)  # two retained, and two new
    return {each.channel: float(each.payload) for each in wire.heard}


def _database_bytes(url: str) -> float:
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            (count,) = connection.execute("PRAGMA page_count").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
            return float(count * size)
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row
        return float(row[0])


def _say(what: str, value: float, unit: str) -> None:
    sys.stdout.write(f"{what}: {value:,.1f} {unit}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

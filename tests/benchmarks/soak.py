"""`python -m tests.benchmarks.soak [--minutes 30]`: does memory stay flat? (P9)

1,000 flat results/s through one service, 20 screens that come and go, and one that stays. Prints
resident memory of every process and the results stored, once a minute; at the end what memory grew
by after the first third.
Not a part of `make bench`: it takes as long as it is told to.
"""

import argparse
import sys
import time
from collections.abc import Mapping

from pydantic import SecretStr
from sqlalchemy import func, select

from broker.sections import DatabaseSettings
from service.store.database import Database
from service.store.queries.base import RUN
from tests.benchmarks.parts import memory_mib, plant
from tests.benchmarks.screens import loading, viewing, web_app
from tests.support.processes import Process

_SCREENS, _STAY_S = 20, 60


def main() -> None:
    """Soak, and say what memory did."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--database", choices=["SQLite", "PostgreSQL"], default="SQLite")
    options = parser.parse_args()
    with (
        plant(options.database) as place,
        web_app(place) as (web, url),
        loading(place),
        viewing(url, 1),
        viewing(url, _SCREENS, _STAY_S),
    ):
        store = Database(DatabaseSettings(url=SecretStr(place.url)))
        _watch({"service": place.service, "web app": web}, store, options.minutes)
        store.dispose()


def _watch(processes: Mapping[str, Process], store: Database, minutes: int) -> None:
    seen: dict[str, list[float]] = {name: [] for name in processes}
    for minute in range(minutes + 1):
        for name, process in processes.items():
            seen[name].append(memory_mib(process))
        now = ", ".join(f"{name} {values[-1]:.0f} MiB" for name, values in seen.items())
        with store.engine.connect() as connection:
            stored = connection.execute(select(func.max(RUN.c.id))).scalar() or 0
        sys.stdout.write(f"minute {minute}: {now}; {stored:,} results\n")
        sys.stdout.flush()
        time.sleep(60 if minute < minutes else 0)
    for name, values in seen.items():
        begun, end = values[len(values) // 3], values[-1]
        growth = (end / begun - 1) * 100
        sys.stdout.write(f"{name}: {begun:.0f} -> {end:.0f} MiB, {growth:+.1f} %\n")


if __name__ == "__main__":
    main()

"""`python -m tests.benchmarks`: measure, print a line a figure, write docs/benchmarks.md."""

import argparse
import sys
from collections.abc import Iterator

from tests.benchmarks import (
    agent,
    latency,
    open_screen,
    reconnect,
    replicas,
    screens,
    start,
    throughput,
)
from tests.benchmarks.figures import Figure, page
from tests.benchmarks.history import history, history_section
from tests.benchmarks.month import MEASUREMENTS
from tests.benchmarks.parts import ROOT, describe_machine, plant
from tests.benchmarks.stages import profile

_ROUNDS = 5
_DATABASES = ("SQLite", "PostgreSQL")
_NOTES = (
    *throughput.NOTES,
    *latency.NOTES,
    *screens.NOTES,
    *agent.NOTES,
    *start.NOTES,
    *replicas.NOTES,
    *reconnect.NOTES,
    *open_screen.NOTES,
)
_ALL = "P1,P2,P3,P4,P5,P6,P7,P8,P10,F27,F29,F30"
_ALONE = (
    ({"P4", "P5"}, screens.screens),
    ({"P7"}, agent.agent),
    ({"P8"}, start.start),
    ({"P10"}, replicas.replicas),
    ({"F27"}, reconnect.reconnect),
    ({"F29"}, open_screen.open_screen),
    ({"F30"}, screens.many_screens),
)
"""Parts that choose their database themselves."""


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round; the page stays as it is")
    parser.add_argument("--only", default=_ALL, help="such as P1,P3; the page stays")
    parser.add_argument(
        "--measurements", type=int, default=MEASUREMENTS, help="of P6; with fewer the page stays"
    )
    parser.add_argument("--profile", action="store_true", help="where a flat result's time goes")
    options = parser.parse_args()
    if options.profile:
        for database in _DATABASES:
            profile(database)
        return
    wanted = set(options.only.split(","))
    rounds = 1 if options.quick else _ROUNDS
    figures = []
    for figure in _measure(wanted, rounds):
        sys.stdout.write(f"{figure.line()}\n")
        sys.stdout.flush()
        figures.append(figure)
    histories = []
    if "P6" in wanted:
        histories = [history(database, options.measurements) for database in _DATABASES]
    is_whole = rounds == _ROUNDS and options.measurements == MEASUREMENTS
    if is_whole and options.only == _ALL:
        text = page(sorted(figures, key=_order), _NOTES, describe_machine(), rounds)
        text += history_section(histories)
        (ROOT / "docs/benchmarks.md").write_text(text, "utf-8")


def _measure(wanted: set[str], rounds: int) -> Iterator[Figure]:
    for database in _DATABASES:
        if "P1" in wanted:
            with plant(database) as place:
                yield from throughput.flat(place, rounds)
        if "P2" in wanted:
            with plant(database) as place:
                yield from throughput.runs(place, rounds)
        if "P3" in wanted:
            with plant(database) as place:
                yield from latency.latency(place, rounds)
    for numbers, part in _ALONE:
        if wanted & numbers:
            yield from part(rounds)


def _order(figure: Figure) -> tuple[int, int, str]:
    """Return the place in the table: the targets, then the faults."""
    kind, number = figure.number[0], int(figure.number[1:])
    return "PF".index(kind), number, figure.what


if __name__ == "__main__":
    main()

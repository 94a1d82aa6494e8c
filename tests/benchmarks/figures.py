"""One measured figure, its yardstick, and the page they make together. Pure: no I/O."""

from collections.abc import Iterable
from statistics import median
from typing import Final, NamedTuple

_HEAD: Final = """\
# Benchmarks

<!-- `make bench` writes all of this. A row may have been measured anew since, on its own:
     `python -m tests.benchmarks --only P1`. -->

Real processes on one machine, which also runs the broker, the sender and the database:
{machine}.
PostgreSQL runs with `fsync=on`, SQLite with `synchronous=FULL`. Each figure is the median of
{rounds} rounds after a warm-up, and the yardstick ran beside it in the same rounds. Figures move
from machine to machine, and with other load on it; the ratio moves less.

| # | what | database | measured | yardstick | ratio | floor | goal | reached |
|---|---|---|---|---|---|---|---|---|
"""
_FOOT: Final = """
How each is measured; what has no row above has not been measured on this machine:

"""


class Yardstick(NamedTuple):
    """What ran beside it."""

    what: str
    values: list[float]
    """One a round, in the unit of the figure."""


class Figure(NamedTuple):
    """One row: what was measured, round by round."""

    number: str
    """Of the target, such as P1."""
    what: str
    database: str
    unit: str
    values: list[float]
    yardstick: Yardstick
    floor: float | None = None
    goal: float | None = None
    is_rate: bool = False
    """More is better; else less is."""

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return median(self.values)

    @property
    def ratio(self) -> float:
        """Ours to the yardstick's."""
        return self.value / median(self.yardstick.values)

    @property
    def reached(self) -> str:
        """Which of the targets it meets, in a word."""
        if self.floor is None:
            return "-"
        meets_goal = self.goal is not None and self._meets(self.goal)
        return "goal" if meets_goal else "floor" if self._meets(self.floor) else "**neither**"

    def line(self) -> str:
        """Return it as one line for a terminal."""
        beside = f"{self.yardstick.what} {self._say(median(self.yardstick.values))}"
        spread = f"{self._say(min(self.values))} to {self._say(max(self.values))}"
        return (
            f"{self.number:3} {self.what} ({self.database}): {self._say(self.value)}"
            f" [{spread}] | {beside} | ratio {self.ratio:.2f}"
        )

    def row(self) -> str:
        """Return it as one row of the table."""
        cells = (
            self.number,
            self.what,
            self.database,
            self._say(self.value),
            f"{self.yardstick.what}: {self._say(median(self.yardstick.values))}",
            f"{self.ratio:.2f}",
            "" if self.floor is None else self._say(self.floor),
            "" if self.goal is None else self._say(self.goal),
            self.reached,
        )
        return f"| {' | '.join(cells)} |"

    def _meets(self, target: float) -> bool:
        return self.value >= target if self.is_rate else self.value <= target

    def _say(self, value: float) -> str:
        digits = 0 if value >= 100 else 1 if value >= 10 else 2
        return f"{value:,.{digits}f} {self.unit}"


def page(figures: Iterable[Figure], notes: Iterable[str], machine: str, rounds: int) -> str:
    """Return docs/benchmarks.md."""
    table = "".join(f"{figure.row()}\n" for figure in figures)
    listed = "".join(f"- {note}\n" for note in notes)
    return _HEAD.format(machine=machine, rounds=rounds) + table + _FOOT + listed

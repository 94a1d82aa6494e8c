"""The units of a shift: of each, its first and last run of each procedure. Pure: no I/O.

A busy shift has many, so only what yields need is kept: about 500 bytes a unit, and a limit.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from broker.messages import Outcome
from ui.seen import Seen

UNITS_MAX: Final = 200_000
"""Units held in mind; beyond it the oldest is forgotten. Then a retest of it changes no yield, and
its first run of another procedure counts it among the units once more."""
NAMES_MAX: Final = 10_000
CAME_AGAIN_MAX: Final = 20_000


@dataclass(slots=True)
class UnitRuns:
    """A unit's first and last run of one procedure; (start, run id) puts runs in order."""

    procedure: str
    line: str
    """Where its first run was, like `machine_id`."""
    machine_id: str
    first: tuple[float, int]
    last: tuple[float, int]
    first_passed: bool
    last_passed: bool

    def take(self, seen: Seen) -> None:
        """Take in another run, whichever way round they come."""
        order, has_passed = _order(seen), seen.outcome is Outcome.PASS
        if order < self.first:
            self.first, self.first_passed = order, has_passed
            self.line, self.machine_id = seen.line, seen.machine_id
        if order > self.last:
            self.last, self.last_passed = order, has_passed


@dataclass(slots=True)
class Uncounted:
    """Runs of a shift that its floor does not count yet, as the database adds them up."""

    newest_id: int
    """All have ids up to this one."""
    until_s: float
    """When that one was received, in seconds since 1970."""
    came_again: deque[Seen] = field(default_factory=lambda: deque(maxlen=CAME_AGAIN_MAX))
    """Later runs of units that are unknown, and perhaps among them."""


class ShiftUnits:
    """Units by barcode and product, oldest first."""

    def __init__(self) -> None:
        self.count = 0
        """Units of the shift, the forgotten ones too."""
        # Not a dict: there the way to the oldest leads past all that were taken away, 70 µs here.
        self._units: OrderedDict[tuple[str, str], list[UnitRuns]] = OrderedDict()
        self._names: dict[str, str] = {}

    def forget(self) -> None:
        """Let all go but their number."""
        self._units.clear()
        self._names.clear()

    def of(self, seen: Seen) -> Sequence[UnitRuns]:
        """Return what is known of a run's unit, a record a procedure; empty: nothing."""
        return self._units.get((seen.barcode, seen.product_id), ())

    def add(self, seen: Seen) -> UnitRuns:
        """Begin with a run that is the first of its unit and procedure."""
        order, has_passed = _order(seen), seen.outcome is Outcome.PASS
        procedure, line, machine_id = map(self._same, (seen.procedure, seen.line, seen.machine_id))
        runs = UnitRuns(procedure, line, machine_id, order, order, has_passed, has_passed)
        self._procedures((seen.barcode, self._same(seen.product_id))).append(runs)
        return runs

    def remember(self, unit: tuple[str, str], runs: Sequence[UnitRuns]) -> Sequence[UnitRuns]:
        """Know a unit that is counted already, as the first to be forgotten.

        Returns:
            What was known of it: not empty where its next procedure was counted before.
        """
        known = tuple(self._units.get(unit, ()))
        if known:
            self._units[unit].extend(runs)
        elif len(self._units) < UNITS_MAX:
            self._units[unit] = list(runs)
            self._units.move_to_end(unit, last=False)
        return known

    def newest_first(self) -> Iterator[Sequence[UnitRuns]]:
        """Yield what is known of each unit."""
        return reversed(self._units.values())

    def _procedures(self, key: tuple[str, str]) -> list[UnitRuns]:
        if key not in self._units:
            self.count += 1
            if len(self._units) >= UNITS_MAX:
                self._units.popitem(last=False)
            self._units[key] = []
        return self._units[key]

    def _same(self, name: str) -> str:
        """Return the one copy of a name that is kept: each message brings its own."""
        if name not in self._names and len(self._names) >= NAMES_MAX:
            return name
        return self._names.setdefault(name, name)


def _order(seen: Seen) -> tuple[float, int]:
    return seen.started_s, seen.run_id

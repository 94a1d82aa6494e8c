"""What failed of late and where, for the floor's list of failing steps. Pure: no I/O."""

from collections.abc import Iterable
from typing import NamedTuple


class Failure(NamedTuple):
    """A run that failed."""

    at_s: float
    step: str
    machine_id: str
    barcode: str
    line: str


def worst_steps(
    failures: Iterable[Failure], since_s: float, line: str, count: int
) -> list[tuple[str, int, str, int]]:
    """Return (step, units, machine with the most, units there), worst first.

    Args:
        failures: In any order.
        since_s: Only those that began then or later; seconds since 1970.
        line: Only those of this line; '' is all.
        count: At most so many.
    """
    units: dict[str, set[str]] = {}
    where: dict[str, dict[str, set[str]]] = {}
    for failure in failures:
        if failure.at_s >= since_s and line in {"", failure.line}:
            units.setdefault(failure.step, set()).add(failure.barcode)
            places = where.setdefault(failure.step, {})
            places.setdefault(failure.machine_id, set()).add(failure.barcode)
    worst = sorted(units, key=lambda step: (-len(units[step]), step))[:count]
    return [(step, len(units[step]), *_worst_place(where[step])) for step in worst]


def _worst_place(places: dict[str, set[str]]) -> tuple[str, int]:
    machine_id = min(places, key=lambda each: (-len(places[each]), each))
    return machine_id, len(places[machine_id])

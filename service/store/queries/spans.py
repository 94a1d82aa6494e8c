"""A range of time as whole hours, which are rolled up, and the ends that are not. Pure: no I/O."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Table

from service.store.codes import HOUR_US
from service.store.queries.filters import Condition, Filters
from service.store.times import microseconds

ROLLED_UP = frozenset({"machine_id", "line", "product_id", "procedure", "since", "until", "golden"})
"""The filters that all roll-ups can answer; of `golden` only False: they hold no golden sample."""
DETAILS = frozenset({"fixture", "operator"})
"""Filters and keys that only the details of runs and units can answer."""

_BEGIN_US = -1_000_000_000 * HOUR_US
_END_US = 1_000_000_000 * HOUR_US
"""Beyond every time that a calendar has, and whole hours."""


class Span(NamedTuple):
    """One half-open range, taken apart."""

    first_hour: int
    last_hour: int
    """One past the last whole hour."""
    ends: Sequence[tuple[int, int]]
    """What is left of it, at most two ranges in microseconds."""

    def of_hours(self, table: Table) -> list[Condition]:
        """Return what a row of a roll-up must hold to lie in the whole hours."""
        return [table.c.hour >= self.first_hour, table.c.hour < self.last_hour]

    def of_ends(self, column: ColumnElement[int]) -> list[Condition]:
        """Return, for each end, what a time must hold to lie in it."""
        return [(column >= start) & (column < stop) for start, stop in self.ends]


def span_of(filters: Filters) -> Span:
    """Take the range of `filters` apart."""
    since = _BEGIN_US if filters.since is None else microseconds(filters.since)
    until = _END_US if filters.until is None else microseconds(filters.until)
    first, last = -(-since // HOUR_US), until // HOUR_US
    if first >= last:  # no whole hour between them
        return Span(0, 0, [(since, until)] if since < until else [])
    ends = [(since, first * HOUR_US), (last * HOUR_US, until)]
    return Span(first, last, [(start, stop) for start, stop in ends if start < stop])


def is_rolled_up(filters: Filters, known: frozenset[str] = ROLLED_UP) -> bool:
    """Tell whether roll-ups that know of these know enough to answer the filters."""
    return not filters.golden and filters.given <= known

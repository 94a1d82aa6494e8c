"""Sums from a roll-up, and from its rows where a range or a shift cuts an hour."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Connection, Select, Table, select

from service.store.queries.base import LAST_US, SLOTS, moment, slot_of
from service.store.queries.filters import Filters, name_conditions
from service.store.queries.periods import PeriodAt, Piece, part_hours, pieces_of
from service.store.queries.spans import is_rolled_up, span_of

Counts: TypeAlias = list[int]
Sums: TypeAlias = dict[tuple[Any, ...], Counts]
"""By the values of the keys, in their order; of a period the `Period` itself."""


class Source(NamedTuple):
    """A roll-up, and the rows that it adds up. Both say the same of the same hour."""

    hours: Table
    of_hours: Sequence[ColumnElement[Any]]
    """What is summed, in aggregates over `hours`."""
    of_rows: Sequence[ColumnElement[Any]]
    """The same in aggregates over the rows."""
    at: ColumnElement[int]
    """The rows' time: what `since` and `until` are about, and whose hour it is."""
    column: Callable[[str], ColumnElement[Any]]
    """The rows' column of a key, such as `machine`."""
    rows: Callable[[Connection, Filters, Sequence[ColumnElement[Any]]], Select[Any]]
    """Selects columns from the rows that the filters choose."""
    add: Callable[[Counts, Counts], Counts]


def sums_by(
    connection: Connection,
    filters: Filters,
    source: Source,
    keys: Sequence[str],
    period_at: PeriodAt | None = None,
) -> Sums:
    """Add up a source for each value of some keys; whole hours come from its roll-up.

    Where the roll-up does not know enough for the filters or the keys, all comes from the rows.

    Args:
        connection: To read with.
        filters: Which rows; golden samples only where they are asked for.
        source: What is added up.
        keys: Columns of both, or only of the rows; `hour` and `quarter` are of the rows' time.
        period_at: Turns the first key, which must be `hour`, into shifts or days.
    """
    filters = filters.counting
    sums = _Adder(connection, filters, source, keys)
    is_known = is_rolled_up(filters) and all(key in source.hours.c for key in keys)
    ends = span_of(filters).ends if is_known else ()
    whole = sums.of_roll_up() if is_known else sums.of_rows(keys)
    if period_at is None:
        parts = [whole, *(sums.of_rows(keys, end) for end in ends)]
        return _merged(parts, source)
    parted = part_hours({key[0] for key in whole}, period_at)
    in_periods: list[Sums] = [
        {(parted.whole[hour], *rest): counts}
        for (hour, *rest), counts in whole.items()
        if hour in parted.whole
    ]
    cut = [piece for start, stop in ends for piece in pieces_of(start, stop, period_at)]
    return _merged([*in_periods, *map(sums.of_piece, [*parted.pieces, *cut])], source)


class _Adder(NamedTuple):
    connection: Connection
    filters: Filters
    source: Source
    keys: Sequence[str]

    def of_roll_up(self) -> Sums:
        """Add up the whole hours."""
        hours = self.source.hours
        columns = [hours.c[key] for key in self.keys]
        names = name_conditions(self.connection, self.filters, hours)
        query = select(*columns, *self.source.of_hours).group_by(*columns)
        return self._read(query.where(*names, *span_of(self.filters).of_hours(hours)), self.keys)

    def of_rows(self, keys: Sequence[str], within: tuple[int, int] | None = None) -> Sums:
        """Add up rows, of a range of time in microseconds or all."""
        filters = self.filters if within is None else clipped(self.filters, within)
        columns = [
            slot_of(self.source.at, SLOTS[key]) if key in SLOTS else self.source.column(key)
            for key in keys
        ]
        query = self.source.rows(self.connection, filters, [*columns, *self.source.of_rows])
        return self._read(query.group_by(*columns), keys)

    def of_piece(self, piece: Piece) -> Sums:
        """Add up the rows of a piece of a period."""
        rest = self.of_rows(self.keys[1:], (piece.start_us, piece.end_us))
        return {(piece.period, *key): counts for key, counts in rest.items()}

    def _read(self, query: Select[Any], keys: Sequence[str]) -> Sums:
        """Read rows of some keys and sums; without keys the sums of nothing are null."""
        width = len(keys)
        return {
            tuple(row[:width]): [int(each or 0) for each in row[width:]]
            for row in self.connection.execute(query)
        }


def clipped(filters: Filters, within: tuple[int, int]) -> Filters:
    """Return the filters for a part of their range, in microseconds; it may be empty."""
    since, until = (moment(min(each, LAST_US)) for each in within)
    if filters.since is not None:
        since = max(since, filters.since)
    if filters.until is not None:
        until = min(until, filters.until)
    return replace(filters, since=since, until=until)


def _merged(parts: Iterable[Sums], source: Source) -> Sums:
    merged: Sums = {}
    for part in parts:
        for key, counts in part.items():
            before = merged.get(key)
            merged[key] = counts if before is None else source.add(before, counts)
    return merged

"""Sums from a roll-up, and from its rows where a range or a shift cuts an hour."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select

from service.store.queries.base import SLOTS, slot_of
from service.store.queries.filters import Filters, name_conditions
from service.store.queries.periods import PeriodAt, Piece, part_hours, pieces_of
from service.store.queries.spans import DETAILS, ROLLED_UP, is_rolled_up, span_of
from service.store.queries.step_runs import in_slots_of, is_in_every_run
from service.store.times import LAST_US, moment

Counts: TypeAlias = list[int]
Sums: TypeAlias = dict[tuple[Any, ...], Counts]
"""By the values of the keys, in their order; of a period the `Period` itself."""


class Source(NamedTuple):
    """A roll-up, and the rows that it adds up. Both say the same of the same hour."""

    hours: Table
    details: Table
    """The same by fixture and operator, 0 for none, of what names one of them or came late."""
    of_hours: Callable[[Table], Sequence[ColumnElement[Any]]]
    """What is summed, in aggregates over one of these tables."""
    of_rows: Sequence[ColumnElement[Any]]
    """The same in aggregates over the rows."""
    at: ColumnElement[int]
    """The rows' time: what `since` and `until` are about, and whose hour it is."""
    column: Callable[[str], ColumnElement[Any]]
    """The rows' column of a key, such as `machine`."""
    rows: Callable[[Connection, Filters, Sequence[ColumnElement[Any]]], Select[Any]]
    """Selects columns from the rows that the filters choose."""
    add: Callable[[Counts, Counts], Counts]
    without: Callable[[Counts, Counts, Counts], Counts]
    """What is left of all without some; the third: what the details say of those that are left."""


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
    is_known = _is_known(connection, filters, source, keys)
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


def _is_known(
    connection: Connection, filters: Filters, source: Source, keys: Sequence[str]
) -> bool:
    """Tell whether the roll-ups know enough; of a step, that all runs in question hold it."""
    if not is_rolled_up(replace(filters, step=None), ROLLED_UP | DETAILS):
        return False
    if any(key not in source.details.c for key in keys):
        return False
    return filters.step is None or is_in_every_run(connection, filters, span_of(filters))


class _Adder(NamedTuple):
    connection: Connection
    filters: Filters
    source: Source
    keys: Sequence[str]

    def of_roll_up(self) -> Sums:
        """Add up the whole hours."""
        if DETAILS & self.filters.given:  # whatever names one of them is in the details
            return self._of_hours(self.source.details, self.keys)
        place = next((place for place, key in enumerate(self.keys) if key in DETAILS), None)
        if place is None:
            return self._of_hours(self.source.hours, self.keys)
        return self._with_none(self._of_hours(self.source.details, self.keys), place)

    def _with_none(self, details: Sums, place: int) -> Sums:
        """Add what names no fixture (operator), the key at a place: all without what names one."""
        named = {key: counts for key, counts in details.items() if key[place] is not None}
        parts = [{(*key[:place], *key[place + 1 :]): counts} for key, counts in named.items()]
        sums = _merged(parts, self.source)
        all_of = self._of_hours(
            self.source.hours, [key for at, key in enumerate(self.keys) if at != place]
        )
        nothing = [0] * len(self.source.of_rows)
        for rest, counts in all_of.items():
            key = (*rest[:place], None, *rest[place:])
            known = details.get(key, nothing)
            named[key] = self.source.without(counts, sums.get(rest, nothing), known)
        return named

    def _of_hours(self, hours: Table, keys: Sequence[str]) -> Sums:
        columns = [hours.c[key] for key in keys]
        names = name_conditions(self.connection, self.filters, hours)
        if self.filters.step is not None:
            names.append(in_slots_of(self.connection, self.filters.step, hours))
        sums = self.source.of_hours(hours)
        query = select(*map(_or_null, columns), *sums).group_by(*columns)
        return self._read(query.where(*names, *span_of(self.filters).of_hours(hours)), keys)

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


def _or_null(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a roll-up's column as rows have it: in a key 0 stands for none."""
    return func.nullif(column, 0) if column.key in DETAILS else column


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

"""What stands in an export, read page by page: newest start first, each page a question of its own.

So no transaction stays open while a slow reader reads, and what arrives meanwhile changes nothing.
All work is done by column, a page at a time: an export of millions takes minutes, not hours.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, func, select, tuple_

from service.store.codes import COMPARATOR_OF, OUTCOME_OF, REPORTED_OF, ValueKind
from service.store.database import Database
from service.store.exports.columns import COLUMNS, Page, Rows
from service.store.queries.base import MEASUREMENT, RUN, UNIT, connected, names_of
from service.store.queries.filters import Filters, run_conditions

_RUNS_A_PAGE: Final = 2_000
_MEASUREMENTS_A_PAGE: Final = 20_000
"""More only where one run has more."""

_Values: TypeAlias = Sequence[Any]
_Names: TypeAlias = Mapping[int | None, str]
_Runs: TypeAlias = Sequence[Row[*tuple[Any, ...]]]


class _Column(NamedTuple):
    """Where a column of the export comes from; `words` says what a code means, None: itself."""

    stored: ColumnElement[Any]
    words: Mapping[int, str] | None = None
    is_name: bool = False


def _named(stored: ColumnElement[int]) -> _Column:
    return _Column(stored, is_name=True)


_OUTCOMES: Final = {code: each.value for code, each in OUTCOME_OF.items()}
_REPORTED: Final = {code: each.value for code, each in REPORTED_OF.items()}
_COMPARATORS: Final = {code: each.value for code, each in COMPARATOR_OF.items()}
_TRUTHS: Final = {0: "false", 1: "true"}

_EVERY: Final = (
    _Column(RUN.c.id),
    _Column(UNIT.c.barcode),
    _named(RUN.c.product),
    _named(RUN.c.machine),
    _named(RUN.c.line),
    _named(RUN.c.procedure),
    _Column(RUN.c.attempt),
    _Column(RUN.c.started_us),
)
_OF_RUNS: Final = (
    *_EVERY,
    _Column(RUN.c.ended_us),
    _Column(RUN.c.received_us),
    _Column(RUN.c.outcome, _OUTCOMES),
    _Column(RUN.c.reported, _REPORTED),
    _Column(RUN.c.agrees),
    _named(RUN.c.first_failure),
    _Column(RUN.c.rulebook_version),
    _Column(RUN.c.clock_suspect),
    _Column(RUN.c.is_golden),
    _Column(RUN.c.passed),
    _Column(RUN.c.failed),
    _Column(RUN.c.errors),
    _Column(RUN.c.unjudged),
    _named(RUN.c.fixture),
    _named(RUN.c.operator),
    _named(RUN.c.program),
    _Column(RUN.c.program_version),
    _Column(RUN.c.panel_id),
    _Column(RUN.c.panel_position),
    _Column(RUN.c.source_file),
    _Column(RUN.c.message_id),
)
_AMOUNT: Final = RUN.c.passed + RUN.c.failed + RUN.c.errors + RUN.c.unjudged
_WITH_MEASUREMENTS: Final = (
    *_EVERY,
    _Column(RUN.c.outcome, _OUTCOMES),
    _Column(RUN.c.rulebook_version),
)
_OF_MEASUREMENTS: Final = (
    _Column(MEASUREMENT.c.position),
    _named(MEASUREMENT.c.step),
    _Column(MEASUREMENT.c.number),
    _Column(MEASUREMENT.c.text),
    _named(MEASUREMENT.c.measure_unit),
    _Column(MEASUREMENT.c.outcome, _OUTCOMES),
    _Column(MEASUREMENT.c.comparator, _COMPARATORS),
    _Column(MEASUREMENT.c.low),
    _Column(MEASUREMENT.c.high),
    _Column(MEASUREMENT.c.nominal),
    _named(MEASUREMENT.c.rule),
    _Column(MEASUREMENT.c.reason),
    _Column(MEASUREMENT.c.reported, _REPORTED),
    _Column(MEASUREMENT.c.agrees),
    _Column(MEASUREMENT.c.marginal),
)
_NUMBER, _TEXT = 2, 3
assert len(_OF_RUNS) == len(COLUMNS[Rows.RUNS])
assert len(_WITH_MEASUREMENTS) + len(_OF_MEASUREMENTS) == len(COLUMNS[Rows.MEASUREMENTS])


def count_rows(database: Database, filters: Filters, rows: Rows) -> int:
    """Return how many rows an export has now."""
    amount = func.count() if rows is Rows.RUNS else func.coalesce(func.sum(_AMOUNT), 0)
    with connected(database) as connection:
        query = select(amount).select_from(RUN).where(*run_conditions(connection, filters))
        return int(connection.execute(query).scalar_one())


def pages(database: Database, filters: Filters, rows: Rows) -> Iterator[Page]:
    """Yield an export in pages, each by column in the order of `columns.COLUMNS`.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble, at any page.
    """
    reader = _READERS[rows]
    for runs in _run_pages(database, filters, reader.of_run):
        for some in reader.portions(runs):
            with connected(database) as connection:
                page = reader.read(database, connection, some)
            if page and len(page[0]):
                yield page


def _run_pages(database: Database, filters: Filters, of_run: Sequence[_Column]) -> Iterator[_Runs]:
    """Yield pages of runs; each row holds its columns, then how many measurements it has."""
    query = select(*(each.stored for each in of_run), _AMOUNT.label("amount"))
    query = query.select_from(RUN).join(UNIT, UNIT.c.id == RUN.c.unit_id)
    newest_first = query.order_by(RUN.c.started_us.desc(), RUN.c.id.desc()).limit(_RUNS_A_PAGE)
    after: list[ColumnElement[bool]] = []
    while True:
        with connected(database) as connection:
            conditions = run_conditions(connection, filters)
            runs = connection.execute(newest_first.where(*conditions, *after)).all()
        if runs:
            yield runs
        if len(runs) < _RUNS_A_PAGE:
            return
        last = tuple_(runs[-1].started_us, runs[-1].id)
        after = [tuple_(RUN.c.started_us, RUN.c.id) < last]


def _small_portions(runs: _Runs) -> Iterator[_Runs]:
    """Cut a page of runs where their measurements would become too many."""
    begun, amount = 0, 0
    for at, run in enumerate(runs):
        if at > begun and amount + run.amount > _MEASUREMENTS_A_PAGE:
            yield runs[begun:at]
            begun, amount = at, 0
        amount += run.amount
    yield runs[begun:]


def runs_by_ids(database: Database, connection: Connection, run_ids: Sequence[int]) -> Page:
    """Return runs by column, in the order of `columns.COLUMNS`, oldest start first.

    Runs that are gone are left out; of none at all there is no column either.
    """
    query = select(*(each.stored for each in _OF_RUNS), _AMOUNT.label("amount"))
    query = query.select_from(RUN).join(UNIT, UNIT.c.id == RUN.c.unit_id)
    query = query.where(RUN.c.id.in_(run_ids)).order_by(RUN.c.started_us, RUN.c.id)
    runs = connection.execute(query).all()
    return _read_runs(database, connection, runs) if runs else []


def measurements_by_run(
    database: Database, connection: Connection, run_ids: Sequence[int]
) -> tuple[_Values, Page]:
    """Return the measurements of runs, in the order of `run_ids` and then of position.

    Returns:
        The run of each, and the columns that are a measurement's own (`columns.OWN`); of none at
        all there is no column either.
    """
    place = {run_id: at for at, run_id in enumerate(run_ids)}
    stored = (each.stored for each in _OF_MEASUREMENTS)
    query = select(MEASUREMENT.c.run_id, MEASUREMENT.c.value_kind, *stored)
    query = query.where(MEASUREMENT.c.run_id.in_(list(place)))
    found = connection.execute(query.order_by(MEASUREMENT.c.run_id, MEASUREMENT.c.position)).all()
    if not found:
        return [], []
    found = sorted(found, key=lambda row: place[row[0]])  # stable: each run's stay in their order
    of_run, kinds, *values = zip(*found, strict=True)
    own = _worded(database, connection, _OF_MEASUREMENTS, values)
    own[_NUMBER], own[_TEXT] = _values(kinds, own[_NUMBER], own[_TEXT])
    return of_run, own


def _read_runs(database: Database, connection: Connection, runs: _Runs) -> Page:
    return _worded(database, connection, _OF_RUNS, _by_column(runs))


def _read_measurements(database: Database, connection: Connection, runs: _Runs) -> Page:
    place = {run.id: at for at, run in enumerate(runs)}
    of_run, own = measurements_by_run(database, connection, list(place))
    if not of_run:
        return []
    places = [place[run_id] for run_id in of_run]
    of_runs = _worded(database, connection, _WITH_MEASUREMENTS, _by_column(runs))
    return [*([column[at] for at in places] for column in of_runs), *own]


def _by_column(rows: _Runs) -> Sequence[_Values]:
    *columns, _amount = zip(*rows, strict=True)
    return columns


def _worded(
    database: Database,
    connection: Connection,
    columns: Sequence[_Column],
    values: Sequence[_Values],
) -> list[_Values]:
    """Put words in the place of codes and of the numbers of names."""
    ids: set[int | None] = set()
    for column, found in zip(columns, values, strict=True):
        if column.is_name:
            ids.update(found)
    names = names_of(database, connection, ids)
    return [_words(column, found, names) for column, found in zip(columns, values, strict=True)]


def _words(column: _Column, values: _Values, names: _Names) -> _Values:
    words: Mapping[Any, str] | None = names if column.is_name else column.words
    return values if words is None else [words.get(each) for each in values]


def _values(kinds: _Values, numbers: _Values, texts: _Values) -> tuple[_Values, _Values]:
    """Return numbers, and what is no number as text: true and false are kept as numbers."""
    if set(kinds) == {ValueKind.NUMBER}:
        return numbers, texts
    measured = [
        number if kind == ValueKind.NUMBER else None
        for kind, number in zip(kinds, numbers, strict=True)
    ]
    said = [
        _TRUTHS[int(number)] if kind == ValueKind.TRUTH else text
        for kind, number, text in zip(kinds, numbers, texts, strict=True)
    ]
    return measured, said


class _Reader(NamedTuple):
    """How one kind of rows is read."""

    of_run: Sequence[_Column]
    portions: Callable[[_Runs], Iterable[_Runs]]
    read: Callable[[Database, Connection, _Runs], Page]


_READERS: Final = {
    Rows.RUNS: _Reader(_OF_RUNS, lambda runs: [runs], _read_runs),
    Rows.MEASUREMENTS: _Reader(_WITH_MEASUREMENTS, _small_portions, _read_measurements),
}

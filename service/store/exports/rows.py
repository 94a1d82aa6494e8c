"""The rows of an export, read page by page: newest start first, each page a question of its own.

So no transaction stays open while a slow reader reads, and what arrives meanwhile changes nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select, tuple_

from service.store.codes import COMPARATOR_OF, OUTCOME_OF, ValueKind
from service.store.database import Database
from service.store.exports.columns import Page, Rows
from service.store.queries.base import MEASUREMENT, RUN, UNIT, connected, names_of
from service.store.queries.filters import Filters, run_conditions
from service.store.queries.results import reported_of

_RUNS_A_PAGE: Final = 2_000
_MEASUREMENTS_A_PAGE: Final = 20_000
"""More only where one run has more."""

_Names: TypeAlias = Mapping[int | None, str]
_Runs: TypeAlias = Sequence[Row[Any]]
_AMOUNT: Final = RUN.c.passed + RUN.c.failed + RUN.c.errors + RUN.c.unjudged


def count_rows(database: Database, filters: Filters, rows: Rows) -> int:
    """Return how many rows an export has now."""
    amount = func.count() if rows is Rows.RUNS else func.coalesce(func.sum(_AMOUNT), 0)
    with connected(database) as connection:
        query = select(amount).select_from(RUN).where(*run_conditions(connection, filters))
        return int(connection.execute(query).scalar_one())


def pages(database: Database, filters: Filters, rows: Rows) -> Iterator[Page]:
    """Yield the rows of an export in pages, in the order of `columns.COLUMNS`.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble, at any page.
    """
    read, portions = _READERS[rows]
    for runs in _run_pages(database, filters):
        for some in portions(runs):
            with connected(database) as connection:
                page = read(database, connection, some)
            if page:
                yield page


def _run_pages(database: Database, filters: Filters) -> Iterator[_Runs]:
    after: list[ColumnElement[bool]] = []
    while True:
        with connected(database) as connection:
            query = _runs().where(*run_conditions(connection, filters), *after)
            newest_first = query.order_by(RUN.c.started_us.desc(), RUN.c.id.desc())
            runs = connection.execute(newest_first.limit(_RUNS_A_PAGE)).all()
        if runs:
            yield runs
        if len(runs) < _RUNS_A_PAGE:
            return
        last = tuple_(runs[-1].started_us, runs[-1].id)
        after = [tuple_(RUN.c.started_us, RUN.c.id) < last]


def _runs() -> Select[Any]:
    return select(RUN, UNIT.c.barcode).join(UNIT, UNIT.c.id == RUN.c.unit_id)


def _small_portions(runs: _Runs) -> Iterator[_Runs]:
    """Cut a page of runs where their measurements would become too many."""
    some: list[Row[Any]] = []
    amount = 0
    for run in runs:
        own = run.passed + run.failed + run.errors + run.unjudged
        if some and amount + own > _MEASUREMENTS_A_PAGE:
            yield some
            some, amount = [], 0
        some.append(run)
        amount += own
    yield some


def _run_rows(database: Database, connection: Connection, runs: _Runs) -> Page:
    ids = {number for run in runs for number in (*_named(run), *_circumstances(run))}
    names = names_of(database, connection, ids)
    return [(*_identity(run, names), *_run_fields(run, names)) for run in runs]


def _measurement_rows(database: Database, connection: Connection, runs: _Runs) -> Page:
    by_id = {run.id: run for run in runs}
    query = select(MEASUREMENT).where(MEASUREMENT.c.run_id.in_(list(by_id)))
    values: dict[int, list[Row[Any]]] = defaultdict(list)
    ids: set[int | None] = {number for run in runs for number in _named(run)}
    for value in connection.execute(query.order_by(MEASUREMENT.c.run_id, MEASUREMENT.c.position)):
        values[value.run_id].append(value)
        ids.update((value.step, value.measure_unit, value.rule))
    names = names_of(database, connection, ids)
    return [
        (*identity, *run_fields, *_measurement_fields(value, names))
        for run in runs
        for identity in [_identity(run, names)]
        for run_fields in [(OUTCOME_OF[run.outcome].value, run.rulebook_version)]
        for value in values[run.id]
    ]


def _named(run: Row[Any]) -> tuple[int | None, ...]:
    return (run.product, run.machine, run.line, run.procedure, run.first_failure)


def _circumstances(run: Row[Any]) -> tuple[int | None, ...]:
    return (run.fixture, run.operator, run.program)


def _identity(run: Row[Any], names: _Names) -> tuple[Any, ...]:
    return (
        run.id,
        run.barcode,
        names[run.product],
        names[run.machine],
        names[run.line],
        names[run.procedure],
        run.attempt,
        run.started_us,
    )


def _run_fields(run: Row[Any], names: _Names) -> tuple[Any, ...]:
    return (
        run.ended_us,
        run.received_us,
        OUTCOME_OF[run.outcome].value,
        reported_of(run.reported),
        run.agrees,
        names.get(run.first_failure),
        run.rulebook_version,
        run.clock_suspect,
        run.is_golden,
        run.passed,
        run.failed,
        run.errors,
        run.unjudged,
        *(names.get(each) for each in _circumstances(run)),
        run.program_version,
        run.panel_id,
        run.panel_position,
        run.source_file,
        run.message_id,
    )


def _measurement_fields(value: Row[Any], names: _Names) -> tuple[Any, ...]:
    comparator = COMPARATOR_OF.get(value.comparator)
    return (
        value.position,
        names[value.step],
        value.number if value.value_kind == ValueKind.NUMBER else None,
        _text_of(value),
        names.get(value.measure_unit),
        OUTCOME_OF[value.outcome].value,
        comparator and comparator.value,
        value.low,
        value.high,
        value.nominal,
        names.get(value.rule),
        value.reason,
        reported_of(value.reported),
        value.agrees,
        value.marginal,
    )


def _text_of(value: Row[Any]) -> str | None:
    if value.value_kind == ValueKind.TRUTH:
        return "true" if value.number else "false"
    text: str | None = value.text
    return text


_Reader: TypeAlias = Callable[[Database, Connection, _Runs], Page]
_READERS: Final[dict[Rows, tuple[_Reader, Callable[[_Runs], Iterable[_Runs]]]]] = {
    Rows.RUNS: (_run_rows, lambda runs: [runs]),
    Rows.MEASUREMENTS: (_measurement_rows, _small_portions),
}

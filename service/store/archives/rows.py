"""Runs as an archive holds them: a row a run, with its measurements and its message's bytes."""

import zlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, select

from service.store.database import Database
from service.store.exports.columns import COLUMNS, OWN, Rows
from service.store.exports.parquet_file import fields_of, need_pyarrow
from service.store.exports.rows import measurements_by_run, runs_by_ids
from service.store.queries.base import RAW_MESSAGE, RUN, connected, names_of

FORMAT: Final = b"1"


class Batch(NamedTuple):
    """Some runs, ready to be written."""

    table: Any
    """pyarrow's, one row a run, oldest start first."""
    run_ids: Sequence[int]
    measurements: int
    message_bytes: int


@lru_cache(maxsize=1)
def schema() -> Any:  # noqa: ANN401 - pyarrow's
    """Return the columns of an archive.

    Those of an export of runs, then `content_hash`, `topic`, `element` (of an array, from 0),
    `message` (its bytes as they arrived), `message_run_id` (the run in whose row they stand: those
    of an array stand once, not five thousand times) and `measurements`, a list with the columns of
    an export of measurements.
    """
    arrow, _ = need_pyarrow()
    return arrow.schema(
        [
            *fields_of(COLUMNS[Rows.RUNS]),
            ("content_hash", arrow.binary()),
            ("topic", arrow.string()),
            ("element", arrow.int64()),
            ("message", arrow.binary()),
            ("message_run_id", arrow.int64()),
            ("measurements", arrow.list_(arrow.struct(fields_of(OWN)))),
        ],
        metadata={"yieldline.archive": FORMAT},
    )


def read(database: Database, run_ids: Sequence[int]) -> Batch | None:
    """Read runs with all that belongs to them; None: they are gone.

    Raises:
        StoreUnavailable: The database is away.
    """
    arrow, _ = need_pyarrow()
    with connected(database) as connection:
        page = runs_by_ids(database, connection, run_ids)
        if not page:
            return None
        found = list(page[0])
        messages = _messages(database, connection, found)
        of_run, own = measurements_by_run(database, connection, found)
    lists = _lists(found, of_run, own)
    columns = [*page, *messages, lists]
    arrays = [
        values if isinstance(values, arrow.ListArray) else arrow.array(values, field.type)
        for values, field in zip(columns, schema(), strict=True)
    ]
    table = arrow.Table.from_arrays(arrays, schema=schema())
    return Batch(table, found, len(of_run), sum(len(each or b"") for each in messages[-2]))


def _messages(
    database: Database, connection: Connection, run_ids: Sequence[int]
) -> list[Sequence[Any]]:
    """Return the columns from content_hash to message_run_id, in the order of `run_ids`."""
    query = (
        select(RUN.c.id, RUN.c.content_hash, RAW_MESSAGE, RUN.c.element)
        .join(RAW_MESSAGE, RAW_MESSAGE.c.id == RUN.c.raw_id)
        .where(RUN.c.id.in_(run_ids))
    )
    rows = {row[0]: row for row in connection.execute(query)}
    names = names_of(database, connection, {row.topic for row in rows.values()})
    ordered = [rows[run_id] for run_id in run_ids]
    carriers: dict[int, int] = {}
    for row in ordered:
        carriers.setdefault(row.id_1, row.id)
    return [
        [bytes(row.content_hash) for row in ordered],
        [names[row.topic] for row in ordered],
        [row.element for row in ordered],
        [_body(row) if carriers[row.id_1] == row.id else None for row in ordered],
        [carriers[row.id_1] for row in ordered],
    ]


def _body(row: Row[*tuple[Any, ...]]) -> bytes:
    return zlib.decompress(row.payload) if row.is_compressed else bytes(row.payload)


def _lists(run_ids: Sequence[int], of_run: Sequence[int], own: Sequence[Sequence[Any]]) -> Any:  # noqa: ANN401 - pyarrow's
    """Return one list of measurements a run."""
    arrow, _ = need_pyarrow()
    counts = {run_id: len(list(same)) for run_id, same in groupby(of_run)}
    offsets = [0]
    for run_id in run_ids:
        offsets.append(offsets[-1] + counts.get(run_id, 0))
    fields = [arrow.field(name, kind) for name, kind in fields_of(OWN)]
    values = own or [[]] * len(fields)
    arrays = [arrow.array(each, field.type) for each, field in zip(values, fields, strict=True)]
    structs = arrow.StructArray.from_arrays(arrays, fields=fields)
    return arrow.ListArray.from_arrays(arrow.array(offsets, arrow.int32()), structs)

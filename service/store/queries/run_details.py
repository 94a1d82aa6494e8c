"""One run with all that was stored of it: its result, its circumstances, its message."""

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select

from service.store.database import Database
from service.store.queries.base import (
    MEASUREMENT,
    RAW_MESSAGE,
    RUN,
    Facts,
    as_time,
    connected,
    names_of,
)
from service.store.queries.results import results_by_ids


class RawMessage(NamedTuple):
    """A message as it arrived."""

    topic: str
    payload: bytes
    element: int | None
    """Which element of the array the run was; None: it came alone."""


def run_details(database: Database, run_id: int) -> Facts | None:
    """Return the whole Result and `details`: all else that was sent with it; None: no such run.

    `details.measurements` says of each measurement, in the Result's order, what a Result has no
    field for: nominal, agrees and attributes.
    """
    result = results_by_ids(database, [run_id]).get(run_id)
    if result is None:
        return None
    with connected(database) as connection:
        row = connection.execute(_details_of(run_id)).one_or_none()
        if row is None:  # deleted since we read its result
            return None
        names = names_of(database, connection, (row.fixture, row.operator, row.program, row.topic))
        measurements = _measurements(connection, run_id)
    return {**result, "details": _details(row, names) | {"measurements": measurements}}


def raw_message(database: Database, run_id: int) -> RawMessage | None:
    """Return the message a run came in, byte for byte; None: no such run."""
    with connected(database) as connection:
        row = connection.execute(
            select(RAW_MESSAGE, RUN.c.element)
            .join(RUN, RUN.c.raw_id == RAW_MESSAGE.c.id)
            .where(RUN.c.id == run_id)
        ).one_or_none()
        if row is None:
            return None
        topic = names_of(database, connection, [row.topic])[row.topic]
    payload = bytes(row.payload)
    return RawMessage(
        topic, zlib.decompress(payload) if row.is_compressed else payload, row.element
    )


def _details_of(run_id: int) -> Any:  # noqa: ANN401 - a query
    query = select(RUN, RAW_MESSAGE.c.topic)
    return query.join(RAW_MESSAGE, RAW_MESSAGE.c.id == RUN.c.raw_id).where(RUN.c.id == run_id)


def _details(row: Row[Any], names: Mapping[int | None, str]) -> Facts:
    return {
        "ended_at": as_time(row.ended_us),
        "operator": names.get(row.operator),
        "fixture": names.get(row.fixture),
        "program": names.get(row.program),
        "program_version": row.program_version,
        "panel": _object(id=row.panel_id, position=row.panel_position),
        "sequence": _object(epoch=row.sequence_epoch, seq=row.sequence_seq),
        "source": _object(
            file=row.source_file, byte_start=row.source_start, byte_end=row.source_end
        ),
        "attributes": _json(row.attributes),
        "topic": names[row.topic],
        "element": row.element,
        "content_hash": bytes(row.content_hash).hex(),
    }


def _measurements(connection: Connection, run_id: int) -> list[Facts]:
    columns = (MEASUREMENT.c.nominal, MEASUREMENT.c.agrees, MEASUREMENT.c.attributes)
    query = select(*columns).where(MEASUREMENT.c.run_id == run_id)
    rows = connection.execute(query.order_by(MEASUREMENT.c.position))
    return [
        {
            "nominal": _json(row.nominal),
            "agrees": row.agrees,
            "attributes": _json(row.attributes),
        }
        for row in rows
    ]


def _object(**fields: object) -> Facts | None:
    """Return the fields as an object, None where all of them are."""
    return fields if any(each is not None for each in fields.values()) else None


def _json(text: str | None) -> Any:  # noqa: ANN401 - any JSON value
    return None if text is None else json.loads(text)

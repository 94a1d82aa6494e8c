"""What is near a barcode that nobody has tested, and why a run is what it is."""

from difflib import get_close_matches
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from broker.messages import format_time
from service.store.database import Database
from service.store.queries.base import REJECTION, UNIT, connected
from service.store.queries.pages_seed import TellingMeasurement, telling_by_run
from service.store.times import moment

_NEAR_MAX: Final = 8
_CANDIDATES_MAX: Final = 400
_PREFIX_MIN: Final = 3
_BARCODE_CHARS_MAX: Final = 128  # a longer one is rejected; one query a character adds up
_REJECTIONS_SEARCHED: Final = 2_000
_REJECTIONS_MAX: Final = 10


class NearRejection(NamedTuple):
    """A rejection whose bytes hold the barcode."""

    rejection_id: int
    received_at: str
    topic: str
    code: str
    reason: str


def nearest_barcodes(database: Database, barcode: str) -> list[str]:
    """Return at most eight barcodes like this one, the nearest first.

    None is near what is too long for a barcode.
    """
    if len(barcode) > _BARCODE_CHARS_MAX:
        return []
    found: dict[str, None] = {}
    with connected(database) as connection:
        for length in range(len(barcode), _PREFIX_MIN - 1, -1):
            for each in _starting_with(connection, barcode[:length]):
                found[each] = None
            if len(found) >= _CANDIDATES_MAX:
                break
    return get_close_matches(barcode, list(found), n=_NEAR_MAX, cutoff=0.6)


def _starting_with(connection: Connection, prefix: str) -> list[str]:
    """Return barcodes by the index, so that a plant's millions of units cost nothing."""
    query = select(UNIT.c.barcode).where(UNIT.c.barcode >= prefix, _below(prefix)).distinct()
    rows = connection.execute(query.order_by(UNIT.c.barcode).limit(_CANDIDATES_MAX))
    return [each for each in rows.scalars() if each.startswith(prefix)]


def _below(prefix: str) -> ColumnElement[bool]:
    return UNIT.c.barcode < f"{prefix}\U0010ffff"


def rejections_with(database: Database, barcode: str) -> list[NearRejection]:
    """Return the newest rejections whose bytes hold the barcode, at most ten.

    Only the newest 2,000 rejections are searched.
    """
    columns = REJECTION.c
    newest = select(columns.id).order_by(columns.received_us.desc()).limit(_REJECTIONS_SEARCHED)
    wanted = barcode.encode()
    with connected(database) as connection:
        rows = connection.execute(
            select(
                *(columns[name] for name in ("id", "received_us", "topic", "code", "reason")),
                func.substr(columns.payload, 1, 65_536).label("head"),
            )
            .where(columns.id.in_(newest))
            .order_by(columns.received_us.desc())
        )
        found = [row for row in rows if wanted in bytes(row.head)][:_REJECTIONS_MAX]
    return [
        NearRejection(row.id, format_time(moment(row.received_us)), row.topic, row.code, row.reason)
        for row in found
    ]


def telling_measurements(
    database: Database, run_ids: list[int]
) -> dict[int, tuple[bool, TellingMeasurement | None]]:
    """Return by run: is one of its values marginal, and the measurement that explains it."""
    with connected(database) as connection:
        return telling_by_run(database, connection, run_ids)

"""What all queries stand on: tables as Core sees them, a connection, times, and names by number."""

import contextlib
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Integer, Table, literal_column, select

from broker.messages import format_time
from service.store import tables
from service.store.codes import HOUR_US, NameKind
from service.store.database import Database
from service.store.times import moment

Facts: TypeAlias = dict[str, Any]
"""One answer as JSON knows it, in the words of the contract."""

_TABLES = tables.METADATA.tables
NAME: Final[Table] = _TABLES["name"]
MACHINE: Final[Table] = _TABLES["machine"]
UNIT: Final[Table] = _TABLES["unit"]
UNIT_STATE: Final[Table] = _TABLES["unit_state"]
RAW_MESSAGE: Final[Table] = _TABLES["raw_message"]
RUN: Final[Table] = _TABLES["run"]
MEASUREMENT: Final[Table] = _TABLES["measurement"]
RUN_HOUR: Final[Table] = _TABLES["run_hour"]
UNIT_HOUR: Final[Table] = _TABLES["unit_hour"]
RUN_HOUR_DETAIL: Final[Table] = _TABLES["run_hour_detail"]
UNIT_HOUR_DETAIL: Final[Table] = _TABLES["unit_hour_detail"]
STEP_HOUR: Final[Table] = _TABLES["step_hour"]
REJECTION: Final[Table] = _TABLES["rejection"]
RULEBOOK: Final[Table] = _TABLES["rulebook"]
SHADOW: Final[Table] = _TABLES["shadow"]
SHADOW_VERDICT: Final[Table] = _TABLES["shadow_verdict"]
AUDIT: Final[Table] = _TABLES["audit"]
ALERT: Final[Table] = _TABLES["alert"]
ALERT_EVENT: Final[Table] = _TABLES["alert_event"]
SERVICE: Final[Table] = _TABLES["service"]
OUTBOX: Final[Table] = _TABLES["outbox"]
USER_ACCOUNT: Final[Table] = _TABLES["user_account"]
API_TOKEN: Final[Table] = _TABLES["api_token"]

_NAMES_MAX = 500_000  # as the writer's: names are few, unless a sender misuses them
_LOOKED_UP_MAX = 10_000  # ids of one statement; SQLite takes 32,766 values

_texts: weakref.WeakKeyDictionary[Database, dict[int, str]] = weakref.WeakKeyDictionary()


@contextlib.contextmanager
def connected(database: Database) -> Iterator[Connection]:
    """Give a connection for reading; database trouble becomes our errors."""
    with database.reading() as session:
        yield session.connection()


@contextlib.contextmanager
def at_one_moment(database: Database) -> Iterator[Connection]:
    """As `connected`; all statements see the database as it was at the first of them."""
    begin = "BEGIN" if database.is_sqlite else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    with connected(database) as connection:
        connection.exec_driver_sql(begin)
        yield connection


def as_time(microseconds: int | None) -> str | None:
    """Return a stored time as UTC text with Z."""
    return None if microseconds is None else format_time(moment(microseconds))


SLOTS: Final[Mapping[str, int]] = {"hour": HOUR_US, "quarter": HOUR_US // 4}
"""Keys that are slots of time, by their length in microseconds."""


def hour_of(column: ColumnElement[int]) -> ColumnElement[int]:
    """Return a time's hour as the roll-ups count them."""
    return slot_of(column, HOUR_US)


def slot_of(column: ColumnElement[int], size_us: int) -> ColumnElement[int]:
    """Return in which slot of this length, counted from 1970, a time lies.

    Literals, because PostgreSQL takes two parameters of one value for two expressions and then
    does not see that what is selected is what is grouped by. Both databases cut a division towards
    0: without the rest taken off first, hours before 1970 were one too high.
    """
    slot: ColumnElement[int] = literal_column(str(size_us), Integer)
    return (column - ((column % slot) + slot) % slot) // slot


def unordered(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column that is grouped by without the order of an index.

    SQLite likes to read a whole table in an index's order, only to save the sorting of the few rows
    that another index would have found.
    """
    return column + literal_column("0", Integer)


def names_of(
    database: Database, connection: Connection, ids: Iterable[int | None]
) -> Mapping[int | None, str]:
    """Return the texts of `ids`; None has none. An id's text never changes, so it is kept."""
    known = _texts.setdefault(database, {})
    if len(known) > _NAMES_MAX:  # a new one: other threads look things up in the old one
        known = _texts[database] = {}
    wanted = {each for each in ids if each is not None}
    missing = sorted(each for each in wanted if each not in known)
    for start in range(0, len(missing), _LOOKED_UP_MAX):
        some = missing[start : start + _LOOKED_UP_MAX]
        rows = connection.execute(select(NAME.c.id, NAME.c.text).where(NAME.c.id.in_(some)))
        known.update((row.id, row.text) for row in rows)
    return {each: known[each] for each in wanted}


def id_of(connection: Connection, kind: NameKind, text: str) -> int | None:
    """Return the id of a name, None where nothing of this name was ever stored."""
    query = select(NAME.c.id).where(NAME.c.kind == kind.value, NAME.c.text == text)
    found: int | None = connection.execute(query).scalar()
    return found

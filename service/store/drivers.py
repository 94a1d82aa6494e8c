"""The two databases as the writer sees them: match, insert and upsert whole lists of rows.

Both speak through their driver, not the ORM: a row costs about 1 µs instead of 65. A `Table` names
columns and their PostgreSQL types once; SQLite ignores the types.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import psycopg

Row: TypeAlias = Sequence[Any]
_SQLITE_VALUES_MAX = 20_000  # its bound on ? in one statement is 32,766


class Table(NamedTuple):
    """Where rows go."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    """PostgreSQL's names of the columns' types, for COPY in binary and for arrays."""

    @property
    def column_list(self) -> str:
        """The columns, for SQL."""
        return ", ".join(self.columns)


def table(name: str, **columns: str) -> Table:
    """Build a Table from `column="type"` pairs, in order."""
    return Table(name, tuple(columns), tuple(columns.values()))


class Driver(Protocol):
    """One open connection of the writer. Not thread-safe."""

    def execute(self, sql: str, values: Row = ()) -> list[Any]:
        """Run one statement with `?` for its values; return its rows."""
        ...

    def match(self, keys: Sequence[Row], types: Sequence[str], sql: str) -> list[Any]:
        """Run `sql` against the table `k(k0, k1, …)` made of `keys`; return its rows."""
        ...

    def insert(self, into: Table, rows: Sequence[Row]) -> None:
        """Insert rows that are known to be new; a clash raises the driver's IntegrityError."""
        ...

    def insert_absent(self, into: Table, rows: Sequence[Row]) -> set[int]:
        """Insert rows, `id` first, whose other unique key is not there; return the ids inserted."""
        ...

    def upsert(self, into: Table, rows: Sequence[Row], on_conflict: str) -> None:
        """Insert rows; where the key exists do what `on_conflict` says."""
        ...

    def next_ids(self, name: str, count: int) -> Sequence[int]:
        """Return `count` new, rising ids of a table."""
        ...

    def begin(self) -> None:
        """Start the transaction."""
        ...

    def commit(self) -> None:
        """Make it durable."""
        ...

    def rollback(self) -> None:
        """Undo it; harmless when there is none."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class SqliteDriver:
    """SQLite: `executemany`. There is one writer, so ids are counted in memory."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._last_ids: dict[str, int] = {}

    def execute(self, sql: str, values: Row = ()) -> list[Any]:
        """See Driver."""
        return self._connection.execute(sql, values).fetchall()

    def match(self, keys: Sequence[Row], types: Sequence[str], sql: str) -> list[Any]:
        """See Driver."""
        width = len(types)
        names = ", ".join(f"k{number}" for number in range(width))
        one = f"({', '.join('?' * width)})"
        found: list[Any] = []
        for some in _slices(keys, _SQLITE_VALUES_MAX // width):
            with_keys = f"WITH k({names}) AS (VALUES {', '.join([one] * len(some))}) {sql}"
            found += self._connection.execute(with_keys, [v for key in some for v in key])
        return found

    def insert(self, into: Table, rows: Sequence[Row]) -> None:
        """See Driver."""
        self.upsert(into, rows, "")

    def insert_absent(self, into: Table, rows: Sequence[Row]) -> set[int]:
        """See Driver. There is no other writer, so what was absent still is."""
        self.upsert(into, rows, "")
        return {row[0] for row in rows}

    def upsert(self, into: Table, rows: Sequence[Row], on_conflict: str) -> None:
        """See Driver."""
        if rows:
            marks = ", ".join("?" * len(into.columns))
            self._connection.executemany(
                f"INSERT INTO {into.name} ({into.column_list}) VALUES ({marks}) {on_conflict}",  # noqa: S608
                rows,
            )

    def next_ids(self, name: str, count: int) -> Sequence[int]:
        """See Driver."""
        if name not in self._last_ids:
            found = self._connection.execute(f"SELECT max(id) FROM {name}").fetchone()  # noqa: S608
            self._last_ids[name] = found[0] or 0
        first = self._last_ids[name] + 1
        self._last_ids[name] += count
        return range(first, first + count)

    def begin(self) -> None:
        """See Driver."""
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """See Driver."""
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """See Driver."""
        self._last_ids.clear()
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """See Driver."""
        self._connection.close()


class PostgresDriver:
    """PostgreSQL: binary COPY for new rows, arrays for keys and upserts, sequences for ids."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._cursor = connection.cursor()

    def execute(self, sql: str, values: Row = ()) -> list[Any]:
        """See Driver."""
        self._cursor.execute(sql.replace("?", "%s").encode(), values)
        return self._cursor.fetchall() if self._cursor.description else []

    def match(self, keys: Sequence[Row], types: Sequence[str], sql: str) -> list[Any]:
        """See Driver."""
        names = ", ".join(f"k{number}" for number in range(len(types)))
        arrays = ", ".join(f"%s::{each}[]" for each in types)
        with_keys = f"WITH k({names}) AS (SELECT * FROM unnest({arrays})) {sql}"  # noqa: S608
        self._cursor.execute(with_keys.encode(), _columns(keys, len(types)))
        return self._cursor.fetchall()

    def insert(self, into: Table, rows: Sequence[Row]) -> None:
        """See Driver."""
        if not rows:
            return
        sql = f"COPY {into.name} ({into.column_list}) FROM STDIN (FORMAT BINARY)"
        with self._cursor.copy(sql.encode()) as copy:
            copy.set_types(into.types)
            for row in rows:
                copy.write_row(row)

    def insert_absent(self, into: Table, rows: Sequence[Row]) -> set[int]:
        """See Driver. Waits for another service that is adding the same."""
        arrays = ", ".join(f"%s::{each}[]" for each in into.types)
        sql = (
            f"INSERT INTO {into.name} ({into.column_list}) SELECT * FROM unnest({arrays})"  # noqa: S608
            " ON CONFLICT DO NOTHING RETURNING id"
        )
        self._cursor.execute(sql.encode(), _columns(rows, len(into.types)))
        return {row[0] for row in self._cursor.fetchall()}

    def upsert(self, into: Table, rows: Sequence[Row], on_conflict: str) -> None:
        """See Driver."""
        if not rows:
            return
        arrays = ", ".join(f"%s::{each}[]" for each in into.types)
        sql = f"INSERT INTO {into.name} ({into.column_list}) SELECT * FROM unnest({arrays})"  # noqa: S608
        self._cursor.execute(f"{sql} {on_conflict}".encode(), _columns(rows, len(into.types)))

    def next_ids(self, name: str, count: int) -> Sequence[int]:
        """See Driver."""
        sql = f"SELECT nextval('{name}_id_seq') FROM generate_series(1, %s)"  # noqa: S608
        self._cursor.execute(sql.encode(), (count,))
        return [each[0] for each in self._cursor.fetchall()]

    def begin(self) -> None:
        """See Driver."""
        self._cursor.execute(b"BEGIN")

    def commit(self) -> None:
        """See Driver."""
        self._cursor.execute(b"COMMIT")

    def rollback(self) -> None:
        """See Driver."""
        if not self._connection.closed:
            self._connection.rollback()

    def close(self) -> None:
        """See Driver."""
        self._connection.close()


def _columns(rows: Sequence[Row], width: int) -> list[list[Any]]:
    """Turn rows into one list a column, as `unnest` wants them."""
    return [[row[number] for row in rows] for number in range(width)]


def _slices(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]

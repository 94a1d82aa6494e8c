"""The two databases as the writer sees them: match, insert and upsert whole lists of rows.

Both speak through their driver, not the ORM: a row costs about 1 µs instead of 65. A `Table` names
columns and their PostgreSQL types once; SQLite ignores the types.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import psycopg

Row: TypeAlias = Sequence[Any]
_SQLITE_VALUES_MAX = 20_000  # its bound on ? in one statement is 32,766
_GIVEN_BEFORE = {"run": "UNION ALL SELECT max(last_run_id) FROM machine"}
"""Where SQLite finds ids of rows that may be deleted: people keep a run's, so none comes twice."""
_FAST: Mapping[type, Callable[[Any], Any]] = {bool: int, bytes: bytearray}
_COPY_ROWS_MIN = 8  # below it COPY's own round trips cost more than a statement a row


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

    has_other_writers: bool
    """Another service may write at the same time: lock what is read to be written."""

    def execute(self, sql: str, values: Row = ()) -> list[Any]:
        """Run one statement with `?` for its values; return its rows."""
        ...

    def change(self, sql: str, values: Row = ()) -> None:
        """Run one statement of a transaction that returns nothing, at the commit at the latest."""
        ...

    def reserve(self, counts: Mapping[str, int]) -> None:
        """Say how many ids `next_ids` will soon be asked for, by table, so that it need not wait.

        What the transaction leaves is given back or never used: ids rise, they are not gapless.
        """
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

    has_other_writers = False

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._last_ids: dict[str, int] = {}

    def execute(self, sql: str, values: Row = ()) -> list[Any]:
        """See Driver."""
        return self._connection.execute(sql, values).fetchall()

    def change(self, sql: str, values: Row = ()) -> None:
        """See Driver."""
        self._connection.execute(sql, values)

    def reserve(self, counts: Mapping[str, int]) -> None:
        """See Driver. They are counted in memory: there is nothing to wait for."""

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
        if rows:
            self.upsert(*_lean(into, rows), "")

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
            sql = f"SELECT max(id) FROM {name} {_GIVEN_BEFORE.get(name, '')}"  # noqa: S608
            self._last_ids[name] = max(row[0] or 0 for row in self._connection.execute(sql))
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
    """PostgreSQL: binary COPY for many rows, arrays for keys and upserts, sequences for ids.

    A statement whose rows nobody needs waits for the next one whose rows somebody does, or for the
    commit, and they go out together: a batch of one message takes four round trips instead of some
    twenty, and a third of the time. What is wrong with such a statement is raised by the commit.
    """

    has_other_writers = True

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._waiting: list[tuple[bytes, Row]] = []
        self._reserved: dict[str, int] = {}
        self._ids: dict[str, list[int]] = {}

    def execute(self, sql: str, values: Row = ()) -> list[Any]:
        """See Driver."""
        return self._ask(sql.replace("?", "%s"), values)

    def change(self, sql: str, values: Row = ()) -> None:
        """See Driver."""
        self._wait(sql.replace("?", "%s"), values)

    def reserve(self, counts: Mapping[str, int]) -> None:
        """See Driver."""
        self._reserved |= counts

    def match(self, keys: Sequence[Row], types: Sequence[str], sql: str) -> list[Any]:
        """See Driver."""
        if not keys:
            return []
        names = ", ".join(f"k{number}" for number in range(len(types)))
        columns = _columns(keys, len(types))
        arrays = _arrays(columns, types)
        with_keys = f"WITH k({names}) AS (SELECT * FROM unnest({arrays})) {sql}"  # noqa: S608
        return self._ask(with_keys, columns)

    def insert(self, into: Table, rows: Sequence[Row]) -> None:
        """See Driver."""
        if len(rows) < _COPY_ROWS_MIN:
            for row in rows:
                self.upsert(into, (row,), "")
            return
        self._send()
        sql = f"COPY {into.name} ({into.column_list}) FROM STDIN (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
            copy.set_types(into.types)
            for row in rows:
                copy.write_row(row)

    def insert_absent(self, into: Table, rows: Sequence[Row]) -> set[int]:
        """See Driver. Waits for another service that is adding the same."""
        columns = _columns(rows, len(into.types))
        sql = (
            f"INSERT INTO {into.name} ({into.column_list})"  # noqa: S608
            f" SELECT * FROM unnest({_arrays(columns, into.types)})"
            " ON CONFLICT DO NOTHING RETURNING id"
        )
        return {row[0] for row in self._ask(sql, columns)}

    def upsert(self, into: Table, rows: Sequence[Row], on_conflict: str) -> None:
        """See Driver."""
        if not rows:
            return
        if len(rows) == 1:
            source, values = f"VALUES ({_marks(into.types)})", rows[0]
        else:
            values = _columns(rows, len(into.types))
            source = f"SELECT * FROM unnest({_arrays(values, into.types)})"  # noqa: S608
        self._wait(f"INSERT INTO {into.name} ({into.column_list}) {source} {on_conflict}", values)

    def next_ids(self, name: str, count: int) -> Sequence[int]:
        """See Driver."""
        if len(self._ids.get(name, ())) < count:
            self._reserved = {**self._reserved, name: count}
            self._send()
        ids = self._ids[name]
        taken, self._ids[name] = ids[:count], ids[count:]
        return taken

    def begin(self) -> None:
        """See Driver."""
        self._wait("BEGIN")

    def commit(self) -> None:
        """See Driver."""
        self._wait("COMMIT")
        self._send()

    def rollback(self) -> None:
        """See Driver."""
        self._forget()
        if not self._connection.closed:
            self._connection.rollback()

    def close(self) -> None:
        """See Driver."""
        self._forget()
        self._connection.close()

    def _wait(self, sql: str, values: Row = ()) -> None:
        self._waiting.append((sql.encode(), values))

    def _ask(self, sql: str, values: Row) -> list[Any]:
        """Run what waits and one statement more; return that one's rows."""
        self._wait(sql, values)
        cursor = self._send()
        return cursor.fetchall() if cursor is not None and cursor.description else []

    def _send(self) -> psycopg.Cursor[Any] | None:
        """Send all that waits in one round trip; return the cursor of the last statement."""
        waiting, self._waiting = self._waiting, []
        reserved, self._reserved = self._reserved, {}
        if not waiting and not reserved:
            return None
        # One statement alone is cheaper without a pipeline.
        is_alone = len(waiting) + len(reserved) == 1
        cursor = None
        with contextlib.nullcontext() if is_alone else self._connection.pipeline():
            for sql, values in waiting:
                cursor = self._connection.execute(sql, values)
            drawn = {name: self._draw_ids(name, count) for name, count in reserved.items()}
        self._ids |= {name: [row[0] for row in each.fetchall()] for name, each in drawn.items()}
        return cursor

    def _draw_ids(self, name: str, count: int) -> psycopg.Cursor[Any]:
        sql = f"SELECT nextval('{name}_id_seq') FROM generate_series(1, %s)"  # noqa: S608
        return self._connection.execute(sql.encode(), (count,))

    def _forget(self) -> None:
        self._waiting.clear()
        self._reserved.clear()
        self._ids.clear()


def _lean(into: Table, rows: Sequence[Row]) -> tuple[Table, Sequence[Row]]:
    """Leave out columns that hold nothing but None, and turn others into what binds fast.

    An int, a float, a str or a bytearray is bound as it is. Anything else, also None, a bool or
    bytes, is first looked up as something to adapt, which takes 0.3 µs: of a flat result's
    seventy values half are such, and that was a tenth of its time.
    Source: CPython, Modules/_sqlite, `need_adapt`.
    """
    kept: list[int] = []
    columns: list[Iterable[Any]] = []
    for number, column in enumerate(zip(*rows, strict=True)):
        kind = type(column[0])
        if kind is type(None) and column.count(None) == len(column):
            continue
        kept.append(number)
        fast = _FAST.get(kind)
        if fast is not None and all(type(value) is kind for value in column):
            columns.append(map(fast, column))
        else:
            columns.append(column)
    names = tuple(into.columns[number] for number in kept)
    return Table(into.name, names, ()), list(zip(*columns, strict=True))


def _marks(types: Sequence[str]) -> str:
    """Return one parameter a column; bytes in binary, else they would double on the way."""
    return ", ".join(f"{'%b' if each == 'bytea' else '%s'}::{each}" for each in types)


def _arrays(columns: Sequence[Sequence[Any]], types: Sequence[str]) -> str:
    """Return one array parameter a column, in binary: as text it would take twice as long.

    Only an array of nothing but NULL has to be text: the driver cannot tell its type in binary.
    """
    marks = ("%s" if column.count(None) == len(column) else "%b" for column in columns)
    return ", ".join(f"{mark}::{each}[]" for mark, each in zip(marks, types, strict=True))


def _columns(rows: Sequence[Row], width: int) -> list[list[Any]]:
    """Turn rows into one list a column, as `unnest` wants them."""
    return [[row[number] for row in rows] for number in range(width)]


def _slices(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]

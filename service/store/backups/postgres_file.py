"""PostgreSQL: pg_dump's custom format, as of one moment; put back in one transaction of our own."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import sql
from sqlalchemy import Connection

from broker.errors import SettingsError, StoreRefused, StoreUnavailable
from service.store import tables
from service.store.backups.manifest import Contents, Manifest, Progress
from service.store.backups.postgres_tools import find_tool, running
from service.store.database import Database
from service.store.schema import hold_migration_lock

_DUMPS: Final = re.compile(rb'dumping contents of table "(?:[^".]+\.)?([^"]+)"').search
_COPY: Final = re.compile(rb'COPY (?:"[^"]+"|\w+)\.(\w+) \(.*\) FROM stdin;').fullmatch
_END_OF_COPY: Final = b"\\.\n"
_LINES_A_WRITE: Final = 500
_KEPT_ROWS: Final = """SELECT c.relname FROM pg_class c
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
    ORDER BY c.relname"""


class Part(NamedTuple):
    """A piece of the script that a dump is: SQL, then the rows of one table."""

    before: bytes
    """Statements to run first."""
    table: str
    """Empty: no table comes any more."""
    copy: bytes
    lines: Iterator[bytes]
    """Its rows, to be read before the next part."""


# -- taking ----------------------------------------------------------------------------------------


def take(database: Database, part: Path, progress: Progress) -> Contents:
    """Dump the database into a new file; return what it holds.

    What is counted and what is dumped is the same moment: pg_dump reads the snapshot in which we
    count. Services write meanwhile; only a migration waits.

    Raises:
        StoreUnavailable: The database is away, or pg_dump failed.
        SettingsError: There is no pg_dump for it.
    """
    with database.translated(), psycopg.connect(database.conninfo()) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        contents = contents_of(connection)
        sizes = _sizes(connection)
        snapshot = _value(connection, "SELECT pg_export_snapshot()")
        schema = _value(connection, "SELECT current_schema()")
        words = [
            "--format=custom",
            "--compress=1",  # a third larger than the default, in a quarter of its time
            "--verbose",
            f"--schema={schema}",
            f"--snapshot={snapshot}",
            f"--file={part}",
        ]
        with running(find_tool("pg_dump", _major(contents.server)), words, database) as dump:
            said, done = [], 0
            for line in dump.words:
                said.append(line.decode(errors="replace"))
                if found := _DUMPS(line):
                    progress(done, sum(sizes.values()))
                    done += sizes.get(found[1].decode(), 0)
            dump.finish("".join(said))
        return contents


def contents_of(connection: "psycopg.Connection[Any]") -> Contents:
    """Return what the database holds; a large table takes a second for every few million rows."""
    names = [row[0] for row in connection.execute(_KEPT_ROWS)]
    rows = {
        name: _value(connection, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name)))
        for name in names
    }
    revision = None
    if rows.get("alembic_version"):
        revision = _value(connection, "SELECT version_num FROM alembic_version")
    return Contents(revision, rows, str(_value(connection, "SHOW server_version")).split()[0])


def _sizes(connection: "psycopg.Connection[Any]") -> dict[str, int]:
    query = f"SELECT k.relname, pg_table_size(k.relname::regclass) FROM ({_KEPT_ROWS}) k"  # noqa: S608 - our own words
    return {name: int(size) for name, size in connection.execute(query.encode())}


def _value(connection: "psycopg.Connection[Any]", query: Any) -> Any:  # noqa: ANN401 - whatever it selects
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]


def _major(version: str) -> int:
    return int(version.partition(".")[0])


# -- reading a file --------------------------------------------------------------------------------


def look_into(file: Path, server: str) -> Contents:
    """Read a dump through; return what it holds.

    Args:
        file: The dump.
        server: The version of the server it was taken from.

    Raises:
        SettingsError: It is damaged, or there is no pg_restore for it.
    """
    rows: dict[str, int] = {}
    revision = None
    with reading(file, server, "data") as parts:
        for part in parts:
            count = 0
            for line in part.lines:
                count += 1
                if part.table == "alembic_version":
                    revision = line.decode().strip()
            if part.table:
                rows[part.table] = count
    return Contents(revision, rows, server)


@contextmanager
def reading(file: Path, server: str, section: str) -> Iterator[Iterator[Part]]:
    """Give one section of a dump, as pg_restore turns it into a script.

    Raises:
        SettingsError: It is damaged, or there is no pg_restore for it.
    """
    tool = find_tool("pg_restore", _major(server))
    schema = _schema_of(tool, file)
    words = [
        f"--section={section}",
        f"--schema={schema}",  # what is in it, not the schema itself
        "--no-owner",
        "--no-privileges",
        "--file=-",
        str(file),
    ]
    with running(tool, words) as restore:
        yield _parts(restore.output, file)
        try:
            restore.finish()
        except StoreUnavailable as error:
            raise SettingsError(f"{file} is damaged: {error}. Use another backup.") from error


def _schema_of(tool: Path, file: Path) -> str:
    """Return the schema whose tables a dump holds."""
    with running(tool, ["--list", str(file)]) as restore:
        listed = restore.output.read().decode(errors="replace")
        try:
            restore.finish()
        except StoreUnavailable as error:
            raise SettingsError(f"{file} is no dump: {error}. Use another backup.") from error
    found = re.search(r" TABLE (\S+) alembic_version ", listed)
    if found is None:
        raise SettingsError(f"{file} holds no database of Yieldline. Use another backup.")
    return found[1]


def _parts(script: Iterator[bytes], file: Path) -> Iterator[Part]:
    before: list[bytes] = []
    for line in script:
        if found := _COPY(line.rstrip(b"\n")):
            copy = line.rstrip(b";\n")
            yield Part(b"".join(before), found[1].decode(), copy, _rows(script, file))
            before = []
        elif not line.startswith((b"\\restrict", b"\\unrestrict")):  # words to psql
            before.append(line)
    yield Part(b"".join(before), "", b"", iter(()))


def _rows(script: Iterator[bytes], file: Path) -> Iterator[bytes]:
    for line in script:
        if line == _END_OF_COPY:
            return
        yield line
    raise SettingsError(f"{file} is damaged: a table ends too early. Use another backup.")


# -- putting back ----------------------------------------------------------------------------------


@contextmanager
def alone(database: Database) -> Iterator[Connection]:
    """Give a transaction that nobody of ours works beside; a service that starts waits for its end.

    Raises:
        StoreRefused: A service or a web app is connected.
        StoreUnavailable: The database is away.
    """
    with database.translated(), database.engine.begin() as connection:
        hold_migration_lock(connection)
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{int(database.timeout_s * 1000)}ms'")
        others = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'yieldline %%' AND pid <> pg_backend_pid()"
        ).scalar()
        if others:
            raise StoreRefused(
                f"a service or a web app is connected to {database.label}. Stop it first, then"
                " restore."
            )
        yield connection


def driver_of(connection: Connection) -> "psycopg.Connection[Any]":
    """Return the driver's own connection, in the same transaction."""
    own: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    return own


def replace_all(
    connection: "psycopg.Connection[Any]", file: Path, manifest: Manifest, progress: Progress
) -> Contents:
    """Make the database what a dump holds, within the transaction; return what it then holds.

    Args:
        connection: From `alone`.
        file: The dump.
        manifest: What it says of itself.
        progress: Called with how many rows are in, and of how many.

    Raises:
        SettingsError: The dump is damaged; undo the transaction.
    """
    _drop(connection, {*tables.METADATA.tables, *manifest.rows})
    done = 0
    for section in ("pre-data", "data", "post-data"):
        with reading(file, manifest.server, section) as parts:
            for part in parts:
                connection.execute(part.before)
                if part.table:
                    done += _copy(connection, part)
                    progress(done, manifest.row_count)
    connection.execute("RESET ALL")  # the script has set much, an empty search path too
    return contents_of(connection)


def _copy(connection: "psycopg.Connection[Any]", part: Part) -> int:
    """Copy a table's rows; return how many."""
    done = 0
    with connection.cursor() as cursor, cursor.copy(part.copy) as copy:
        while some := list(islice(part.lines, _LINES_A_WRITE)):
            copy.write(b"".join(some))
            done += len(some)
    return done


def _drop(connection: "psycopg.Connection[Any]", names: set[str]) -> None:
    """Drop tables, with the functions of their triggers."""
    kept = [name for (name,) in connection.execute(_KEPT_ROWS) if name in names]
    functions = connection.execute(
        "SELECT DISTINCT t.tgfoid::regprocedure::text FROM pg_trigger t"
        " JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace"
        " AND c.relname = ANY(%s)",
        (kept,),
    ).fetchall()
    for name in kept:
        connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(name)))
    for (function,) in functions:
        connection.execute(f"DROP FUNCTION {function}".encode())

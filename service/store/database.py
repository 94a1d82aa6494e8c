"""One database: its address, its engine for reads, and its errors turned into ours."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlmodel import Session

from broker.addresses import without_password
from broker.errors import SettingsError, StoreRefused, StoreUnavailable
from broker.files import make_private
from broker.sections import DatabaseSettings
from service.store.transport import is_private, refusal

_POOL_SIZE = 8
_WRITER_CACHE_KIB = 65_536  # it comes back to the same pages of its indexes, batch after batch
_READER_CACHE_KIB = 4_096  # a process has many; the system's own cache answers them as fast
_NO_TABLE = "42P01"
_CHANGE_LOCK = 0x59_4C_00_02  # "YL": PostgreSQL's advisory lock for what people change
_ONLY_KEYS = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
"""The writer only ever looks rows up by key. Without statistics the planner would read a table
whole: right on an empty database, and ever slower on one that fills."""
_KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
"""A cable that is pulled is noticed in half a minute, not after the two hours of the system: on our
side, so that a commit does not wait for ever, and on the server's, which keeps our service number
until it notices."""
_NOTICED: dict[str, Any] = {**_KEEPALIVES, "tcp_user_timeout": 30_000}
ROW_ERRORS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.NotSupportedError,
    psycopg.errors.ProgramLimitExceeded,  # a text too long for an index; not an outage, as its base
    sqlite3.IntegrityError,
    sqlite3.DataError,
)
"""What is wrong with the rows, not with the database: trying again does not help."""
_SQLITE_ADVICE = "Is its disk full, or does another program hold the file?"
_POSTGRES_ADVICE = "Is the server running, and reachable from here? Check YIELDLINE_DATABASE__URL."
_REFUSED_STATES = ("28", "3D", "42501")  # login, no such database, no right


class Database:
    """A SQLite file or a PostgreSQL database, opened lazily and safe to share between threads."""

    def __init__(self, settings: DatabaseSettings) -> None:
        """Parse the address; nothing is opened yet.

        Raises:
            SettingsError: The URL makes no sense, or leads to another host without TLS.
        """
        self.timeout_s = settings.timeout_s
        try:
            url = make_url(settings.address().replace("postgres://", "postgresql://", 1))
            self.is_sqlite = url.get_backend_name() == "sqlite"
            self.url = url if self.is_sqlite else url.set(drivername="postgresql+psycopg")
            self.is_exposed = not (self.is_sqlite or is_private(self.conninfo()))
        except (ArgumentError, ValueError, psycopg.ProgrammingError):
            raise SettingsError(
                "database.url cannot be read."
                " Use sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME,"
                " and write what is special in a password as %2F."
            ) from None  # what it says repeats a piece of the password
        if self.is_exposed and not settings.no_tls:
            raise SettingsError(refusal(self.label))
        self.engine = self._make_engine()

    @property
    def label(self) -> str:
        """The address without its password, for sentences."""
        shown = self.url.render_as_string(hide_password=False).replace("+psycopg", "")
        return without_password(shown)

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return Path(self.url.database or "")

    def session(self) -> Session:
        """Return a new session for reading; use it as a context manager inside `translated`."""
        return Session(self.engine)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session for reading; database trouble becomes StoreUnavailable or StoreRefused."""
        with self.translated(), self.session() as session:
            yield session

    @contextlib.contextmanager
    def changing(self) -> Iterator[Connection]:
        """Give a transaction for what a person changes: one at a time, whichever process it is in.

        Results are written meanwhile all the same, on PostgreSQL; on SQLite they wait for its end.

        Raises:
            StoreUnavailable, StoreRefused: Database trouble; nothing was changed.
        """
        with self.translated(), self.engine.begin() as connection:
            self.await_other_changes(connection)
            yield connection

    def await_other_changes(self, connection: Connection) -> None:
        """Wait, at the start of a transaction, until it is the only one that `changing` gives."""
        if self.is_sqlite:  # its driver would begin only at the first change, after our reads
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_CHANGE_LOCK})")

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the drivers' exceptions into ours: StoreUnavailable or StoreRefused.

        What is wrong with the rows (ROW_ERRORS) passes: the writer deals with it.
        """
        try:
            yield
        except ROW_ERRORS:
            raise
        except (psycopg.Error, sqlite3.Error, SQLAlchemyError) as error:
            raise self.explain(error) from error

    def explain(self, error: Exception) -> StoreUnavailable | StoreRefused:
        """Return the error that says in a sentence what the database's own means."""
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        said = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        state = getattr(cause, "sqlstate", None) or ""
        if state == _NO_TABLE or said.startswith("no such table"):
            return StoreUnavailable(
                f"database {self.label} has no tables yet ({said})."
                " Start `yieldline service`, or run `yieldline db upgrade`."
            )
        if state.startswith(_REFUSED_STATES) or _says_refused(said):
            return StoreRefused(
                f"database {self.label} refuses: {said}. Check YIELDLINE_DATABASE__URL."
            )
        advice = _SQLITE_ADVICE if self.is_sqlite else _POSTGRES_ADVICE
        return StoreUnavailable(f"database {self.label} is away: {said.rstrip('.')}. {advice}")

    def connect_sqlite(self) -> sqlite3.Connection:
        """Open the writer's own SQLite connection, in autocommit, durable at every commit."""
        make_private(self.file)
        connection = sqlite3.connect(
            self.file, timeout=self.timeout_s, isolation_level=None, check_same_thread=False
        )
        try:
            _set_up_sqlite(connection, _WRITER_CACHE_KIB)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def connect_postgres(self) -> psycopg.Connection[Any]:
        """Open the writer's own PostgreSQL connection, in autocommit."""
        return psycopg.connect(
            self.conninfo(),
            autocommit=True,
            connect_timeout=max(2, int(self.timeout_s)),
            application_name="yieldline service",
            options=_ONLY_KEYS + "".join(f" -c tcp_{name}={s}" for name, s in _KEEPALIVES.items()),
            **_NOTICED,
        )

    def conninfo(self) -> str:
        """Return the address in the driver's own form, with the password."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def dispose(self) -> None:
        """Close the pooled connections."""
        self.engine.dispose()

    def _make_engine(self) -> Engine:
        if not self.is_sqlite:
            return create_engine(
                self.url,
                pool_size=_POOL_SIZE,
                pool_pre_ping=True,
                pool_timeout=self.timeout_s,
                connect_args={
                    "connect_timeout": max(2, int(self.timeout_s)),
                    "application_name": "yieldline reads",
                    **_NOTICED,
                },
            )
        engine = create_engine(
            URL.create("sqlite", database=str(self.file)),
            pool_size=_POOL_SIZE,
            connect_args={"timeout": self.timeout_s, "check_same_thread": False},
        )

        @event.listens_for(engine, "do_connect")
        def _(*_: object) -> None:
            make_private(self.file)  # it holds hashes of passwords

        @event.listens_for(engine, "connect")
        def _(connection: sqlite3.Connection, _record: object) -> None:
            _set_up_sqlite(connection, _READER_CACHE_KIB)

        return engine


def prepare_folder(database: Database) -> None:
    """Make the folder of a SQLite file.

    Raises:
        StoreRefused: It cannot be made or written to.
    """
    if not database.is_sqlite:
        return
    folder = database.file.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreRefused(
            f"the folder {folder} of the database cannot be made ({error.strerror})."
            " Choose another --data-dir or YIELDLINE_DATABASE__URL."
        ) from error
    if not os.access(folder, os.W_OK):
        raise StoreRefused(
            f"the folder {folder} of the database cannot be written to."
            " Choose another --data-dir or YIELDLINE_DATABASE__URL."
        )


def _set_up_sqlite(connection: sqlite3.Connection, cache_kib: int) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # a commit that returned survives a power cut
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA cache_size=-{cache_kib}")
    connection.execute("PRAGMA temp_store=MEMORY")


def _says_refused(said: str) -> bool:
    """Tell a wrong login or file from a database that is only away, by its words.

    A failed PostgreSQL login arrives as an OperationalError without a state code.
    """
    return any(
        word in said
        for word in (
            "password authentication failed",
            "no password supplied",
            "no pg_hba.conf entry",
            "does not exist",
            "file is not a database",
            "unable to open database file",
        )
    )

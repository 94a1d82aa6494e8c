"""PostgreSQL: a lock that a connection holds, so that it ends with whoever took it."""

from typing import Final

from sqlalchemy import Connection

from service.store.database import Database

_NOTICE_DEATH: Final = (
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
)
"""The lock of a computer that is gone becomes free in half a minute."""


def try_session_lock(database: Database, key: int) -> Connection | None:
    """Return a connection that holds an advisory lock until it is closed; None: another has it.

    Args:
        database: PostgreSQL.
        key: Which lock.

    Raises:
        StoreUnavailable: The database is away.
    """
    with database.translated():
        connection = database.engine.connect()
        try:
            connection.detach()  # closing it ends the session, and with it the lock
            with connection.begin():
                query = f"SELECT pg_try_advisory_lock({key})"
                is_ours = bool(connection.exec_driver_sql(query).scalar())
                for setting in _NOTICE_DEATH if is_ours else ():
                    connection.exec_driver_sql(setting)
        except BaseException:
            connection.close()
            raise
    if is_ours:
        return connection
    connection.close()
    return None

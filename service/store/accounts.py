"""Users and tokens in the database."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, insert, inspect, select, update

from broker.errors import StoreUnavailable
from service.store.database import Database
from service.store.queries.base import API_TOKEN, USER_ACCOUNT, connected
from service.store.times import microseconds, moment


class StoredUser(NamedTuple):
    """A person who may log in, or could."""

    name: str
    role: str
    """A `service.commands.roles.Role`."""
    password_hash: str
    """argon2id; empty of a user that was removed."""
    sessions: int
    """Rises whenever all logins of the user end: a login of a lower number is over."""
    created_at: datetime
    disabled_at: datetime | None
    """When the user was removed; None: may log in."""


class NewToken(NamedTuple):
    """A token that is to be stored."""

    name: str
    token_hash: bytes
    scope: str
    created_at: datetime
    created_by: str
    expires_at: datetime


class StoredToken(NamedTuple):
    """What is kept of a token."""

    token_id: int
    name: str
    token_hash: bytes
    """SHA-256 of the token."""
    scope: str
    """A `service.commands.roles.Scope`."""
    created_at: datetime
    created_by: str
    expires_at: datetime
    last_used_at: datetime | None
    """To a minute or so; None: never."""
    revoked_at: datetime | None


class Accounts(NamedTuple):
    """Everyone who may come in."""

    users: tuple[StoredUser, ...] = ()
    """By name, those that were removed too."""
    tokens: tuple[StoredToken, ...] = ()
    """Newest first, those that are over too."""


def read_accounts(database: Database) -> Accounts:
    """Return all users and tokens; none while the database has no tables yet.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble.
    """
    try:
        with connected(database) as connection:
            return Accounts(tuple(users_in(connection)), tuple(tokens_in(connection)))
    except StoreUnavailable:
        if _has_tables(database):
            raise
        return Accounts()


def has_users(database: Database) -> bool:
    """Tell whether anybody may log in; False too while there is no database yet.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble.
    """
    if database.is_sqlite and not database.file.exists():  # asking would make it
        return False
    if not _has_tables(database):
        return False
    with connected(database) as connection:
        query = select(func.count()).where(USER_ACCOUNT.c.disabled_us.is_(None))
        return bool(connection.execute(query).scalar_one())


def users_in(connection: Connection) -> list[StoredUser]:
    """Return every user there ever was, by name."""
    rows = connection.execute(select(USER_ACCOUNT).order_by(USER_ACCOUNT.c.name))
    return [
        StoredUser(
            row.name,
            row.role,
            row.password_hash,
            row.sessions,
            moment(row.created_us),
            None if row.disabled_us is None else moment(row.disabled_us),
        )
        for row in rows
    ]


def save_user(connection: Connection, user: StoredUser) -> None:
    """Store a user, new or changed; within `Database.changing`."""
    disabled_us = None if user.disabled_at is None else microseconds(user.disabled_at)
    values = {
        "role": user.role,
        "password_hash": user.password_hash,
        "sessions": user.sessions,
        "created_us": microseconds(user.created_at),
        "disabled_us": disabled_us,
    }
    changed = update(USER_ACCOUNT).where(USER_ACCOUNT.c.name == user.name).values(values)
    if not connection.execute(changed).rowcount:
        connection.execute(insert(USER_ACCOUNT).values(name=user.name, **values))


def tokens_in(connection: Connection) -> list[StoredToken]:
    """Return every token there ever was, newest first."""
    rows = connection.execute(select(API_TOKEN).order_by(API_TOKEN.c.id.desc()))
    return [_token(row) for row in rows]


def add_token(connection: Connection, new: NewToken) -> StoredToken:
    """Store a new token."""
    values = {
        "name": new.name,
        "token_hash": new.token_hash,
        "scope": new.scope,
        "created_us": microseconds(new.created_at),
        "created_by": new.created_by,
        "expires_us": microseconds(new.expires_at),
    }
    row = connection.execute(insert(API_TOKEN).values(values).returning(*API_TOKEN.c)).one()
    return _token(row)


def end_token(connection: Connection, token_id: int, now: datetime) -> None:
    """Note that a token is revoked."""
    connection.execute(
        update(API_TOKEN).where(API_TOKEN.c.id == token_id).values(revoked_us=microseconds(now))
    )


def note_use(database: Database, used: Mapping[int, datetime]) -> None:
    """Note when tokens were last used, by their ids.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble.
    """
    with database.translated(), database.engine.begin() as connection:
        for token_id, at in sorted(used.items()):
            connection.execute(
                update(API_TOKEN)
                .where(API_TOKEN.c.id == token_id)
                .values(last_used_us=microseconds(at))
            )


def _has_tables(database: Database) -> bool:
    with database.translated(), database.engine.connect() as connection:
        return bool(inspect(connection).has_table(USER_ACCOUNT.name))


def _token(row: Row[Any]) -> StoredToken:
    return StoredToken(
        row.id,
        row.name,
        bytes(row.token_hash),
        row.scope,
        moment(row.created_us),
        row.created_by,
        moment(row.expires_us),
        None if row.last_used_us is None else moment(row.last_used_us),
        None if row.revoked_us is None else moment(row.revoked_us),
    )

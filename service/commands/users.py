"""People who log in: add them, give them a role or a password, remove them.

Where there are users there is an admin: the first one is, and the last one stays.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from broker.errors import AccountError
from service.commands.passwords import hash_password, renewed_hash
from service.commands.roles import Role
from service.store.accounts import StoredUser, save_user, users_in
from service.store.audit import Change, record
from service.store.database import Database

NAME_CHARS_MAX: Final = 64
_is_name = re.compile(rf"[a-z0-9][a-z0-9._@-]{{0,{NAME_CHARS_MAX - 1}}}").fullmatch
_NOBODY: Final = frozenset({"api", "yieldline"})
"""What the audit trail calls those who are no person."""

_Users: TypeAlias = Sequence[StoredUser]
_Changed: TypeAlias = tuple[StoredUser, dict[str, str]]
"""The user as it shall be, and what the audit trail says of it."""
_Step: TypeAlias = tuple[str, Callable[[StoredUser, _Users], _Changed]]
"""What the audit trail calls it, and what it makes of a user."""


class _By(NamedTuple):
    """Who changes something, and when."""

    actor: str
    now: datetime


def user_name(text: str) -> str:
    """Return a user's name as it is kept: in small letters.

    Raises:
        AccountError: It is no name.
    """
    name = text.strip().lower()
    if not _is_name(name) or name in _NOBODY:
        raise AccountError(
            f"{text!r} cannot be a user's name."
            f" Use up to {NAME_CHARS_MAX} letters, digits and . _ @ -"
        )
    return name


def add_user(  # noqa: PLR0913 - who, what and by whom
    database: Database, name: str, role: Role, password: str, *, actor: str, now: datetime
) -> StoredUser:
    """Let a person log in. The name of a removed user may be given again.

    Raises:
        AccountError: The name or password is not taken, the name is in use, or the first user would
            not be an admin.
        StoreUnavailable: The database is away; nothing was changed.
    """
    name = user_name(name)
    kept = hash_password(name, password)
    with database.changing() as connection:
        users = {each.name: each for each in users_in(connection)}
        before = users.get(name)
        if before is not None and before.disabled_at is None:
            raise AccountError(f"there is a user {name} already. Choose another name.")
        if role is not Role.ADMIN and not _admins(tuple(users.values())):
            raise AccountError("the first user must be an admin: add one with --role admin.")
        sessions = 1 if before is None else before.sessions + 1
        added = StoredUser(name, role.value, kept, sessions, now, None)
        save_user(connection, added)
        record(connection, Change(actor, "add", f"user {name}", "", {"role": role.value}), now)
    return added


def set_password(
    database: Database, name: str, password: str, *, actor: str, now: datetime
) -> StoredUser:
    """Give a user another password; all logins of the user end.

    Raises:
        AccountError: There is no such user, or the password is not taken.
        StoreUnavailable: The database is away; nothing was changed.
    """
    return change_user(database, name, password=password, actor=actor, now=now)


def renew_hash(database: Database, user: StoredUser, password: str) -> bool:
    """Keep a password as well as passwords are kept today; tell whether there was need to.

    Nothing changes for anybody, so that logins go on and the audit trail says nothing.

    Args:
        database: Where users are.
        user: As last read.
        password: With which the user has just logged in.

    Raises:
        StoreUnavailable: The database is away; what was kept is still kept.
    """
    kept = renewed_hash(user.password_hash, password)
    if kept is None:
        return False
    with database.changing() as connection:
        found = next((each for each in users_in(connection) if each.name == user.name), None)
        if found is None or found.password_hash != user.password_hash:  # changed in the meantime
            return False
        save_user(connection, found._replace(password_hash=kept))
    return True


def set_role(database: Database, name: str, role: Role, *, actor: str, now: datetime) -> StoredUser:
    """Give a user another role; it holds from the next thing the user does.

    Raises:
        AccountError: There is no such user, or nobody would be an admin any more.
        StoreUnavailable: The database is away; nothing was changed.
    """
    return change_user(database, name, role=role, actor=actor, now=now)


def change_user(  # noqa: PLR0913 - who, what and by whom
    database: Database,
    name: str,
    *,
    role: Role | None = None,
    password: str | None = None,
    actor: str,
    now: datetime,
) -> StoredUser:
    """Give a user another role, another password, or both: all that is asked, or nothing.

    Raises:
        AccountError: As of `set_role` and `set_password`.
        StoreUnavailable: The database is away; nothing was changed.
    """
    kept = None if password is None else hash_password(user_name(name), password)

    def steps() -> Iterator[_Step]:
        if kept is not None:
            yield "set password", lambda user, _: _with_password(user, kept)
        if role is not None:
            yield "set role", lambda user, users: _with_role(user, role, users)

    return _change(database, name, _By(actor, now), *steps())


def remove_user(database: Database, name: str, *, actor: str, now: datetime) -> StoredUser:
    """Let a user log in no more; all logins of the user end. What the user did stays in the trail.

    Raises:
        AccountError: There is no such user, or it is the last admin.
        StoreUnavailable: The database is away; nothing was changed.
    """

    def change(user: StoredUser, users: _Users) -> _Changed:
        _keep_an_admin(user, users)
        gone = user._replace(disabled_at=now, password_hash="", sessions=user.sessions + 1)
        return gone, {"role": user.role}

    return _change(database, name, _By(actor, now), ("remove", change))


def end_sessions(database: Database, name: str, *, actor: str, now: datetime) -> StoredUser:
    """End all logins of a user.

    Raises:
        AccountError: There is no such user.
        StoreUnavailable: The database is away; nothing was changed.
    """

    def change(user: StoredUser, _: _Users) -> _Changed:
        return user._replace(sessions=user.sessions + 1), {}

    return _change(database, name, _By(actor, now), ("log out", change))


def _change(database: Database, name: str, by: _By, *steps: _Step) -> StoredUser:
    """Change one user, each step with its row in the audit trail: all of them, or none."""
    name = user_name(name)
    with database.changing() as connection:
        users = users_in(connection)
        user = next((each for each in users if each.name == name), None)
        if user is None or user.disabled_at is not None:
            raise AccountError(f"there is no user {name}. `yieldline users list` names them.")
        for action, change in steps:
            user, details = change(user, users)
            record(connection, Change(by.actor, action, f"user {name}", "", details), by.now)
        save_user(connection, user)
    return user


def _with_password(user: StoredUser, password_hash: str) -> _Changed:
    return user._replace(password_hash=password_hash, sessions=user.sessions + 1), {}


def _with_role(user: StoredUser, role: Role, users: _Users) -> _Changed:
    if role is not Role.ADMIN:
        _keep_an_admin(user, users)
    return user._replace(role=role.value), {"before": user.role, "after": role.value}


def _keep_an_admin(user: StoredUser, users: _Users) -> None:
    if user.role == Role.ADMIN and [each.name for each in _admins(users)] == [user.name]:
        raise AccountError(
            f"{user.name} is the last admin: nobody could look after users any more."
            " Make somebody else an admin first."
        )


def _admins(users: _Users) -> list[StoredUser]:
    return [each for each in users if each.role == Role.ADMIN and each.disabled_at is None]

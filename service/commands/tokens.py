"""Tokens for scripts, Prometheus and walls: create and revoke them.

A token is 256 random bits. Only its SHA-256 is kept: it is shown once, and cannot be shown again.
"""

import re
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from broker.errors import AccountError
from broker.messages import format_time
from service.commands.roles import Scope
from service.store.accounts import NewToken, StoredToken, add_token, end_token, tokens_in
from service.store.audit import Change, record
from service.store.database import Database

DAYS_DEFAULT: Final = 90
DAYS_MAX: Final = 3_650
TOKEN_PREFIX: Final = "yl_"  # noqa: S105 - so that people and scanners know one by its looks
_TOKEN_BYTES: Final = 32
_is_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}").fullmatch


def create_token(  # noqa: PLR0913 - what, for whom and for how long
    database: Database, name: str, scope: Scope, *, days: int, actor: str, now: datetime
) -> tuple[str, StoredToken]:
    """Create a token.

    Returns:
        The token itself, for whoever shall use it, and what is kept of it.

    Raises:
        AccountError: The name is in use or no name, or it would last too long.
        StoreUnavailable: The database is away; nothing was changed.
    """
    if not _is_name(name):
        raise AccountError(
            f"{name!r} cannot be a token's name. Use up to 64 letters, digits and . _ @ -"
        )
    if not 1 <= days <= DAYS_MAX:
        raise AccountError(f"{days} days: a token lasts 1 to {DAYS_MAX} days.")
    token = TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    expires_at = now + timedelta(days=days)
    with database.changing() as connection:
        if any(each.name == name and each.revoked_at is None for each in tokens_in(connection)):
            raise AccountError(
                f"there is a token {name} already. Choose another name, or revoke it."
            )
        new = NewToken(name, token_hash(token), scope.value, now, actor, expires_at)
        stored = add_token(connection, new)
        details = {"scope": scope.value, "expires_at": format_time(expires_at)}
        record(connection, Change(actor, "create", f"token {name}", "", details), now)
    return token, stored


def revoke_token(database: Database, name: str, *, actor: str, now: datetime) -> StoredToken:
    """End a token, at once.

    Raises:
        AccountError: There is no such token.
        StoreUnavailable: The database is away; nothing was changed.
    """
    with database.changing() as connection:
        living = (each for each in tokens_in(connection) if each.revoked_at is None)
        found = next((each for each in living if each.name == name), None)
        if found is None:
            raise AccountError(f"there is no token {name!r}. `yieldline tokens list` names them.")
        end_token(connection, found.token_id, now)
        change = Change(actor, "revoke", f"token {name}", "", {"scope": found.scope})
        record(connection, change, now)
    return found._replace(revoked_at=now)


def token_hash(token: str) -> bytes:
    """Return what is kept of a token. Its bits are random, so that nothing slower is needed."""
    return sha256(token.encode("utf-8", "replace")).digest()

"""Passwords: which are taken, and how they are kept (argon2id)."""

import unicodedata
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from broker.errors import AccountError
from service.commands.guessing import unguessed

PASSWORD_CHARS_MIN: Final = 12
PASSWORD_CHARS_MAX: Final = 256
_DIFFERENT_CHARS_MIN: Final = 5
_hasher = PasswordHasher()  # the library's defaults are those of RFC 9106 for little memory


def hash_password(name: str, password: str) -> str:
    """Return what is kept of a password; takes a tenth of a second and 64 MiB.

    Raises:
        AccountError: It is too easy to guess, or too long.
    """
    if len(password) < PASSWORD_CHARS_MIN:
        raise AccountError(
            f"the password has {len(password)} characters. Use {PASSWORD_CHARS_MIN} or more,"
            " such as four words that do not belong together."
        )
    if len(password) > PASSWORD_CHARS_MAX:
        raise AccountError(
            f"the password has more than {PASSWORD_CHARS_MAX} characters. Shorten it."
        )
    if unguessed(password, name) < _DIFFERENT_CHARS_MIN:
        raise AccountError(
            "the password is among the first that are guessed: a name, a common word, keys beside"
            " each other, or hardly more than one character again and again. Use four words that"
            " do not belong together."
        )
    return _hasher.hash(_normal(password))


def is_password(kept: str | None, password: str) -> bool:
    """Tell whether a password is the one of which `kept` was kept.

    Args:
        kept: From `hash_password`; None for a user that does not exist: it takes as long.
        password: As it was typed.
    """
    try:
        _hasher.verify(kept or _nobodys(), _normal(password[:PASSWORD_CHARS_MAX]))
    except (VerifyMismatchError, InvalidHashError):
        return False
    return kept is not None


def renewed_hash(kept: str, password: str) -> str | None:
    """Return what shall be kept from now on; None: `kept` is as hard to break as it should be.

    Args:
        kept: From `hash_password`, maybe of years ago, when less work was thought to be enough.
        password: Of which it was kept.
    """
    return _hasher.hash(_normal(password)) if _hasher.check_needs_rehash(kept) else None


@cache
def _nobodys() -> str:
    return _hasher.hash("nobody logs in with this")


def _normal(password: str) -> str:
    """Return one form for what keyboards write in two, such as an umlaut."""
    return unicodedata.normalize("NFC", password)

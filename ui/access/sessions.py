"""What a browser keeps after a login: who, since when, and our signature. Pure: no I/O.

Whether it still holds, and with which role, is asked of the database each time it comes back. A
login in use is renewed: the same one with a later end, never later than its beginning allows.
"""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

SESSION_COOKIE: Final = "yieldline_session"
WALL_COOKIE: Final = "yieldline_wall"
SESSION_HOURS: Final = 8
SECRET_BYTES: Final = 32
_TEXT_CHARS_MAX: Final = 1_000
_US: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Lasting(NamedTuple):
    """How long logins last."""

    unused: timedelta = timedelta(hours=SESSION_HOURS)
    """From the last use."""
    at_most: timedelta = timedelta(hours=24)
    """From the beginning, however much they are used."""

    @classmethod
    def of(cls, hours_max: int, idle_minutes: int | None) -> "Lasting":
        """Return what the settings ask for."""
        hours = timedelta(hours=SESSION_HOURS)
        unused = hours if idle_minutes is None else timedelta(minutes=idle_minutes)
        return cls(unused, timedelta(hours=hours_max))


class Login(NamedTuple):
    """One login, from its beginning to its end."""

    name: str
    """The user's."""
    number: int
    """`StoredUser.sessions` at that moment: when it has risen since, the login is over."""
    began: datetime
    """To a microsecond, so that it tells two logins of a user apart."""


class Session(NamedTuple):
    """A login as a browser keeps it."""

    login: Login
    until: datetime


def renewed(login: Login, now: datetime, lasting: Lasting) -> Session:
    """Return a login that is used now, or begins now."""
    until = min(now + lasting.unused, login.began + lasting.at_most)
    return Session(login, until.replace(microsecond=0))


def sign(session: Session, secret: bytes) -> str:
    """Return a login as the cookie's text."""
    (name, number, began), until = session
    facts = [name, number, (began - _EPOCH) // _US, int(until.timestamp())]
    body = _text(json.dumps(facts).encode())
    return f"{body}.{_text(_mac(body, secret))}"


def verify(text: str, secret: bytes, now: datetime) -> Session | None:
    """Return the login of a cookie; None: it is over, or not ours."""
    body, _, signature = text[:_TEXT_CHARS_MAX].partition(".")
    expected = _text(_mac(body, secret)).encode()
    if not hmac.compare_digest(expected, signature.encode("utf-8", "replace")):
        return None
    facts = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    name, number, began_us, until_s = facts
    until = datetime.fromtimestamp(until_s, UTC)
    login = Login(name, number, _EPOCH + began_us * _US)
    return Session(login, until) if now < until else None


def _mac(body: str, secret: bytes) -> bytes:
    return hmac.digest(secret, b"yieldline session 2." + body.encode("utf-8", "replace"), sha256)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

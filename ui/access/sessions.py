"""What a browser keeps after a login: who, since when, and our signature. Pure: no I/O.

Whether it still holds, and with which role, is asked of the database each time it comes back.
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


class Session(NamedTuple):
    """One login."""

    name: str
    """The user's."""
    number: int
    """`StoredUser.sessions` at that moment: when it has risen since, the login is over."""
    until: datetime


def new_session(name: str, number: int, now: datetime) -> Session:
    """Return a login that begins now."""
    until = (now + timedelta(hours=SESSION_HOURS)).replace(microsecond=0)
    return Session(name, number, until)


def sign(session: Session, secret: bytes) -> str:
    """Return a login as the cookie's text."""
    facts = [session.name, session.number, int(session.until.timestamp())]
    body = _text(json.dumps(facts).encode())
    return f"{body}.{_text(_mac(body, secret))}"


def verify(text: str, secret: bytes, now: datetime) -> Session | None:
    """Return the login of a cookie; None: it is over, or not ours."""
    body, _, signature = text[:_TEXT_CHARS_MAX].partition(".")
    expected = _text(_mac(body, secret)).encode()
    if not hmac.compare_digest(expected, signature.encode("utf-8", "replace")):
        return None
    name, number, until_s = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    until = datetime.fromtimestamp(until_s, UTC)
    return Session(name, number, until) if now < until else None


def _mac(body: str, secret: bytes) -> bytes:
    return hmac.digest(secret, b"yieldline session 1." + body.encode("utf-8", "replace"), sha256)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

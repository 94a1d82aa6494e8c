"""The doorkeeper of this web process: who somebody is, by what the database says now.

Users and tokens are read once a second and whenever this process changes them; so what somebody may
do changes within a second wherever it was changed. While the database is away what it said last
holds: nobody can change a right meanwhile either.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Final, NamedTuple

import structlog

from broker.addresses import host_of, is_loopback
from broker.errors import YieldlineError
from broker.sections import HttpSettings
from service.commands.roles import Role, Scope
from service.commands.tokens import token_hash
from service.store.accounts import Accounts, StoredToken, StoredUser, note_use, read_accounts
from service.store.database import Database
from ui.access.attempts import Attempts
from ui.access.callers import Caller, Kind, nameless
from ui.access.presence import Presence
from ui.access.renewals import Renewals
from ui.access.secret import read_secret
from ui.access.sessions import (
    SESSION_COOKIE,
    WALL_COOKIE,
    Lasting,
    Login,
    Session,
    renewed,
    sign,
    verify,
)

log = structlog.get_logger()

READ_EVERY_S: Final = 1.0
_FIRST_READ_S: Final = 5.0
_NOTE_USE_EVERY_S: Final = 60.0
_BEARER: Final = "bearer "
_HASHING_MAX: Final = 2


class BadToken(Exception):  # noqa: N818 - the name states the fact
    """A token was sent that opens nothing: not ours, revoked or expired."""


class Credentials(NamedTuple):
    """What a call brings with it."""

    host: str = ""
    """The header Host."""
    authorization: str = ""
    cookie: str = ""


class _Known(NamedTuple):
    """Users and tokens, to look up."""

    users: Mapping[str, StoredUser]
    tokens: Mapping[bytes, StoredToken]

    @classmethod
    def of(cls, accounts: Accounts) -> "_Known":
        users = {each.name: each for each in accounts.users if each.disabled_at is None}
        tokens = {each.token_hash: each for each in accounts.tokens if each.revoked_at is None}
        return cls(users, tokens)


class Access:
    """Asks the database who is who, and keeps in mind who stays. One a process."""

    def __init__(self, settings: HttpSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._is_local = is_loopback(settings.host)
        self._known: _Known | None = None
        self._has_read = asyncio.Event()
        self._reading = asyncio.Lock()
        self._secret: bytes | None = None
        self._used: dict[int, datetime] = {}
        self._noted_s = time.monotonic()
        self.trouble = ""
        """Why the database has never told who is who; empty: it has."""
        self._lasting = Lasting.of(settings.session_hours_max, settings.session_idle_minutes)
        self._renewals = Renewals()
        self.attempts = Attempts()
        self.hashing = asyncio.Semaphore(_HASHING_MAX)
        """Passwords checked at once: each takes 64 MiB and a core for a tenth of a second."""
        self.presence = Presence()
        self.pages: set[str] = set()
        """Live pages, by the ids of their NiceGUI clients."""

    @property
    def ends_unused(self) -> bool:
        """Whether logins end when nobody touches a page, however many stand open."""
        return self._settings.session_idle_minutes is not None

    @property
    def has_users(self) -> bool:
        """Whether anybody may log in, as last read."""
        return bool(self._known and self._known.users)

    async def watch(self) -> None:
        """Read again and again, and end the stays of those who may not stay, until cancelled."""
        while True:
            await self.refresh()
            await self._note_use()
            await asyncio.sleep(READ_EVERY_S)

    async def refresh(self) -> None:
        """Read now who is who, and end what that ends."""
        await self.read()
        self._renewals.forget_before(datetime.now(UTC))
        if self._known is not None:
            self.presence.sweep(self.is_current)

    async def read(self) -> None:
        """Read now who is who; what that ends goes on until the next `refresh`."""
        async with self._reading:  # one after the other: an older reading never comes last
            try:
                self._known = _Known.of(await asyncio.to_thread(read_accounts, self._database))
                self.trouble = ""
            except YieldlineError as error:
                self.trouble = "" if self._known else str(error)
        self._has_read.set()

    async def is_ready(self) -> bool:
        """Tell whether the database has ever told who is who; waits a little for the first time."""
        if self._known is None:
            try:
                await asyncio.wait_for(self._has_read.wait(), _FIRST_READ_S)
            except TimeoutError:
                self.trouble = "the database has not answered yet. Is it overloaded?"
        return self._known is not None or self._settings.no_login

    def caller(self, given: Credentials, now: datetime) -> Caller | None:
        """Return who calls; None: nobody we know.

        Raises:
            BadToken: A token was sent that opens nothing.
        """
        if given.authorization.lower().startswith(_BEARER):
            found = self._by_token(given.authorization[len(_BEARER) :].strip(), now)
            if found is None:
                raise BadToken
            return found
        cookies = _cookies(given.cookie)
        return (
            self._by_session(cookies.get(SESSION_COOKIE, ""), now)
            or self.nameless(given.host)
            or self.by_wall_token(cookies.get(WALL_COOKIE, ""), now)
        )

    def nameless(self, host: str) -> Caller | None:
        """Return who somebody is that brings nothing; None: must log in."""
        is_local = self._is_local and is_loopback(host_of(host))
        return nameless(
            no_login=self._settings.no_login,
            is_local=is_local and self._known is not None,
            has_users=self.has_users,
        )

    def by_wall_token(self, token: str, now: datetime) -> Caller | None:
        """Return the wall that a token is for; None: it is for none."""
        found = self._by_token(token, now) if token else None
        return found if found is not None and found.scope is Scope.WALL else None

    async def session_of(self, cookie: str) -> Caller | None:
        """Return who is logged in by the header Cookie; None: nobody."""
        if not await self.is_ready():
            return None
        return self._by_session(_cookies(cookie).get(SESSION_COOKIE, ""), datetime.now(UTC))

    def user(self, name: str) -> StoredUser | None:
        """Return a user who may log in, as last read."""
        return self._known.users.get(name) if self._known else None

    def session_cookie(self, login: Login, now: datetime) -> tuple[str, datetime]:
        """Return what a browser keeps of a login that is used or begins now, and when it ends.

        Raises:
            SettingsError: There is no secret to sign it with.
        """
        session = renewed(login, now, self._lasting)
        self._renewals.note(session)
        return sign(session, self.secret()), session.until

    def is_secure(self, scheme: str) -> bool:
        """Tell whether cookies are for https alone: it is spoken, or the settings say so."""
        return self._settings.secure_cookies or scheme in {"https", "wss"}

    def secret(self) -> bytes:
        """Return what logins are signed with.

        Raises:
            SettingsError: It can be neither read nor made.
        """
        if self._secret is None:
            self._secret = read_secret(self._settings.secret_file)
        return self._secret

    def is_current(self, caller: Caller) -> bool:
        """Tell whether somebody who came in could do so now, and with the same rights."""
        known = self._known
        until = self._until(caller)
        if until is not None and until <= datetime.now(UTC):
            return False
        if known is None or caller.kind is Kind.GUEST:
            return True
        if caller.kind is Kind.LOCAL:
            return not known.users
        if caller.kind is Kind.TOKEN:
            return any(each.token_id == caller.number for each in known.tokens.values())
        user = known.users.get(caller.name)
        return user is not None and (user.sessions, user.role) == (caller.number, caller.role)

    def _until(self, caller: Caller) -> datetime | None:
        """Return when a stay ends: with its login, which may have been renewed since."""
        later = self._renewals.until(caller.login) if caller.login else None
        return later or caller.until

    def _by_session(self, text: str, now: datetime) -> Caller | None:
        session = verify(text, self.secret(), now) if text and self.has_users else None
        user = self.user(session.login.name) if session else None
        if session is None or user is None or user.sessions != session.login.number:
            return None
        self._renewals.note(session)
        return _user_caller(user, session)

    def _by_token(self, token: str, now: datetime) -> Caller | None:
        found = self._known.tokens.get(token_hash(token)) if self._known else None
        if found is None or found.expires_at <= now:
            return None
        self._used[found.token_id] = now
        scope = Scope(found.scope)
        number, until = found.token_id, found.expires_at
        return Caller(Kind.TOKEN, scope.role, scope, found.name, number, until)

    async def _note_use(self) -> None:
        """Write down which tokens were used, once a minute: not with each call."""
        if not self._used or time.monotonic() - self._noted_s < _NOTE_USE_EVERY_S:
            return
        used, self._used, self._noted_s = self._used, {}, time.monotonic()
        try:
            await asyncio.to_thread(note_use, self._database, used)
        except YieldlineError as error:
            log.warning("token_use_not_noted", reason=str(error))


def _user_caller(user: StoredUser, session: Session) -> Caller:
    began, role = session.login.began, Role(user.role)
    return Caller(Kind.USER, role, None, user.name, user.sessions, session.until, began)


def _cookies(header: str) -> dict[str, str]:
    try:
        return {name: each.value for name, each in SimpleCookie(header).items()}
    except CookieError:
        return dict(_pairs(header))


def _pairs(header: str) -> Iterator[tuple[str, str]]:
    """Yield what a header holds besides a cookie that the library refuses."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        yield name, value

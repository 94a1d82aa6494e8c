"""Who calls, and whether they may. Pure: no I/O."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from service.commands.roles import Role, Scope
from ui.access.sessions import Login


class Need(NamedTuple):
    """What a route asks of whoever calls it."""

    role: Role
    """The least role."""
    scope: Scope | None = None
    """A token of this scope alone will do as well."""


class Kind(StrEnum):
    """How somebody came in."""

    LOCAL = "local"
    """From this machine, as long as there are no users."""
    GUEST = "guest"
    """Nobody has to log in (`http.no_login`)."""
    USER = "user"
    """Logged in."""
    TOKEN = "token"  # noqa: S105 - the word
    """With a token."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who came in."""

    kind: Kind
    role: Role | None
    """None: a token that opens one thing alone."""
    scope: Scope | None = None
    """Of a token."""
    name: str = ""
    """The user's or the token's; empty: nobody said who."""
    number: int = 0
    """Of the user's logins (`StoredUser.sessions`), or of the token."""
    until: datetime | None = None
    """When the login or the token ends."""
    began: datetime | None = None
    """When the login began; None: there is none."""

    @property
    def login(self) -> Login | None:
        """Of a user; None: nobody logged in."""
        return None if self.began is None else Login(self.name, self.number, self.began)

    def may(self, need: Need) -> bool:
        """Tell whether a route is open to this caller."""
        if self.scope is not None and self.scope is need.scope:
            return True
        return self.role is not None and self.role.includes(need.role)

    def author(self, said: str) -> str:
        """Return what the audit trail shall say of who did it.

        Args:
            said: What the caller says; believed only where nobody had to log in.
        """
        if self.kind is Kind.USER:
            return self.name
        return f"token {self.name}" if self.kind is Kind.TOKEN else said

    def words(self) -> str:
        """Return who it is, for a sentence."""
        if self.kind is Kind.GUEST:
            return "who is not logged in is viewer here"
        who = f"token {self.name}" if self.kind is Kind.TOKEN else self.name
        return f"{who} is {self.role or self.scope}"


LOCAL: Final = Caller(Kind.LOCAL, Role.ADMIN)
GUEST: Final = Caller(Kind.GUEST, Role.VIEWER)


def nameless(*, no_login: bool, is_local: bool, has_users: bool) -> Caller | None:
    """Return who somebody is that says nothing of himself; None: must log in.

    Args:
        no_login: The setting `http.no_login`.
        is_local: The web app listens on loopback, and was called by a name of loopback: a page of
            another host that has its name lead here (DNS rebinding) does not count.
        has_users: Anybody may log in.
    """
    if no_login:
        return GUEST
    return LOCAL if is_local and not has_users else None


def is_own_origin(origin: str | None, site: str | None, host: str) -> bool | None:
    """Tell whether a browser says that our own page calls; None: it says nothing.

    Args:
        origin: The header Origin.
        site: The header Sec-Fetch-Site.
        host: The header Host.
    """
    if site is not None and site not in {"same-origin", "none"}:
        return False
    if origin is not None:
        return origin.partition("://")[2].lower() == host.lower()
    return None if site is None else True

"""The latest end of each login, so that pages which stand open last as long as the login does."""

from datetime import datetime

from ui.access.sessions import Login, Session


class Renewals:
    """What this process has seen of logins that were renewed."""

    def __init__(self) -> None:
        self._until: dict[Login, datetime] = {}

    def note(self, session: Session) -> None:
        """Take in how long a login lasts, as its cookie says."""
        known = self._until.get(session.login)
        if known is None or known < session.until:
            self._until[session.login] = session.until

    def until(self, login: Login) -> datetime | None:
        """Return when a login ends; None: it was never noted, or is over."""
        return self._until.get(login)

    def forget_before(self, now: datetime) -> None:
        """Drop the logins that are over."""
        self._until = {login: until for login, until in self._until.items() if now < until}

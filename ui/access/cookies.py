"""What browsers are given to keep: unreadable for scripts, never sent by other sites."""

from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from ui.access.access import Access
from ui.access.sessions import SESSION_COOKIE, WALL_COOKIE, Login

_WALL_TOKEN_S: Final = 400 * 24 * 3_600  # no browser keeps one longer; the token ends by itself


def keep_login(response: Response, access: Access, login: Login, scheme: str) -> datetime:
    """Have the browser keep a login that is used or begins now; return when it ends.

    Args:
        response: Whose answer tells the browser.
        access: Signs it.
        login: Whose.
        scheme: Of the call: over https the cookie is for https alone.

    Raises:
        SettingsError: There is no secret to sign it with.
    """
    now = datetime.now(UTC)
    text, until = access.session_cookie(login, now)
    age_s = int((until - now).total_seconds())
    _keep(response, SESSION_COOKIE, text, age_s, is_secure=access.is_secure(scheme))
    return until


def keep_wall(response: Response, access: Access, token: str, scheme: str) -> None:
    """Have the browser of a wall keep its token."""
    _keep(response, WALL_COOKIE, token, _WALL_TOKEN_S, is_secure=access.is_secure(scheme))


def forget_login(response: Response) -> None:
    """Have the browser forget its login."""
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")


def _keep(response: Response, name: str, text: str, age_s: int, *, is_secure: bool) -> None:
    response.set_cookie(
        name, text, max_age=age_s, httponly=True, samesite="strict", secure=is_secure
    )

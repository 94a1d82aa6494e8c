"""Where a call comes from when proxies stand before us: what the nearest one saw itself.

Proxies append to X-Forwarded-For what they see; all before that is what a caller says of itself:
by another address with each try it would never have to wait at the login.
"""

from collections.abc import Sequence
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

ANYBODY: Final = "*"
_FORWARDED_FOR: Final = b"x-forwarded-for"


def behind_proxies(app: Any, trusted: Sequence[str]) -> ASGIApp:  # noqa: ANN401 - uvicorn's types
    """Return an app that believes proxies.

    Args:
        app: What answers.
        trusted: Addresses and networks of proxies, whose own address is then no caller's; or `*`:
            whoever calls is a proxy, and the last address that it forwards is the caller's.
    """
    if ANYBODY not in trusted:
        known: Any = ProxyHeadersMiddleware(app, list(trusted))
        return known  # type: ignore[no-any-return]
    return _LastAddress(ProxyHeadersMiddleware(app, ANYBODY))


class _LastAddress:
    """ASGI middleware: leaves of X-Forwarded-For the last address."""

    def __init__(self, app: Any) -> None:  # noqa: ANN401 - uvicorn's types
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        said = [value for name, value in scope["headers"] if name == _FORWARDED_FOR]
        headers = [each for each in scope["headers"] if each[0] != _FORWARDED_FOR]
        if said:
            headers.append((_FORWARDED_FOR, said[-1].rpartition(b",")[2].strip()))
        await self._app({**scope, "headers": headers}, receive, send)

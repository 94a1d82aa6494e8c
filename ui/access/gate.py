"""The gate before every page, call and stream: who is it, may they, does our own page ask?

It stands around the whole app, so that no route can be forgotten. What it finds out goes on with
the call (`caller_of`).
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, quote, urlencode

import structlog
from fastapi import Response
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse

from broker.errors import SettingsError
from ui.access.access import Access, BadToken, Credentials
from ui.access.callers import GUEST, Caller, Kind, Need, is_own_origin
from ui.access.cookies import keep_login, keep_wall
from ui.access.headers import security_headers
from ui.access.refusals import Refusals
from ui.access.routes import SOCKET, find_need, is_page
from ui.api.problems import Problem, problem_response

log = structlog.get_logger()

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_CALLER: Final = "yieldline.caller"
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY_VIOLATION: Final = 1008  # RFC 6455; before the handshake is over it is a 403
_WALL: Final = "/wall"
_SET_COOKIE: Final = b"set-cookie"
_PATH_CHARS_MAX: Final = 200


def caller_of(connection: HTTPConnection) -> Caller:
    """Return who makes a call that the gate has let through to a route that needs a role."""
    caller: Caller = connection.scope[_CALLER]
    return caller


class Gate:
    """ASGI middleware; the outermost."""

    def __init__(self, app: App, access: Access) -> None:
        self._app = app
        self._access = access
        self._refusals = Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a call through, or answer it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        is_socket = scope["type"] == "websocket"
        try:
            instead = await self._admit(scope, SOCKET if is_socket else str(scope["method"]))
        except Problem as problem:
            instead = _refusal(problem)
        guarded = send if is_socket else _with_headers(send, scope["path"], self._renewal(scope))
        if instead is None:
            await self._app(scope, receive, guarded)
        elif is_socket:
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            await instead(scope, receive, guarded)

    async def _admit(self, scope: Scope, method: str) -> Response | None:
        """Note who calls; return where to go instead, None: on.

        Raises:
            Problem: The call may not go on.
        """
        headers, path = Headers(scope=scope), str(scope["path"])
        host = headers.get("host", "")
        is_ours = is_own_origin(headers.get("origin"), headers.get("sec-fetch-site"), host)
        if is_ours is False and method not in _READS:
            raise Problem(
                HTTPStatus.FORBIDDEN,
                f"a page of another host ({headers.get('origin', 'unknown')!r}) asked {host!r} for"
                " this. Where a proxy stands before Yieldline, let it pass on the Host header.",
            )
        need = find_need(method, path).need
        if need is None:
            return None
        if not await self._access.is_ready():
            raise _unavailable(f"who may come in is not known: {self._access.trouble}")
        if path == _WALL and (entry := self._wall_entry(scope)) is not None:
            return entry
        caller = self._caller(scope, method, need)
        if caller is not None and not caller.may(need):
            self._note(scope, method, caller.author(""), _words(need))
        if caller is None or (is_page(method, path) and not caller.may(need)):
            return self._stranger(scope, method, need)
        _check(caller, need, f"{method} {path}")
        if caller.kind is Kind.USER and method not in _READS and not is_ours:
            self._note(scope, method, caller.author(""), "a page of ours, or a token")
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "a login is for browsers, which say where a call comes from; this one does not."
                " Use a token: Authorization: Bearer …",
            )
        scope[_CALLER] = caller
        return None

    def _note(self, scope: Scope, method: str, who: str, needs: str) -> None:
        """Log that a call of somebody known is refused; a loop of them does not fill the disk."""
        unlogged = self._refusals.note(who, time.monotonic()) if who else None
        if unlogged is None:  # without a name it is a passer-by, who hears what to do
            return
        log.warning(
            "call_refused",
            who=who,
            address=scope["client"][0] if scope.get("client") else "unknown",
            method=method,
            path=str(scope["path"])[:_PATH_CHARS_MAX],
            needs=needs,
            unlogged_before=unlogged,
        )

    def _caller(self, scope: Scope, method: str, need: Need) -> Caller | None:
        headers = Headers(scope=scope)
        given = (headers.get(name, "") for name in ("host", "authorization", "cookie"))
        try:
            return self._access.caller(Credentials(*given), datetime.now(UTC))
        except BadToken as error:
            self._note(scope, method, "a token that opens nothing", _words(need))
            raise Problem(HTTPStatus.UNAUTHORIZED, f"the token {_OPENS_NOTHING}") from error
        except SettingsError as error:
            raise _unavailable(str(error)) from error

    def _stranger(self, scope: Scope, method: str, need: Need) -> Response:
        """Answer somebody who must log in."""
        path = str(scope["path"])
        if is_page(method, path):
            query = scope["query_string"].decode("latin-1")
            here = quote(path) + (f"?{query}" if query else "")
            target = "/login" if here == "/" else f"/login?{urlencode({'next': here})}"
            return RedirectResponse(target, HTTPStatus.SEE_OTHER)
        if not self._access.has_users:
            raise Problem(HTTPStatus.FORBIDDEN, _NOBODY_YET)
        words = f"{method} {path} needs {_words(need)}, and you are not logged in."
        how = "Log in at /login, or send a token: Authorization: Bearer …"
        raise Problem(HTTPStatus.UNAUTHORIZED, f"{words} {how}", role=need.role)

    def _wall_entry(self, scope: Scope) -> Response | None:
        """Take the token out of a wall's address, into a cookie; None: there is none in it."""
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        token = next((value for name, value in pairs if name == "token"), None)
        if token is None:
            return None
        rest = urlencode([(name, value) for name, value in pairs if name != "token"])
        if self._access.by_wall_token(token, datetime.now(UTC)) is None:
            said = f"the token in the wall's address {_OPENS_NOTHING} NAME --scope wall"
            raise Problem(HTTPStatus.UNAUTHORIZED, said)
        response = RedirectResponse(f"{_WALL}?{rest}" if rest else _WALL, HTTPStatus.SEE_OTHER)
        keep_wall(response, self._access, token, scope["scheme"])
        return response

    def _renewal(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Return the header by which a login goes on: somebody opens a page with it."""
        caller: Caller | None = scope.get(_CALLER)
        if caller is None or caller.login is None:
            return []
        if scope["type"] != "http" or not is_page(scope["method"], scope["path"]):
            return []
        told = Response()
        keep_login(told, self._access, caller.login, scope["scheme"])
        return [each for each in told.raw_headers if each[0] == _SET_COOKIE]


_NOBODY_YET: Final = (
    "nobody can log in yet, and without users only the machine itself is let in. Add the first one"
    " there: yieldline users add NAME --role admin"
)
_OPENS_NOTHING: Final = (
    "is unknown, revoked, expired or of another scope. An admin makes another:"
    " yieldline tokens create"
)


def _check(caller: Caller, need: Need, what: str) -> None:
    if not caller.may(need):
        way = " Log in at /login." if caller == GUEST else ""
        said = f"{what} needs {_words(need)}; {caller.words()}.{way}"
        raise Problem(HTTPStatus.FORBIDDEN, said, role=need.role)


def _unavailable(said: str) -> Problem:
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, said, reasons=[said])


def _refusal(problem: Problem) -> Response:
    response = problem_response(problem.status, problem.detail, **problem.more)
    if problem.status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Yieldline"'
    return response


def _words(need: Need) -> str:
    also = f" or a token of scope {need.scope}" if need.scope else ""
    return f"the role {need.role}{also}"


def _with_headers(send: Send, path: str, renewal: list[tuple[bytes, bytes]]) -> Send:
    """Return a `send` that adds to each answer what browsers shall know."""
    added = security_headers(path)

    async def guarded(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            known = {name.lower() for name, _ in headers}
            missing = [each for each in added if each[0] not in known]
            message["headers"] = [*headers, *missing, *renewal]
        await send(message)

    return guarded

"""Which role each route needs: the one place that says so. Pure: no I/O."""

import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import Final, NamedTuple, TypeAlias

from service.commands.roles import Role, Scope
from ui.access.callers import Need

SOCKET: Final = "SOCKET"
"""What a websocket has for a method."""

_VIEWER: Final = Need(Role.VIEWER)
_OPERATOR: Final = Need(Role.OPERATOR)
_ENGINEER: Final = Need(Role.ENGINEER)
_ADMIN: Final = Need(Role.ADMIN)
_WALL: Final = Need(Role.VIEWER, Scope.WALL)
_OPEN: Final = None
_NICEGUI: Final = f"/_nicegui/{version('nicegui')}"

Rule: TypeAlias = tuple[str, str, Need | None]
RULES: Final[tuple[Rule, ...]] = (
    # Before anybody has logged in.
    ("GET", "/healthz", _OPEN),
    ("GET", "/readyz", _OPEN),
    ("GET POST", "/login", _OPEN),
    ("POST", "/logout", _OPEN),
    ("GET", "/favicon.ico", _OPEN),
    ("GET", "/assets/**", _OPEN),
    # Scripts and styles, the same for everybody; of anything else there NiceGUI makes a page.
    ("GET", f"{_NICEGUI}/static/{{file}}/**", _OPEN),
    ("GET", f"{_NICEGUI}/libraries/{{file}}/**", _OPEN),
    ("GET", f"{_NICEGUI}/components/{{file}}/**", _OPEN),
    ("GET", f"{_NICEGUI}/resources/{{key}}/{{file}}/**", _OPEN),
    ("GET", f"{_NICEGUI}/dynamic_resources/{{file}}", _OPEN),
    ("GET", f"{_NICEGUI}/esm/{{key}}/{{file}}/**", _OPEN),
    # Machines and scripts.
    ("POST", "/ingest", Need(Role.ADMIN, Scope.INGEST)),
    ("GET", "/metrics", _VIEWER),
    ("GET", "/docs/**", _VIEWER),
    ("GET", "/openapi.json", _VIEWER),
    ("GET", "/asyncapi.json", _VIEWER),
    ("GET", "/schemas/**", _VIEWER),
    # What people change.
    ("POST", "/api/v1/alerts/acknowledge", _OPERATOR),
    ("POST", "/api/v1/alerts/{alert_id}/acknowledge", _OPERATOR),
    ("POST", "/api/v1/alerts/shelve", _ENGINEER),
    ("POST", "/api/v1/alerts/{alert_id}/shelve", _ENGINEER),
    ("POST", "/api/v1/rulebooks/check", _VIEWER),  # changes nothing
    ("POST", "/api/v1/rulebooks/backtest", _ENGINEER),
    ("DELETE", "/api/v1/jobs/{job_id}", _ENGINEER),
    ("POST", "/api/v1/rulebooks", _ENGINEER),
    ("POST DELETE", "/api/v1/shadow", _ENGINEER),
    ("POST", "/api/v1/rejections/resubmit", _ENGINEER),
    ("POST", "/api/v1/rejections/{rejection_id}/resubmit", _ENGINEER),
    ("POST", "/api/v1/rejections/close", _ENGINEER),
    ("POST", "/api/v1/me/password", _VIEWER),  # one's own
    ("POST", "/api/v1/me/renew", _VIEWER),
    ("GET POST", "/api/v1/users", _ADMIN),
    ("PATCH DELETE", "/api/v1/users/{name}", _ADMIN),
    ("GET POST", "/api/v1/tokens", _ADMIN),
    ("DELETE", "/api/v1/tokens/{name}", _ADMIN),
    # What people see.
    ("GET", "/api/v1/alerts", _WALL),
    ("GET", "/api/v1/**", _VIEWER),
    (SOCKET, "/ws/live", _VIEWER),
    (f"GET POST {SOCKET}", "/_nicegui_ws/**", _WALL),  # POST: where no websocket gets through
    ("GET", "/wall", _WALL),
    ("GET", "/", _VIEWER),
    ("GET", "/machines/{machine_id}", _VIEWER),
    ("GET", "/analytics", _VIEWER),
    ("GET", "/results", _VIEWER),
    ("GET", "/units", _VIEWER),
    ("GET", "/units/**", _VIEWER),
    ("GET", "/alerts", _VIEWER),
    ("GET", "/rules", _VIEWER),
    ("GET", "/rejects", _VIEWER),
    ("GET", "/system", _VIEWER),
    ("GET", "/password", _VIEWER),
)
"""The first that fits holds. `{name}` is one part of a path, `**` whatever follows, or nothing."""

_UNKNOWN: Final = {"GET": _VIEWER}
"""What is in no rule: who may look hears that it is not there; all else is closed but to admins."""


class Found(NamedTuple):
    """What is asked of a call."""

    need: Need | None
    """None: nothing, it is open to everybody."""
    is_known: bool
    """A rule says so."""


@cache
def _compiled() -> tuple[tuple[frozenset[str], re.Pattern[str], Need | None], ...]:
    return tuple(
        (frozenset(methods.split()), _pattern(path), need) for methods, path, need in RULES
    )


def find_need(method: str, path: str) -> Found:
    """Return what a call needs; HEAD is as GET, and a path that does not exist as one that does."""
    method = "GET" if method == "HEAD" else method
    path = path.removesuffix("\n")  # Starlette's routes end in $, which looks over a last one
    for methods, pattern, need in _compiled():
        is_meant = need is not _OPEN or "\n" not in path  # with one within, none of ours is open
        if method in methods and is_meant and pattern.fullmatch(path):
            return Found(need, is_known=True)
    return Found(_UNKNOWN.get(method, _ADMIN), is_known=False)


def is_page(method: str, path: str) -> bool:
    """Tell whether a call opens a page, so that a login page may stand in its place."""
    calls = ("/api/", "/docs/", "/schemas/", "/_nicegui", "/assets/")
    files = {"/ingest", "/metrics", "/openapi.json", "/asyncapi.json"}
    return method == "GET" and not path.startswith(calls) and path not in files


def _pattern(path: str) -> re.Pattern[str]:
    parts: Iterable[str] = re.split(r"(/\*\*|\{\w+\})", path)
    return re.compile("".join(_piece(part) for part in parts))


def _piece(part: str) -> str:
    if part == "/**":
        return "(?:/.*)?"
    return "[^/]+" if part.startswith("{") else re.escape(part)

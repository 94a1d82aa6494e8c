"""Log in and out: `/login`, `/logout`, and who one is: `/api/v1/me`."""

import asyncio
import html
import time
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import parse_qs, urlsplit

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field

from broker.errors import AccountError, YieldlineError
from broker.messages import Timestamp, format_time
from service.commands.passwords import is_password
from service.commands.users import end_sessions, user_name
from ui.access.callers import Kind
from ui.access.sessions import SESSION_COOKIE
from ui.api.answers import answer
from ui.api.parameters import State, Who
from ui.state import AppState

log = structlog.get_logger()

router = APIRouter(tags=["login"])

_PAGE: Final = Path(__file__).parents[1] / "static" / "login" / "login.html"
_BODY_BYTES_MAX: Final = 8_192
_FIELDS_MAX: Final = 10
_HASHING_MAX: Final = 2
"""Passwords that are checked at once: each takes 64 MiB and a core for a tenth of a second."""
_hashing = asyncio.Semaphore(_HASHING_MAX)
_WRONG: Final = "Name or password is wrong."
_FIRST_USER: Final = (
    "There are no users yet. On the machine itself: yieldline users add NAME --role admin"
)


class Me(BaseModel):
    """Who calls."""

    kind: Kind = Field(description="user, token, local (no users yet) or guest (no login needed).")
    name: str = Field(description="Of the user or the token; empty: nobody said.")
    role: str | None = Field(description="What the caller may; null: a token for one thing alone.")
    scope: str | None = Field(description="Of a token.")
    until: Timestamp | None = Field(description="When the login or the token ends.")


@router.get("/api/v1/me", response_model=Me)
async def get_me(caller: Who) -> Response:
    """Say who calls, and what the caller may."""
    until = None if caller.until is None else format_time(caller.until)
    facts = {"kind": caller.kind, "name": caller.name, "role": caller.role, "scope": caller.scope}
    return answer({**facts, "until": until})


@router.get("/login", include_in_schema=False)
async def get_login(request: Request, state: State) -> Response:
    """Show the login page; who is logged in goes on."""
    target = _local(request.query_params.get("next", ""))
    if await state.access.session_of(request.headers.get("cookie", "")) is not None:
        return RedirectResponse(target, HTTPStatus.SEE_OTHER)
    return _page(state, target=target)


@router.post("/login", include_in_schema=False)
async def post_login(request: Request, state: State) -> Response:
    """Log in, and go on to where somebody wanted to go."""
    fields = await _fields(request)
    user, target = fields.get("user", ""), _local(fields.get("next", ""))
    address = request.client.host if request.client else "unknown"
    try:
        name = user_name(user)
    except AccountError:
        name = user.strip().lower()[:64]
    wait_s = state.access.attempts.wait_s(name, address, time.monotonic())
    if wait_s:
        said = f"Too many tries. Wait {wait_s:.0f} s, then try again."
        response = _page(state, HTTPStatus.TOO_MANY_REQUESTS, user=user, said=said, target=target)
        response.headers["Retry-After"] = f"{wait_s:.0f}"
        return response
    await state.access.refresh()  # what was changed elsewhere this very second counts
    known = state.access.user(name)
    async with _hashing:
        password = fields.get("password", "")
        kept = known.password_hash if known else None
        is_right = await asyncio.to_thread(is_password, kept, password)
    if known is None or not is_right:
        log.warning("login_refused", user=name, address=address)
        return _page(state, HTTPStatus.UNAUTHORIZED, user=user, said=_WRONG, target=target)
    state.access.attempts.forget(name, address)
    return _welcome(request, state, name, target)


@router.post("/logout", include_in_schema=False)
async def post_logout(request: Request, state: State) -> Response:
    """End all logins of the user, and all pages and streams that stand open with them."""
    response: Response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    caller = await state.access.session_of(request.headers.get("cookie", ""))
    if caller is not None:
        name, now = caller.name, datetime.now(UTC)
        try:
            await asyncio.to_thread(end_sessions, state.database, name, actor=name, now=now)
        except YieldlineError as error:
            said = f"You are logged out here, but not elsewhere: {error}"
            response = _page(state, HTTPStatus.SERVICE_UNAVAILABLE, said=said, target="/")
        await state.access.refresh()
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
    return response


def _welcome(request: Request, state: AppState, name: str, target: str) -> Response:
    user = state.access.user(name)
    assert user is not None
    now = datetime.now(UTC)
    try:
        cookie, until = state.access.session_cookie(user, now)
    except YieldlineError as error:
        return _page(state, HTTPStatus.SERVICE_UNAVAILABLE, said=str(error), target=target)
    log.info("logged_in", user=name)
    response = RedirectResponse(target, HTTPStatus.SEE_OTHER)
    response.set_cookie(
        SESSION_COOKIE,
        cookie,
        max_age=int((until - now).total_seconds()),
        httponly=True,
        samesite="strict",
        secure=state.access.is_secure(request.url.scheme),
    )
    return response


def _page(
    state: AppState,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    target: str,
    user: str = "",
    said: str = "",
) -> Response:
    filled = Template(_PAGE.read_text("utf-8")).substitute(
        nicegui=version("nicegui"),
        plant=html.escape(state.settings.plant.name),
        trouble=html.escape(said),
        hide_trouble="" if said else " hidden",
        user=html.escape(user[:64]),
        focus_user="" if user else " autofocus",
        focus_password=" autofocus" if user else "",
        next=html.escape(target),
        hint="An admin gives you a name and a password." if state.access.has_users else _FIRST_USER,
    )
    return HTMLResponse(filled, status, headers={"Cache-Control": "no-store"})


async def _fields(request: Request) -> dict[str, str]:
    """Read a form, never more of it than a login has."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _BODY_BYTES_MAX:
            return {}
    try:
        pairs = parse_qs(body.decode("utf-8", "replace"), max_num_fields=_FIELDS_MAX)
    except ValueError:  # more than a login has
        return {}
    return {name: values[-1] for name, values in pairs.items()}


def _local(target: str) -> str:
    """Return an address of ours to go on to; whatever leads elsewhere becomes the floor."""
    if not target.startswith("/") or target[1:2] in {"/", "\\"} or not target.isprintable():
        return "/"
    parts = urlsplit(target)
    is_ours = not parts.scheme and not parts.netloc and parts.path not in {"/login", "/logout"}
    return target if is_ours else "/"

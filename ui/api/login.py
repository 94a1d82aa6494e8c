"""Log in and out: `/login`, `/logout`."""

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

from broker.errors import AccountError, YieldlineError
from service.commands.passwords import is_password
from service.commands.users import end_sessions, renew_hash, user_name
from service.store.accounts import StoredUser
from ui.access.cookies import forget_login, keep_login
from ui.access.sessions import Login
from ui.api.parameters import State
from ui.state import AppState

log = structlog.get_logger()

router = APIRouter(tags=["login"])

_PAGE: Final = Path(__file__).parents[1] / "static" / "login" / "login.html"
_BODY_BYTES_MAX: Final = 8_192
_FIELDS_MAX: Final = 10
_WRONG: Final = "Name or password is wrong."
_FIRST_USER: Final = (
    "There are no users yet. On the machine itself: yieldline users add NAME --role admin"
)


@router.get("/login", include_in_schema=False)
async def get_login(request: Request, state: State) -> Response:
    """Show the login page; who is logged in goes on."""
    target = local_target(request.query_params.get("next", ""))
    if await state.access.session_of(request.headers.get("cookie", "")) is not None:
        return RedirectResponse(target, HTTPStatus.SEE_OTHER)
    return _page(state, target=target)


@router.post("/login", include_in_schema=False)
async def post_login(request: Request, state: State) -> Response:
    """Log in, and go on to where somebody wanted to go."""
    fields = await _fields(request)
    user, target = fields.get("user", ""), local_target(fields.get("next", ""))
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
    known = await _proved(state, name, fields.get("password", ""))
    if known is None:
        log.warning("login_refused", user=name, address=address)
        return _page(state, HTTPStatus.UNAUTHORIZED, user=user, said=_WRONG, target=target)
    state.access.attempts.forget(name, address)
    return _welcome(request, state, known, target)


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
    forget_login(response)
    return response


async def _proved(state: AppState, name: str, password: str) -> StoredUser | None:
    """Return the user whose password it is; None: it is nobody's of that name."""
    known = state.access.user(name)
    async with state.access.hashing:
        kept = known.password_hash if known else None
        if not await asyncio.to_thread(is_password, kept, password) or known is None:
            return None
        try:
            if await asyncio.to_thread(renew_hash, state.database, known, password):
                log.info("password_hash_renewed", user=name)
        except YieldlineError as error:  # the next login will do
            log.warning("password_hash_not_renewed", user=name, reason=str(error))
    return known


def _welcome(request: Request, state: AppState, user: StoredUser, target: str) -> Response:
    response = RedirectResponse(target, HTTPStatus.SEE_OTHER)
    login = Login(user.name, user.sessions, datetime.now(UTC))
    try:
        keep_login(response, state.access, login, request.url.scheme)
    except YieldlineError as error:
        return _page(state, HTTPStatus.SERVICE_UNAVAILABLE, said=str(error), target=target)
    log.info("logged_in", user=user.name)
    return response


def _page(
    state: AppState,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    target: str,
    user: str = "",
    said: str = "",
) -> Response:
    notice = state.settings.http.login_notice.strip()
    filled = Template(_PAGE.read_text("utf-8")).substitute(
        nicegui=version("nicegui"),
        plant=html.escape(state.settings.plant.name),
        trouble=html.escape(said),
        hide_trouble="" if said else " hidden",
        user=html.escape(user[:64]),
        focus_user="" if user else " autofocus",
        focus_password=" autofocus" if user else "",
        next=html.escape(target),
        notice=html.escape(notice),
        hide_notice="" if notice else " hidden",
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


def local_target(target: str) -> str:
    """Return an address of ours to go on to; whatever leads elsewhere becomes the floor."""
    if not target.startswith("/") or target[1:2] in {"/", "\\"} or not target.isprintable():
        return "/"
    parts = urlsplit(target)
    is_ours = not parts.scheme and not parts.netloc and parts.path not in {"/login", "/logout"}
    return target if is_ours else "/"

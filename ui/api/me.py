"""Whoever calls: `/api/v1/me`, the renewal of one's login, and one's own password."""

import asyncio
import html
import time
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Final

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from broker.errors import AccountError
from broker.messages import Timestamp, format_time
from service.commands.passwords import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, is_password
from service.commands.users import set_password
from service.store.accounts import StoredUser
from ui.access.callers import Caller, Kind
from ui.access.cookies import keep_login
from ui.access.sessions import Login
from ui.api.answers import answer
from ui.api.login import local_target
from ui.api.parameters import State, Who
from ui.api.problems import Problem, answers, problem_response
from ui.state import AppState

log = structlog.get_logger()

router = APIRouter(tags=["login"])

_PAGE: Final = Path(__file__).parents[1] / "static" / "login" / "password.html"
_CHANGE: Final = answers(
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class Me(BaseModel):
    """Who calls."""

    kind: Kind = Field(description="user, token, local (no users yet) or guest (no login needed).")
    name: str = Field(description="Of the user or the token; empty: nobody said.")
    role: str | None = Field(description="What the caller may; null: a token for one thing alone.")
    scope: str | None = Field(description="Of a token.")
    until: Timestamp | None = Field(description="When the login or the token ends.")


class PageUse(BaseModel):
    """How a page is used."""

    model_config = ConfigDict(extra="forbid")

    touched: bool = Field(
        description="By a key or a touch just now; false: it only stands open, which renews nothing"
        " where `http.session_idle_minutes` is set."
    )


class PasswordChange(BaseModel):
    """A new password, and the proof that its owner wants it."""

    model_config = ConfigDict(extra="forbid")

    old_password: SecretStr = Field(
        max_length=PASSWORD_CHARS_MAX, description="The password that holds."
    )
    new_password: SecretStr = Field(
        max_length=PASSWORD_CHARS_MAX,
        description=f"At least {PASSWORD_CHARS_MIN} characters, hard to guess.",
    )


@router.get("/api/v1/me", response_model=Me)
async def get_me(caller: Who) -> Response:
    """Say who calls, and what the caller may."""
    until = None if caller.until is None else format_time(caller.until)
    facts = {"kind": caller.kind, "name": caller.name, "role": caller.role, "scope": caller.scope}
    return answer({**facts, "until": until})


@router.post(
    "/api/v1/me/renew",
    status_code=HTTPStatus.NO_CONTENT,
    responses=answers(HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def post_renewal(request: Request, state: State, caller: Who, body: PageUse) -> Response:
    """Hear that a page is in use, and renew the login it was opened with; others have none."""
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    if caller.login is not None and (body.touched or not state.access.ends_unused):
        keep_login(response, state.access, caller.login, request.url.scheme)
    return response


@router.post("/api/v1/me/password", status_code=HTTPStatus.NO_CONTENT, responses=_CHANGE)
async def post_password(
    request: Request, state: State, caller: Who, body: PasswordChange
) -> Response:
    """Change one's own password; all other logins of the user end, this one goes on.

    For who is logged in: five tries a minute, together with those of the login.
    """
    if caller.kind is not Kind.USER:
        raise Problem(HTTPStatus.FORBIDDEN, "only who is logged in has a password to change.")
    address = request.client.host if request.client else "unknown"
    wait_s = state.access.attempts.wait_s(caller.name, address, time.monotonic())
    if wait_s:
        return _too_many(wait_s)
    changed = await _change(state, caller, body, address)
    state.access.attempts.forget(caller.name, address)
    await state.access.read()  # the browser has the new login before pages of older ones end
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    login = Login(changed.name, changed.sessions, datetime.now(UTC))
    keep_login(response, state.access, login, request.url.scheme)
    return response


@router.get("/password", include_in_schema=False)
async def get_password_page(request: Request, state: State, caller: Who) -> Response:
    """Show the page where one's own password is changed; who has none goes on."""
    target = local_target(request.query_params.get("next", ""))
    if caller.kind is not Kind.USER:
        return RedirectResponse(target, HTTPStatus.SEE_OTHER)
    filled = Template(_PAGE.read_text("utf-8")).substitute(
        nicegui=version("nicegui"),
        plant=html.escape(state.settings.plant.name),
        user=html.escape(caller.name),
        chars_min=PASSWORD_CHARS_MIN,
        next=html.escape(target),
    )
    return HTMLResponse(filled, headers={"Cache-Control": "no-store"})


async def _change(
    state: AppState, caller: Caller, body: PasswordChange, address: str
) -> StoredUser:
    """Give a user the new password, if the old one is right.

    Raises:
        Problem: It is not, or the new one is not taken.
    """
    old, new = body.old_password.get_secret_value(), body.new_password.get_secret_value()
    await state.access.read()  # what was changed elsewhere this very second counts
    known = state.access.user(caller.name)
    async with state.access.hashing:
        kept = known.password_hash if known else None
        if not await asyncio.to_thread(is_password, kept, old):
            log.warning("password_change_refused", user=caller.name, address=address)
            raise Problem(HTTPStatus.FORBIDDEN, "the old password is wrong.")
        if new == old:
            raise _refused("the new password is the old one. Choose another.")
        name, now = caller.name, datetime.now(UTC)
        try:
            return await asyncio.to_thread(
                lambda: set_password(state.database, name, new, actor=name, now=now)
            )
        except AccountError as error:
            raise _refused(str(error)) from error


def _refused(said: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, said)


def _too_many(wait_s: float) -> Response:
    said = f"too many tries. Wait {wait_s:.0f} s, then try again."
    response = problem_response(HTTPStatus.TOO_MANY_REQUESTS, said)
    response.headers["Retry-After"] = f"{wait_s:.0f}"
    return response

"""Users and tokens, for admins: `/api/v1/users`, `/api/v1/tokens`."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from broker.errors import AccountError
from broker.messages import format_time
from service.commands.tokens import create_token, revoke_token
from service.commands.users import add_user, change_user, remove_user
from service.store.accounts import StoredToken, StoredUser, read_accounts
from ui.api.account_models import (
    CreatedToken,
    NewToken,
    NewUser,
    TokenList,
    TokenView,
    UserChange,
    UserList,
    UserView,
)
from ui.api.answers import answer
from ui.api.parameters import State, Who
from ui.api.problems import Problem, answers

router = APIRouter(prefix="/api/v1", tags=["users"])
UserName = Annotated[str, Path(max_length=64, description="A user's name.")]
TokenName = Annotated[str, Path(max_length=64, description="A token's name.")]
_READ = answers(HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)
_CHANGE = answers(
    HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
)
_SAID = "api"
"""Who did it, where nobody has to log in."""


@router.get("/users", response_model=UserList, responses=_READ)
def get_users(state: State) -> Response:
    """List everybody, those who were removed too."""
    return answer({"items": [_user(each) for each in read_accounts(state.database).users]})


@router.post("/users", response_model=UserView, status_code=HTTPStatus.CREATED, responses=_CHANGE)
async def post_user(state: State, who: Who, body: NewUser) -> Response:
    """Let a person log in; with the first one everybody must."""
    author, now = who.author(_SAID), datetime.now(UTC)
    password = body.password.get_secret_value()
    with _refusals():
        added = await asyncio.to_thread(
            lambda: add_user(state.database, body.name, body.role, password, actor=author, now=now)
        )
    await state.access.refresh()
    return answer(_user(added), HTTPStatus.CREATED)


@router.patch("/users/{name}", response_model=UserView, responses=_CHANGE)
async def patch_user(state: State, who: Who, name: UserName, body: UserChange) -> Response:
    """Give a user another role, another password, or both: all that is sent, or nothing."""
    author, now = who.author(_SAID), datetime.now(UTC)
    if body.role is None and body.password is None:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "nothing to change. Send a role or password."
        )
    role, password = body.role, None if body.password is None else body.password.get_secret_value()
    with _refusals():
        changed = await asyncio.to_thread(
            lambda: change_user(
                state.database, name, role=role, password=password, actor=author, now=now
            )
        )
    await state.access.refresh()
    return answer(_user(changed))


@router.delete("/users/{name}", response_model=UserView, responses=_CHANGE)
async def delete_user(state: State, who: Who, name: UserName) -> Response:
    """Let a user log in no more, at once; the last admin stays."""
    author, now = who.author(_SAID), datetime.now(UTC)
    with _refusals():
        removed = await asyncio.to_thread(
            lambda: remove_user(state.database, name, actor=author, now=now)
        )
    await state.access.refresh()
    return answer(_user(removed))


@router.get("/tokens", response_model=TokenList, responses=_READ)
def get_tokens(state: State) -> Response:
    """List tokens; what they are made of is not kept."""
    return answer({"items": [_token(each) for each in read_accounts(state.database).tokens]})


@router.post(
    "/tokens", response_model=CreatedToken, status_code=HTTPStatus.CREATED, responses=_CHANGE
)
async def post_token(state: State, who: Who, body: NewToken) -> Response:
    """Create a token; the answer shows it, this once."""
    author, now = who.author(_SAID), datetime.now(UTC)
    with _refusals():
        token, stored = await asyncio.to_thread(
            lambda: create_token(
                state.database, body.name, body.scope, days=body.days, actor=author, now=now
            )
        )
    await state.access.refresh()
    response = answer({**_token(stored), "token": token}, HTTPStatus.CREATED)
    response.headers["Cache-Control"] = "no-store"
    return response


@router.delete("/tokens/{name}", response_model=TokenView, responses=_CHANGE)
async def delete_token(state: State, who: Who, name: TokenName) -> Response:
    """End a token, at once."""
    author, now = who.author(_SAID), datetime.now(UTC)
    with _refusals():
        revoked = await asyncio.to_thread(
            lambda: revoke_token(state.database, name, actor=author, now=now)
        )
    await state.access.refresh()
    return answer(_token(revoked))


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except AccountError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


def _user(user: StoredUser) -> dict[str, Any]:
    return {
        "name": user.name,
        "role": user.role,
        "created_at": format_time(user.created_at),
        "removed_at": _time(user.disabled_at),
    }


def _token(token: StoredToken) -> dict[str, Any]:
    return {
        "name": token.name,
        "scope": token.scope,
        "created_at": format_time(token.created_at),
        "created_by": token.created_by,
        "expires_at": format_time(token.expires_at),
        "last_used_at": _time(token.last_used_at),
        "revoked_at": _time(token.revoked_at),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)

"""A login that is kept: how long it lasts, what renews it and what ends it."""

import asyncio
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
import websockets

from service.commands import users
from service.commands.roles import Role
from service.store.queries.changes import list_changes
from tests.support.access import (
    BY,
    PASSWORD,
    call,
    log_in,
    settings_of,
)
from tests.support.stored import Stored
from tests.support.waiting import eventually
from tests.support.web import Web, serving
from ui.access.sessions import SESSION_COOKIE, Login, Session, sign

# -- renewed ---------------------------------------------------------------------------------------


def keep_login(web: Web, name: str, began_at: datetime, ends_in: timedelta) -> None:
    """Have the client keep a login that began some time ago, and no other."""
    user = web.state.access.user(name)
    assert user is not None
    session = Session(Login(name, user.sessions, began_at), datetime.now(UTC) + ends_in)
    web.client.cookies.clear()
    web.client.cookies.set(SESSION_COOKIE, sign(session, web.state.access.secret()))


def kept_s(response: httpx.Response) -> int:
    """Return how many seconds from now on an answer has the browser keep the login."""
    return int(SimpleCookie(response.headers["set-cookie"])[SESSION_COOKIE]["max-age"])


async def test_pages_renew_a_login_and_reading_the_api_does_not(web: Web) -> None:
    own = {"Origin": f"http://127.0.0.1:{web.port}"}
    now = datetime.now(UTC)
    keep_login(web, "viewer", now - timedelta(hours=7), timedelta(hours=1))
    assert "set-cookie" not in (await web.get("/api/v1/me")).headers
    opened = await web.get("/units/a")  # a page, though the API alone has none
    assert 8 * 3600 - 30 <= kept_s(opened) <= 8 * 3600
    for touched in (False, True):
        keep_login(web, "viewer", now - timedelta(hours=20), timedelta(hours=1))
        told = await web.client.post("/api/v1/me/renew", json={"touched": touched}, headers=own)
        assert told.status_code == 204
        assert 4 * 3600 - 30 <= kept_s(told) <= 4 * 3600  # a day after it began it is over
    keep_login(web, "viewer", now - timedelta(hours=25), timedelta(0))
    assert (await web.get("/")).headers["location"] == "/login"


async def test_a_stream_lasts_as_long_as_its_login_is_renewed(web: Web) -> None:
    one, other = (datetime.now(UTC) - timedelta(hours=hours) for hours in (6, 7))
    soon = timedelta(seconds=3)
    keep_login(web, "viewer", one, soon)
    async with web.client.stream("GET", "/api/v1/live"):
        keep_login(web, "viewer", other, soon)
        async with web.client.stream("GET", "/api/v1/live") as forgotten:
            await eventually(lambda: web.state.viewer_count == 2)
            keep_login(web, "viewer", one, timedelta(hours=1))
            assert (await web.get("/api/v1/me")).status_code == 200
            async with asyncio.timeout(10):
                await forgotten.aread()
        await web.state.access.refresh()
        assert web.state.viewer_count == 1


async def test_where_logins_end_unused_a_page_that_only_stands_open_does_not_keep_one(
    stored: Stored, tmp_path: Path
) -> None:
    users.add_user(stored.database, "ann", Role.ADMIN, PASSWORD, **BY)
    async with serving(settings_of(stored, tmp_path, session_idle_minutes=15)) as web:
        own = {"Origin": f"http://127.0.0.1:{web.port}"}
        assert 895 <= kept_s(await log_in(web, "ann")) <= 900
        path = "/api/v1/me/renew"
        open_only = await web.client.post(path, json={"touched": False}, headers=own)
        assert "set-cookie" not in open_only.headers
        touched = await web.client.post(path, json={"touched": True}, headers=own)
        assert 895 <= kept_s(touched) <= 900


# -- ended -----------------------------------------------------------------------------------------


async def test_logging_out_ends_every_login_and_every_stream_of_the_user(
    stored: Stored, web: Web
) -> None:
    await log_in(web, "engineer")
    first = dict(web.client.cookies)
    web.client.cookies.clear()
    await log_in(web, "engineer")
    own, url = f"http://127.0.0.1:{web.port}", f"ws://127.0.0.1:{web.port}/ws/live"
    cookie = "; ".join(f"{name}={value}" for name, value in first.items())
    async with (
        websockets.connect(url, origin=own, additional_headers={"Cookie": cookie}) as socket,  # type: ignore[arg-type]
        web.client.stream("GET", "/api/v1/live") as events,
    ):
        await eventually(lambda: web.state.viewer_count == 2)
        assert await call(web, "POST", "/logout", Origin=own) == 303
        async with asyncio.timeout(5):
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await socket.recv()
            assert b"results as they are judged" in await events.aread()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        1008,
        "Your login or token is over.",
    )
    web.client.cookies.update(first)
    assert (await web.get("/api/v1/me")).status_code == 401
    assert list_changes(stored.database)[0][0]["action"] == "log out"


async def test_who_logs_out_while_the_database_is_away_is_logged_out_here(
    stored: Stored, web: Web
) -> None:
    await log_in(web, "viewer")
    stored.database.file.rename(stored.database.file.with_suffix(".away"))
    stored.database.file.mkdir()
    web.state.database.dispose()
    own = {"Origin": f"http://127.0.0.1:{web.port}"}
    response = await web.client.post("/logout", headers=own)
    assert response.status_code == 503
    assert "You are logged out here, but not elsewhere: database" in response.text
    assert not web.client.cookies
    assert (await web.get("/api/v1/me")).status_code == 401


async def test_what_is_changed_elsewhere_holds_within_seconds(stored: Stored, web: Web) -> None:
    await log_in(web, "operator")
    own = f"http://127.0.0.1:{web.port}"
    path, body = "/api/v1/alerts/acknowledge", {"alert_ids": [1]}
    assert await call(web, "POST", path, body, Origin=own) == 422
    users.set_role(stored.database, "operator", Role.VIEWER, **BY)

    async def status() -> int:
        return await call(web, "POST", path, body, Origin=own)

    await eventually(lambda: web.state.access.user("operator").role == "viewer", 3)  # type: ignore[union-attr]
    assert await status() == 403
    users.remove_user(stored.database, "operator", **BY)
    await eventually(lambda: web.state.access.user("operator") is None, 3)
    assert await status() == 401

"""What admins do with users and tokens over HTTP, and what a token opens."""

from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie

import httpx
import pytest
import websockets

from service.commands.roles import Scope
from service.commands.tokens import create_token, revoke_token
from service.store.queries.changes import list_changes
from tests.support.access import BY, PASSWORD, bearer, call, kept_hash, log_in
from tests.support.stored import Stored
from tests.support.web import Web


async def test_an_admin_looks_after_users_over_http(stored: Stored, web: Web) -> None:
    await log_in(web, "admin")
    headers = {"Origin": f"http://127.0.0.1:{web.port}"}

    async def ask(method: str, path: str, **body: object) -> httpx.Response:
        return await web.client.request(method, path, json=body, headers=headers)

    added = await ask("POST", "/api/v1/users", name="Bo", role="operator", password=PASSWORD)
    assert added.status_code == 201
    assert (added.json()["name"], added.json()["removed_at"]) == ("bo", None)
    weak = await ask("POST", "/api/v1/users", name="cy", password="hunter2")
    assert weak.json()["detail"].startswith("the password has 7 characters. Use 12 or more")
    assert "hunter2" not in weak.text
    changed = await ask("PATCH", "/api/v1/users/bo", role="engineer", password=PASSWORD[::-1])
    assert changed.json()["role"] == "engineer"
    assert (await ask("PATCH", "/api/v1/users/bo")).status_code == 422
    kept = kept_hash(stored, "admin")
    half = await ask("PATCH", "/api/v1/users/admin", role="viewer", password=PASSWORD[::-1])
    assert half.json()["detail"].startswith("admin is the last admin")
    assert kept_hash(stored, "admin") == kept
    last = await ask("DELETE", "/api/v1/users/admin")
    assert last.json()["detail"].startswith("admin is the last admin")
    assert (await ask("DELETE", "/api/v1/users/bo")).json()["removed_at"] is not None
    names = [each["name"] for each in (await web.get("/api/v1/users")).json()["items"]]
    assert names == ["admin", "bo", "engineer", "operator", "viewer"]
    trail = [(each["actor"], each["action"]) for each in list_changes(stored.database)[0][:4]]
    assert trail == [("admin", each) for each in ("remove", "set role", "set password", "add")]


async def test_an_admin_sees_a_token_once(web: Web) -> None:
    await log_in(web, "admin")
    headers = {"Origin": f"http://127.0.0.1:{web.port}"}
    body = {"name": "mes", "scope": "ingest", "days": 30}
    made = await web.client.post("/api/v1/tokens", json=body, headers=headers)
    token = made.json()["token"]
    assert (made.status_code, made.json()["created_by"]) == (201, "admin")
    assert await call(web, "POST", "/ingest", {}, **bearer(token)) == 422
    listed = await web.get("/api/v1/tokens")
    assert listed.json()["items"][0]["name"] == "mes"
    assert token not in listed.text
    assert await call(web, "DELETE", "/api/v1/tokens/mes", **headers) == 200
    assert await call(web, "POST", "/ingest", {}, **bearer(token)) == 401


async def test_a_token_that_is_over_opens_nothing(stored: Stored, web: Web) -> None:
    token, _ = create_token(stored.database, "mes", Scope.INGEST, days=1, **BY)
    old = datetime.now(UTC) - timedelta(days=2)
    expired, _ = create_token(stored.database, "old", Scope.ADMIN, days=1, actor="test", now=old)
    await web.state.access.refresh()
    assert await call(web, "POST", "/ingest", {}, **bearer(token)) == 422
    assert await call(web, "GET", "/api/v1/results", **bearer(token)) == 403
    for bad in (expired, token + "x", "yl_"):
        assert await call(web, "POST", "/ingest", {}, **bearer(bad)) == 401
    revoke_token(stored.database, "mes", **BY)
    await web.state.access.refresh()
    assert await call(web, "POST", "/ingest", {}, **bearer(token)) == 401


async def test_a_wall_has_its_token_in_a_cookie_and_sees_nothing_but_the_wall(
    stored: Stored, web: Web
) -> None:
    token, _ = create_token(stored.database, "wall-l1", Scope.WALL, days=1, **BY)
    look, _ = create_token(stored.database, "look", Scope.VIEWER, days=1, **BY)
    await web.state.access.refresh()
    assert (await web.get("/wall", token=look)).status_code == 401
    entered = await web.get("/wall", line="L1", token=token)
    assert (entered.status_code, entered.headers["location"]) == (303, "/wall?line=L1")
    cookie = SimpleCookie(entered.headers["set-cookie"])["yieldline_wall"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "strict")
    assert (await web.get("/api/v1/alerts")).status_code == 200
    assert (await web.get("/wall")).status_code == 404  # let in; the API alone has no pages
    for path in ("/api/v1/results", "/api/v1/me", "/metrics", "/api/v1/alerts/1"):
        assert (await web.get(path)).status_code == 403, path
    assert (await web.get("/")).headers["location"] == "/login"  # who stands there may log in
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(
            f"ws://127.0.0.1:{web.port}/ws/live",
            additional_headers={"Cookie": f"yieldline_wall={token}"},
        )

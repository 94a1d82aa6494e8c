"""Which role may make which call, over HTTP: the table of routes, and what a refusal says."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import structlog
import websockets
from starlette.routing import Match

from broker.settings import Settings
from service.commands import users
from service.commands.roles import Role, Scope
from service.commands.tokens import create_token
from service.store.queries.changes import list_changes
from tests.support.access import (
    BY,
    PASSWORD,
    TOML,
    bearer,
    call,
    log_in,
    settings_of,
)
from tests.support.ports import free_port
from tests.support.processes import PYTHON
from tests.support.stored import Stored
from tests.support.waiting import eventually
from tests.support.web import Web, serving
from ui.access.routes import RULES, SOCKET, find_need
from ui.app import create_api
from ui.state import AppState

# -- routes ----------------------------------------------------------------------------------------


_LIST_ROUTES = """
import json
from broker.settings import Settings
from ui.app import create_app

def walk(routes, before=""):
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        path = before.rstrip("/") + (getattr(route, "path", None) or "")
        below = getattr(inner, "routes", None)
        if below is not None:
            yield from walk(below, path)
        elif type(route).__name__ == "Mount":
            yield "GET", path + "/x"
        elif type(route).__name__.endswith("WebSocketRoute"):
            yield "SOCKET", path
        else:
            yield from ((method, path) for method in route.methods)

print(json.dumps(sorted(set(walk(create_app(Settings()).routes)))))
"""


def test_every_route_says_which_role_it_needs(tmp_path: Path) -> None:
    listed = subprocess.run(
        [PYTHON, "-c", _LIST_ROUTES], cwd=tmp_path, capture_output=True, check=True, timeout=60
    )
    routes = [tuple(each) for each in json.loads(listed.stdout)]
    assert ("POST", "/api/v1/rejections/{rejection_id}/resubmit") in routes
    assert ("GET", "/machines/{machine_id}") in routes
    assert (SOCKET, "/ws/live") in routes
    ends = {"/api/{rest:path}", "/ingest", "/schemas/{rest:path}", "/asyncapi.json"}
    read = {"/healthz", "/readyz", "/metrics"}  # all but GET comes to an end there
    unknown = [
        f"{method} {path}"
        for method, path in routes
        if path not in ends
        and not (path in read and method != "GET")
        and not find_need(method, re.sub(r"\{[^}]*\}", "x", path)).is_known
    ]
    assert unknown == [], "say in ui/access/routes.py which role they need"
    named = {path for _, path in routes}
    for methods, path, need in RULES:
        if need and "POST" in methods and "*" not in path:
            assert path in named, f"{path} is in ui/access/routes.py, and nowhere else"


def test_no_other_spelling_of_a_call_opens_it_to_a_lower_role() -> None:
    app = create_api(AppState(Settings()))
    routes = [each for each in app.router.routes if getattr(each, "name", "") != "end"]
    reached = 0
    for path, operations in app.openapi()["paths"].items():
        named = re.sub(r"\{\w+\}", "1", path)
        for method, spelled in product(map(str.upper, operations), spellings(named)):
            scope = {"type": "http", "method": method, "path": spelled, "headers": []}
            if any(route.matches(scope)[0] is Match.FULL for route in routes):
                assert find_need(method, spelled).need == find_need(method, named).need, spelled
                reached += spelled != named
    assert reached, "Starlette takes none of them any more"


def spellings(path: str) -> Iterator[str]:
    """Yield a path, and what a router may take for it."""
    yield path
    yield from (f"{path}{end}" for end in ("\n", "/", "\0", " ", "\r\n", "\n\n", ";a", "."))
    yield from (f"{start}{path}" for start in ("/", "/.", "\n", "/assets/.."))
    yield from (path.upper(), path.replace("/", "//"), path.replace("/", "\n/"))


async def test_the_openapi_document_says_which_role_a_call_needs(web: Web) -> None:
    await log_in(web, "viewer")
    paths = (await web.get("/openapi.json")).json()["paths"]
    assert paths["/api/v1/rulebooks"]["post"]["x-role"] == "engineer"
    assert paths["/ingest"]["post"]["x-scope"] == "ingest"
    assert paths["/ingest"]["post"]["security"] == [{"token": []}]
    assert "security" not in paths["/healthz"]["get"]
    closing = paths["/api/v1/rejections/close"]["post"]["responses"]
    assert sorted(closing) == ["200", "401", "403", "422", "503"]
    assert "404" in paths["/api/v1/names/{kind}"]["get"]["responses"]  # where a name has a slash
    assert list(paths["/healthz"]["get"]["responses"]) == ["200"]


# -- calls -----------------------------------------------------------------------------------------


# A call that each role may make or not; what comes of it once let in is another test's.
CALLS: list[tuple[str, str, dict[str, Any], Role]] = [
    ("GET", "/api/v1/results", {}, Role.VIEWER),
    ("GET", "/api/v1/export.csv", {}, Role.VIEWER),
    ("GET", "/metrics", {}, Role.VIEWER),
    ("GET", "/docs", {}, Role.VIEWER),
    ("GET", "/openapi.json", {}, Role.VIEWER),
    ("GET", "/api/v1/audit", {}, Role.VIEWER),
    ("POST", "/api/v1/rulebooks/check", {"toml": TOML}, Role.VIEWER),
    ("POST", "/api/v1/alerts/acknowledge", {"alert_ids": [1]}, Role.OPERATOR),
    ("POST", "/api/v1/alerts/1/acknowledge", {}, Role.OPERATOR),
    ("POST", "/api/v1/alerts/1/shelve", {}, Role.ENGINEER),
    ("POST", "/api/v1/alerts/shelve", {"alert_ids": [1]}, Role.ENGINEER),
    ("POST", "/api/v1/rulebooks", {"toml": "", "reason": "none"}, Role.ENGINEER),
    ("POST", "/api/v1/rulebooks/backtest", {"toml": "["}, Role.ENGINEER),
    ("POST", "/api/v1/shadow", {"toml": "[", "reason": "x"}, Role.ENGINEER),
    ("DELETE", "/api/v1/shadow", {}, Role.ENGINEER),
    ("POST", "/api/v1/rejections/1/resubmit?dry_run=true", {}, Role.ENGINEER),
    ("POST", "/api/v1/rejections/resubmit", {"rejection_ids": [1]}, Role.ENGINEER),
    ("POST", "/api/v1/rejections/close", {"rejection_ids": [1], "reason": "x"}, Role.ENGINEER),
    ("DELETE", "/api/v1/jobs/none", {}, Role.ENGINEER),
    ("GET", "/api/v1/users", {}, Role.ADMIN),
    ("POST", "/api/v1/users", {"name": "x", "password": "short"}, Role.ADMIN),
    ("PATCH", "/api/v1/users/nobody", {"role": "admin"}, Role.ADMIN),
    ("DELETE", "/api/v1/users/nobody", {}, Role.ADMIN),
    ("GET", "/api/v1/tokens", {}, Role.ADMIN),
    ("POST", "/api/v1/tokens", {"name": "a b"}, Role.ADMIN),
    ("DELETE", "/api/v1/tokens/nobody", {}, Role.ADMIN),
    ("POST", "/ingest", {}, Role.ADMIN),
]


async def test_each_role_may_what_the_table_says_and_no_more(stored: Stored, web: Web) -> None:
    tokens = {
        role: create_token(stored.database, role.value, Scope(role.value), days=1, **BY)[0]
        for role in Role
    }
    await web.state.access.refresh()
    for method, path, body, least in CALLS:
        assert await call(web, method, path, body) in {401, 303}, path  # 303: to the login
        for role, token in tokens.items():
            status = await call(web, method, path, body, **bearer(token))
            assert (status == 403) is (not role.includes(least)), (method, path, role, status)
            assert status != 401


async def test_a_refusal_names_the_role_that_is_needed(stored: Stored, web: Web) -> None:
    path = "/api/v1/alerts/7/acknowledge"
    stranger = await web.client.post(path)
    assert stranger.status_code == 401
    assert stranger.headers["content-type"] == "application/problem+json"
    assert stranger.headers["www-authenticate"].startswith("Bearer")
    assert stranger.json()["detail"].startswith(f"POST {path} needs the role operator, and you are")
    token, _ = create_token(stored.database, "look", Scope.VIEWER, days=1, **BY)
    await web.state.access.refresh()
    viewer = await web.client.post(path, headers=bearer(token))
    assert viewer.status_code == 403
    assert viewer.json()["detail"] == (
        f"POST {path} needs the role operator; token look is viewer."
    )
    assert viewer.json()["role"] == "operator"


@pytest.mark.parametrize("path", ["/healthz", "/login"])
async def test_what_comes_before_a_login_is_open(web: Web, path: str) -> None:
    assert (await web.get(path)).status_code == 200
    assert (await web.get("/readyz")).status_code == 503


async def test_every_answer_carries_the_headers_of_safety(web: Web) -> None:
    for path in ("/healthz", "/login", "/api/v1/results", "/nowhere", "/api/v1/nowhere"):
        response = await web.get(path)
        assert response.headers["x-content-type-options"] == "nosniff", path
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        if path.startswith("/api/"):
            assert response.headers.get_list("cache-control") == ["no-store"], path


async def test_a_refused_call_is_a_line_that_says_who_wanted_what_and_holds_no_token(
    web: Web, stored: Stored
) -> None:
    token, _ = create_token(stored.database, "mes", Scope.VIEWER, days=1, **BY)
    await web.state.access.refresh()
    mine = bearer(token)
    with structlog.testing.capture_logs() as lines:
        assert await call(web, "GET", "/api/v1/results", **mine) == 200
        assert await call(web, "GET", "/api/v1/results") == 401, "a passer-by"
        assert await call(web, "GET", f"/api/v1/users?token={token}", **mine) == 403
        assert await call(web, "GET", "/api/v1/users", **bearer("yl_guess")) == 401
        await log_in(web, "operator")
        assert await call(web, "DELETE", "/api/v1/shadow") == 403
        own = {"Origin": f"http://127.0.0.1:{web.port}"}
        for _ in range(40):
            assert await call(web, "DELETE", "/api/v1/shadow", **own) == 403
    refused = [each for each in lines if each["event"] == "call_refused"]
    said = [(each["who"], each["method"], each["path"], each["needs"]) for each in refused]
    assert said[:3] == [
        ("token mes", "GET", "/api/v1/users", "the role admin"),
        ("a token that opens nothing", "GET", "/api/v1/users", "the role admin"),
        ("operator", "DELETE", "/api/v1/shadow", "the role engineer"),
    ]
    assert len(said) == 2 + 10
    assert {each["address"] for each in refused} == {"127.0.0.1"}
    assert token not in str(lines)
    assert "yl_guess" not in str(lines)


async def test_the_audit_trail_names_who_was_logged_in(stored: Stored, web: Web) -> None:
    await log_in(web, "engineer")
    body = {"toml": TOML, "reason": "tighter after the recall", "author": "somebody else"}
    own = f"http://127.0.0.1:{web.port}"
    assert await call(web, "POST", "/api/v1/rulebooks", body, Origin=own) == 201
    assert list_changes(stored.database)[0][0]["actor"] == "engineer"
    token, _ = create_token(stored.database, "ci", Scope.ENGINEER, days=1, **BY)
    await web.state.access.refresh()
    shadow = {"toml": TOML, "reason": "try"}
    assert await call(web, "POST", "/api/v1/shadow", shadow, **bearer(token)) == 201
    assert list_changes(stored.database)[0][0]["actor"] == "token ci"


# -- who has not logged in -------------------------------------------------------------------------


async def test_without_users_this_machine_is_admin_until_there_is_one(
    stored: Stored, tmp_path: Path
) -> None:
    async with serving(settings_of(stored, tmp_path)) as web:
        assert (await web.get("/api/v1/me")).json()["role"] == "admin"
        assert (
            await call(web, "POST", "/api/v1/rulebooks", {"toml": TOML, "reason": "first"}) == 201
        )
        for host in ("evil.example", f"evil.example:{web.port}"):  # a name that leads here
            response = await web.client.get("/api/v1/me", headers={"Host": host})
            assert response.status_code == 403
            assert "yieldline users add NAME --role admin" in response.json()["detail"]
        foreign = {"Origin": "http://evil.example"}
        assert await call(web, "DELETE", "/api/v1/shadow", **foreign) == 403
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(f"ws://127.0.0.1:{web.port}/ws/live", origin="http://x")  # type: ignore[arg-type]
        async with web.client.stream("GET", "/api/v1/live") as events:
            await eventually(lambda: web.state.viewer_count == 1)
            users.add_user(stored.database, "ann", Role.ADMIN, PASSWORD, **BY)
            async with asyncio.timeout(5):
                await events.aread()
        assert (await web.get("/api/v1/me")).status_code == 401
    assert list_changes(stored.database)[0][1]["actor"] == "api"


async def test_without_login_everybody_looks_and_nobody_changes(
    stored: Stored, tmp_path: Path
) -> None:
    settings = settings_of(stored, tmp_path, host="0.0.0.0", no_login=True)
    async with serving(settings) as web:
        for method, path, body, least in CALLS:
            status = await call(web, method, path, body, Host="plant.example")
            assert (status == 403) is (least is not Role.VIEWER), (method, path, status)
        users.add_user(stored.database, "ann", Role.ADMIN, PASSWORD, **BY)
        await log_in(web, "ann")
        assert (await web.get("/api/v1/me")).json()["role"] == "admin"


async def test_a_database_that_never_answered_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"no database at all" * 100)
    settings = Settings.model_validate(
        {
            "broker": {"port": free_port()},
            "database": {"url": f"sqlite:///{tmp_path / 'broken.db'}"},
        }
    )
    async with serving(settings) as web:
        response = await web.get("/api/v1/results")
        assert response.status_code == 503
        assert response.json()["detail"].startswith("who may come in is not known: database")
        assert (await web.get("/healthz")).status_code == 200

"""Logins, roles and tokens over HTTP, on a real port and a real database."""

import asyncio
import io
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
import websockets

from broker.settings import Settings
from service.commands import passwords, users
from service.commands.roles import Role, Scope
from service.commands.tokens import create_token, revoke_token
from service.store.accounts import read_accounts
from service.store.queries.changes import list_changes
from tests.support.ports import free_port
from tests.support.processes import PYTHON
from tests.support.stored import Stored
from tests.support.waiting import eventually
from tests.support.web import Web, serving
from ui.access.routes import RULES, SOCKET, find_need
from ui.access.sessions import SESSION_COOKIE, Login, Session, sign
from ui.api import login

PASSWORD = "copper kettle on the moon"
NOW = datetime.now(UTC)
BY: dict[str, Any] = {"actor": "test", "now": NOW}
TOML = '[[rule]]\nid = "vcc"\ntest_step = "vcc"\nlow = 4.75\n'

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


@pytest.fixture(scope="module", autouse=True)
def _quick_hashes() -> Iterator[None]:
    """The real argon2, with less work: what it costs is no part of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        hasher = passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(passwords, "_hasher", hasher)
        passwords._nobodys.cache_clear()
        yield
        passwords._nobodys.cache_clear()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with tables; making them is most of what a test here would do."""
    file = tmp_path_factory.mktemp("empty") / "empty.db"
    Stored(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def stored(tmp_path: Path, empty: Path) -> Iterator[Stored]:
    file = tmp_path / "yieldline.db"
    shutil.copy(empty, file)
    store = Stored(f"sqlite:///{file}")
    yield store
    store.close()


def settings_of(stored: Stored, tmp_path: Path, **http: Any) -> Settings:  # noqa: ANN401
    return Settings.model_validate(
        {
            "broker": {"port": free_port(), "connect_timeout_s": 1},
            "database": {"url": stored.url},
            "http": {"secret_file": tmp_path / "session.key", **http},
        }
    )


@pytest.fixture
async def web(stored: Stored, tmp_path: Path) -> AsyncIterator[Web]:
    """The API with a user of each role, on an address that others reach."""
    for role in reversed(Role):
        users.add_user(stored.database, role.value, role, PASSWORD, **BY)
    async with serving(settings_of(stored, tmp_path, host="0.0.0.0")) as web:
        yield web


async def log_in(web: Web, name: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    """POST /login as a browser does."""
    return await web.client.post(
        "/login",
        data={"user": name, "password": password, **more},
        headers={"Origin": f"http://127.0.0.1:{web.port}"},
    )


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def call(web: Web, method: str, path: str, body: object = None, **headers: str) -> int:
    """Make a call; return its status."""
    given = {} if body is None or method == "GET" else {"json": body}
    response = await web.client.request(method, path, headers=headers, **given)
    return response.status_code


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


# -- roles -----------------------------------------------------------------------------------------


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


async def test_the_notice_before_use_is_shown_as_text_and_without_one_there_is_none(
    stored: Stored, tmp_path: Path
) -> None:
    users.add_user(stored.database, "ann", Role.ADMIN, PASSWORD, **BY)
    notice = "Only for <b>staff</b> of $plant.\nUse is recorded."
    async with serving(settings_of(stored, tmp_path, login_notice=notice)) as web:
        page = (await web.get("/login")).text
    assert '<p class="notice" role="note">Only for &lt;b&gt;staff&lt;/b&gt; of $plant.\n' in page
    async with serving(settings_of(stored, tmp_path)) as web:
        assert '<p class="notice" role="note" hidden></p>' in (await web.get("/login")).text


# -- logging in and out ----------------------------------------------------------------------------


async def test_a_login_is_a_cookie_that_scripts_cannot_read_and_other_sites_cannot_use(
    web: Web,
) -> None:
    response = await log_in(web, "Engineer", next="/rules?version=3")
    assert (response.status_code, response.headers["location"]) == (303, "/rules?version=3")
    cookie = SimpleCookie(response.headers["set-cookie"])["yieldline_session"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "strict", "/")
    assert 8 * 3600 - 5 <= int(cookie["max-age"]) <= 8 * 3600
    assert not cookie["secure"]
    me = (await web.get("/api/v1/me")).json()
    assert (me["kind"], me["name"], me["role"]) == ("user", "engineer", "engineer")


async def test_behind_https_the_cookie_is_for_https_alone(web: Web) -> None:
    response = await web.client.post(
        "/login",
        data={"user": "viewer", "password": PASSWORD},
        headers={"Origin": f"https://127.0.0.1:{web.port}", "X-Forwarded-Proto": "https"},
    )
    assert "Secure" in response.headers["set-cookie"]


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "/a\nb", "/logout", ""],
)
async def test_a_login_leads_nowhere_but_here(web: Web, target: str) -> None:
    response = await log_in(web, "viewer", next=target)
    assert response.headers["location"] == "/"


async def test_a_wrong_name_and_a_wrong_password_hear_the_same(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = io.StringIO()
    monkeypatch.setattr(login, "log", structlog.wrap_logger(structlog.PrintLogger(lines)))
    answers = [
        await log_in(web, "viewer", "not the password"),
        await log_in(web, "nobody", PASSWORD),
        await log_in(web, "<b>", PASSWORD),
        await web.client.post("/login", content=b"&" * 9_000),
    ]
    assert [each.status_code for each in answers] == [401] * 4
    assert all("Name or password is wrong." in each.text for each in answers)
    assert "&lt;b&gt;" in answers[2].text
    assert not web.client.cookies
    logged = lines.getvalue()
    assert logged.count("login_refused") == 4
    assert "not the password" not in logged
    assert PASSWORD not in logged


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


async def test_after_five_tries_a_minute_even_the_right_password_waits(web: Web) -> None:
    for _ in range(5):
        assert (await log_in(web, "viewer", "guess " * 3)).status_code == 401
    late = await log_in(web, "viewer")
    assert late.status_code == 429
    assert re.search(r"Too many tries\. Wait \d+ s, then try again\.", late.text)
    assert 50 <= int(late.headers["retry-after"]) <= 60
    assert (await log_in(web, "operator")).status_code == 303


async def test_a_page_leads_to_the_login_and_back(web: Web) -> None:
    response = await web.get("/units/a b", run=7)
    assert response.status_code == 303
    assert response.headers["location"] == "/login?next=%2Funits%2Fa%2520b%3Frun%3D7"
    page = await web.get(response.headers["location"])
    assert 'name="next" value="/units/a%20b?run=7"' in page.text


async def test_a_login_changes_nothing_unless_our_own_page_asks(web: Web) -> None:
    await log_in(web, "operator")
    own = f"http://127.0.0.1:{web.port}"
    path, body = "/api/v1/alerts/acknowledge", {"alert_ids": [1]}
    assert await call(web, "POST", path, body, Origin=own) == 422
    assert await call(web, "POST", path, body) == 403
    assert await call(web, "POST", path, body, Origin="http://evil.example") == 403
    cross = {"Origin": own, "Sec-Fetch-Site": "cross-site"}
    assert await call(web, "POST", path, body, **cross) == 403
    assert await call(web, "POST", "/logout", Origin="http://evil.example") == 403


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


# -- logins that are used --------------------------------------------------------------------------


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


async def test_a_hash_of_too_little_work_is_made_anew_at_the_next_login(
    stored: Stored, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    harder = passwords.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", harder)
    assert (await log_in(web, "viewer", "not the password")).status_code == 401
    assert "m=8,t=1" in kept_hash(stored, "viewer")
    assert (await log_in(web, "viewer")).status_code == 303
    assert "m=16,t=2" in kept_hash(stored, "viewer")
    assert (await web.get("/api/v1/me")).status_code == 200
    assert (await log_in(web, "viewer")).status_code == 303


def kept_hash(stored: Stored, name: str) -> str:
    users = read_accounts(stored.database).users
    return next(each.password_hash for each in users if each.name == name)


# -- one's own password ----------------------------------------------------------------------------

NEW_PASSWORD = "green lamps above the harbour"


async def change_password(web: Web, old: str, new: str) -> httpx.Response:
    return await web.client.post(
        "/api/v1/me/password",
        json={"old_password": old, "new_password": new},
        headers={"Origin": f"http://127.0.0.1:{web.port}"},
    )


async def test_people_change_their_own_password_and_only_that_login_goes_on(
    stored: Stored, web: Web
) -> None:
    await log_in(web, "engineer")
    elsewhere = dict(web.client.cookies)
    web.client.cookies.clear()
    await log_in(web, "engineer")
    async with web.client.stream("GET", "/api/v1/live") as events:
        changed = await change_password(web, PASSWORD, NEW_PASSWORD)
        assert changed.status_code == 204
        assert (await web.get("/api/v1/me")).json()["name"] == "engineer"
        async with asyncio.timeout(5):
            await events.aread()  # opened with a login of before
    web.client.cookies.clear()
    web.client.cookies.update(elsewhere)
    assert (await web.get("/api/v1/me")).status_code == 401
    assert (await log_in(web, "engineer")).status_code == 401
    assert (await log_in(web, "engineer", NEW_PASSWORD)).status_code == 303
    change = list_changes(stored.database)[0][0]
    assert (change["actor"], change["action"]) == ("engineer", "set password")
    assert change["subject"] == "user engineer"
    assert NEW_PASSWORD not in str(change)


async def test_a_new_password_that_is_not_taken_is_said_and_changes_nothing(
    stored: Stored, web: Web
) -> None:
    await log_in(web, "engineer")
    before = kept_hash(stored, "engineer")
    for old, new, status, sentence in (
        ("not the password", NEW_PASSWORD, 403, "the old password is wrong."),
        (PASSWORD, PASSWORD, 422, "the new password is the old one. Choose another."),
        (PASSWORD, "Engineer2026", 422, "the password is among the first that are guessed"),
        (PASSWORD, "hunter2", 422, "the password has 7 characters. Use 12 or more"),
    ):
        refused = await change_password(web, old, new)
        assert refused.status_code == status
        assert refused.json()["detail"].startswith(sentence)
        assert new not in refused.text
    assert kept_hash(stored, "engineer") == before
    assert (await web.get("/api/v1/me")).status_code == 200


async def test_who_guesses_an_old_password_waits_as_at_the_login(web: Web) -> None:
    await log_in(web, "viewer")
    for _ in range(5):
        assert (await change_password(web, "guess " * 3, NEW_PASSWORD)).status_code == 403
    late = await change_password(web, PASSWORD, NEW_PASSWORD)
    assert late.status_code == 429
    assert re.fullmatch(r"too many tries\. Wait \d+ s, then try again\.", late.json()["detail"])
    assert 50 <= int(late.headers["retry-after"]) <= 60
    assert (await log_in(web, "viewer")).status_code == 429


async def test_a_token_has_no_password_to_change(stored: Stored, web: Web) -> None:
    token, _ = create_token(stored.database, "ci", Scope.ADMIN, days=1, **BY)
    await web.state.access.refresh()
    body = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert await call(web, "POST", "/api/v1/me/password", body, **bearer(token)) == 403
    page = await web.client.get("/password", params={"next": "/rules"}, headers=bearer(token))
    assert page.headers["location"] == "/rules"
    renewal = await web.client.post(
        "/api/v1/me/renew", json={"touched": True}, headers=bearer(token)
    )
    assert (renewal.status_code, "set-cookie" in renewal.headers) == (204, False)


# -- users and tokens by admins --------------------------------------------------------------------


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


# -- tokens ----------------------------------------------------------------------------------------


async def test_a_token_that_is_over_opens_nothing(stored: Stored, web: Web) -> None:
    token, _ = create_token(stored.database, "mes", Scope.INGEST, days=1, **BY)
    old = NOW - timedelta(days=2)
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


# -- without users ---------------------------------------------------------------------------------


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

"""Logging in: what the form takes, what the cookie is, what a login of a browser may do."""

import io
import re
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
import structlog

from service.commands import users
from service.commands.roles import Role
from tests.support.access import BY, PASSWORD, call, kept_hash, log_in, settings_of, use_hashes
from tests.support.stored import Stored
from tests.support.web import Web, serving
from ui.api import login


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


async def test_a_page_leads_to_the_login_and_back(web: Web) -> None:
    response = await web.get("/units/a b", run=7)
    assert response.status_code == 303
    assert response.headers["location"] == "/login?next=%2Funits%2Fa%2520b%3Frun%3D7"
    page = await web.get(response.headers["location"])
    assert 'name="next" value="/units/a%20b?run=7"' in page.text


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


async def test_after_five_tries_a_minute_even_the_right_password_waits(web: Web) -> None:
    for _ in range(5):
        assert (await log_in(web, "viewer", "guess " * 3)).status_code == 401
    late = await log_in(web, "viewer")
    assert late.status_code == 429
    assert re.search(r"Too many tries\. Wait \d+ s, then try again\.", late.text)
    assert 50 <= int(late.headers["retry-after"]) <= 60
    assert (await log_in(web, "operator")).status_code == 303


async def test_a_hash_of_too_little_work_is_made_anew_at_the_next_login(
    stored: Stored, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_hashes(monkeypatch, time_cost=2, memory_cost=16)
    assert (await log_in(web, "viewer", "not the password")).status_code == 401
    assert "m=8,t=1" in kept_hash(stored, "viewer")
    assert (await log_in(web, "viewer")).status_code == 303
    assert "m=16,t=2" in kept_hash(stored, "viewer")
    assert (await web.get("/api/v1/me")).status_code == 200
    assert (await log_in(web, "viewer")).status_code == 303


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

"""People change their own password."""

import asyncio
import re

import httpx

from service.commands.roles import Scope
from service.commands.tokens import create_token
from service.store.queries.changes import list_changes
from tests.support.access import (
    BY,
    PASSWORD,
    bearer,
    call,
    kept_hash,
    log_in,
)
from tests.support.stored import Stored
from tests.support.web import Web

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

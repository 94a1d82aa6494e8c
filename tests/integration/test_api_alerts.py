"""Alerts over HTTP: list them, open one, acknowledge and shelve."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from broker.messages import Severity, format_time
from broker.settings import Settings
from service.core.alerts import AlertKind, Assessment, Finding, Subject, conclude, key_of
from service.store.alerts import living_alerts, open_alert, save_change
from tests.support.ports import free_port
from tests.support.stored import Stored, run_message
from tests.support.web import Web, serving

ALERTS = "/api/v1/alerts"


@pytest.fixture
def store_url(sqlite_store_url: str) -> str:
    return sqlite_store_url


@pytest.fixture
async def web(stored: Stored) -> AsyncIterator[Web]:
    """The API on a database, with nobody at the broker's port."""
    settings = Settings.model_validate(
        {"broker": {"port": free_port()}, "database": {"url": stored.url}}
    )
    async with serving(settings) as web:
        yield web


def raise_alert(stored: Stored, machine_id: str = "M1", evidence: tuple[int, ...] = ()) -> int:
    key = key_of(AlertKind.SILENT, machine_id)
    subject = Subject(machine_id)
    found = Finding(AlertKind.SILENT, key, subject, "L1", Severity.MAJOR, "Silent.", evidence)
    with stored.database.changing() as connection:
        return open_alert(connection, found, "t", datetime.now(UTC), notify=False).alert_id


def end_all(stored: Stored) -> None:
    with stored.database.changing() as connection:
        living = living_alerts(connection)
        over = Assessment({}, {each.key for each in living})
        for change in conclude(living, over, datetime.now(UTC), 0).changed:
            save_change(connection, change)


async def post(web: Web, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
    return await web.client.post(f"{ALERTS}/{path}", json=body)


async def test_an_alert_is_listed_and_opens_with_its_history_and_its_runs(
    stored: Stored, web: Web
) -> None:
    stored.save(run_message("SN-1", passes=False))
    number = raise_alert(stored, evidence=(1,))
    (listed,) = (await web.get(ALERTS, state="open", machine_id="M1")).json()["items"]
    assert (listed["alert_id"], listed["kind"], listed["state"]) == (number, "silent", "open")
    opened = (await web.get(f"{ALERTS}/{number}")).json()
    assert [each["action"] for each in opened["history"]] == ["opened"]
    assert [each["barcode"] for each in opened["runs"]] == ["SN-1"]
    assert (await web.get(ALERTS, state="closed")).json()["items"] == []


async def test_one_is_acknowledged_with_a_note_and_again_changes_nothing(
    stored: Stored, web: Web
) -> None:
    number = raise_alert(stored)
    first = await post(web, f"{number}/acknowledge", {"author": "ann", "note": "on my way"})
    assert (first.status_code, first.json()["acknowledged_by"]) == (200, "ann")
    again = await post(web, f"{number}/acknowledge")
    assert again.json() == first.json()
    (change,) = (await web.get("/api/v1/audit")).json()["items"]
    assert (change["action"], change["reason"]) == ("acknowledge", "on my way")


async def test_many_are_acknowledged_or_shelved_at_once(stored: Stored, web: Web) -> None:
    numbers = [raise_alert(stored, each) for each in ("M1", "M2", "M3")]
    seen = await post(web, "acknowledge", {"alert_ids": numbers[:2]})
    assert [each["state"] for each in seen.json()["items"]] == ["acknowledged"] * 2
    until = format_time(datetime.now(UTC) + timedelta(hours=1))
    rest = {"alert_ids": numbers[1:], "until": until, "reason": "mended tomorrow"}
    shelved = await post(web, "shelve", rest)
    assert [each["shelved_until"] for each in shelved.json()["items"]] == [until] * 2
    load = (await web.get(f"{ALERTS}/load")).json()
    assert load["counts"] == {"open": 0, "acknowledged": 1, "shelved": 2}
    assert (load["opened"], load["ringing"]) == (3, [])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "mended", "until": "2000-01-01T00:00:00Z"}, "next 12 hours"),
        ({"reason": "mended", "until": "2099-01-01T00:00:00Z"}, "next 12 hours"),
        ({"reason": "", "until": "2099-01-01T00:00:00Z"}, "reason"),
        ({"until": "2099-01-01T00:00:00Z"}, "reason"),
        ({"reason": "mended"}, "until"),
    ],
)
async def test_shelving_without_a_reason_or_a_near_end_is_refused(
    stored: Stored, web: Web, body: dict[str, Any], field: str
) -> None:
    number = raise_alert(stored)
    refused = await post(web, f"{number}/shelve", body)
    assert refused.status_code == 422
    assert field in refused.json()["detail"]
    assert (await web.get(f"{ALERTS}/{number}")).json()["state"] == "open"


async def test_nobody_acts_on_a_closed_alert_or_on_none(stored: Stored, web: Web) -> None:
    number = raise_alert(stored)
    end_all(stored)
    until = format_time(datetime.now(UTC) + timedelta(hours=1))
    asked: tuple[tuple[str, dict[str, Any] | None], ...] = (
        ("acknowledge", None),
        ("shelve", {"until": until, "reason": "x"}),
    )
    for act, body in asked:
        refused = await post(web, f"{number}/{act}", body)
        assert refused.status_code == 409
        assert "its trouble is over." in refused.json()["detail"]
        assert (await post(web, f"12345/{act}", body)).status_code == 404
    assert (await web.get(f"{ALERTS}/12345")).status_code == 404
    bulk = await post(web, "acknowledge", {"alert_ids": [number, 12345]})
    assert bulk.status_code == 422
    (closed,) = (await web.get(ALERTS, state="closed")).json()["items"]
    assert closed["acknowledged_at"] is None
    assert closed["closed_at"]
    assert (await web.get("/api/v1/audit")).json()["items"] == []


async def test_a_wrong_filter_or_cursor_is_a_sentence(web: Web) -> None:
    for query in ({"state": "loud"}, {"cursor": "x"}, {"machine": "M1"}, {"limit": 0}):
        assert (await web.get(ALERTS, **query)).status_code == 422

"""What the HTTP API says to a call that is wrong."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.stored import Stored, run_message
from tests.support.waiting import eventually
from tests.support.web import Web, problem_of
from ui import body


@pytest.fixture
def store_url(sqlite_store_url: str) -> str:
    return sqlite_store_url


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=x", "cursor"),
        ("since=yesterday", "since"),
        ("outcome=GOOD", "outcome"),
        ("agrees=perhaps", "agrees"),
        ("machine=M1", "machine"),
        ("since=0001-01-01T00:00:00%2B05:00", "since"),
    ],
)
async def test_a_wrong_parameter_is_a_problem_that_names_it(
    web: Web, query: str, field: str
) -> None:
    problem = problem_of(await web.client.get(f"/api/v1/results?{query}"), 422)
    assert field in problem["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/results/99",
        "/api/v1/results/99/message",
        "/api/v1/units/never",
        "/api/v1/machines/never",
        "/api/v1/rejections/99",
        "/api/v1/rejections/99/bytes",
        "/api/v1/nothing",
        "/api/v2/results",
        "/schemas/nothing.json",
    ],
)
async def test_what_does_not_exist_is_a_404_problem(web: Web, path: str) -> None:
    problem_of(await web.get(path), 404)


async def test_a_wrong_method_is_a_405_problem(web: Web) -> None:
    problem_of(await web.client.get("/ingest"), 405)
    for path in ("/api/v1/results", "/healthz", "/readyz", "/metrics"):
        refused = await web.client.request("TRACE", path)
        assert "It takes GET, HEAD." in problem_of(refused, 405)["detail"]
        assert refused.headers["allow"] == "GET, HEAD"
    refused = await web.client.put("/api/v1/shadow")
    assert refused.headers["allow"] == "GET, HEAD, POST, DELETE"


async def test_a_body_that_is_not_sent_as_json_is_told_which_header_it_lacks(web: Web) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}  # what curl -d sends
    response = await web.client.post(
        "/api/v1/rulebooks/check", content=b'{"toml": ""}', headers=headers
    )
    detail = problem_of(response, 422)["detail"]
    assert detail.startswith("body: Input should be")
    assert detail.endswith("Send JSON, with Content-Type: application/json.")


async def test_a_parameter_that_does_not_exist_is_said_in_plain_words(web: Web) -> None:
    problem = problem_of(await web.get("/api/v1/results", machine="M1"), 422)
    assert problem["detail"].startswith("machine: is not known in the query.")


async def test_what_is_missing_is_named_with_its_place_and_what_to_do(web: Web) -> None:
    problem = problem_of(await web.get("/api/v1/units/SN-1/check"), 422)
    words = "it is missing. Add it to the query of the address"
    assert problem["detail"] == f"product_id: {words}; procedure: {words}."
    assert [(each["where"], each["field"]) for each in problem["errors"]] == [
        ("query", "product_id"),
        ("query", "procedure"),
    ]
    nothing = problem_of(await web.client.post("/api/v1/rulebooks/check"), 422)
    send = "body: it is missing. Send JSON, with Content-Type: application/json."
    assert nothing["detail"] == send
    empty = problem_of(await web.client.post("/api/v1/rulebooks/check", json={}), 422)
    assert empty["detail"] == "toml: it is missing. Add it to the JSON that you send."


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("rulebooks/check", {"toml": "", "against": "1"}, "against"),
        ("rulebooks/check", {"toml": "", "against": True}, "against"),
        ("rulebooks", {"toml": "", "reason": "x", "based_on": "1"}, "based_on"),
        ("rulebooks/backtest", {"toml": "", "golden": "true"}, "golden"),
        ("alerts/acknowledge", {"alert_ids": ["1"]}, "alert_ids.0"),
        ("rejections/close", {"rejection_ids": [1, "2"]}, "rejection_ids.1"),
        ("rejections/resubmit", {"rejection_ids": [1], "force": "yes"}, "force"),
        ("tokens", {"name": "mes", "days": "5"}, "days"),
        ("users", {"name": "ann", "password": "x", "admin": True}, "admin"),
    ],
)
async def test_text_for_a_number_or_a_field_that_is_not_known_is_no_body(
    web: Web, path: str, body: dict[str, Any], field: str
) -> None:
    problem = problem_of(await web.client.post(f"/api/v1/{path}", json=body), 422)
    assert [each["field"] for each in problem["errors"]] == [field]
    assert problem["detail"].startswith(f"{field}: ")


@pytest.mark.parametrize(
    "body",
    [b"\xff", b"[" * 100_000, b'{"toml": ' + b"9" * 5_000 + b"}"],
    ids=["bytes", "deep", "long"],
)
async def test_a_body_that_cannot_be_read_is_a_422_problem(web: Web, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = await web.client.post("/api/v1/rulebooks/check", content=body, headers=headers)
    assert "Send JSON in UTF-8" in problem_of(response, 422)["detail"]


@pytest.mark.parametrize(
    "path",
    [
        f"/api/v1/audit?cursor={2**63}",
        f"/api/v1/shadow?cursor={2**63}",
        "/api/v1/machines/M1/history?since=2026-11-23T00:00:00Z&silent_after_s=7e42",
        "/api/v1/machines/M1/history?since=0001-01-01T03:01:00Z",
        "/api/v1/machines/M1/history?since=2026-11-23T00:00:00Z&until=9999-12-31T23:59:00Z",
    ],
)
async def test_what_no_column_or_calendar_holds_is_a_422_problem(
    stored: Stored, web: Web, path: str
) -> None:
    stored.save(run_message("A"))
    problem_of(await web.get(path), 422)


async def test_a_run_id_beyond_64_bits_is_a_problem(web: Web) -> None:
    problem_of(await web.get(f"/api/v1/results/{2**70}"), 422)


async def test_no_call_takes_a_body_without_end(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_BYTES_MAX", 50_000)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 1_001

    for path in ("/api/v1/rulebooks/check", "/api/v1/users"):
        for content in (parts(), b"x" * 50_001):
            headers = {"Content-Type": "application/json"}
            refused = await web.client.post(path, content=content, headers=headers)
            assert "50,000 bytes" in problem_of(refused, 413)["detail"]
    taken = await web.client.post("/api/v1/rulebooks/check", json={"toml": "#" * 49_000})
    assert taken.json()["valid"]


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/readyz", "/metrics", "/openapi.json", "/api/v1/nowhere", "/api/v1/export.csv"],
)
async def test_head_answers_like_get_without_a_body(web: Web, path: str) -> None:
    got, head = await web.get(path), await web.client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


async def test_head_of_a_stream_ends_it(web: Web) -> None:
    head = await web.client.head("/api/v1/live", timeout=10)
    assert head.headers["content-type"].startswith("text/event-stream")
    await eventually(lambda: web.state.viewer_count == 0)
    assert (await web.get("/healthz")).status_code == 200  # on the same connection

"""The HTTP API, asked over a real port, on a real database and a real broker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import websockets

from broker.answers import Rejection, Result
from broker.envelopes import Outgoing
from broker.link import Connection
from broker.settings import Settings
from service.store.audit import Change, record
from service.store.queries.results import results_by_ids
from tests.support.mosquitto import Mosquitto
from tests.support.ports import free_port
from tests.support.stored import NOON, Stored, run_message
from tests.support.waiting import eventually
from tests.support.web import Web, serving
from ui import body
from ui.api.shadows import ShadowPage


@pytest.fixture
def store_url(sqlite_store_url: str) -> str:
    return sqlite_store_url


def settings_of(url: str, broker_port: int, root: str = "factory/v1") -> Settings:
    return Settings.model_validate(
        {
            "broker": {"port": broker_port, "retry_delay_max_s": 0.2, "connect_timeout_s": 1},
            "database": {"url": url},
            "topics": {"template": f"{root}/{{line}}/{{machine_id}}/{{channel}}"},
        }
    )


@pytest.fixture
async def web(stored: Stored) -> AsyncIterator[Web]:
    """The API on a database, with nobody at the broker's port."""
    async with serving(settings_of(stored.url, free_port())) as web:
        yield web


def problem_of(response: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem document that a response must be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"].endswith(".")
    return problem


# -- results -------------------------------------------------------------------------------------


async def test_results_are_paged_from_the_newest_by_cursor(stored: Stored, web: Web) -> None:
    stored.save(*(run_message(f"B{minute}", minutes=minute) for minute in range(5)))
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await web.get("/api/v1/results", **query)).json()
        seen += [Result.model_validate(item).barcode for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["B4", "B3", "B2", "B1", "B0"]


async def test_every_time_in_an_answer_is_utc_with_z(stored: Stored, web: Web) -> None:
    stored.save(run_message("A") | {"started_at": "2026-11-23T13:00:00+01:00"})
    item = (await web.get("/api/v1/results")).json()["items"][0]
    assert item["timestamp"] == "2026-11-23T12:00:00Z"
    assert item["received_at"] == "2026-11-23T12:00:00Z"


@pytest.mark.parametrize(
    "since", ["2026-11-23T12:05:00Z", "2026-11-23T12:05:00", "2026-11-23T13:05:00+01:00"]
)
async def test_since_and_until_take_iso_times(stored: Stored, web: Web, since: str) -> None:
    stored.save(run_message("A", minutes=0), run_message("B", minutes=5))
    page = (await web.get("/api/v1/results", since=since)).json()
    assert [item["barcode"] for item in page["items"]] == ["B"]
    page = (await web.get("/api/v1/results", until=since)).json()
    assert [item["barcode"] for item in page["items"]] == ["A"]
    # A + that nobody escaped arrives as a space.
    raw = await web.client.get(f"/api/v1/results?since={since}")
    assert len(raw.json()["items"]) == 1


async def test_results_can_be_sorted_the_other_way_and_counted(stored: Stored, web: Web) -> None:
    stored.save(run_message("A"), run_message("B", minutes=1, passes=False))
    query = {"sort": "asc", "measurements": "false"}
    items = (await web.get("/api/v1/results", **query)).json()["items"]
    assert [each["barcode"] for each in items] == ["A", "B"]
    assert items[0]["measurements"] == []
    counted = (await web.get("/api/v1/results/count", outcome="FAIL")).json()
    assert counted == {"count": 1, "is_complete": True, "newest_run_id": items[1]["run_id"]}
    problem_of(await web.get("/api/v1/results", sort="barcode"), 422)
    problem_of(await web.get("/api/v1/results/count", after=-1), 422)


async def test_that_no_shadow_ever_ran_is_an_answer(web: Web) -> None:
    answer = await web.get("/api/v1/shadow")
    page = ShadowPage.model_validate(answer.json())
    assert (answer.status_code, page.shadow_id, page.judged, page.items) == (200, None, 0, [])


async def test_names_are_there_to_choose_from(stored: Stored, web: Web) -> None:
    stored.save(run_message("A", procedure="FCT_1"), run_message("B", procedure="ict"))
    assert (await web.get("/api/v1/names/procedure")).json() == {"items": ["FCT_1", "ict"]}
    for contains, expected in (("CT", ["FCT_1", "ict"]), ("ct_", ["FCT_1"]), ("%", [])):
        found = (await web.get("/api/v1/names/procedure", contains=contains)).json()
        assert found["items"] == expected, contains
    assert (await web.get("/api/v1/names/machine_id", limit=1)).json() == {"items": ["M1"]}
    problem_of(await web.get("/api/v1/names/barcode"), 422)


async def test_the_ranges_of_the_pages_are_told(web: Web) -> None:
    items = (await web.get("/api/v1/ranges")).json()["items"]
    assert items[0]["name"] == "shift"
    assert items[1]["until"] == items[0]["since"]


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


async def test_one_run_has_all_its_measurements_and_its_message(stored: Stored, web: Web) -> None:
    steps = [{"test_step": f"s{at}", "measured_value": at, "high": 1000} for at in range(120)]
    payload = orjson.dumps(run_message("A", steps=steps), option=orjson.OPT_INDENT_2)
    run_id = stored.save(payload).saved.runs[0].run_id
    found = (await web.get(f"/api/v1/results/{run_id}")).json()
    details = found.pop("details")
    assert found == results_by_ids(stored.database, [run_id])[run_id]
    assert len(found["measurements"]) == len(details["measurements"]) == 120
    assert details["topic"] == "factory/v1/L1/M1/test"
    listed = (await web.get("/api/v1/results")).json()["items"][0]
    assert (listed["measurements"], listed["measurements_complete"]) == ([], False)
    message = await web.get(f"/api/v1/results/{run_id}/message")
    assert message.content == payload
    assert message.headers["content-type"] == "application/json"


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


# -- units, machines, figures, rejections --------------------------------------------------------


async def test_a_unit_shows_every_attempt(stored: Stored, web: Web) -> None:
    stored.save(run_message("SN/1 ä", passes=False), run_message("SN/1 ä", minutes=2))
    life = (await web.client.get("/api/v1/units/SN%2F1%20%C3%A4")).json()
    assert life["barcode"] == "SN/1 ä"
    assert life["outcome"] == "PASS"
    runs = life["units"][0]["runs"]
    assert [(run["attempt"], run["outcome"]) for run in runs] == [(1, "FAIL"), (2, "PASS")]


async def test_a_machine_shows_its_age_and_its_figures_of_today(stored: Stored, web: Web) -> None:
    now = datetime.now(UTC)
    today = (now - NOON).total_seconds() / 60
    stored.save(run_message("A", minutes=today), run_message("OLD", minutes=today - 3000), at=now)
    found = (await web.get("/api/v1/machines")).json()["items"]
    assert [each["machine_id"] for each in found] == ["M1"]
    one = (await web.get("/api/v1/machines/M1")).json()
    assert one["line"] == "L1"
    assert one["age_s"] >= found[0]["age_s"] >= 0
    assert one["figures"]["total_tests"] == 1
    assert one["last_result"]["barcode"] == "OLD"


async def test_a_machines_past_is_told_for_a_period(stored: Stored, web: Web) -> None:
    stored.save(run_message("A"))
    path = "/api/v1/machines/M1/history"
    found = (await web.get(path, since="2026-11-23T11:00:00Z", until="2026-11-23T12:00:30Z")).json()
    assert found["silent_after_s"] == 60  # plant.stale_after_s
    assert found["silences"] == []  # before its first result nobody waited
    assert found["first_at"] == "2026-11-23T12:00:00Z"
    assert found["is_complete"] is True
    late = await web.get(path, since="2026-11-23T12:00:00Z", until="2026-11-23T11:00:00Z")
    assert (late.status_code, late.json()["detail"]) == (
        422,
        "since is not before until. Swap them.",
    )
    assert (await web.get(path)).status_code == 422
    nobody = await web.get("/api/v1/machines/NOBODY/history", since="2026-11-23T11:00:00Z")
    assert nobody.status_code == 404


async def test_figures_and_yields_answer_to_the_same_filters(stored: Stored, web: Web) -> None:
    stored.save(run_message("A", passes=False), run_message("A", minutes=1), machine_id="M1")
    stored.save(run_message("B"), machine_id="M2")
    whole = (await web.get("/api/v1/metrics")).json()
    assert whole == {
        "total_tests": 3,
        "pass_count": 2,
        "fail_count": 1,
        "error_count": 0,
        "unjudged_count": 0,
        "pass_rate": pytest.approx(2 / 3),
        "units": 2,
        "first_pass_yield": 0.5,
        "final_yield": 1.0,
    }
    assert (await web.get("/api/v1/metrics", machine_id="M2")).json()["units"] == 1
    empty = (await web.get("/api/v1/metrics", machine_id="M3")).json()
    assert (empty["total_tests"], empty["pass_rate"], empty["first_pass_yield"]) == (0, None, None)
    grouped = (await web.get("/api/v1/yield", group="machine")).json()
    assert [(each["group"], each["first_pass_yield"]) for each in grouped["items"]] == [
        ("M1", 0.0),
        ("M2", 1.0),
    ]
    assert grouped["rolled_throughput_yield"] == 0.5
    problem_of(await web.get("/api/v1/yield", group="colour"), 422)
    (step,) = (await web.get("/api/v1/pareto")).json()["items"]
    assert (step["test_step"], step["first_failures"]) == ("vcc", 1)


async def test_a_rejection_gives_back_its_exact_bytes(stored: Stored, web: Web) -> None:
    stored.save(b'\xff{"a": <script>')
    (item,) = (await web.get("/api/v1/rejections")).json()["items"]
    Rejection.model_validate({key: item[key] for key in Rejection.model_fields})
    one = await web.get(f"/api/v1/rejections/{item['rejection_id']}")
    assert one.json() == item | {"error_start": 0, "error_end": 1}
    found = await web.get(f"/api/v1/rejections/{item['rejection_id']}/bytes")
    assert found.content == b'\xff{"a": <script>'
    assert found.headers["content-type"] == "application/octet-stream"
    assert (await web.get("/api/v1/rejections", code="schema")).json()["items"] == []
    problem_of(await web.get("/api/v1/rejections", code="bad"), 422)


# -- papers --------------------------------------------------------------------------------------


async def test_the_openapi_document_resolves_and_describes_every_route(web: Web) -> None:
    document = (await web.get("/openapi.json")).json()
    text = orjson.dumps(document).decode()
    assert "HTTPValidationError" not in text
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(document["components"]["schemas"])
    assert {"/ingest", "/api/v1/results", "/api/v1/live", "/readyz", "/metrics"} <= set(
        document["paths"]
    )
    for path, item in document["paths"].items():
        for operation in item.values():
            assert operation["description"], path


async def test_the_docs_page_loads_nothing_from_elsewhere(web: Web) -> None:
    page = (await web.get("/docs")).text
    assert "://" not in page.replace("http://www.w3.org", "")
    for name, kind in {"swagger-ui-bundle.js": "javascript", "swagger-ui.css": "css"}.items():
        assert f"/docs/{name}" in page
        asset = await web.get(f"/docs/{name}")
        assert kind in asset.headers["content-type"]
        assert len(asset.content) > 10_000
    problem_of(await web.get("/docs/index.html"), 404)
    shown = (await web.get("/docs/openapi.json")).json()
    assert shown["openapi"].startswith("3.0.")  # the bundled Swagger UI shows no other
    assert '"type":"null"' not in orjson.dumps(shown).decode()


async def test_schemas_and_the_mqtt_side_are_served(web: Web) -> None:
    document = (await web.get("/asyncapi.json")).json()
    for message in document["components"]["messages"].values():
        path = message["payload"]["schema"]["$ref"].removeprefix(".")
        schema = await web.get(path)
        assert schema.status_code == 200
        assert schema.json()["$id"] == path.removeprefix("/schemas/")


# -- health --------------------------------------------------------------------------------------


async def test_alive_is_not_ready(web: Web) -> None:
    assert (await web.get("/healthz")).json() == {"status": "ok"}
    problem = problem_of(await web.get("/readyz"), 503)
    assert "broker" in problem["reasons"][0]
    assert "no service has ever reported" in problem["reasons"][1]


async def test_a_database_without_tables_is_a_503_that_says_so(sqlite_url: str) -> None:
    async with serving(settings_of(sqlite_url, free_port())) as web:
        problem = problem_of(await web.get("/readyz"), 503)
        assert any("no tables of this version" in each for each in problem["reasons"])
        problem_of(await web.get("/api/v1/results"), 503)
        assert "yieldline_database_up 0.0" in (await web.get("/metrics")).text


async def test_ready_needs_broker_database_and_a_service_that_is_connected(
    stored: Stored, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    broker = mosquitto_factory()
    async with serving(settings_of(stored.url, broker.port)) as web:
        await eventually(lambda: web.state.live.connected)
        stored.writer.report('{"connected": false, "trouble": "broker is away"}', datetime.now(UTC))
        problem = problem_of(await web.get("/readyz"), 503)
        assert problem["reasons"] == [
            "yieldline-service-0 runs but is not connected: broker is away."
        ]
        stored.writer.report('{"connected": true}', datetime.now(UTC))
        ready = await web.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["status"] == "ready"
        stored.writer.report('{"connected": true}', datetime.now(UTC) - timedelta(seconds=30))
        problem = problem_of(await web.get("/readyz"), 503)
        assert "silent for 30 s" in problem["detail"]
        broker.kill()
        await eventually(lambda: not web.state.live.connected)
        problem = problem_of(await web.get("/readyz"), 503)
        assert not problem["checks"]["broker"]["ok"]
        assert problem["checks"]["database"]["ok"]


async def test_prometheus_sees_the_books(stored: Stored, web: Web) -> None:
    stored.save(run_message("A"), run_message("A"), b"{")
    text = (await web.get("/metrics")).text
    for name, value in {"received": 3, "stored": 1, "rejected": 1, "duplicates": 1}.items():
        assert f'yieldline_{name}_total{{line="L1",machine_id="M1"}} {value}.0' in text
    assert "yieldline_database_up 1.0" in text
    assert "yieldline_live_viewers 0.0" in text
    assert "process_resident_memory_bytes" in text


# -- live ----------------------------------------------------------------------------------------


@pytest.fixture
async def live(
    stored: Stored, mosquitto: Mosquitto, topic_root: str
) -> AsyncIterator[tuple[Web, Connection, str]]:
    """The API on a broker, and a connection to publish as the service would."""
    settings = settings_of(stored.url, mosquitto.port, topic_root)
    async with serving(settings) as web:
        await eventually(lambda: web.state.live.connected)
        service = Connection(settings.broker, f"{topic_root.rpartition('/')[2]}-service")
        await service.open()
        yield web, service, topic_root
        await service.close()


async def test_a_websocket_gets_results_as_they_are_published(
    live: tuple[Web, Connection, str],
) -> None:
    web, service, root = live
    url = f"ws://127.0.0.1:{web.port}/ws/live"
    async with websockets.connect(url) as every, websockets.connect(f"{url}?machine_id=M2") as one:
        await eventually(lambda: web.state.viewer_count == 2)
        await service.publish(
            [
                Outgoing(f"{root}/L1/M1/result", b'{"run_id":1}'),
                Outgoing(f"{root}/L1/M2/state", b'{"status":"online"}', retain=True),
                Outgoing(f"{root}/L1/M2/result", b'{"run_id":2}'),
            ]
        )
        async with asyncio.timeout(5):
            assert [await every.recv(), await every.recv()] == ['{"run_id":1}', '{"run_id":2}']
            assert await one.recv() == '{"run_id":2}'
    await eventually(lambda: web.state.viewer_count == 0)


async def test_server_sent_events_carry_results(live: tuple[Web, Connection, str]) -> None:
    web, service, root = live
    async with web.client.stream("GET", "/api/v1/live", params={"line": "L1"}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        await eventually(lambda: web.state.viewer_count == 1)
        await service.publish(
            [
                Outgoing(f"{root}/L2/M1/result", b'{"run_id":1}'),
                Outgoing(f"{root}/L1/M1/result", b'{"run_id":2}'),
                Outgoing(f"{root}/L1/M1/result", b'{"evil":\nevent: x\n"}'),
            ]
        )
        for _ in range(3):  # no result: nothing to tell
            await service.publish([Outgoing(f"{root}/L1/M1/rejected", b"{}")])
        lines: list[str] = []
        async with asyncio.timeout(5):
            async for line in response.aiter_lines():
                lines.append(line)
                if line.startswith('data: "}'):
                    break
    assert [line for line in lines if line] == [
        ": results as they are judged",
        'data: {"run_id":2}',
        'data: {"evil":',
        "data: event: x",
        'data: "}',
    ]
    await eventually(lambda: web.state.viewer_count == 0)


async def test_streams_end_when_the_web_app_stops(
    stored: Stored, mosquitto: Mosquitto, topic_root: str
) -> None:
    settings = settings_of(stored.url, mosquitto.port, topic_root)
    loop = asyncio.get_running_loop()
    async with serving(settings) as web:
        socket = await websockets.connect(f"ws://127.0.0.1:{web.port}/ws/live")
        await eventually(lambda: web.state.viewer_count == 1)
        begun_s = loop.time()
    assert loop.time() - begun_s < 2.5  # less than the grace of 3 s
    with pytest.raises(websockets.ConnectionClosed):
        await socket.recv()


async def test_every_path_parameter_and_metric_is_in_the_documentation(
    stored: Stored, web: Web
) -> None:
    stored.save(run_message("A"))
    stored.writer.report("{}", datetime.now(UTC))
    with stored.database.changing() as connection:
        record(connection, Change("ann", "backup", "a.db", "", {"ok": True}), datetime.now(UTC))
    text = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text("utf-8")
    document = (await web.get("/openapi.json")).json()
    assert [path for path in document["paths"] if path not in text] == []
    names = {
        parameter["name"]
        for item in document["paths"].values()
        for operation in item.values()
        for parameter in operation.get("parameters", [])
    }
    assert [name for name in names if name not in text] == []
    lines = (await web.get("/metrics")).text.splitlines()
    metrics = {line.split()[2] for line in lines if line.startswith("# TYPE yieldline_")}
    assert len(metrics) > 19
    assert [metric for metric in metrics if f"`{metric}`" not in text] == []


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

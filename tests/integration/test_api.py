"""The HTTP API, asked over a real port, on a real database: what it answers, and its papers."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from broker.answers import Rejection, Result
from service.store.audit import Change, record
from service.store.queries.results import results_by_ids
from tests.support.stored import NOON, Stored, run_message
from tests.support.web import Web, problem_of
from ui.api.shadows import ShadowPage


@pytest.fixture
def store_url(sqlite_store_url: str) -> str:
    return sqlite_store_url


# -- results ---------------------------------------------------------------------------------------


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


# -- units, machines, figures, rejections ----------------------------------------------------------


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


# -- papers ----------------------------------------------------------------------------------------


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

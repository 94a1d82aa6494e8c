"""Yields and analysis over HTTP: the fields that are described, and sentences for what is wrong."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from broker.settings import Settings
from service.commands.rulebooks import Draft, activate_rulebook
from tests.support.ports import free_port
from tests.support.stored import NOON, Stored, run_message
from tests.support.web import Web, serving
from ui.api.analysis_models import (
    Capabilities,
    ControlChart,
    Disagreements,
    FailingSteps,
    GoldenSamples,
    Histogram,
)
from ui.api.contests import JudgingRule
from ui.api.models import Yields
from ui.api.programs import ChangedPrograms


@pytest.fixture
def stored(sqlite_store_url: str) -> Iterator[Stored]:
    """Twenty units of one product; one is tested again, one is golden, one has another limit."""
    store = Stored(sqlite_store_url)
    for number in range(20):
        value = 5.0 + (number % 7) / 100
        limits = {"low": 4.9, "high": 5.05 if number < 19 else 5.04}
        step = {"test_step": "vcc", "measured_value": value, "unit": "V", **limits}
        step["reported_outcome"] = "PASS"
        message = run_message(f"U{number}", minutes=number, steps=[step], reported_outcome="PASS")
        store.save(message, is_golden=number == 3)
    bad = {"test_step": "led", "measured_value": False, "comparator": "EQ", "nominal": True}
    store.save(run_message("U0", minutes=30, steps=[bad], program="FCT_41", program_version="3"))
    yield store
    store.close()


@pytest.fixture
async def web(stored: Stored) -> AsyncIterator[Web]:
    """The API on that database, in a plant in Berlin."""
    settings = Settings.model_validate(
        {
            "broker": {"port": free_port(), "retry_delay_max_s": 0.2, "connect_timeout_s": 1},
            "database": {"url": stored.url},
            "plant": {"time_zone": "Europe/Berlin"},
        }
    )
    async with serving(settings) as web:
        yield web


def keys_of(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the names of all fields of an answer, and its shape."""
    if isinstance(value, dict):
        return {key: keys_of(each) for key, each in value.items()}
    return [keys_of(each) for each in value] if isinstance(value, list) else None


@pytest.mark.parametrize(
    ("path", "query", "model"),
    [
        *(("yield", f"group={group}", Yields) for group in ("procedure", "operator", "shift")),
        *(
            (
                "yield",
                f"group={group}&since=2026-11-23T00:00:00Z&until=2026-11-24T00:00:00Z",
                Yields,
            )
            for group in ("15min", "panel_position")
        ),
        ("programs", "since=2026-11-23T00:00:00Z&until=2026-11-24T00:00:00Z", ChangedPrograms),
        ("yield", "golden=true", Yields),
        ("golden", "", GoldenSamples),
        ("pareto", "limit=1&order=failures", FailingSteps),
        ("capability", "step=vcc", Capabilities),
        ("capability", "product_id=P1", Capabilities),
        ("capability", "product_id=P1&step=vcc&subgroup_size=4&method=mean_range", Capabilities),
        ("histogram", "product_id=P1&step=vcc", Histogram),
        ("control-chart", "product_id=P1&step=vcc&rules=western-electric", ControlChart),
        ("control-chart", "product_id=P1&step=vcc&chart=xbar-s&subgroup_size=3", ControlChart),
        ("disagreements", "limit=2", Disagreements),
    ],
)
async def test_an_answer_has_the_fields_that_are_described(
    web: Web, path: str, query: str, model: type[BaseModel]
) -> None:
    response = await web.client.get(f"/api/v1/{path}?{query}")
    assert response.status_code == 200, response.text
    found = response.json()
    assert found.get("item", found.get("items"))
    assert keys_of(model.model_validate(found).model_dump(mode="json")) == keys_of(found)


async def test_a_shift_is_named_by_the_plants_clock(web: Web) -> None:
    (shift,) = (await web.get("/api/v1/yield", group="shift")).json()["items"]
    assert shift["group"] == "2026-11-23 06:00"
    assert (shift["since"], shift["until"]) == ("2026-11-23T05:00:00Z", "2026-11-23T13:00:00Z")
    assert shift["units"] == 19


async def test_a_list_of_disagreements_goes_on_at_its_cursor(web: Web) -> None:
    first = (await web.get("/api/v1/disagreements", limit=1)).json()
    assert first["items"][0]["kind"] == "false_accept"
    second = (await web.get("/api/v1/disagreements", limit=1, cursor=first["next_cursor"])).json()
    assert second["items"][0]["timestamp"] < first["items"][0]["timestamp"]
    assert second["steps"] == first["steps"]


@pytest.mark.parametrize("path", ["capability", "histogram", "control-chart"])
@pytest.mark.parametrize("query", ["product_id=P1&step=never", "product_id=P9&step=vcc"])
async def test_what_is_unknown_is_empty_with_a_reason(web: Web, path: str, query: str) -> None:
    found = (await web.client.get(f"/api/v1/{path}?{query}")).json()
    assert not found.get("item", found.get("items"))
    assert found["reason"].endswith(".")


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("capability", "", "step and product_id are missing. Give one of them, or both."),
        ("capability", "machine_id=M1", "step and product_id are missing."),
        ("capability", "product_id=P1&operator=bob", "Without step only machine_id, line,"),
        ("capability", "product_id=P1&golden=true", "Without step only machine_id, line,"),
        ("capability", "step=vcc&method=pooled", "method pooled needs a subgroup_size of 2"),
        ("capability", "step=vcc&subgroup_size=26", "subgroup_size: "),
        ("capability", "step=vcc&values=5001", "values: "),
        ("histogram", "step=vcc", "product_id is missing. Give both."),
        ("control-chart", "", "product_id and step are missing. Give both."),
        ("control-chart", "product_id=P1&step=vcc&chart=pie", "chart: "),
        ("control-chart", "product_id=P1&step=vcc&points=5001", "points: "),
        ("control-chart", "product_id=P1&step=vcc&baseline_until=noon", "baseline_until: "),
        ("disagreements", "cursor=x", "cursor 'x' was not given by this list."),
        ("disagreements", "limit=201", "limit: "),
        ("yield", "group=colour", "group: "),
        ("yield", "group=15min", "group 15min is counted run by run and takes a range of 25 hours"),
        ("yield", "group=panel_position&since=2026-11-01T00:00:00Z", "group panel_position is"),
        ("pareto", "order=name", "order: "),
        (
            "programs",
            "",
            "The list of programs is counted run by run and takes a range of 25 hours",
        ),
        ("golden", "barcodes=x", "barcodes: "),
    ],
)
async def test_a_wrong_question_is_answered_in_a_sentence(
    web: Web, path: str, query: str, said: str
) -> None:
    response = await web.client.get(f"/api/v1/{path}?{query}")
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    detail = response.json()["detail"]
    assert detail.startswith(said)
    assert detail.endswith(".")


async def test_every_field_of_the_analysis_is_described(web: Web) -> None:
    schemas = (await web.get("/openapi.json")).json()["components"]["schemas"]
    for model in (
        Capabilities,
        ControlChart,
        Disagreements,
        FailingSteps,
        GoldenSamples,
        Histogram,
    ):
        names = {model.__name__, *model.model_json_schema().get("$defs", {})}
        for name in names & schemas.keys():
            for field, schema in schemas[name].get("properties", {}).items():
                assert schema.get("description"), f"{name}.{field}"


# -- which rule would judge ------------------------------------------------------------------------

RULES = """
[[rule]]
id = "any"
low = 1.0
[[rule]]
id = "fct"
test_step = "vcc"
procedure = "FCT"
low = 4.9
"""
PLACE = {"machine_id": "M1", "product_id": "P1", "procedure": "FCT", "step": "vcc"}


async def test_the_rule_that_would_judge_is_told_with_those_it_beats(
    stored: Stored, web: Web
) -> None:
    none = (await web.get("/api/v1/rule", **PLACE)).json()
    assert (none["version"], none["rule"], none["competitors"]) == (0, None, [])
    draft = Draft(RULES)
    activate_rulebook(stored.database, draft, actor="ann", reason="first limits", now=NOON)
    found = (await web.get("/api/v1/rule", **PLACE)).json()
    assert JudgingRule.model_validate(found).version == 1
    assert (found["rule"]["id"], found["rule"]["low"]) == ("fct", 4.9)
    assert [each["rule"]["id"] for each in found["competitors"]] == ["any"]
    assert "test_step: 'vcc' is an exact text" in found["competitors"][0]["reason"]
    other = (await web.get("/api/v1/rule", **PLACE | {"procedure": "ICT", "version": 1})).json()
    assert (other["rule"]["id"], other["competitors"]) == ("any", [])
    unknown = await web.get("/api/v1/rule", **PLACE, version=7)
    assert (unknown.status_code, "no rulebook 7" in unknown.text) == (404, True)

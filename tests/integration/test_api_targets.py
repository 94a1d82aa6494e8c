"""Yields beside the targets they are held against, and units beside the plan, over HTTP."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from broker.settings import Settings
from tests.support.ports import free_port
from tests.support.stored import NOON, Stored, run_message
from tests.support.web import Web, serving
from ui.api.models import Yields
from ui.api.plan import Plan

LINES = {
    "L1": {"plan_per_hour": 10, "target_fpy_percent": 96},
    "L2": {},
    "L3": {"plan_per_hour": 6},
}
MACHINES = {"M2": {"target_fpy_percent": 90}}
PRODUCTS = {"P1": {"target_fpy_percent": 97}, "P2": {"target_fpy_percent": 92}}


@pytest.fixture
def stored(sqlite_url: str) -> Iterator[Stored]:
    """M1 on L1 runs P1 and, later, P2; M2 runs P1 there; M3 on L2 runs what has no target."""
    store = Stored(sqlite_url)
    store.save(run_message("A"), machine_id="M1", line="L1")
    store.save(run_message("B", product_id="P2", minutes=60), machine_id="M1", line="L1")
    store.save(run_message("C"), machine_id="M2", line="L1")
    store.save(run_message("D", product_id="P3"), machine_id="M3", line="L2")
    yield store
    store.close()


@pytest.fixture
async def web(stored: Stored) -> AsyncIterator[Web]:
    """The API on that database, in a plant in Berlin with a break."""
    settings = Settings.model_validate(
        {
            "broker": {"port": free_port(), "retry_delay_max_s": 0.2, "connect_timeout_s": 1},
            "database": {"url": stored.url},
            "plant": {"time_zone": "Europe/Berlin", "breaks": ["13:00-13:30"]},
            "lines": LINES,
            "machines": MACHINES,
            "products": PRODUCTS,
        }
    )
    async with serving(settings) as web:
        yield web


@pytest.mark.parametrize(
    ("query", "of_groups", "of_all"),
    [
        ("group=machine", {"M1": 92, "M2": 90, "M3": 95}, 95),
        ("group=machine&product_id=P1", {"M1": 97, "M2": 90}, 97),
        ("group=line", {"L1": 96, "L2": 95}, 95),
        ("group=product", {"P1": 97, "P2": 92, "P3": 95}, 95),
        ("group=product&line=L1", {"P1": 97, "P2": 92}, 96),
        ("group=procedure&machine_id=M1", {"FCT": 92}, 92),
        ("group=procedure&machine_id=M2&product_id=P1", {"FCT": 90}, 90),
        ("group=procedure&line=L1", {"FCT": 96}, 96),
        ("group=fixture", {None: 95}, 95),
    ],
)
async def test_each_yield_stands_beside_its_target(
    web: Web, query: str, of_groups: dict[str | None, float], of_all: float
) -> None:
    found = (await web.client.get(f"/api/v1/yield?{query}")).json()
    Yields.model_validate(found)
    targets = {each["group"]: each["target_fpy_percent"] for each in found["items"]}
    assert (targets, found["target_fpy_percent"]) == (of_groups, of_all)


async def test_units_stand_beside_the_plan_of_their_line_without_breaks(web: Web) -> None:
    since, until = (f"{NOON + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (-1, 3))
    found = (await web.get("/api/v1/plan", since=since, until=until)).json()
    Plan.model_validate(found)
    assert found["worked_h"] == 3.5
    assert found["items"] == [
        {"line": "L1", "units": 3, "planned": 35.0},
        {"line": "L2", "units": 1, "planned": None},
        {"line": "L3", "units": 0, "planned": 21.0},
    ]
    (alone,) = (await web.get("/api/v1/plan", since=since, until=until, line="L3")).json()["items"]
    assert alone["line"] == "L3"


async def test_a_plan_needs_a_time_that_goes_forward(web: Web) -> None:
    swapped = await web.get("/api/v1/plan", since="2026-11-24T00:00Z", until="2026-11-23T00:00Z")
    assert swapped.status_code == 422
    assert swapped.json()["detail"] == "since is not before until. Swap them."
    assert (await web.get("/api/v1/plan")).status_code == 422

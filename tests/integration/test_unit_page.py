"""What the unit page asks while it is open, and the units of a panel."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from broker.settings import Settings
from service.store.queries.panels import panel_units
from tests.support.ports import free_port
from tests.support.stored import Stored, run_message
from tests.support.web import Web, serving


@pytest.fixture
async def web(stored: Stored) -> AsyncIterator[Web]:
    """The API on a database, with nobody at the broker's port."""
    settings = {
        "broker": {"port": free_port()},
        "database": {"url": stored.url},
        "products": {"P1": {"route": ["ICT", "FCT", "EOL"]}},
    }
    async with serving(Settings.model_validate(settings)) as web:
        yield web


def marked(message: dict[str, Any]) -> str:
    return "".join(line["text"] for line in message["lines"] if line["marked"])


async def test_the_page_asks_for_a_run_and_marks_the_measurement_that_is_chosen(
    stored: Stored, web: Web
) -> None:
    steps = [{"test_step": "vcc", "measured_value": value, "high": 5.5} for value in (5.0, 9.0)]
    stored.save(
        run_message("A", procedure="ICT", passes=False),
        run_message("A", procedure="ICT", minutes=5),
        run_message("A", procedure="FCT", minutes=9, steps=steps),
    )
    page = (await web.get("/api/v1/pages/unit", barcode="A")).json()
    assert page["run"]["id"] == page["newest"] == 3
    assert page["chosen"] == {"step": "vcc", "nth": 1}  # the one that failed
    assert "9.0" in marked(page["message"])
    assert [lane["procedure"] for lane in page["lanes"]] == ["ICT", "FCT", "EOL"]
    assert page["head"]["may_go"]["procedure"] == "EOL"
    assert page["head"]["unrepaired"] == "1"
    other = (await web.get("/api/v1/pages/unit", barcode="A", run=1, step="nope")).json()
    assert other["run"]["id"] == 1
    assert other["chosen"] == {"step": "vcc", "nth": 0}
    message = await web.get("/api/v1/pages/message/3", barcode="A", step="vcc", nth=0)
    assert "5.0" in marked(message.json())
    assert (await web.get("/api/v1/pages/unit", barcode="B")).status_code == 404
    assert (await web.get("/api/v1/pages/message/9", barcode="A")).status_code == 404


def test_the_units_of_a_panel_are_those_tested_with_it(stored: Stored) -> None:
    panel = {"id": "PNL-7"}
    stored.save(
        *(
            run_message(f"U{place}", panel={**panel, "position": place}, passes=place != 2)
            for place in (10, 2, 1)
        ),
        run_message("U2", minutes=3, panel={**panel, "position": 2}),
        run_message("LATER", minutes=90, panel={**panel, "position": 3}),
        run_message("OTHER", panel={"id": "PNL-8", "position": 4}),
        run_message("ALONE"),
    )
    stored.save(run_message("ELSEWHERE", panel=panel), machine_id="M2")
    found = [
        (each.barcode, each.position, each.outcome.value)
        for each in panel_units(stored.database, 1)
    ]
    assert found == [("U1", "1", "PASS"), ("U2", "2", "PASS"), ("U10", "10", "PASS")]
    assert panel_units(stored.database, 7) == []
    assert panel_units(stored.database, 99) == []

"""May this unit be run here: from what is stored, on both databases and over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from broker.settings import Settings
from service.store.queries.checks import Asked, answer_checks
from tests.support.ports import free_port
from tests.support.stored import Stored, run_message
from tests.support.web import Web, serving

PLANT = {
    "products": {"P1": {"route": ["ICT", "FCT"], "retests_max": 1}},
    "machines": {"ICT-3": {"procedures": ["ICT"]}},
}


@pytest.fixture
async def web(stored: Stored) -> AsyncIterator[Web]:
    """The API on the database, with nobody at the broker's port."""
    settings = {"broker": {"port": free_port()}, "database": {"url": stored.url}, **PLANT}
    async with serving(Settings.model_validate(settings)) as web:
        yield web


def fill(stored: Stored) -> None:
    """ICT of A fails, then passes; FCT fails. ICT of B came late: its FAIL was before its PASS."""
    stored.save(
        run_message("A", procedure="ICT", passes=False),
        run_message("A", procedure="ICT", minutes=1),
        run_message("A", procedure="FCT", minutes=2, passes=False),
        run_message("B", procedure="ICT", minutes=5),
        run_message("B", procedure="ICT", minutes=4, passes=False),
        run_message("B", procedure="FCT", minutes=6, product_id="P2"),
    )


def test_answers_follow_what_is_stored(stored: Stored) -> None:
    fill(stored)
    questions = [
        Asked("A", "P1", "FCT", None),
        Asked("A", "P1", "ICT", "ICT-3"),
        Asked("B", "P1", "FCT", "FCT-1"),
        Asked("B", "P2", "FCT", None),
        Asked("new", "P1", "FCT", None),
        Asked("new", "P1", "ICT", "ICT-3"),
        Asked("new", "P1", "FCT", "ICT-3"),
        Asked("new", "P9", "FCT", None),
    ]
    found = answer_checks(stored.database, Settings.model_validate(PLANT), questions)
    assert [(each.allowed, each.reason) for each in found] == [
        (True, "Its last run of FCT was FAIL; it may be run again."),
        (False, "It has had 2 runs of ICT, and no retest is left."),
        (True, "It has passed what comes before FCT: ICT."),
        (True, "It has passed FCT already, and may be run again."),
        (False, "ICT comes before FCT, and was not run."),
        (True, "ICT is the first procedure of P1."),
        (False, "ICT-3 runs ICT, not FCT."),
        (True, "P9 has no route: any procedure may be run."),
    ]
    assert answer_checks(stored.database, Settings(), []) == []


async def test_a_units_life_says_where_it_may_go(stored: Stored, web: Web) -> None:
    fill(stored)
    first, second = (await web.get("/api/v1/units/B")).json()["units"]
    assert (first["next_procedure"], second["next_procedure"]) == ("FCT", None)
    assert first["may_go_to"] == [
        {
            "procedure": "ICT",
            "allowed": False,
            "reason": "It has had 2 runs of ICT, and no retest is left.",
        },
        {
            "procedure": "FCT",
            "allowed": True,
            "reason": "It has passed what comes before FCT: ICT.",
        },
    ]
    assert [each["procedure"] for each in second["may_go_to"]] == ["FCT"]


@pytest.mark.parametrize(
    ("barcode", "query", "allowed"),
    [
        ("A", {"procedure": "FCT"}, True),
        ("A", {"procedure": "FCT", "machine_id": "ICT-3"}, False),
        ("never%2Fseen", {"procedure": "FCT"}, False),
    ],
)
async def test_a_check_is_answered_over_http_too(
    stored: Stored, web: Web, barcode: str, query: dict[str, Any], *, allowed: bool
) -> None:
    fill(stored)
    answer = await web.get(f"/api/v1/units/{barcode}/check", product_id="P1", **query)
    said = answer.json()
    assert (answer.status_code, said["allowed"]) == (200, allowed)
    assert set(said) == {"procedure", "allowed", "reason", "answered_at"}
    assert said["answered_at"].endswith("Z")


async def test_a_check_without_its_product_is_told_so(web: Web) -> None:
    for query in ({"procedure": "FCT"}, {"procedure": "FCT", "product_id": "P1", "line": "L1"}):
        answer = await web.get("/api/v1/units/A/check", **query)
        assert answer.status_code == 422

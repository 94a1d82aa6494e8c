"""One run and one unit: all that was sent, and the unit's life."""

import orjson
import pytest

from broker.answers import Result
from service.core.results import encode_result
from service.store.queries.results import as_message, results_by_ids
from service.store.queries.run_details import raw_message, run_details
from service.store.queries.units import unit_life
from tests.support.listed import all_of
from tests.support.stored import Stored, run_message

ODD_VALUES = [
    {"test_step": "number", "measured_value": 1.0231e-07, "unit": "F", "high": 1.0e-07},
    {"test_step": "text", "measured_value": "ok <b>", "comparator": "EQ", "nominal": "ok"},
    {"test_step": "truth", "measured_value": True, "comparator": "EQ", "nominal": True},
    {"test_step": "false", "measured_value": False, "reported_outcome": "PASS"},
    {"test_step": "nothing", "measured_value": None, "low": 1},
    {"test_step": "zero", "measured_value": 0, "comparator": "LOG"},
]


# -- a run -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [6, 50, 51, 600])
def test_a_stored_result_is_the_published_one(stored: Stored, count: int) -> None:
    steps = [{**ODD_VALUES[at % 6], "test_step": f"s{at}"} for at in range(count)]
    run = run_message("A", steps=steps, reported_outcome="FAIL", minutes=0.0001)
    saved = stored.save(run).saved
    published = orjson.loads(
        encode_result(saved.runs[0].judged, run_id=1, attempt=1, received_at=saved.received_at)
    )
    run_id = saved.runs[0].run_id
    whole = results_by_ids(stored.database, [run_id, 99])
    assert list(whole) == [run_id]
    assert len(whole[run_id]["measurements"]) == count
    assert whole[run_id]["measurements_complete"] is True
    assert as_message(whole[run_id]) | {"run_id": 1} == published
    assert all_of(stored, 10) == [as_message(whole[run_id])]
    Result.model_validate_json(orjson.dumps(whole[run_id]))


def test_details_of_a_run_hold_all_that_was_sent(stored: Stored) -> None:
    sent = run_message(
        "A",
        steps=[{**ODD_VALUES[1], "lamp": 3}],
        panel={"id": "PAN1", "position": 2},
        program="ict",
        program_version="1.4",
        operator="ann",
        fixture="F1",
        source={"file": "a.log", "byte_start": 0, "byte_end": 10},
        sequence={"epoch": "e", "seq": 7},
        ended_at="2026-11-23T12:00:31Z",
        shoe_size=43,
    )
    run_id = stored.save(sent).saved.runs[0].run_id
    found = run_details(stored.database, run_id)
    assert found is not None
    details = found.pop("details")
    assert found == results_by_ids(stored.database, [run_id])[run_id]
    assert details["panel"] == {"id": "PAN1", "position": "2"}
    assert (details["program"], details["program_version"]) == ("ict", "1.4")
    assert (details["operator"], details["fixture"]) == ("ann", "F1")
    assert details["source"] == {"file": "a.log", "byte_start": 0, "byte_end": 10}
    assert details["sequence"] == {"epoch": "e", "seq": 7}
    assert details["ended_at"] == "2026-11-23T12:00:31Z"
    assert details["attributes"] == {"shoe_size": 43}
    assert details["topic"] == "factory/v1/L1/M1/test"
    assert details["measurements"] == [{"nominal": "ok", "agrees": None, "attributes": {"lamp": 3}}]
    assert run_details(stored.database, 99) is None


@pytest.mark.parametrize("padding", [0, 5_000])
def test_the_message_comes_back_byte_for_byte(stored: Stored, padding: int) -> None:
    payload = b" " * padding + orjson.dumps([run_message("A"), run_message("B")]) + b"\n"
    runs = stored.save(payload).saved.runs
    for element, run in enumerate(runs):
        found = raw_message(stored.database, run.run_id)
        assert found is not None
        assert (found.payload, found.topic) == (payload, "factory/v1/L1/M1/test")
        assert found.element == element
    assert raw_message(stored.database, 99) is None


# -- a unit ----------------------------------------------------------------------------------------


def test_a_units_life_is_in_the_order_of_its_runs_whatever_the_order_of_arrival(
    stored: Stored,
) -> None:
    stored.save(run_message("U", procedure="FCT", minutes=30, passes=False))
    stored.save(run_message("U", procedure="FCT", minutes=40))
    stored.save(run_message("U", procedure="ICT", minutes=10))
    stored.save(run_message("U", procedure="FCT", minutes=20, passes=False))
    life = unit_life(stored.database, "U")
    assert life is not None
    assert life["outcome"] == "PASS"
    (unit,) = life["units"]
    assert [(run["procedure"], run["attempt"], run["outcome"]) for run in unit["runs"]] == [
        ("ICT", 1, "PASS"),
        ("FCT", 1, "FAIL"),
        ("FCT", 2, "FAIL"),
        ("FCT", 3, "PASS"),
    ]
    assert (unit["first_pass"], unit["good"]) == (False, True)
    assert [
        (each["procedure"], each["runs"], each["first_outcome"], each["last_outcome"])
        for each in unit["procedures"]
    ] == [("ICT", 1, "PASS", "PASS"), ("FCT", 3, "FAIL", "PASS")]


def test_one_barcode_on_two_products_is_two_units(stored: Stored) -> None:
    stored.save(run_message("U"), run_message("U", minutes=5, passes=False) | {"product_id": "P2"})
    life = unit_life(stored.database, "U")
    assert life is not None
    assert [(each["product_id"], each["outcome"]) for each in life["units"]] == [
        ("P1", "PASS"),
        ("P2", "FAIL"),
    ]
    assert life["outcome"] == "FAIL"
    assert unit_life(stored.database, "never") is None

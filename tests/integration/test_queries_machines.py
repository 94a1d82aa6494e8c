"""Machines, the steps that fail there, and the books, heartbeats and strain of a service."""

from datetime import timedelta

from sqlalchemy import insert

from service.store.queries.base import OUTBOX
from service.store.queries.filters import Filters
from service.store.queries.health import books, overview, services
from service.store.queries.machines import line_of, machine, machines
from service.store.queries.steps import failing_steps
from service.store.queries.strain import read_strain
from tests.support.stored import NOON, Stored, run_message


def test_machines_tell_their_last_result_and_the_figures_since_then(stored: Stored) -> None:
    stored.save(run_message("OLD", minutes=-90, passes=False), machine_id="b")
    stored.save(run_message("A", passes=False), run_message("A", minutes=1), machine_id="b")
    stored.save(b"not json", machine_id="B2", line="L2")
    found = machines(stored.database, NOON - timedelta(minutes=30))
    assert [each["machine_id"] for each in found] == ["B2", "b"]
    silent, busy = found
    assert silent["last_result"] is None
    assert silent["books"] == {"received": 1, "stored": 0, "rejected": 1, "duplicates": 0}
    assert silent["figures"]["total_tests"] == 0
    assert silent["figures"]["first_pass_yield"] is None
    assert busy["last_result"]["barcode"] == "A"
    assert busy["last_result"]["outcome"] == "PASS"
    assert busy["figures"] == {
        "total_tests": 2,
        "pass_count": 1,
        "fail_count": 1,
        "error_count": 0,
        "unjudged_count": 0,
        "pass_rate": 0.5,
        "units": 1,
        "first_pass_yield": 0.0,
        "final_yield": 1.0,
    }
    assert machine(stored.database, "b", NOON - timedelta(minutes=30)) == busy
    assert machine(stored.database, "never", NOON) is None
    assert line_of(stored.database, "B2") == "L2"
    assert line_of(stored.database, "never") is None


def test_the_step_that_fails_first_most_often_leads(stored: Stored) -> None:
    bad_a = {"test_step": "a", "measured_value": 9, "high": 1}
    bad_b = {"test_step": "b", "measured_value": 9, "high": 1}
    good = {"test_step": "c", "measured_value": 0, "high": 1}
    stored.save(run_message("1", steps=[bad_b, bad_a, good]), machine_id="M1")
    stored.save(run_message("2", steps=[bad_b, bad_a]), machine_id="M2")
    stored.save(run_message("3", steps=[bad_a]), machine_id="M2")
    found = failing_steps(stored.database, Filters())
    assert [(each["test_step"], each["first_failures"], each["failures"]) for each in found] == [
        ("b", 2, 2),
        ("a", 1, 3),
    ]
    assert found[1]["machines"] == [
        {"machine_id": "M2", "first_failures": 1, "failures": 2},
        {"machine_id": "M1", "first_failures": 0, "failures": 1},
    ]


def test_books_and_heartbeats_are_told_as_they_were_left(stored: Stored) -> None:
    assert overview(stored.database) == {"rulebook_version": 0, "newest_result_at": None}
    assert services(stored.database, NOON) == []
    stored.save(run_message("A"), run_message("A"), b"[]", machine_id="M1")
    stored.writer.report('{"connected": true}', NOON)
    (heartbeat,) = services(stored.database, NOON + timedelta(seconds=3))
    assert heartbeat["age_s"] == 3
    assert heartbeat["facts"] == {"connected": True}
    (book,) = books(stored.database)
    assert book["received"] == 3 == book["stored"] + book["rejected"] + book["duplicates"]
    assert (book["stored"], book["duplicates"]) == (1, 1)
    assert overview(stored.database)["newest_result_at"] == "2026-11-23T12:00:00Z"


def test_answers_that_wait_are_counted_and_clocks_of_one_computer_agree(stored: Stored) -> None:
    before = read_strain(stored.database)
    with stored.database.changing() as connection:
        connection.execute(insert(OUTBOX).values(id=1, service="yieldline-service-0", body=b""))
    strain = read_strain(stored.database)
    assert (before.outbox_count, strain.outbox_count) == (0, 1)
    assert abs(strain.clock_ahead_s) < 2
    assert (strain.free_bytes is None) is not stored.database.is_sqlite
    assert strain.free_bytes != 0

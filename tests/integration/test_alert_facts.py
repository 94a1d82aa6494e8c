"""The facts that alert rules look at, as the database holds them."""

import random

import pytest
from sqlalchemy import event

from broker.topics import TopicTemplate
from service.core.alert_facts import RUNS_READ, MachineFacts
from service.store.alert_facts import FactReader, alert_topic
from service.store.queries.base import connected
from tests.support.alert_facts import MINUTE
from tests.support.stored import NOON, Stored, run_message

TEMPLATE = TopicTemplate("factory/v1/{line}/{machine_id}/{channel}")


def read(stored: Stored, reader: FactReader) -> dict[str, MachineFacts]:
    with connected(stored.database) as connection:
        return reader.machines(connection)


def test_the_facts_of_a_machine_are_its_newest_runs_by_start_without_golden_samples(
    stored: Stored,
) -> None:
    reader = FactReader(stored.database, TEMPLATE)
    stored.save(*(run_message(f"U{each}", minutes=each) for each in range(60)))
    stored.save(run_message("GOLD", minutes=99, passes=False), is_golden=True)
    (machine,) = read(stored, reader).values()
    assert machine.topic == "factory/v1/L1/M1/alert"
    assert machine.last_result_at == NOON
    assert len(machine.runs) == RUNS_READ - 1
    assert [machine.runs[0].barcode, machine.runs[-1].barcode] == ["U59", "U11"]
    assert machine.interval_s == 60


def test_a_run_that_comes_late_is_in_the_facts_in_its_place(stored: Stored) -> None:
    reader = FactReader(stored.database, TEMPLATE)
    stored.save(*(run_message(f"U{each}", minutes=each) for each in (1, 3)))
    read(stored, reader)
    stored.save(run_message("LATE", minutes=2, passes=False))
    (machine,) = read(stored, reader).values()
    assert [run.barcode for run in machine.runs] == ["U3", "LATE", "U1"]
    assert machine.runs[1].first_failure == "vcc"


def test_whatever_comes_between_two_looks_the_facts_are_those_of_a_first_look(
    stored: Stored,
) -> None:
    dice = random.Random(12)
    reader, minutes = FactReader(stored.database, TEMPLATE), 0.0
    for look in range(25):
        for number in range(dice.choice((0, 1, 2, 7, 60))):
            minutes += 1
            late = dice.random() < 0.1
            at = minutes - dice.uniform(1, 30) if late else minutes
            machine_id = dice.choice(("M1", "M2", "M3"))
            run = run_message(f"U{look}-{number}", minutes=at, passes=dice.random() < 0.9)
            stored.save(run, machine_id=machine_id, is_golden=dice.random() < 0.05)
        seen, fresh = read(stored, reader), read(stored, FactReader(stored.database, TEMPLATE))
        for machine_id, machine in fresh.items():
            # It leaves golden samples out of fifty; who followed has fifty without them.
            assert seen[machine_id].runs[: len(machine.runs)] == machine.runs
            assert seen[machine_id]._replace(runs=(), interval_s=None) == machine._replace(
                runs=(), interval_s=None
            )
            assert len(seen[machine_id].runs) <= RUNS_READ


def test_only_what_is_new_of_a_machine_is_read_again(stored: Stored) -> None:
    reader, statements = FactReader(stored.database, TEMPLATE), []
    stored.save(*(run_message(f"U{each}", minutes=each) for each in range(60)))
    read(stored, reader)

    @event.listens_for(stored.database.engine, "before_cursor_execute")
    def _(_c: object, _u: object, statement: str, given: object, *_more: object) -> None:
        if "ORDER BY" in statement and "started_us" in statement:
            statements.append(given)

    stored.save(run_message("NEW", minutes=60))
    (machine,) = read(stored, reader).values()
    assert machine.runs[0].barcode == "NEW"
    assert len(machine.runs) == RUNS_READ
    (given,) = statements
    numbers = given.values() if isinstance(given, dict) else given
    assert RUNS_READ not in list(numbers)


def test_a_machine_of_which_nothing_was_understood_has_no_result(stored: Stored) -> None:
    stored.save(b"{", machine_id="BAD")
    stored.save(b"nonsense", machine_id="BAD")
    reader = FactReader(stored.database, TEMPLATE)
    machine = read(stored, reader)["BAD"]
    assert (machine.last_result_at, machine.runs) == (None, ())
    assert (machine.received, machine.stored) == (2, 0)
    with connected(stored.database) as connection:
        assert reader.rejections(connection, NOON + MINUTE, 2 * MINUTE) == {"BAD": 2}
        assert reader.rejections(connection, NOON + MINUTE, MINUTE / 2) == {}


def test_yields_are_those_of_the_whole_hours_since_the_shift_began(stored: Stored) -> None:
    for minutes in (-61, -60, -1, 0, 1, 59):
        stored.save(run_message(f"U{minutes}", minutes=minutes, passes=minutes != 0))
    reader = FactReader(stored.database, TEMPLATE)
    with connected(stored.database) as connection:
        assert reader.yields(connection, NOON) == {("M1", "FCT"): (3, 2, {"P1"})}
        assert reader.yields(connection, NOON - 60 * MINUTE) == {("M1", "FCT"): (5, 4, {"P1"})}
        assert reader.yields(connection, NOON - 90 * MINUTE) == {("M1", "FCT"): (5, 4, {"P1"})}


def test_the_products_of_a_machine_are_counted_together_and_named(stored: Stored) -> None:
    stored.save(run_message("U1"))
    stored.save(run_message("U2", product_id="P2", passes=False))
    reader = FactReader(stored.database, TEMPLATE)
    with connected(stored.database) as connection:
        found = reader.yields(connection, NOON - 60 * MINUTE)
    assert found == {("M1", "FCT"): (2, 1, {"P1", "P2"})}


@pytest.mark.parametrize(
    ("template", "test_topic", "topic"),
    [
        ("factory/v1/{line}/{machine_id}/{channel}", None, "factory/v1/L1/M1/alert"),
        ("{site}/{line}/{machine_id}/{channel}", "north/L1/M1/test", "north/L1/M1/alert"),
        ("{site}/{line}/{machine_id}/{channel}", "old/L1/M1", "unassigned/L1/M1/alert"),
    ],
)
def test_alerts_go_where_the_machines_results_go(
    template: str, test_topic: str | None, topic: str
) -> None:
    assert alert_topic(TopicTemplate(template), "M1", "L1", test_topic) == topic

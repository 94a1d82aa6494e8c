"""Alerts in the database: facts, what lives, what people do, and what is still to be told."""

import random
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, insert, select, text

from broker.errors import AlertError, StoreUnavailable
from broker.messages import AlertState, Severity
from broker.sections import DatabaseSettings
from broker.topics import TopicTemplate
from service.commands.alerts import acknowledge_alerts, shelve_alerts
from service.core.alert_facts import RUNS_READ, MachineFacts
from service.core.alerts import (
    AlertKind,
    AlertRecord,
    Assessment,
    Finding,
    Subject,
    conclude,
    key_of,
)
from service.store.alert_facts import FactReader, alert_topic
from service.store.alerts import (
    living_alerts,
    mark_published,
    note_notification,
    open_alert,
    save_change,
    unnotified_alerts,
    unpublished_alerts,
)
from service.store.database import Database
from service.store.election import stand
from service.store.queries.alerts import (
    AlertFilters,
    alert,
    alert_load,
    alert_pulse,
    list_alerts,
    list_living,
)
from service.store.queries.base import ALERT, connected
from service.store.queries.changes import first_forged_change, list_changes
from service.store.queries.results import LIMIT_MAX
from tests.support.stored import NOON, Stored, run_message

TEMPLATE = TopicTemplate("factory/v1/{line}/{machine_id}/{channel}")
MINUTE = timedelta(minutes=1)


def open_one(
    stored: Stored, machine_id: str = "M1", *, minutes: float = 0, notify: bool = False
) -> AlertRecord:
    key = key_of(AlertKind.SILENT, machine_id)
    found = Finding(
        AlertKind.SILENT, key, Subject(machine_id), "L1", Severity.MAJOR, "Silent.", (1, 99)
    )
    with stored.database.changing() as connection:
        return open_alert(
            connection, found, f"f/{machine_id}/alert", NOON + minutes * MINUTE, notify=notify
        )


def close(stored: Stored, one: AlertRecord) -> None:
    with stored.database.changing() as connection:
        over = Assessment({}, {one.key})
        for change in conclude([one], over, NOON + 60 * MINUTE, 1).changed:
            save_change(connection, change)


def states(stored: Stored) -> list[tuple[int, str]]:
    listed, _ = list_alerts(stored.database, AlertFilters())
    return [(each["alert_id"], each["state"]) for each in listed]


# -- what lives ------------------------------------------------------------------------------------


def test_of_more_than_a_thousand_that_live_none_is_left_out(stored: Stored) -> None:
    oldest = open_one(stored, "M0")
    with stored.database.changing() as connection:
        row = connection.execute(select(ALERT)).mappings().one()
        others = [
            {**row, "id": row["id"] + n, "key": f"M{n}", "opened_us": row["opened_us"] + n}
            for n in range(1, LIMIT_MAX + 2)
        ]
        connection.execute(insert(ALERT), others)
        closed = {**row, "id": row["id"] + len(others) + 1, "closed_us": row["opened_us"]}
        connection.execute(insert(ALERT), closed)
    living = {each["alert_id"] for each in list_living(stored.database)}
    assert living == {oldest.alert_id, *(other["id"] for other in others)}


def test_an_alert_comes_back_as_it_was_stored(stored: Stored) -> None:
    one = open_one(stored)
    with connected(stored.database) as connection:
        assert living_alerts(connection) == [one]
    assert (one.state, one.opened_at, one.evidence) == (AlertState.OPEN, NOON, (1, 99))
    close(stored, one)
    with connected(stored.database) as connection:
        assert living_alerts(connection) == []


def test_the_database_refuses_a_second_living_alert_of_the_same_trouble(stored: Stored) -> None:
    one = open_one(stored)
    with pytest.raises(StoreUnavailable, match=r"(?i)unique"):
        open_one(stored)
    close(stored, one)
    assert open_one(stored).alert_id > one.alert_id
    assert max(states(stored))[1] == "open"


def test_each_change_is_to_be_published_until_that_very_version_is_confirmed(
    stored: Stored,
) -> None:
    one = open_one(stored)
    with stored.database.changing() as connection:
        ((version, _),) = unpublished_alerts(connection).values()
        mark_published(connection, {one.alert_id: version})
        assert unpublished_alerts(connection) == {}
    acknowledge_alerts(stored.database, [one.alert_id], actor="ann", now=NOON)
    with stored.database.changing() as connection:
        mark_published(connection, {one.alert_id: version})  # the confirmation of the old version
        ((newer, seen),) = unpublished_alerts(connection).values()
    assert (newer, seen.state) == (version + 1, AlertState.ACKNOWLEDGED)


def test_a_notification_is_due_once_again_after_its_pause_and_not_for_a_closed_alert(
    stored: Stored,
) -> None:
    one, other = open_one(stored, "M1", notify=True), open_one(stored, "M2", notify=True)
    open_one(stored, "M3")
    close(stored, other)
    with stored.database.changing() as connection:
        assert unnotified_alerts(connection, NOON) == [(one, 0)]
        note_notification(connection, one.alert_id, again_at=NOON + MINUTE, event=None)
        assert unnotified_alerts(connection, NOON) == []
        assert unnotified_alerts(connection, NOON + MINUTE) == [(one, 1)]
        note_notification(connection, one.alert_id, again_at=None, event=None)
        assert unnotified_alerts(connection, NOON + 99 * MINUTE) == []


# -- what people do --------------------------------------------------------------------------------


def test_acknowledging_is_in_the_history_and_in_the_audit_trail(stored: Stored) -> None:
    one = open_one(stored)
    after = acknowledge_alerts(
        stored.database, [one.alert_id], actor=" ann ", note="on  my way", now=NOON + MINUTE
    )
    assert (after[0].state, after[0].acknowledged_by) == (AlertState.ACKNOWLEDGED, "ann")
    found = alert(stored.database, one.alert_id)
    assert found
    assert [(each["action"], each["actor"], each["note"]) for each in found["history"]] == [
        ("opened", "yieldline", ""),
        ("acknowledged", "ann", "on my way"),
    ]
    (change,) = list_changes(stored.database)[0]
    assert (change["actor"], change["action"], change["subject"], change["reason"]) == (
        "ann",
        "acknowledge",
        f"alert {one.alert_id}",
        "on my way",
    )
    assert first_forged_change(stored.database) is None


def test_several_at_once_are_all_changed_or_none(stored: Stored) -> None:
    ids = [open_one(stored, f"M{each}").alert_id for each in range(3)]
    with pytest.raises(AlertError, match="there is no alert 12345"):
        acknowledge_alerts(stored.database, [*ids, 12345], actor="ann", now=NOON)
    assert alert_pulse(stored.database).counts == {"open": 3, "acknowledged": 0, "shelved": 0}
    shelve_alerts(
        stored.database, ids[:1], until=NOON + MINUTE, reason="mended", actor="ann", now=NOON
    )
    acknowledge_alerts(stored.database, ids[1:], actor="ann", now=NOON)
    assert alert_pulse(stored.database).counts == {"open": 0, "acknowledged": 2, "shelved": 1}
    assert len(list_changes(stored.database)[0]) == 3


def test_a_second_acknowledgement_and_that_of_a_closed_alert_change_nothing(
    stored: Stored,
) -> None:
    one, gone = open_one(stored, "M1"), open_one(stored, "M2")
    close(stored, gone)
    ids = [one.alert_id, gone.alert_id]
    acknowledge_alerts(stored.database, ids, actor="ann", now=NOON)
    after = acknowledge_alerts(stored.database, ids, actor="bob", now=NOON)
    assert [each.acknowledged_by for each in after] == ["ann", None]
    assert len(list_changes(stored.database)[0]) == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"reason": " "}, "reason is missing"),
        ({"actor": ""}, "author is missing"),
        ({"reason": "x" * 501}, "reason has 501 characters"),
        ({"until": NOON}, "within the next 12 hours"),
        ({"until": NOON + timedelta(hours=13)}, "within the next 12 hours"),
    ],
)
def test_shelving_needs_a_reason_an_author_and_an_end(
    stored: Stored, changes: dict[str, Any], sentence: str
) -> None:
    one = open_one(stored)
    asked = {"until": NOON + MINUTE, "reason": "mended", "actor": "ann", "now": NOON} | changes
    with pytest.raises(AlertError, match=sentence):
        shelve_alerts(stored.database, [one.alert_id], **asked)
    assert states(stored) == [(one.alert_id, "open")]
    assert list_changes(stored.database)[0] == []


def test_a_list_goes_on_from_its_cursor_and_keeps_to_its_filters(stored: Stored) -> None:
    ids = [open_one(stored, f"M{each}", minutes=each // 2).alert_id for each in range(5)]
    seen, cursor = [], None
    while True:
        page, cursor = list_alerts(stored.database, AlertFilters(), 2, cursor)
        seen += [each["alert_id"] for each in page]
        if cursor is None:
            break
    assert seen == ids[::-1]
    acknowledge_alerts(stored.database, ids[1:2], actor="ann", now=NOON)
    by_state = AlertFilters(state=AlertState.ACKNOWLEDGED)
    assert [each["alert_id"] for each in list_alerts(stored.database, by_state)[0]] == ids[1:2]
    late = AlertFilters(since=NOON + MINUTE, until=NOON + 2 * MINUTE, machine_id="M2")
    assert [each["alert_id"] for each in list_alerts(stored.database, late)[0]] == ids[2:3]


def test_the_load_says_how_often_alerts_ring_and_which_ring_most(stored: Stored) -> None:
    for at in range(4):
        close(stored, open_one(stored, "M1", minutes=at))
        if at < 2:
            close(stored, open_one(stored, "M2", minutes=at))
    open_one(stored, "M3")
    open_one(stored, "OLD", minutes=-9999)
    load = alert_load(stored.database, NOON + MINUTE, 24)
    assert (load["opened"], load["per_hour"]) == (7, 7 / 24)
    assert [(each["machine_id"], each["opened"]) for each in load["ringing"]] == [
        ("M1", 4),
        ("M2", 2),
    ]


def test_the_evidence_opens_and_what_is_no_longer_stored_is_left_out(stored: Stored) -> None:
    stored.save(run_message("SN-1", passes=False))
    one = open_one(stored)
    found = alert(stored.database, one.alert_id)
    assert found
    (run,) = found["runs"]
    assert (run["run_id"], run["barcode"], run["first_failure"]) == (1, "SN-1", "vcc")
    assert found["evidence"] == [1, 99]
    assert alert(stored.database, 12345) is None


# -- facts -----------------------------------------------------------------------------------------


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


# -- one watcher -----------------------------------------------------------------------------------


@pytest.mark.postgres
def test_one_watcher_is_elected_and_the_next_when_it_is_gone(postgres_store_url: str) -> None:
    store = Stored(postgres_store_url)
    other = Database(DatabaseSettings(url=postgres_store_url))  # type: ignore[arg-type]
    first = stand(store.database)
    assert first
    assert stand(other) is None
    first.end()
    second = stand(other)
    assert second
    assert stand(store.database) is None
    second.end()
    other.dispose()
    store.close()


@pytest.mark.postgres
def test_a_watcher_that_lost_its_lock_can_conclude_nothing(postgres_store_url: str) -> None:
    store = Stored(postgres_store_url)
    mandate = stand(store.database)
    assert mandate
    with psycopg.connect(postgres_store_url, autocommit=True) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks"
            " WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            " AND objid = 1498152964"
        )
    for _ in range(2):
        with pytest.raises(StoreUnavailable), mandate.changing() as connection:
            connection.execute(text("SELECT 1"))
    mandate.end()
    store.close()


def test_on_sqlite_the_one_service_watches(sqlite_store_url: str) -> None:
    store = Stored(sqlite_store_url)
    mandate = stand(store.database)
    assert mandate
    with mandate.changing() as connection:
        assert living_alerts(connection) == []
    mandate.end()
    store.close()

"""Alerts in the database: what lives, what people do, and what is still to be told."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from broker.errors import AlertError, StoreUnavailable
from broker.messages import AlertState, Severity
from service.commands.alerts import acknowledge_alerts, shelve_alerts
from service.core.alerts import (
    AlertKind,
    AlertRecord,
    Assessment,
    Finding,
    Subject,
    conclude,
    key_of,
)
from service.store.alerts import (
    living_alerts,
    mark_published,
    note_notification,
    open_alert,
    save_change,
    unnotified_alerts,
    unpublished_alerts,
)
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
from tests.support.alert_facts import MINUTE
from tests.support.stored import NOON, Stored, run_message


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


# -- what is listed --------------------------------------------------------------------------------


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

"""What becomes of alerts: the state machine, whatever happens in whatever order."""

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.messages import AlertState, Severity
from service.core.alerts import (
    SHELVED_MAX,
    AlertAction,
    AlertEvent,
    AlertKind,
    AlertRecord,
    Announcement,
    Assessment,
    Finding,
    Subject,
    acknowledge,
    announce,
    conclude,
    key_of,
    shelve,
)

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def finding(machine_id: str = "M1", severity: Severity = Severity.MAJOR) -> Finding:
    key = key_of(AlertKind.SILENT, machine_id)
    subject = Subject(machine_id)
    return Finding(AlertKind.SILENT, key, subject, "L1", severity, "Silent.", (1,), "t/alert")


def alert(number: int = 1, machine_id: str = "M1", **fields: object) -> AlertRecord:
    found = finding(machine_id)
    record = AlertRecord(
        number,
        found.key,
        found.kind,
        found.severity,
        found.subject,
        found.line,
        f"f/{machine_id}/alert",
        found.message,
        found.evidence,
        AlertState.OPEN,
        NOW,
    )
    return record._replace(**fields)  # type: ignore[arg-type]


def look(found: tuple[Finding, ...] = (), cleared: tuple[str, ...] = ()) -> Assessment:
    return Assessment({each.key: each for each in found}, frozenset(cleared))


def after(one: AlertRecord, assessment: Assessment, now: datetime = NOW) -> AlertRecord:
    changed = conclude([one], assessment, now, 10).changed
    return changed[0].alert if changed else one


def test_trouble_that_is_new_opens_and_trouble_that_lives_does_not_open_again() -> None:
    both = look(found=(finding("M1"), finding("M2")))
    assert [each.key for each in conclude([alert()], both, NOW, 10).opened] == [finding("M2").key]


def test_the_worst_open_first_and_the_rest_at_the_next_look() -> None:
    found = (finding("M1"), finding("M2", Severity.CRITICAL), finding("M3"))
    opened = conclude([], look(found=found), NOW, 2).opened
    assert [each.subject.machine_id for each in opened] == ["M2", "M1"]


def test_an_alert_closes_when_its_trouble_is_over_and_stays_while_nothing_is_known() -> None:
    one = alert()
    assert after(one, look()).state is AlertState.OPEN
    closed = after(one, look(cleared=(one.key,)), NOW + HOUR)
    assert (closed.state, closed.closed_at) == (AlertState.CLOSED, NOW + HOUR)
    assert closed.acknowledged_at is None, "closed, never acknowledged"


def test_who_acknowledged_is_kept_when_it_closes() -> None:
    seen = acknowledge(alert(), "ann", NOW, "on my way")
    assert seen
    assert seen.event == AlertEvent(AlertAction.ACKNOWLEDGED, NOW, "ann", "on my way")
    closed = after(seen.alert, look(cleared=(seen.alert.key,)))
    assert (closed.state, closed.acknowledged_by) == (AlertState.CLOSED, "ann")
    assert acknowledge(seen.alert, "bob", NOW) is None
    assert acknowledge(closed, "bob", NOW) is None


def test_a_shelved_alert_rests_until_its_end_and_then_returns_or_closes() -> None:
    change = shelve(alert(), NOW + HOUR, "ann", NOW, "being mended")
    assert change
    shelved, over = change.alert, look(cleared=(change.alert.key,))
    almost = NOW + HOUR - timedelta(microseconds=1)
    assert after(shelved, over, almost).state is AlertState.SHELVED
    assert after(shelved, look(), NOW + HOUR).state is AlertState.OPEN
    assert after(shelved, over, NOW + HOUR).state is AlertState.CLOSED
    (returned,) = conclude([shelved], look(), NOW + HOUR, 10).changed
    assert returned.event.action is AlertAction.RETURNED
    assert returned.alert.shelved_until is None


def test_new_trouble_of_the_same_kind_does_not_ring_while_it_is_shelved() -> None:
    change = shelve(alert(), NOW + HOUR, "ann", NOW, "being mended")
    assert change
    assert conclude([change.alert], look(found=(finding(),)), NOW, 10) == ([], [])


@pytest.mark.parametrize("until", [NOW, NOW - HOUR, NOW + SHELVED_MAX + timedelta(seconds=1)])
def test_a_shelf_ends_within_twelve_hours(until: datetime) -> None:
    with pytest.raises(ValueError, match="next 12 hours"):
        shelve(alert(), until, "ann", NOW, "being mended")
    assert shelve(alert(), NOW + SHELVED_MAX, "ann", NOW, "being mended")


# -- whatever happens ------------------------------------------------------------------------------

_machines = st.sampled_from("ABC")
_steps = st.lists(
    st.tuples(
        st.sampled_from(["found", "over", "unknown", "acknowledge", "shelve", "wait"]),
        _machines,
        st.integers(1, 15),
    ),
    max_size=60,
)


@given(_steps)
def test_whatever_happens_the_rules_of_alerts_hold(steps: list[tuple[str, str, int]]) -> None:
    now, book = NOW, dict[int, AlertRecord]()
    for action, machine_id, hours in steps:
        before = dict(book)
        living = [each for each in book.values() if each.state is not AlertState.CLOSED]
        of_machine = next((a for a in living if a.subject.machine_id == machine_id), None)
        if action == "wait":
            now += timedelta(hours=hours)
        if action in {"acknowledge", "shelve"} and of_machine:
            until = now + timedelta(hours=min(hours, 12))
            change = (
                acknowledge(of_machine, "ann", now)
                if action == "acknowledge"
                else shelve(of_machine, until, "ann", now, "why")
            )
            if change:
                book[change.alert.alert_id] = change.alert
        one = finding(machine_id)
        assessment = look(
            found=(one,) if action == "found" else (),
            cleared=(one.key,) if action == "over" else (),
        )
        living = [each for each in book.values() if each.state is not AlertState.CLOSED]
        opened, changed = conclude(living, assessment, now, 10)
        for new in opened:
            book[len(book) + 1] = alert(len(book) + 1, new.subject.machine_id or "", opened_at=now)
        for change in changed:
            book[change.alert.alert_id] = change.alert
        check(before, book, now)


def check(before: dict[int, AlertRecord], book: dict[int, AlertRecord], now: datetime) -> None:
    living = [each.key for each in book.values() if each.state is not AlertState.CLOSED]
    assert len(living) == len(set(living)), "two alerts live for one trouble"
    for number, old in before.items():
        new = book[number]
        if old.state is AlertState.CLOSED:
            assert new == old, "a closed alert changed"
        if old.acknowledged_at is not None:
            assert new.acknowledged_at is not None, "it was forgotten that somebody saw it"
    for each in book.values():
        assert (each.state is AlertState.CLOSED) == (each.closed_at is not None)
        assert (each.state is AlertState.SHELVED) == (each.shelved_until is not None)
        if each.shelved_until is not None:
            assert now < each.shelved_until <= now + SHELVED_MAX, "a shelf without an end"
        if each.state is AlertState.ACKNOWLEDGED:
            assert each.acknowledged_by == "ann"


# -- what is published -----------------------------------------------------------------------------


def test_a_topic_keeps_its_most_urgent_alert_and_the_others_are_heard_once() -> None:
    seen = alert(1, severity=Severity.CRITICAL, state=AlertState.ACKNOWLEDGED)
    older, newer = alert(2), alert(3, opened_at=NOW + HOUR)
    announced = announce([older, newer], [seen, older, newer], [])
    assert announced == [
        Announcement(newer.topic, newer, retain=False),
        Announcement(older.topic, older, retain=True),
    ]


def test_a_closed_alert_is_heard_and_then_its_topic_is_cleared_or_keeps_another() -> None:
    closed = alert(1, state=AlertState.CLOSED, closed_at=NOW)
    assert announce([closed], [], []) == [
        Announcement(closed.topic, closed, retain=False),
        Announcement(closed.topic, None, retain=True),
    ]
    assert announce([closed], [alert(2)], [])[-1] == Announcement(
        closed.topic, alert(2), retain=True
    )


def test_a_broker_that_may_have_forgotten_is_told_every_topic() -> None:
    announced = announce([], [alert(1, "M1")], ["f/M1/alert", "f/M2/alert"])
    assert announced == [
        Announcement("f/M1/alert", alert(1, "M1"), retain=True),
        Announcement("f/M2/alert", None, retain=True),
    ]


@given(st.lists(st.text(string.printable, max_size=3) | st.none(), min_size=2, max_size=2))
def test_the_same_key_is_the_same_trouble(parts: list[str | None]) -> None:
    key = key_of(AlertKind.YIELD_LOW, *parts)
    assert (key == key_of(AlertKind.YIELD_LOW, *reversed(parts))) == (parts[0] == parts[1])

"""When the alert rules say that a machine is silent or offline, and when it is back."""

from datetime import timedelta
from typing import Any

import pytest

from service.core.alert_facts import Facts, MachineFacts, Offline, still_offline, usual_interval_s
from service.core.alerts import AlertKind
from tests.support.alert_facts import (
    MINUTE,
    NOW,
    assess,
    facts,
    living,
    machine,
    only,
    rules,
    seconds,
)

# -- silence ---------------------------------------------------------------------------------------


def silent_for(s: float, **fields: Any) -> MachineFacts:  # noqa: ANN401
    return machine(last_result_at=NOW - seconds(s), **fields)


@pytest.mark.parametrize(
    ("silence_s", "interval_s", "is_trouble"),
    [(60, None, False), (61, None, True), (61, 20, False), (80, 20, False), (81, 20, True)],
)
def test_a_machine_is_silent_after_the_plants_silence_and_four_usual_intervals(
    silence_s: float, interval_s: float | None, *, is_trouble: bool
) -> None:
    said = assess(facts(silent_for(silence_s, interval_s=interval_s)))
    assert bool(said.found) == is_trouble
    if is_trouble:
        assert only(said).kind is AlertKind.SILENT
        assert "M1 has sent no result since 09:58:" in only(said).message


def test_the_expected_interval_of_the_settings_beats_what_was_seen() -> None:
    def fast(s: float) -> Facts:
        return facts(machine("FAST", last_result_at=NOW - seconds(s), interval_s=1.0))

    assert not assess(fast(400)).found
    assert assess(fast(401)).found


def test_a_silence_is_over_with_the_next_result_and_not_before() -> None:
    alert = living(only(assess(facts(silent_for(90)))))
    assert assess(facts(silent_for(3000)), alert).cleared == set()
    assert assess(facts(silent_for(1)), alert).cleared == {alert.key}


def test_a_machine_that_is_no_longer_expected_raises_nothing_and_its_alert_closes() -> None:
    alert = living(only(assess(facts(silent_for(90)))))
    said = assess(facts(silent_for(86_401)), alert)
    assert (dict(said.found), said.cleared) == ({}, {alert.key})
    assert not assess(facts(machine(last_result_at=None))).found


def test_silence_counts_only_while_we_can_hear() -> None:
    silent = silent_for(3000)
    assert not assess(facts(silent, listening_since=None)).found
    assert not assess(facts(silent, listening_since=NOW - seconds(60))).found
    assert assess(facts(silent, listening_since=NOW - seconds(61))).found
    alert = living(only(assess(facts(silent))))
    assert not assess(facts(silent, listening_since=None), alert).cleared


def test_a_planned_break_holds_silence_back_and_the_machine_has_its_time_after_it() -> None:
    silent = facts(silent_for(3000))
    during = rules({"breaks": ("09:45-10:15",)})
    just_after = rules({"breaks": ("09:30-09:59",)})
    long_after = rules({"breaks": ("09:30-09:58",)})
    assert not assess(silent, by=during).found
    assert not assess(silent, by=just_after).found
    assert assess(silent, by=long_after).found


def test_the_usual_interval_is_the_median_of_the_runs_starts() -> None:
    starts = [NOW + seconds(each) for each in (0, 0, 0, 10, 20, 20, 90)]
    assert usual_interval_s(starts) == 10
    assert usual_interval_s(starts[:3]) is None


# -- offline ---------------------------------------------------------------------------------------


def offline(s: float, line: str = "L1") -> Offline:
    return Offline(NOW - seconds(s), NOW - seconds(s), line, f"factory/v1/{line}/x/alert")


def test_a_machine_that_is_offline_for_ten_seconds_is_an_alert_until_it_is_back() -> None:
    assert not assess(facts(offline={"M1": offline(9.9)})).found
    found = only(assess(facts(offline={"M1": offline(10)})))
    assert (found.kind, found.topic) == (AlertKind.OFFLINE, "factory/v1/L1/x/alert")
    alert = living(found)
    assert alert.key in assess(facts(), alert).cleared
    assert alert.key not in assess(facts(offline={"M1": offline(99)}), alert).cleared
    assert not assess(facts(listening_since=None), alert).cleared


def test_500_last_wills_at_once_are_one_alert_after_ten_seconds() -> None:
    wills = {f"M{each}": offline(9.8 - each / 500) for each in range(500)}
    assert not assess(facts(offline=wills)).found
    found = only(assess(facts(offline=wills), now=NOW + seconds(0.3)))
    assert found.message.startswith("500 machines went offline together on L1: M0, M1, M10 and 497")
    assert found.severity == "critical"
    alert = living(found)
    back = dict(list(wills.items())[:3])
    said = assess(facts(offline=back), alert, now=NOW + MINUTE)
    assert alert.key in said.cleared
    assert {each.subject.machine_id for each in said.found.values()} == {"M0", "M1", "M2"}


def test_who_is_offline_is_not_silent_too() -> None:
    said = assess(facts(silent_for(3000), offline={"M1": offline(20)}))
    assert only(said).kind is AlertKind.OFFLINE


def test_offline_is_what_was_said_last_and_of_late() -> None:
    day = timedelta(days=1)
    said = {"M1": offline(60), "OLD": offline(0)._replace(said_at=NOW - 2 * day)}

    def still(*machines: MachineFacts) -> set[str]:
        return set(still_offline(said, facts(*machines).machines, NOW, day))

    assert still() == {"M1"}
    assert still(silent_for(61)) == {"M1"}
    assert still(silent_for(59)) == set(), "it sent a result since"
    assert still(machine("OLD", last_result_at=NOW - MINUTE)) == {"M1", "OLD"}

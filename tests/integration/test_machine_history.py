"""A machine's past, on both databases: made of what is stored, and no more than that says."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from broker.messages import Severity
from service.core.alerts import AlertKind, Assessment, Finding, Subject, conclude, key_of
from service.store.alerts import living_alerts, open_alert, save_change
from service.store.queries import machine_history as module
from service.store.queries.machine_history import (
    Period,
    PlantBreaks,
    machine_history,
    program_changes,
)
from tests.support.stored import NOON, Stored, run_message

NO_BREAKS = PlantBreaks((), ZoneInfo("UTC"))


def heard(stored: Stored, *minutes: float, **fields: Any) -> None:  # noqa: ANN401 - fields of Run
    """Have a run begin and arrive at each minute after noon."""
    for minute in minutes:
        run = run_message(f"U{minute}", minutes=minute, **fields)
        stored.save(run, at=at(minute))


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def history(
    stored: Stored, since: float, until: float, plant: PlantBreaks = NO_BREAKS
) -> dict[str, Any]:
    found = machine_history(stored.database, "M1", Period(at(since), at(until), 120), plant)
    assert found is not None
    return found


def minutes(stretches: list[dict[str, Any]]) -> list[tuple[float, float | None]]:
    """Return stretches as minutes after noon."""

    def minute(text: str | None) -> float | None:
        return None if text is None else (datetime.fromisoformat(text) - NOON).seconds / 60

    return [(minute(each["since"]) or 0.0, minute(each["until"])) for each in stretches]


def test_a_silence_is_a_gap_between_arrivals_longer_than_asked_for(stored: Stored) -> None:
    heard(stored, 0, 1, 3, 10, 11)
    assert minutes(history(stored, 0, 12)["silences"]) == [(3, 10)]


def test_a_silence_at_an_end_of_the_period_is_cut_there(stored: Stored) -> None:
    heard(stored, 0, 10, 11)
    assert minutes(history(stored, 5, 20)["silences"]) == [(5, 10), (11, None)]
    assert minutes(history(stored, 2, 8)["silences"]) == [(2, None)]
    assert history(stored, 10, 12)["silences"] == []
    assert minutes(history(stored, -30, 12)["silences"]) == [(0, 10)]  # nobody waited before


def test_what_arrived_late_fills_no_gap_that_people_saw(stored: Stored) -> None:
    heard(stored, 0, 10)
    stored.save(run_message("late", minutes=5), at=at(10.5))
    assert minutes(history(stored, 0, 11)["silences"]) == [(0, 10)]


def test_what_a_new_machine_sends_of_its_past_makes_no_silence(stored: Stored) -> None:
    for minute in (0, 5):
        stored.save(run_message(f"U{minute}", minutes=minute), at=at(20 + minute / 10))
    assert history(stored, 3, 21)["silences"] == []


def test_alerts_that_lived_in_the_period_are_named_and_offline_is_made_of_them(
    stored: Stored,
) -> None:
    heard(stored, 0)
    subject = Subject("M1")
    with stored.database.changing() as connection:
        for kind, opened in ((AlertKind.OFFLINE, 2), (AlertKind.YIELD_LOW, 30)):
            finding = Finding(kind, key_of(kind, "M1"), subject, "L1", Severity.MAJOR, "Trouble.")
            open_alert(connection, finding, "t", at(opened), notify=False)
        living = living_alerts(connection)
        gone = Assessment({}, {key_of(AlertKind.OFFLINE, "M1")})
        for change in conclude(living, gone, at(4), 0).changed:
            save_change(connection, change)
    found = history(stored, 0, 10)
    assert minutes(found["offline"]) == [(2, 4)]
    assert [each["kind"] for each in found["alerts"]] == ["offline"]
    assert history(stored, 5, 10)["alerts"] == []
    assert [each["kind"] for each in history(stored, 5, 60)["alerts"]] == ["yield_low"]


def test_a_change_of_program_is_told_with_the_first_run_that_named_it(stored: Stored) -> None:
    heard(stored, 0, 1, program="fct", program_version="2.3")
    heard(stored, 2, 3, program="fct", program_version="2.4", fixture="F3", operator="0417")
    found = history(stored, 0, 10)
    assert [(each["program_version"], each["since"][11:16]) for each in found["programs"]] == [
        ("2.3", "12:00"),
        ("2.4", "12:02"),
    ]
    assert found["set_up"] == {
        "program": "fct",
        "program_version": "2.4",
        "fixture": "F3",
        "operator": "0417",
    }
    assert history(stored, 5, 10)["set_up"] is None


def test_changes_of_program_are_told_of_all_machines(stored: Stored) -> None:
    heard(stored, 0, 1, program="fct", program_version="2.3")
    heard(stored, 2, 3, program="fct", program_version="2.4")
    other = run_message("X", minutes=1, program="eol")
    stored.save(other, run_message("Y", minutes=4), machine_id="M2")
    found = program_changes(stored.database, at(0))
    assert [(each.machine_id, each.program, each.program_version, each.at) for each in found] == [
        ("M1", "fct", "2.4", at(2)),
        ("M2", None, None, at(4)),
    ]
    assert program_changes(stored.database, at(3)) == []


def test_planned_breaks_are_named_by_the_plants_clock(stored: Stored) -> None:
    heard(stored, 0)
    berlin = PlantBreaks(("13:30-14:00", "13:45-14:15"), ZoneInfo("Europe/Berlin"))
    assert minutes(history(stored, 0, 120, berlin)["breaks"]) == [(30, 75)]
    assert minutes(history(stored, 60, 120, berlin)["breaks"]) == [(60, 75)]


def test_of_very_many_silences_the_newest_are_kept_and_it_is_said(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ENTRIES_MAX", 2)
    heard(stored, 0, 5, 10, 15, 20)
    found = history(stored, 0, 21)
    assert minutes(found["silences"]) == [(10, 15), (15, 20)]
    assert found["is_complete"] is False


def test_nobody_has_no_history(stored: Stored) -> None:
    period = Period(NOON, datetime.now(UTC), 60)
    assert machine_history(stored.database, "NOBODY", period, NO_BREAKS) is None

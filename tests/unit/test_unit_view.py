"""A unit on its page: its head, its runs, the way of a result, and its journey."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.shown_measurements import measured
from ui.unit_journey import journey
from ui.unit_view import Clock, pick_unit, run_head, unit_head, unrepaired, way

BERLIN = Clock(ZoneInfo("Europe/Berlin"))
NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


def unit_run(number: int, outcome: str, procedure: str = "FCT") -> dict[str, Any]:
    return {
        "run_id": number,
        "machine_id": "M",
        "line": "L1",
        "product_id": "P",
        "procedure": procedure,
        "attempt": number,
        "timestamp": f"2024-10-12T09:3{number}:00Z",
        "outcome": outcome,
    }


def life_of(*outcomes: str) -> dict[str, Any]:
    runs = [unit_run(i, outcome) for i, outcome in enumerate(outcomes, start=1)]
    procedure = {
        "procedure": "FCT",
        "first_outcome": outcomes[0],
        "last_outcome": outcomes[-1],
    }
    unit = {
        "product_id": "P",
        "outcome": outcomes[-1],
        "procedures": [procedure],
        "runs": runs,
        "next_procedure": None,
        "may_go_to": [],
    }
    return {"outcome": outcomes[-1], "units": [unit]}


def test_a_unit_that_passed_its_retest_has_no_first_pass_but_a_final_one() -> None:
    life = life_of("FAIL", "PASS")
    head = unit_head("A", life, life["units"][0], BERLIN, NOW)
    assert (head["first_pass"], head["final"]) == ("0 %", "100 %")
    assert (head["first_pass_note"], head["final_note"]) == ("not FCT", "")
    assert (head["at"], head["retests"]) == ("at FCT, 2nd attempt", "1")
    assert head["first_seen"] == "12 October 2024"
    assert head["first_seen_note"].startswith("11:31:00 CEST, ")


def test_the_asked_run_is_shown_else_the_newest() -> None:
    life = life_of("FAIL", "FAIL", "PASS")
    assert pick_unit(life, 2)[1]["run_id"] == 2
    assert pick_unit(life, None)[1]["run_id"] == 3
    assert pick_unit(life, 99)[1]["run_id"] == 3


def details_of(reported: str | None, *, agrees: bool | None, **counts: int) -> dict[str, Any]:
    return {
        **unit_run(7, "PASS"),
        "reported_outcome": reported,
        "agrees": agrees,
        "received_at": "2024-10-12T09:38:09Z",
        "rulebook_version": 3,
        "message_id": "m",
        "clock_suspect": False,
        "counts": {"PASS": 1, "FAIL": 0, "ERROR": 0, "UNJUDGED": 0, **counts},
        "measurements": [measured("a", rule_id="r")],
        "details": {
            "ended_at": "2024-10-12T09:37:34.1Z",
            "operator": None,
            "fixture": "F3",
            "program": "ecu",
            "program_version": "2.4",
            "panel": None,
            "source": {"file": "a.log", "byte_start": 1482113, "byte_end": 1489640},
            "topic": "factory/v1/L1/M/test",
            "content_hash": "ab" * 16,
            "measurements": [{"nominal": None, "agrees": True, "attributes": None}],
        },
    }


@pytest.mark.parametrize(
    ("details", "said"),
    [
        (
            details_of("PASS", agrees=False, FAIL=21),
            "The tester said PASS, but 21 of its steps failed.",
        ),
        (details_of("FAIL", agrees=False), "The tester said FAIL, but none of its steps failed."),
        (
            details_of("PASS", agrees=False, ERROR=2),
            "The tester said PASS, but 2 of its steps are ERROR.",
        ),
        (details_of("PASS", agrees=True), ""),
        (details_of(None, agrees=None), ""),
    ],
)
def test_a_tester_that_contradicts_itself_is_quoted(details: dict[str, Any], said: str) -> None:
    assert run_head(details, unit_run(7, "PASS"), 7, BERLIN)["disagreement"] == said


def test_the_head_of_a_run_names_its_circumstances() -> None:
    head = run_head(details_of("PASS", agrees=True), unit_run(7, "PASS"), 9, BERLIN)
    assert head["title"] == "FCT, attempt 7 of 9"
    assert "fixture F3 · ecu 2.4" in head["facts"]
    assert "12 October 2024 11:37:00 CEST" in head["facts"]
    assert head["counts"] == "1 measurement: 1 PASS"


def test_the_way_of_a_result_leads_from_the_file_to_the_store() -> None:
    steps = way(details_of("PASS", agrees=True), 6914, BERLIN)
    assert [step["what"] for step in steps] == [
        *("Run began", "Run ended", "Source", "Received", "Judged", "Stored", "Published")
    ]
    assert steps[2]["note"] == "bytes 1\u202f482\u202f113 \u2013 1\u202f489\u202f640"
    assert steps[0]["when"].startswith("12 October 2024 11:")
    assert steps[3]["when"] == "11:38:09"
    assert "35 s later" in steps[3]["note"]
    assert "6\u202f914 bytes" in steps[3]["note"]
    assert steps[4] == {"what": "Judged", "when": "rulebook v3", "note": "1 rule spoke"}
    assert steps[6]["note"] == "receipt sent"


def test_what_came_on_another_day_says_so() -> None:
    late = {**details_of("PASS", agrees=True), "received_at": "2024-10-13T09:00:00Z"}
    assert way(late, None, BERLIN)[3]["when"] == "13 October 2024 11:00:00 CEST"


def test_a_message_without_an_id_of_its_own_got_no_receipt() -> None:
    details = {**details_of("PASS", agrees=True), "message_id": "ab" * 16}
    assert way(details, 6914, BERLIN)[-1]["note"] == "no receipt: the message had no message_id"


def test_a_rule_that_overrules_the_tester_is_named_with_its_limit() -> None:
    details = details_of("PASS", agrees=True)
    ripple = measured("ripple", "FAIL", rule_id="vbat", comparator="LE", low=55.0, high=None)
    value = {"unit": "mV", "measured_value": 61.8, "reported_outcome": "PASS"}
    details["measurements"] = [ripple | value]
    details["details"]["measurements"] = [{"agrees": False}]
    said = run_head(details, unit_run(7, "FAIL"), 7, BERLIN)["disagreement"]
    assert said == "The tester said PASS to ripple, rule vbat (\u2264 55 mV) says FAIL."


def test_a_retest_counts_as_unrepaired_until_a_repair_was_booked() -> None:
    runs = [
        unit_run(1, "FAIL"),
        unit_run(2, "PASS", "ICT"),
        unit_run(3, "FAIL"),
        unit_run(4, "PASS", "Repair station"),
        unit_run(5, "PASS"),
        unit_run(6, "PASS"),
    ]
    assert unrepaired(runs) == {3}


def test_the_journey_marks_unrepaired_retests_and_shows_what_is_ahead() -> None:
    unit = life_of("FAIL", "PASS")["units"][0]
    unit["may_go_to"] = [
        {"procedure": "FCT", "allowed": True, "reason": "It may be run again."},
        {"procedure": "EOL", "allowed": False, "reason": "FCT comes before EOL."},
    ]
    for run in unit["runs"]:
        run |= {"agrees": None, "reported_outcome": None, "first_failure": "vcc"}
    lanes = journey(unit, 2, {}, BERLIN)
    assert [lane["procedure"] for lane in lanes] == ["FCT", "EOL"]
    first, second = lanes[0]["cards"]
    assert (first["retest"], second["retest"]) == (False, True)
    assert second["note"] == "1 min later \u00b7 no repair booked"
    assert lanes[1]["ahead"] == {"allowed": False, "reason": "FCT comes before EOL."}


def test_a_unit_may_go_to_what_it_has_not_been_at_yet() -> None:
    life = life_of("FAIL")
    unit = life["units"][0]
    assert unit_head("A", life, unit, BERLIN, NOW)["may_go"] is None
    eol = {"procedure": "EOL", "allowed": False, "reason": "FCT comes before EOL."}
    unit |= {"next_procedure": "FCT", "may_go_to": [{**eol, "procedure": "FCT"}, eol]}
    assert unit_head("A", life, unit, BERLIN, NOW)["may_go"] == eol

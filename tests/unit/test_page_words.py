"""Values, limits, bars and bytes as the unit page shows them."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from broker.messages import Comparator, Value
from ui.measurement_view import PASSED_ROWS, bar, rows
from ui.message_view import WHOLE_BYTES_MAX, excerpt
from ui.unit_journey import journey
from ui.unit_view import Clock, pick_unit, run_head, unit_head, unrepaired, way
from ui.wording import Scale, duration, limits_text, long_date, percent, thousands

BERLIN = Clock(ZoneInfo("Europe/Berlin"))
NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (4.446e-06, "F", "4.446 µF"),
        (61.8, "mV", "61.8 mV"),
        (28300.0, "Ohm", "28.3 kΩ"),
        (28.3, "kOhm", "28.3 kΩ"),
        (45.1, "uA", "45.1 µA"),
        (27.7, "degC", "27.7 °C"),
        (3.0, "units", "3 units"),
        (0.0, "V", "0 V"),
        (-0.00005, "A", "-50 µA"),
        (2.0, None, "2"),
        (123456789.0, "counts", "123456789 counts"),
        (True, None, "true"),
        ("ok", None, '"ok"'),
        (None, "V", "no value V"),
    ],
)
def test_a_value_has_a_readable_prefix(value: Value, unit: str | None, shown: str) -> None:
    scale = Scale(value, unit)
    assert f"{scale.value(value)} {scale.unit}".strip() == shown


@pytest.mark.parametrize(
    ("comparator", "low", "high", "nominal", "shown"),
    [
        ("GELE", 4.95, 5.05, None, "4.95 \u2013 5.05"),
        (None, 4.95, 5.05, None, "4.95 \u2013 5.05"),
        ("LE", 55.0, None, None, "≤ 55"),
        (None, None, 55.0, None, "≤ 55"),
        (None, 55.0, None, None, "≥ 55"),
        ("EQ", None, None, True, "= true"),
        ("IN", None, None, ["a", "b"], 'in "a", "b"'),
        ("LTGT", 1.0, 2.0, None, "outside 1 \u2013 2"),
        ("LOG", 1.0, 2.0, None, ""),
        (None, None, None, None, ""),
    ],
)
def test_limits_are_shown_in_signs(
    comparator: str | None, low: float | None, high: float | None, nominal: object, shown: str
) -> None:
    name = Comparator(comparator) if comparator else None
    assert limits_text(name, low, high, nominal, Scale(1.0, "V")) == shown


@pytest.mark.parametrize(
    ("share", "count", "shown"),
    [
        (None, 0, "\u2013"),
        (1.0, 3, "100"),
        (0.0, 3, "0"),
        (0.9999, 5000, "99.9"),
        (0.99999, 20000, "99.99"),
        (0.0001, 5000, "0.1"),
        (0.9871, 3715, "98.7"),
        (0.98712, 10_000, "98.71"),
    ],
)
def test_100_percent_is_shown_only_when_all_passed(
    share: float | None, count: int, shown: str
) -> None:
    assert percent(share, count) == shown


def test_lengths_of_time_have_two_units_at_most() -> None:
    lengths = (0.3, 42, 60, 3599, 6660, 86_400, 200_000)
    shown = [duration(each) for each in lengths]
    assert shown == ["0.3 s", "42 s", "1 min", "59 min", "1 h 51 min", "1 day", "2 days"]


def test_dates_and_counts_are_written_out() -> None:
    assert long_date(datetime(2024, 10, 12, tzinfo=UTC)) == "12 October 2024"
    assert thousands(23312) == "23\u202f312"


# Bars


def test_a_value_between_its_limits_stands_between_them() -> None:
    placed = bar(5.0, "GELE", 4.0, 6.0, holds=True)
    assert placed is not None
    assert placed.low is not None
    assert placed.high is not None
    assert placed.value == pytest.approx((placed.low + placed.high) / 2)


@pytest.mark.parametrize(("comparator", "value"), [("LE", 61.8), ("GE", 48.0)])
def test_a_broken_limit_stands_between_the_value_and_the_good_side(
    comparator: str, value: float
) -> None:
    placed = bar(value, comparator, 55.0, None, holds=False)
    assert placed is not None
    if comparator == "LE":
        assert placed.low is None
        assert placed.high is not None
        assert placed.value > placed.high
    else:
        assert placed.high is None
        assert placed.low is not None
        assert placed.value < placed.low


def test_a_value_far_away_stays_in_the_picture() -> None:
    for value in (1e300, -1e300):
        placed = bar(value, "GELE", 4.0, 6.0, holds=False)
        assert placed is not None
        assert 0 < placed.value < 210


@pytest.mark.parametrize(
    ("value", "comparator", "low", "high", "holds"),
    [
        (28300.0, "GELE", 28.0, 28.4, True),  # the limits are in another unit
        ("ok", "EQ", None, None, True),
        (True, "EQ", None, None, True),
        (None, "GELE", 1.0, 2.0, False),
        (5.0, "LTGT", 1.0, 2.0, True),
        (5.0, "", None, None, True),
        (5.0, "EQ", 5.0, None, True),
    ],
)
def test_no_picture_where_it_would_lie_or_say_nothing(
    value: Value, comparator: str, low: float | None, high: float | None, *, holds: bool
) -> None:
    assert bar(value, comparator, low, high, holds=holds) is None


# The table


def measured(name: str, outcome: str = "PASS", **changes: object) -> dict[str, Any]:
    return {
        "test_step": name,
        "measured_value": 5.0,
        "unit": "V",
        "outcome": outcome,
        "comparator": "GELE",
        "low": 4.0,
        "high": 6.0,
        "rule_id": None,
        "reason": None,
        "reported_outcome": None,
        "marginal": False,
        **changes,
    }


def more(*, agrees: bool | None = None) -> dict[str, Any]:
    return {"nominal": None, "agrees": agrees, "attributes": None}


def table(*measurements: dict[str, Any], everything: bool = False) -> list[dict[str, Any]]:
    made, _ = rows(measurements, [more()] * len(measurements), everything=everything)
    return [dict(each) for each in made]


def test_a_row_knows_which_of_its_name_it_is() -> None:
    made = table(measured("a", "FAIL"), measured("b"), measured("a"))
    assert [(row["step"], row["nth"]) for row in made] == [("a", 0), ("b", 0), ("a", 1)]


def test_what_is_not_pass_comes_first_and_then_the_order_of_the_test() -> None:
    names = [
        row["step"]
        for row in table(
            measured("a"),
            measured("b", "UNJUDGED"),
            measured("c", marginal=True),
            measured("d", "ERROR"),
            measured("e", "FAIL", measured_value=9.0),
            measured("f"),
        )
    ]
    assert names == ["e", "d", "c", "b", "a", "f"]


def test_of_thousands_that_passed_the_first_are_shown() -> None:
    many = [measured(f"s{i}", "FAIL" if i == 2000 else "PASS") for i in range(2410)]
    made, left_out = rows(many, [more()] * len(many), everything=False)
    assert len(made) == PASSED_ROWS + 1
    assert left_out == 2409 - PASSED_ROWS
    made, left_out = rows(many, [more()] * len(many), everything=True)
    assert (len(made), left_out) == (2410, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rule_id": "ecu-vbat", "reported_outcome": "PASS"}, "ecu-vbat"),
        ({"reported_outcome": "PASS"}, "tester"),
        ({}, "limits in the message"),
        ({"comparator": None, "low": None, "high": None}, "nobody"),
    ],
)
def test_the_table_says_who_decided(changes: dict[str, Any], said: str) -> None:
    assert table(measured("a", **changes))[0]["by"] == said


def test_a_tester_that_passes_what_its_own_limits_fail_is_drawn_as_it_is() -> None:
    odd = measured("a", measured_value=9.0, reported_outcome="PASS")
    made, _ = rows([odd], [more(agrees=False)], everything=False)
    assert made[0]["differs"] is True
    assert made[0]["bar"]["value"] > made[0]["bar"]["high"]


# The message


def message(steps: int, barcode: str = "A") -> bytes:
    measurements = [{"test_step": f"s{i % 5}", "measured_value": float(i)} for i in range(steps)]
    return json.dumps({"barcode": barcode, "measurements": measurements}).encode()


def test_a_message_is_shown_byte_for_byte_with_offsets() -> None:
    payload = message(9)
    part = excerpt(payload, "A", "s3", 0)
    assert part.is_whole
    assert "".join(line.text for line in part.lines).encode() == payload
    assert [payload[line.offset : line.offset + 4] for line in part.lines] == [
        line.text[:4].encode() for line in part.lines
    ]


def test_the_value_in_question_is_marked_also_where_its_name_repeats() -> None:
    part = excerpt(message(9), "A", "s3", 1)
    assert ['"measured_value": 8.0' in line.text for line in part.lines if line.marked] == [True]


def test_in_an_array_the_value_of_the_right_unit_is_marked() -> None:
    payload = b"[" + message(5, "A") + b"," + message(5, "B") + b"]"
    marked = [line for line in excerpt(payload, "B", "s3").lines if line.marked]
    assert len(marked) == 1
    assert marked[0].offset > len(payload) / 2


def test_of_a_long_message_only_what_stands_around_the_value_is_shown() -> None:
    payload = message(5000)
    assert len(payload) > WHOLE_BYTES_MAX
    part = excerpt(payload, "A", "s4", 500)
    assert not part.is_whole
    assert part.size_bytes == len(payload)
    assert sum(line.marked for line in part.lines) == 1
    assert part.lines[0].offset > 1000
    assert sum(len(line.text) for line in part.lines) < 10_000


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff\xfe", b'"test_step": "s3"', b"[" * 9])
def test_no_bytes_are_too_strange_to_show(payload: bytes) -> None:
    assert excerpt(payload, "A", "s3").size_bytes == len(payload)
    assert excerpt(payload, "A", None).size_bytes == len(payload)


# The unit


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

"""What a browser gets for the page of one machine."""

import sys
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.answers import Counts, Result
from broker.messages import Comparator, Outcome, State
from tests.support.live_floor import NOW, measured, model_of, only, result
from ui.alert_view import SHOWN_MAX, alert_cards, cards_of, floor_alerts
from ui.floor_view import floor_frame
from ui.machine_view import beyond, machine_frame, skew_s
from ui.watched_steps import RESULTS_MAX, WatchedSteps

NOW_S = NOW.timestamp()


def frame(*results: Result) -> dict[str, Any]:
    model = model_of(*results)
    return machine_frame(model, model.machines["FCT-1"], NOW_S)


# The verdict


def test_the_verdict_is_that_of_the_newest_run_with_what_failed_first() -> None:
    shown = frame(result(ago=9), result("FAIL"))["verdict"]
    assert (shown["outcome"], shown["step"], shown["value"], shown["limit"], shown["beyond"]) == (
        "FAIL",
        "vbat",
        "61.8 mV",
        "≤ 55",
        "6.8 above",
    )
    assert shown["bar"]["high"] < shown["bar"]["value"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": 61.8}, "6.8 above"),
        ({"value": 1.5, "comparator": "GE", "low": 2.0}, "0.5 below"),
        ({"value": 3e-6, "unit": "F", "comparator": "GELE", "low": 1e-6, "high": 2e-6}, "1 above"),
        ({"value": 61.8, "outcome": Outcome.ERROR}, ""),
        ({"value": "text"}, ""),
        ({"value": True}, ""),
        ({"value": None}, ""),
        ({"value": 5.0, "comparator": "EQ", "low": 4.0}, ""),
    ],
)
def test_how_far_a_value_is_beyond_its_limit_is_said_in_its_own_unit(
    changes: dict[str, Any], said: str
) -> None:
    assert beyond(measured(**changes)) == said


def test_earlier_attempts_are_those_of_the_same_unit_and_procedure() -> None:
    runs = [
        result("FAIL", barcode="A", ago=30),
        result("FAIL", barcode="B", ago=20, attempt=2),
        result("FAIL", barcode="A", ago=10, attempt=2),
        result("PASS", barcode="A", attempt=3),
    ]
    earlier = frame(*runs)["verdict"]["earlier"]
    assert [(each["mark"], each["value"], each["attempt"]) for each in earlier] == [
        ("F", "61.8 mV", 1),
        ("F", "61.8 mV", 2),
    ]


@given(
    st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.text() | st.none(),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([None, "F", "mV", "Hz", "Ohm"]),
    st.none() | st.sampled_from(Comparator),
    st.sampled_from(Outcome),
)
@example(3.2e-9, 4e-9, sys.float_info.max, "F", Comparator.GELE, Outcome.FAIL)
@example(sys.float_info.max, None, -sys.float_info.max, "F", Comparator.LE, Outcome.FAIL)
@example(-sys.float_info.max, sys.float_info.max, None, None, Comparator.GE, Outcome.FAIL)
def test_whatever_a_machine_measures_its_page_and_the_floor_can_show_it(
    value: object,
    low: float | None,
    high: float | None,
    unit: str | None,
    comparator: Comparator | None,
    outcome: Outcome,
) -> None:
    limits: dict[str, Any] = {"low": low, "high": high, "unit": unit, "comparator": comparator}
    one = measured(value=value, outcome=outcome, marginal=outcome is Outcome.PASS, **limits)
    model = model_of(result(outcome, measurements=(one,)))
    orjson.dumps(machine_frame(model, only(model), NOW_S))
    orjson.dumps(floor_frame(model, NOW_S), option=orjson.OPT_NON_STR_KEYS)


# The machine


def test_a_heartbeat_tells_how_far_the_clock_is_ahead() -> None:
    model = model_of(result())
    state = State.model_validate({"status": "online", "at": NOW + timedelta(seconds=90)})
    model.apply_state("FCT-1", "L1", state, NOW, retained=True)
    assert skew_s(only(model)) is None  # nobody knows when a retained state was said
    model.apply_state("FCT-1", "L1", state, NOW)
    assert skew_s(only(model)) == 90
    will = State.model_validate({"status": "offline", "at": NOW - timedelta(hours=1)})
    model.apply_state("FCT-1", "L1", will, NOW)  # its time is that of the connection's start
    assert skew_s(only(model)) == 90


def test_since_when_it_is_online_is_told_only_where_somebody_saw_it_come() -> None:
    model = model_of(result())
    online = State.model_validate({"status": "online", "at": NOW})
    model.apply_state("FCT-1", "L1", online, NOW, retained=True)  # a heartbeat, of whenever
    assert only(model).online_s == 0
    offline = State.model_validate({"status": "offline", "at": NOW})
    model.apply_state("FCT-1", "L1", offline, NOW + timedelta(seconds=5))
    model.apply_state("FCT-1", "L1", online, NOW + timedelta(seconds=9))
    assert only(model).online_s == NOW_S


def test_without_heartbeats_a_run_that_begins_after_it_arrived_shows_a_clock_ahead() -> None:
    assert skew_s(only(model_of(result(received_at=NOW)))) is None
    early = result(received_at=NOW - timedelta(seconds=30))
    assert skew_s(only(model_of(early))) == 30


def test_peers_run_the_same_procedure_with_the_machine_itself_on_top() -> None:
    runs = [result(machine_id=each, line=line) for each, line in (("A", "L2"), ("B", "L1"))]
    shown = frame(result(), result(machine_id="C", procedure="ICT"), *runs)["peers"]
    assert [(each["id"], each["tape"]) for each in shown] == [
        ("FCT-1", "P"),
        ("B", "P"),
        ("A", "P"),
    ]


# Values of a step


def watching() -> WatchedSteps:
    steps = WatchedSteps(lambda barcode: barcode.startswith("GOLD"))
    steps.watch("FCT-1")
    return steps


def test_a_watched_machines_values_of_a_step_come_with_their_limits() -> None:
    steps = watching()
    steps.take(result("FAIL", run_id=7))
    (value,) = steps.values("FCT-1", "vbat")
    assert value == {
        "run": 7,
        "at": NOW_S,
        "product": "P",
        "value": 61.8,
        "unit": "mV",
        "outcome": "FAIL",
        "low": 55.0,
        "high": None,
    }
    assert steps.values("FCT-1", "vcc") == []
    assert steps.values("FCT-2", "vbat") == []


def test_a_step_that_a_long_message_left_out_is_told_without_a_value() -> None:
    steps = watching()
    steps.take(result(run_id=7, counts=Counts(PASS=99), measurements_complete=False))
    assert steps.values("FCT-1", "vbat") == [{"run": 7, "at": NOW_S, "product": "P"}]


def test_what_is_no_number_and_golden_samples_are_not_drawn() -> None:
    steps = watching()
    steps.take(result("FAIL", measurements=(measured(value=True), measured(value="x"))))
    steps.take(result("FAIL", barcode="GOLD-1"))
    assert steps.values("FCT-1", "vbat") == []


def test_only_the_last_results_of_watched_machines_are_kept() -> None:
    steps = watching()
    for _ in range(RESULTS_MAX + 3):
        steps.take(result("FAIL"))
        steps.take(result("FAIL", machine_id="FCT-2"))
    assert len(steps.values("FCT-1", "vbat")) == RESULTS_MAX
    assert steps.values("FCT-2", "vbat") == []
    steps.keep_only({"FCT-9"})
    steps.take(result("FAIL"))
    assert steps.values("FCT-1", "vbat") == []


# What rings


def alert(number: int, severity: str, state: str = "open", machine: str = "M1") -> dict[str, Any]:
    return {
        "alert_id": number,
        "kind": "silent",
        "severity": severity,
        "subject": {"machine": machine, "step": None, "procedure": None},
        "line": "L1",
        "barcode": None,
        "message": "M1 is silent.",
        "state": state,
        "opened_at": f"2026-11-24T10:00:0{number}Z",
        "acknowledged_by": None,
        "evidence": [1, 2],
    }


def test_what_nobody_has_seen_comes_first_and_the_worst_before_the_newest() -> None:
    cards = alert_cards(
        [
            alert(1, "major"),
            alert(2, "minor", machine="M2"),
            alert(3, "critical", "acknowledged"),
            alert(4, "major"),
            alert(5, "critical", "shelved"),
        ]
    )
    assert [card["id"] for card in cards] == [4, 1, 2, 3, 5]
    assert [card["id"] for card in cards_of(cards, "M2")] == [2]


def test_the_alerts_of_a_machine_and_of_a_line_are_shown_however_many_others_have() -> None:
    others = [alert(each % 10, "critical") for each in range(SHOWN_MAX + 1)]
    cards = alert_cards([*others, alert(7, "minor", machine="M2") | {"line": "L2"}])
    assert [card["id"] for card in cards_of(cards, "M2")] == [7]
    assert cards_of(cards, "M1") == floor_alerts(cards, "")["alerts"] == cards[:SHOWN_MAX]
    assert floor_alerts(cards, "L1")["alerts"] == cards[:SHOWN_MAX]
    assert floor_alerts(cards, "L2")["alerts"] == [cards[-1], *cards[: SHOWN_MAX - 1]]


def test_a_tile_bears_its_alerts_also_where_they_have_no_card() -> None:
    foremost = [alert(each % 10, "critical") for each in range(SHOWN_MAX)]
    seen = alert(7, "major", "acknowledged", machine="M2")
    of_plant = alert(8, "minor") | {"subject": seen["subject"] | {"machine": None}}
    shown = floor_alerts(alert_cards([seen, of_plant, *foremost]), "")
    assert len(shown["alerts"]) == SHOWN_MAX
    (sign,) = shown["signs"]
    assert sign == ["M2", seen["kind"], "acknowledged", "major", seen["subject"]["step"]]
    assert floor_alerts(alert_cards(foremost), "")["signs"] == []

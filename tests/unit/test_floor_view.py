"""The live floor as it is shown: fresh or stale, tiles, the right column, what a result says."""

from datetime import timedelta

import pytest

from broker.answers import ResultMeasurement
from broker.messages import ReportedOutcome, State
from broker.plant_sections import MachineSettings
from tests.support.live_floor import NOW, PLANT, measured, model_of, only, result
from ui import floor_model
from ui.figures import stale_after_s, usual_interval_s
from ui.floor_machine import natural
from ui.floor_model import FloorModel
from ui.floor_view import floor_changes, floor_frame, tile
from ui.machine_view import machine_frame
from ui.seen import seen_of

# Freshness


def test_a_machine_becomes_stale_by_itself_after_the_plants_silence() -> None:
    model = model_of(result())
    now_s = NOW.timestamp()
    assert model.status(only(model), now_s + 60) == "live"
    assert model.status(only(model), now_s + 60.1) == "stale"


def test_a_slow_machine_is_stale_after_four_times_its_usual_interval() -> None:
    model = model_of(*(result(ago=100 * i) for i in range(9, -1, -1)))
    usual_s, stale_s = model.freshness(only(model))
    assert (usual_s, stale_s) == (100, 400)
    assert model.status(only(model), NOW.timestamp() + 399) == "live"
    assert model.status(only(model), NOW.timestamp() + 401) == "stale"


def test_a_machines_expected_interval_in_the_settings_beats_what_was_seen() -> None:
    known = {"FCT-1": MachineSettings(expected_interval_s=200)}
    model = FloorModel(PLANT, NOW, known)
    model.apply(result())
    assert model.freshness(only(model)) == (200, 800)


def test_a_panel_of_results_at_one_moment_is_one_beat() -> None:
    assert usual_interval_s([0, 0, 0, 0, 30, 30, 30, 60, 60]) == 30
    assert usual_interval_s([0, 0, 0]) is None
    assert usual_interval_s([0, 30]) is None
    assert stale_after_s(None, least_s=60, factor=4) == 60
    assert stale_after_s(10, least_s=60, factor=4) == 60


def test_the_last_will_makes_a_machine_offline_at_once() -> None:
    model = model_of(result())
    later = NOW + timedelta(seconds=5)
    model.apply_state("FCT-1", "L1", State(status="offline", at=NOW - timedelta(days=1)), later)
    assert model.status(only(model), later.timestamp()) == "offline"
    assert only(model).offline_s == later.timestamp()


def test_a_retained_last_will_holds_since_the_last_result() -> None:
    model = model_of(result(ago=600))
    said = State(status="offline", at=NOW - timedelta(days=1))
    model.apply_state("FCT-1", "L1", said, NOW, retained=True)
    assert only(model).offline_s == NOW.timestamp() - 600


def test_a_machine_that_speaks_is_not_offline_any_more() -> None:
    model = model_of(result(ago=9))
    model.apply_state("FCT-1", "L1", State(status="offline", at=NOW), NOW - timedelta(seconds=5))
    model.apply(result())
    assert model.status(only(model), NOW.timestamp()) == "live"


def test_online_ends_offline_and_keeps_the_agents_word() -> None:
    model = model_of(result(ago=9))
    model.apply_state("FCT-1", "L1", State(status="offline", at=NOW), NOW)
    said = State(status="online", at=NOW, agent={"spool_depth": 3})
    model.apply_state("FCT-1", "L1", said, NOW)
    assert only(model).offline_s is None
    assert only(model).agent == {"spool_depth": 3}


def test_a_machine_without_a_result_is_never_not_stale() -> None:
    model = FloorModel(PLANT, NOW)
    model.apply_state("FCT-9", "L1", State(status="online", at=NOW), NOW)
    assert model.status(only(model), NOW.timestamp() + 9999) == "never"
    assert tile(model, only(model), NOW.timestamp())["last"] is None


def test_a_state_without_offset_is_utc_and_never_in_the_future() -> None:
    model = FloorModel(PLANT, NOW)
    naive = NOW.replace(tzinfo=None) + timedelta(hours=2)
    model.apply_state("FCT-9", "L1", State(status="online", at=naive), NOW)
    assert only(model).online_s == NOW.timestamp()


# What stands on a tile


def test_the_tape_shows_pass_marginal_fail_error_and_unjudged() -> None:
    close = measured(outcome="PASS", marginal=True, value=54.0)
    results = [
        result(ago=5),
        result(ago=4, measurements=(close,)),
        result("FAIL", ago=3),
        result("ERROR", ago=2),
        result("UNJUDGED", ago=1),
    ]
    model = model_of(*results)
    shown = tile(model, only(model), NOW.timestamp())
    assert shown["tape"] == "PMFEU"
    assert (shown["errors"], shown["unjudged"], shown["fails"]) == (1, 1, 0)


def test_a_tile_shows_the_last_30_runs_and_the_machine_the_last_200() -> None:
    model = model_of(*(result("FAIL" if i < 180 else "PASS", ago=400 - i) for i in range(210)))
    assert tile(model, only(model), NOW.timestamp())["tape"] == "P" * 30
    page = machine_frame(model, only(model), NOW.timestamp())
    assert page["marks"] == "F" * 170 + "P" * 30
    assert len(page["runs"]) == 50
    assert page["runs"][0]["at"] > page["runs"][-1]["at"]


def test_fails_in_a_row_are_counted_from_the_newest() -> None:
    model = model_of(
        *(result(each, ago=9 - i) for i, each in enumerate(["FAIL", "PASS", "FAIL", "FAIL"]))
    )
    shown = tile(model, only(model), NOW.timestamp())
    assert shown["fails"] == 2
    assert shown["why"] == {
        "step": "vbat",
        "detail": "61.8 > 55 mV",
        "outcome": "FAIL",
        "value": "61.8 mV",
        "limit": "≤ 55",
    }


def test_a_yield_is_low_only_when_its_whole_interval_is() -> None:
    results = [result("FAIL" if i < 3 else "PASS") for i in range(30)]
    model = model_of(*results)
    shown = tile(model, only(model), NOW.timestamp())
    assert (shown["fpy"], shown["units"], shown["low"], shown["few"]) == ("90.0", 30, False, False)
    for _ in range(6):
        model.apply(result("FAIL"))
    assert tile(model, only(model), NOW.timestamp())["low"] is True


def test_few_units_are_said_to_be_few_and_never_low() -> None:
    model = model_of(*(result("FAIL") for _ in range(19)))
    shown = tile(model, only(model), NOW.timestamp())
    assert (shown["few"], shown["low"], shown["fpy"]) == (True, False, "0")


def test_many_marginal_runs_are_worth_saying() -> None:
    close = (measured(outcome="PASS", marginal=True),)
    results = [result(measurements=close if i % 2 else ()) for i in range(12)]
    model = model_of(*results)
    assert tile(model, only(model), NOW.timestamp())["marginal"] == 50
    fewer = model_of(*results[:8])
    assert tile(fewer, only(fewer), NOW.timestamp())["marginal"] is None


def test_the_rate_is_of_the_last_hour_or_since_the_first_run() -> None:
    model = model_of(*(result(ago=60 * i) for i in range(30)))
    assert tile(model, only(model), NOW.timestamp())["rate"] == pytest.approx(60, abs=3)
    assert only(model).rate_per_hour(NOW.timestamp() + 2 * 3600) is None


def test_runs_that_were_sent_late_do_not_look_like_a_burst() -> None:
    model = model_of(*(result(ago=60 * i, received_at=NOW) for i in range(29, -1, -1)))
    assert tile(model, only(model), NOW.timestamp())["rate"] == pytest.approx(60, abs=3)
    assert model.freshness(only(model))[0] == 60


# The right column


def test_failing_steps_count_units_and_say_where() -> None:
    model = model_of(
        result("FAIL", barcode="A", machine_id="FCT-2", ago=30),
        result("FAIL", barcode="A", machine_id="FCT-2", ago=20, attempt=2),
        result("FAIL", barcode="B", machine_id="FCT-2", ago=20),
        result("FAIL", barcode="C", machine_id="FCT-1", ago=20),
        result("FAIL", barcode="D", ago=9, first_failure="c17", measurements=(measured("c17"),)),
        result("FAIL", barcode="E", ago=3601),
    )
    assert model.failing_steps(NOW.timestamp()) == [
        ("vbat", 3, "FCT-2", 2),
        ("c17", 1, "FCT-1", 1),
    ]


def test_the_live_list_has_the_newest_on_top() -> None:
    model = model_of(*(result(ago=100 - i) for i in range(60)))
    live = floor_frame(model, NOW.timestamp())["live"]
    assert len(live) == floor_model.LIVE_RUNS_MAX
    assert [run["run"] for run in live] == sorted((run["run"] for run in live), reverse=True)


def test_changes_hold_the_changed_tiles_and_the_new_runs_only() -> None:
    model = model_of(result(machine_id="FCT-1"), result(machine_id="FCT-2"))
    assert model.drain() == {"FCT-1", "FCT-2"}
    model.apply(result(machine_id="FCT-2"))
    changed = model.drain()
    frame = floor_changes(model, changed, new_runs=1, now_s=NOW.timestamp())
    assert [each["id"] for each in frame["tiles"]] == ["FCT-2"]
    assert len(frame["live"]) == 1
    assert model.drain() == set()


def test_a_unit_that_moves_to_another_machine_changes_both_tiles() -> None:
    model = model_of(result("PASS", barcode="A", machine_id="FCT-1"))
    model.drain()
    model.apply(result("FAIL", barcode="A", machine_id="FCT-2", ago=60))
    assert model.drain() == {"FCT-1", "FCT-2"}


def test_machines_stand_in_the_order_of_the_process() -> None:
    order = ["SPI", "AOI", "ICT", "EOL"]
    results = [
        result(barcode=f"A{unit}", procedure=name, machine_id=f"{name}-1", ago=500 - unit - 10 * i)
        for unit in range(5)
        for i, name in enumerate(order)
    ]
    model = model_of(*reversed(results))
    model.rank_procedures()
    ((line, machines),) = model.lines()
    assert line == "L1"
    assert [each.machine_id for each in machines] == [f"{name}-1" for name in order]


def test_names_are_sorted_as_people_count() -> None:
    assert sorted(["FCT-12", "fct-2", "AOI-1"], key=natural) == ["AOI-1", "fct-2", "FCT-12"]


# What a result says


@pytest.mark.parametrize(
    ("measurement", "said"),
    [
        (measured(), "61.8 > 55 mV"),
        (measured(value=3.0, comparator="GE", low=4.5), "3 < 4.5 mV"),
        (measured(value=3.0, comparator="GELE", low=4.5, high=5.0), "3 < 4.5 mV"),
        (measured(value=6.0, comparator=None, low=None, high=5.0), "6 > 5 mV"),
        (measured(value=4.446e-6, unit="F", comparator="LE", low=4.44e-6), "4.446 > 4.44 µF"),
        (measured(value="bad", comparator="EQ", low=None), '"bad"'),
        (measured(value=False, comparator="EQ", low=None), "false"),
        (measured(value=5.0, comparator="LTGT", low=4.0, high=6.0), "5 mV"),
        (measured(value=None, outcome="ERROR", reason="no value"), "no value"),
    ],
)
def test_a_failure_is_explained_in_a_few_words(measurement: ResultMeasurement, said: str) -> None:
    outcome = str(measurement.outcome)
    seen = seen_of(result(outcome, measurements=(measurement,), first_failure=None))
    assert (seen.step, seen.detail) == ("vbat", said)


def test_the_first_failure_explains_a_run_not_the_first_that_is_listed() -> None:
    listed = (measured("a", outcome="ERROR", reason="no value"), measured("b"), measured("c"))
    seen = seen_of(result("FAIL", measurements=listed, first_failure="c"))
    assert seen.step == "c"


def test_a_result_without_its_measurements_still_names_the_step() -> None:
    seen = seen_of(result("FAIL", measurements=(), first_failure="vbat"))
    assert (seen.step, seen.detail) == ("vbat", "")


def test_what_the_tester_said_is_kept() -> None:
    said = seen_of(result("FAIL", reported_outcome=ReportedOutcome.PASS, agrees=False))
    assert (said.reported_outcome, said.agrees) == ("PASS", False)

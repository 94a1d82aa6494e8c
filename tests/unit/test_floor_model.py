"""The live floor: what counts, what does not, and what changes by itself."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.messages import (
    Outcome,
    ReportedOutcome,
    Result,
    ResultMeasurement,
    State,
)
from broker.plant_sections import LineSettings, MachineSettings, PlantSettings
from service.store.queries.arithmetic import shift_at
from service.store.queries.machine_history import ProgramChange
from service.store.queries.retests import RetestTime
from tests.support.live_floor import NOW, PLANT, measured, model_of, only, result
from ui import floor_model, shift_units
from ui.figures import (
    Tally,
    rolled_yield,
    shift_label,
    stale_after_s,
    usual_interval_s,
)
from ui.floor_model import FloorModel, natural
from ui.floor_view import floor_changes, floor_frame, tile
from ui.machine_view import machine_frame
from ui.seen import seen_of

BERLIN = ZoneInfo("Europe/Berlin")

# Yields


def test_first_pass_yield_counts_units_and_not_rows() -> None:
    model = model_of(
        result("FAIL", barcode="A", ago=30),
        result("FAIL", barcode="A", attempt=2, ago=20),
        result("PASS", barcode="A", attempt=3, ago=10),
        result("PASS", barcode="B"),
    )
    assert model.runs == 4
    assert model.total == Tally(units=2, first_passed=1, last_passed=2)
    assert model.total.first_pass_yield == 0.5
    assert model.total.final_yield == 1.0


@pytest.mark.parametrize("outcome", ["ERROR", "UNJUDGED", "FAIL"])
def test_a_first_run_without_pass_counts_against_the_yield(outcome: str) -> None:
    assert model_of(result(outcome)).total.first_pass_yield == 0.0


def test_a_unit_counts_once_at_each_procedure() -> None:
    model = model_of(
        result(barcode="A", procedure="ICT", ago=9), result("FAIL", barcode="A", procedure="FCT")
    )
    assert model.unit_count == 1
    assert model.total.units == 2
    rolled = rolled_yield(model.by_line["L1"].values())
    assert rolled is not None
    assert rolled.value == 0.0


def test_the_rolled_yield_of_a_line_is_the_product_of_its_procedures() -> None:
    results = [result(barcode=f"A{i}", procedure="ICT", ago=50) for i in range(4)]
    results += [result("FAIL" if i else "PASS", barcode=f"A{i}") for i in range(2)]
    results += [result("FAIL", barcode="A9", procedure="ICT")]
    rolled = rolled_yield(model_of(*results).by_line["L1"].values())
    assert rolled is not None
    assert rolled.value == pytest.approx(4 / 5 * 1 / 2)


def test_one_unjudged_unit_at_a_new_procedure_makes_the_rolled_yield_few_and_says_where() -> None:
    sure = [result(barcode=f"A{i}", procedure="ICT", ago=99) for i in range(60)]
    line = floor_frame(model_of(*sure), NOW.timestamp())["lines"][0]
    assert (line["rty"], line["few"], line["least"]) == ("100", False, None)
    new = result("UNJUDGED", barcode="A0", procedure="BURN")
    line = floor_frame(model_of(*sure, new), NOW.timestamp())["lines"][0]
    assert (line["rty"], line["few"]) == ("0", True)
    assert line["rty_interval"] == "0 \u2013 79.3"
    assert line["least"] == {"procedure": "BURN", "units": 1}


def test_the_interval_of_a_rolled_yield_is_that_of_the_worked_example() -> None:
    rolled = rolled_yield([Tally(12, 11), Tally(), Tally(12, 9)])
    assert rolled is not None
    assert (round(rolled.low, 3), round(rolled.high, 3)) == (0.382, 0.846)
    assert rolled_yield([Tally()]) is None


def test_two_products_with_one_barcode_are_two_units() -> None:
    model = model_of(result(barcode="A", product_id="P"), result(barcode="A", product_id="Q"))
    assert model.unit_count == 2


def test_a_retest_of_a_unit_of_an_earlier_shift_is_a_retest_but_no_unit() -> None:
    model = model_of(result(barcode="A", attempt=2))
    assert model.total.units == 0
    assert (model.runs, model.retests) == (1, 1)


def test_a_run_of_an_earlier_shift_is_shown_but_not_counted() -> None:
    model = model_of(result("FAIL", ago=5 * 3600, received_at=NOW))
    assert (model.runs, model.total.units) == (0, 0)
    assert only(model).tape[-1] == "F"
    assert only(model).last_s == NOW.timestamp()


def test_a_result_seen_in_the_database_and_live_counts_once() -> None:
    twice = result()
    model = FloorModel(PLANT, NOW)
    assert model.take(seen_of(twice))
    assert not model.apply(twice)
    assert model.runs == 1
    assert len(only(model).tape) == 1


def test_the_first_run_is_the_earliest_not_the_first_to_arrive() -> None:
    late = result("FAIL", barcode="A", ago=100, machine_id="FCT-2")
    model = model_of(result("PASS", barcode="A", ago=10, machine_id="FCT-1"), late)
    assert model.total == Tally(units=1, first_passed=0, last_passed=1)
    assert model.machines["FCT-1"].tally.units == 0
    assert model.machines["FCT-2"].tally == Tally(units=1, first_passed=0, last_passed=1)


def test_any_order_of_arrival_gives_the_same_yields() -> None:
    runs = [
        result(outcome, barcode="A", ago=ago, attempt=1)
        for outcome, ago in (("FAIL", 3000), ("ERROR", 2000), ("PASS", 1000), ("FAIL", 0))
    ]
    found = [model_of(*order) for order in permutations(runs)]
    assert all(each.total == Tally(1, 0, 0) for each in found)
    filled = [{at: tally for at, tally in each.buckets.items() if tally.units} for each in found]
    assert all(each == filled[0] for each in filled)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(Outcome), st.integers(0, 3)), max_size=30)
)
def test_the_books_of_the_tallies_agree(runs: list[tuple[int, Outcome, int]]) -> None:
    model = model_of(
        *(
            result(str(outcome), barcode=f"A{unit}", machine_id=f"M-{machine}", ago=unit * 700)
            for unit, outcome, machine in runs
        )
    )
    for share in ("units", "first_passed", "last_passed"):
        total = getattr(model.total, share)
        assert total == sum(getattr(each.tally, share) for each in model.machines.values())
        assert total == sum(getattr(each, share) for each in model.buckets.values())
        by_line = (tally for line in model.by_line.values() for tally in line.values())
        assert total == sum(getattr(each, share) for each in by_line)
    assert model.total.units == len({unit for unit, _, _ in runs})


def test_a_clock_that_is_ahead_falls_in_the_last_quarter_hour() -> None:
    model = model_of(result(timestamp=NOW + timedelta(days=1), received_at=NOW))
    assert list(model.buckets) == [31]
    assert tile(model, only(model), NOW.timestamp())["rate"] == 60


def test_each_quarter_hour_has_its_own_yield() -> None:
    model = model_of(result(ago=3600), result("FAIL", ago=3500), result(ago=0))
    points = floor_frame(model, NOW.timestamp())["trend"]["points"]
    assert [(point[1], point[4]) for point in points] == [(50.0, 2), (100.0, 1)]
    assert points[0][0] == (NOW - timedelta(hours=1)).timestamp()


# Shifts


def test_a_new_shift_begins_with_nothing_but_the_tape() -> None:
    model = model_of(result("FAIL", barcode="A"))
    model.drain()
    assert not model.roll(NOW + timedelta(hours=3, minutes=59))
    assert model.roll(NOW + timedelta(hours=4))
    assert (model.runs, model.unit_count, model.total.units) == (0, 0, 0)
    assert only(model).tally.units == 0
    assert list(only(model).tape) == ["F"]
    assert model.drain() == {"FCT-1"}


def test_failures_of_the_last_hour_survive_the_change_of_shift() -> None:
    model = model_of(result("FAIL"), now=NOW)
    model.roll(NOW + timedelta(hours=4))
    assert model.failing_steps(NOW.timestamp() + 60) == [("vbat", 1, "FCT-1", 1)]


@pytest.mark.parametrize(
    ("moment", "label", "hours"),
    [
        (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), "22:00 \u2013 06:00", 7),
        (datetime(2026, 10, 25, 2, 30, tzinfo=UTC), "22:00 \u2013 06:00", 9),
        (datetime(2026, 11, 24, 5, 0, tzinfo=UTC), "06:00 \u2013 14:00", 8),
        (datetime(2026, 11, 24, 4, 59, 59, tzinfo=UTC), "22:00 \u2013 06:00", 8),
        (datetime(2026, 11, 24, 21, 0, tzinfo=UTC), "22:00 \u2013 06:00", 8),
    ],
)
def test_shifts_follow_the_plants_clock(moment: datetime, label: str, hours: int) -> None:
    shift = shift_at(moment, BERLIN, PLANT.shift_starts)
    assert shift_label(shift, BERLIN) == label
    assert shift.start.astimezone(UTC) <= moment < shift.end.astimezone(UTC)
    assert shift.end.timestamp() - shift.start.timestamp() == hours * 3600


def test_a_plant_with_one_shift_has_days() -> None:
    shift = shift_at(NOW, ZoneInfo("UTC"), ("00:00",))
    assert (shift.start.day, shift.end.day) == (24, 25)


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


# Bounds


def test_units_beyond_the_limit_push_the_oldest_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shift_units, "UNITS_MAX", 10)
    model = model_of(*(result(barcode=f"A{i}") for i in range(50)))
    assert len(model._units._units) == 10
    assert model.total.units == 50


def test_run_ids_beyond_the_limit_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor_model, "RUN_IDS_MAX", 10)
    model = model_of(*(result() for _ in range(50)))
    assert len(model._run_ids) == 10


def test_machines_beyond_the_limit_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor_model, "MACHINES_MAX", 3)
    model = model_of(*(result(machine_id=f"M-{i}") for i in range(9)))
    assert len(model.machines) == 3


def test_a_thousand_minutes_of_runs_keep_two_hours_at_most() -> None:
    model = FloorModel(PLANT, NOW)
    for i in range(1000, -1, -1):
        model.apply(result(ago=60 * i))
    assert len(only(model).minutes) <= 121
    assert len(only(model).runs) == floor_model.RUNS_MAX


def test_a_step_name_that_never_repeats_does_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(floor_model, "STEPS_MAX", 5)
    model = model_of(
        *(
            result("FAIL", first_failure=f"s{i}", measurements=(measured(f"s{i}"),))
            for i in range(20)
        )
    )
    assert len(only(model).steps) == 5


# Arithmetic


def test_nothing_has_no_yield() -> None:
    assert Tally().first_pass_yield is None
    assert rolled_yield([]) is None
    shown = floor_frame(FloorModel(PLANT, NOW), NOW.timestamp())
    assert shown["kpi"]["fpy"] == "\u2013"
    assert shown["tiles"] == shown["lines"] == shown["trend"]["points"] == []


# Figures of plant and lines


def figures(*results: Result, lines: dict[str, LineSettings] | None = None) -> dict[str, Any]:
    model = FloorModel(PLANT, NOW, lines=lines)
    for each in results:
        model.apply(each)
    return floor_frame(model, NOW.timestamp())


def test_each_line_has_its_own_six_figures() -> None:
    runs = [
        result(barcode="A"),
        result("FAIL", barcode="B"),
        result("PASS", barcode="B", attempt=2),
        result("ERROR", barcode="C", machine_id="X", line="L2"),
    ]
    shown = figures(*runs)
    first, second = (each["kpi"] for each in shown["lines"])
    assert [first[name] for name in ("parts", "runs", "retests", "errors", "open")] == [
        2,
        3,
        1,
        0,
        0,
    ]
    assert [second[name] for name in ("parts", "runs", "retests", "errors")] == [1, 1, 0, 1]
    assert [shown["kpi"][name] for name in ("parts", "runs", "retests", "errors")] == [3, 4, 1, 1]


def test_units_are_held_against_the_plan_of_the_lines_that_have_one() -> None:
    lines = {"L1": LineSettings(plan_per_hour=10)}
    runs = [result(), result(), result(machine_id="X", line="L2")]
    shown = figures(*runs, lines=lines)
    hours = 4  # of the shift from 06:00 to 14:00
    assert shown["kpi"]["plan"] == {"done": 2, "due": 10 * hours, "all": 80, "without": ["L2"]}
    assert shown["lines"][0]["kpi"]["plan"]["done"] == 2
    assert shown["lines"][1]["kpi"]["plan"] is None
    assert figures(*runs)["kpi"]["plan"] is None


def test_a_planned_break_is_no_work() -> None:
    plant = PlantSettings(breaks=("09:00-09:30", "13:00-13:30"))
    model = FloorModel(plant, NOW, lines={"L1": LineSettings(plan_per_hour=10)})
    model.apply(result())
    assert floor_frame(model, NOW.timestamp())["kpi"]["plan"] == {
        "done": 1,
        "due": 35,
        "all": 70,
        "without": [],
    }


def test_a_lines_rolled_yield_is_low_when_its_whole_interval_is_below_its_target() -> None:
    runs = [result("FAIL" if i < 10 else "PASS") for i in range(60)]
    for target, is_low in ((95, True), (80, False), (None, False)):
        lines = {"L1": LineSettings(target_rty_percent=target)}
        line = figures(*runs, lines=lines)["lines"][0]
        assert (line["low"], line["goal"]) == (is_low, target)


def test_what_retests_took_is_that_of_the_lines_shown() -> None:
    model = model_of(result(), result(machine_id="X", line="L2"))
    model.retest_times = {"L1": RetestTime(2, 90.0), "L2": RetestTime(1, 30.0)}
    shown = floor_frame(model, NOW.timestamp())
    assert (shown["kpi"]["retests_timed"], shown["kpi"]["retest_s"]) == (3, 120)
    assert shown["lines"][0]["kpi"]["retest_s"] == 90
    model.roll(NOW + timedelta(hours=8))
    assert floor_frame(model, NOW.timestamp())["kpi"]["retest_s"] == 0


def test_the_trend_names_the_programs_that_changed_this_shift() -> None:
    model = model_of(result())
    at = NOW - timedelta(hours=1)
    model.program_changes = [
        ProgramChange(at, "FCT-1", "fct", "2.4"),
        ProgramChange(at, "FCT-2", None, None),
    ]
    programs = floor_frame(model, NOW.timestamp())["trend"]["programs"]
    assert [(each["machine"], each["name"]) for each in programs] == [
        ("FCT-1", "2.4"),
        ("FCT-2", "not named"),
    ]
    model.roll(NOW + timedelta(hours=8))
    assert floor_frame(model, NOW.timestamp())["trend"]["programs"] == []

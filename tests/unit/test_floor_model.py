"""The live floor: which runs and units count, in which shift, and how much is kept."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.messages import Outcome
from service.store.queries.arithmetic import shift_at
from tests.support.live_floor import NOW, PLANT, measured, model_of, only, result
from ui import floor_machine, floor_model, shift_units
from ui.figures import Tally, rolled_yield, shift_label
from ui.floor_model import FloorModel
from ui.floor_view import floor_frame, tile
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


# Bounds


def test_units_beyond_the_limit_push_the_oldest_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shift_units, "UNITS_MAX", 10)
    model = model_of(*(result(barcode=f"A{i}") for i in range(50)))
    assert len(model.units._units) == 10
    assert model.total.units == 50


def test_units_that_are_let_go_stay_counted_and_their_retests_change_no_yield() -> None:
    model = model_of(result("FAIL", barcode="A"), result(barcode="B"))
    model.forget_units()
    model.apply(result(barcode="A", attempt=2))
    assert (model.total.units, model.total.last_passed, model.unit_count) == (2, 1, 2)
    assert model.retests == 1


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
    assert len(only(model).runs) == floor_machine.RUNS_MAX


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

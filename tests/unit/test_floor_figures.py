"""The figures of plant and lines: yields, plans, retests, programs that changed."""

from datetime import timedelta
from typing import Any

from broker.answers import Result
from broker.plant_sections import LineSettings, PlantSettings
from service.store.queries.machine_history import ProgramChange
from service.store.queries.retests import RetestTime
from tests.support.live_floor import NOW, PLANT, model_of, result
from ui.floor_model import FloorModel
from ui.floor_view import floor_frame


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

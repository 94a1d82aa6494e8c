"""The live floor of one line, and the targets that its yields are held against."""

from datetime import timedelta

from broker.plant_sections import LineSettings, MachineSettings, PlantSettings, ProductSettings
from service.store.queries.machine_history import ProgramChange
from tests.support.live_floor import NOW, PLANT, measured, result
from ui.floor_model import FloorModel
from ui.floor_view import floor_frame, line_part


def test_trends_and_failing_steps_can_be_those_of_one_line() -> None:
    model = FloorModel(PLANT, NOW, lines={"L1": LineSettings(target_fpy_percent=80)})
    elsewhere = result(
        "FAIL",
        machine_id="X",
        line="L2",
        first_failure="led",
        measurements=(measured("led"),),
        attempt=2,
    )
    for run in (result("FAIL", ago=1000), result(), elsewhere):
        model.apply(run)
    model.program_changes = [
        ProgramChange(NOW, "FCT-1", "fct", "2"),
        ProgramChange(NOW, "X", "x", None),
    ]
    shown = line_part(model, "L1", NOW.timestamp())
    assert [(point[1], point[4]) for point in shown["trend"]["points"]] == [(0.0, 1), (100.0, 1)]
    assert (shown["trend"]["target"], shown["of"]) == (80, "L1")
    assert [each["machine"] for each in shown["trend"]["programs"]] == ["FCT-1"]
    assert shown["steps"] == [("vbat", 1, "FCT-1", 1)]
    assert shown["sparks"]["fpy_spark"] == [0.0, 100.0]
    other = line_part(model, "L2", NOW.timestamp())
    assert (other["trend"]["points"], other["trend"]["target"]) == ([], 95)
    assert other["sparks"]["retest_spark"] == [100.0]
    assert line_part(model, "L9", NOW.timestamp())["steps"] == []
    whole = floor_frame(model, NOW.timestamp())
    assert whole["of"] == ""
    assert len(whole["steps"]) == 2


def test_a_tile_is_held_against_the_target_of_its_machine_or_of_the_products_it_ran() -> None:
    model = FloorModel(
        PLANT,
        NOW,
        {"FCT-2": MachineSettings(target_fpy_percent=70)},
        {"L1": LineSettings(target_fpy_percent=96)},
        products={"P": ProductSettings(target_fpy_percent=99)},
    )
    for run in (result(), result(machine_id="FCT-2"), result(machine_id="FCT-3", product_id="Q")):
        model.apply(run)
    shown = floor_frame(model, NOW.timestamp())
    assert {each["id"]: each["target"] for each in shown["tiles"]} == {
        "FCT-1": 99,
        "FCT-2": 70,
        "FCT-3": 96,
    }
    assert (shown["kpi"]["target"], shown["lines"][0]["kpi"]["target"]) == (95, 96)
    model.roll(NOW + timedelta(hours=8))  # nothing was run in the next shift yet
    assert floor_frame(model, NOW.timestamp())["tiles"][0]["target"] == 96


def test_golden_samples_are_shown_and_left_out_of_every_yield() -> None:
    model = FloorModel(PlantSettings(golden_barcodes=("GOLD-*",)), NOW)
    model.apply(result("FAIL", barcode="GOLD-1"))
    model.apply(result())
    shown = floor_frame(model, NOW.timestamp())
    assert (shown["kpi"]["units"], shown["kpi"]["fpy"], shown["kpi"]["runs"]) == (1, "100", 1)
    assert shown["tiles"][0]["tape"] == "FP"
    assert shown["steps"] == []

"""Live results of a floor that has a machine, and the model they make."""

from datetime import UTC, datetime, timedelta
from itertools import count

from broker.answers import Counts, Result, ResultMeasurement
from broker.messages import Comparator, Outcome
from broker.plant_sections import PlantSettings
from ui.floor_machine import Machine
from ui.floor_model import FloorModel

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
"""In the shift from 06:00 to 14:00."""
PLANT = PlantSettings()
_numbers = count(1)


def measured(step: str = "vbat", value: object = 61.8, **changes: object) -> ResultMeasurement:
    fields = {
        "test_step": step,
        "measured_value": value,
        "unit": "mV",
        "outcome": Outcome.FAIL,
        "comparator": Comparator.LE,
        "low": 55.0,
        "high": None,
        "rule_id": "r",
        "reason": None,
        "reported_outcome": None,
        "marginal": False,
    }
    return ResultMeasurement.model_validate({**fields, **changes})


def result(outcome: str = "PASS", **changes: object) -> Result:
    """A result at NOW, minus `ago` seconds; received as it began, unless said otherwise."""
    began = NOW - timedelta(seconds=float(str(changes.pop("ago", 0))))
    number = next(_numbers)
    failed = outcome == "FAIL"
    fields = {
        "message_id": f"m{number}",
        "run_id": number,
        "barcode": f"SN-{number}",
        "machine_id": "FCT-1",
        "line": "L1",
        "product_id": "P",
        "procedure": "FCT",
        "outcome": outcome,
        "reported_outcome": None,
        "agrees": None,
        "timestamp": began,
        "received_at": began,
        "attempt": 1,
        "first_failure": "vbat" if failed else None,
        "rulebook_version": 1,
        "clock_suspect": False,
        "counts": Counts(PASS=1),
        "measurements": (measured(),) if failed else (),
        "measurements_complete": True,
    }
    return Result.model_validate({**fields, **changes})


def model_of(*results: Result, plant: PlantSettings = PLANT, now: datetime = NOW) -> FloorModel:
    model = FloorModel(plant, now)
    for each in results:
        model.apply(each)
    return model


def only(model: FloorModel) -> Machine:
    (machine,) = model.machines.values()
    return machine

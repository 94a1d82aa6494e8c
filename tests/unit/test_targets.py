"""Which first pass yield is aimed at."""

import pytest

from broker.plant_sections import LineSettings, MachineSettings, PlantSettings, ProductSettings
from broker.settings import Settings
from broker.targets import Targets, target_fpy_percent, targets_of

TARGETS = Targets(
    PlantSettings(target_fpy_percent=95),
    {"FCT-1": MachineSettings(target_fpy_percent=90), "FCT-2": MachineSettings()},
    {
        "ECU": ProductSettings(target_fpy_percent=97),
        "BCM": ProductSettings(target_fpy_percent=92),
        "NEW": ProductSettings(target_fpy_percent=0),
        "PLAIN": ProductSettings(),
    },
    {"L1": LineSettings(target_fpy_percent=96), "L2": LineSettings()},
)


@pytest.mark.parametrize(
    ("machine_id", "product_ids", "line", "target"),
    [
        (None, [], None, 95),  # the plant's
        (None, [], "L1", 96),  # the line's before it
        (None, [], "L2", 95),
        (None, [], "L9", 95),
        (None, ["ECU"], "L1", 97),  # the product's before that
        (None, ["PLAIN"], "L1", 96),
        (None, ["UNHEARD"], "L2", 95),
        ("FCT-1", ["ECU"], "L1", 90),  # the machine's before all
        ("FCT-1", [], None, 90),
        ("FCT-2", ["ECU"], "L1", 97),
        ("FCT-2", [], "L1", 96),
        ("FCT-9", [], None, 95),
        ("FCT-2", ["ECU", "BCM"], "L1", 92),  # of several products the lowest
        ("FCT-2", ["ECU", "PLAIN"], "L1", 96),  # one without a target has the line's
        ("FCT-2", ["ECU", "NEW"], "L1", 0),  # 0 is a target, too
    ],
)
def test_the_target_is_that_of_the_machine_the_product_the_line_or_the_plant(
    machine_id: str | None, product_ids: list[str], line: str | None, target: float
) -> None:
    assert target_fpy_percent(TARGETS, machine_id, product_ids, line) == target


def test_settings_without_any_of_them_have_the_plants() -> None:
    assert target_fpy_percent(targets_of(Settings()), "FCT-1", ["ECU"], "L1") == 95

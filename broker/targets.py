"""Which first pass yield is aimed at: a machine's, a product's, a line's, the plant's. Pure."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from broker.plant_sections import LineSettings, MachineSettings, PlantSettings, ProductSettings
from broker.settings import Settings

_UNLISTED_MACHINE: Final = MachineSettings()
_UNLISTED_PRODUCT: Final = ProductSettings()
_UNLISTED_LINE: Final = LineSettings()


class Targets(NamedTuple):
    """What the settings say of yields: of the plant, and of those that they list by name."""

    plant: PlantSettings
    machines: Mapping[str, MachineSettings] = MappingProxyType({})
    products: Mapping[str, ProductSettings] = MappingProxyType({})
    lines: Mapping[str, LineSettings] = MappingProxyType({})


def targets_of(settings: Settings) -> Targets:
    """Return what the settings say of yields."""
    return Targets(settings.plant, settings.machines, settings.products, settings.lines)


def target_fpy_percent(
    targets: Targets,
    machine_id: str | None = None,
    product_ids: Collection[str] = (),
    line: str | None = None,
) -> float:
    """Return the first pass yield to reach, in percent: the first that is set.

    That of the machine, of the product, of the line, of the plant. Whoever is not listed, or is
    None, has none of its own.

    Args:
        targets: See `targets_of`.
        machine_id: Where the units were tested, if they are those of one machine.
        product_ids: What they are. Of several the lowest counts: a mix is not called low for what
            one of them need not reach.
        line: Where the machine stands.
    """
    own = targets.machines.get(machine_id or "", _UNLISTED_MACHINE).target_fpy_percent
    if own is not None:
        return own
    of_line = targets.lines.get(line or "", _UNLISTED_LINE).target_fpy_percent
    general = targets.plant.target_fpy_percent if of_line is None else of_line
    products = (targets.products.get(each, _UNLISTED_PRODUCT) for each in product_ids)
    aims = (each.target_fpy_percent for each in products)
    return min((general if each is None else each for each in aims), default=general)

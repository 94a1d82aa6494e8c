"""The first pass yields that groups of units are held against. Pure: no I/O."""

from dataclasses import replace

from broker.targets import Targets, target_fpy_percent
from service.store.queries.filters import Filters
from service.store.queries.mixes import Mixes


def names_machines(filters: Filters, group: str) -> bool:
    """Tell whether what machines tested is asked for: one is chosen, or each is a group."""
    return group == "machine" or filters.machine_id is not None


def has_finer_targets(targets: Targets) -> bool:
    """Tell whether any product or line has a target of its own."""
    of_products = (each.target_fpy_percent for each in targets.products.values())
    of_lines = (each.target_fpy_percent for each in targets.lines.values())
    return any(each is not None for each in (*of_products, *of_lines))


def group_target(
    targets: Targets, filters: Filters, mixes: Mixes, group: str, name: str | None
) -> float:
    """Return the first pass yield that one group should reach, in percent.

    Args:
        targets: What the settings say.
        filters: What was chosen.
        mixes: What machines tested; may be empty where nobody needs it.
        group: What is grouped by; of a time, a fixture … the target is that of what was chosen.
        name: The group's.
    """
    if group == "machine":
        filters = replace(filters, machine_id=name)
    elif group == "product":
        filters = replace(filters, product_id=name)
    elif group == "line":
        filters = replace(filters, line=name)
    return chosen_target(targets, filters, mixes)


def chosen_target(targets: Targets, chosen: Filters, mixes: Mixes) -> float:
    """Return the first pass yield that all units chosen should reach together, in percent."""
    machine_id, product_id, line = chosen.machine_id, chosen.product_id, chosen.line
    tested = mixes.get(machine_id, frozenset()) if machine_id is not None else frozenset()
    aims = [
        target_fpy_percent(targets, machine_id, [each.product_id], each.line)
        for each in tested
        if product_id in {None, each.product_id} and line in {None, each.line}
    ]
    products = [] if product_id is None else [product_id]
    return min(aims, default=target_fpy_percent(targets, machine_id, products, line))

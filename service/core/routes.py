"""May this unit be run here? From its runs, its product's route and the settings. Pure: no I/O.

What a person reads is why, in one sentence, so the reason is made where the decision is.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from broker.messages import Outcome
from broker.plant_sections import ProductSettings
from broker.settings import Settings

_UNLISTED = ProductSettings()


class Progress(NamedTuple):
    """How far a unit is at one procedure."""

    runs: int
    """1 or more."""
    last_outcome: Outcome
    """Of the last of them, by start time."""


class KnownUnit(NamedTuple):
    """A unit and its runs; one that nobody has tested yet has no progress."""

    barcode: str
    product_id: str
    progress: Mapping[str, Progress]
    """By procedure, in the order of their first runs."""

    def has_passed(self, procedure: str) -> bool:
        """Tell whether its last run there was PASS; ERROR and UNJUDGED are not."""
        known = self.progress.get(procedure)
        return known is not None and known.last_outcome is Outcome.PASS


class Permission(NamedTuple):
    """Whether a unit may be run at a procedure."""

    procedure: str
    allowed: bool
    reason: str
    """Why, or why not: one sentence."""


def may_run(
    settings: Settings, unit: KnownUnit, procedure: str, machine_id: str | None = None
) -> Permission:
    """Tell whether a unit may be run at a procedure now.

    A golden sample may always. Else the machine must run the procedure, where the settings say what
    it runs; the procedure must be on the product's route, and every one before it must have passed,
    where the product has a route; and the unit must have a retest left, where these are limited.

    Args:
        settings: `plant.golden_barcodes`, `machines.ID.procedures`, `products.ID`.
        unit: What is known of it.
        procedure: What is about to be run.
        machine_id: Where; None: anywhere.
    """
    if settings.plant.is_golden(unit.barcode):
        return Permission(procedure, allowed=True, reason="A golden sample may be run anywhere.")
    product = settings.products.get(unit.product_id, _UNLISTED)
    refusal = (
        _wrong_machine(settings, procedure, machine_id)
        or _wrong_time(product.route, unit, procedure)
        or _too_often(product.retests_max, unit, procedure)
    )
    if refusal is not None:
        return Permission(procedure, allowed=False, reason=refusal)
    reason = _why_allowed(product.route, unit, procedure)
    return Permission(procedure, allowed=True, reason=reason)


def next_procedure(settings: Settings, unit: KnownUnit) -> str | None:
    """Return the first procedure of its route that it has not passed; None: no route, or done."""
    route = settings.products.get(unit.product_id, _UNLISTED).route
    return next((each for each in route if not unit.has_passed(each)), None)


def may_go_to(settings: Settings, unit: KnownUnit) -> list[Permission]:
    """Return whether a unit may be run, for each procedure of its product's route, in its order.

    Without a route: for each procedure that it was run at.
    """
    route = settings.products.get(unit.product_id, _UNLISTED).route
    return [may_run(settings, unit, each) for each in route or unit.progress]


def _wrong_machine(settings: Settings, procedure: str, machine_id: str | None) -> str | None:
    machine = settings.machines.get(machine_id) if machine_id is not None else None
    if machine is None or not machine.procedures or procedure in machine.procedures:
        return None
    return f"{machine_id} runs {', '.join(machine.procedures)}, not {procedure}."


def _wrong_time(route: Sequence[str], unit: KnownUnit, procedure: str) -> str | None:
    if not route:
        return None
    if procedure not in route:
        return f"{procedure} is not on the route of {unit.product_id}: {', '.join(route)}."
    for before in route[: route.index(procedure)]:
        known = unit.progress.get(before)
        if known is None:
            return f"{before} comes before {procedure}, and was not run."
        if not unit.has_passed(before):
            return f"{before} comes before {procedure}, and its last run was {known.last_outcome}."
    return None


def _too_often(retests_max: int | None, unit: KnownUnit, procedure: str) -> str | None:
    known = unit.progress.get(procedure)
    if retests_max is None or known is None or known.runs <= retests_max:
        return None
    return f"It has had {_counted(known.runs, 'run')} of {procedure}, and no retest is left."


def _why_allowed(route: Sequence[str], unit: KnownUnit, procedure: str) -> str:
    known = unit.progress.get(procedure)
    if known is not None and unit.has_passed(procedure):
        return f"It has passed {procedure} already, and may be run again."
    if known is not None:
        return f"Its last run of {procedure} was {known.last_outcome}; it may be run again."
    if not route:
        return f"{unit.product_id} has no route: any procedure may be run."
    before = route[: route.index(procedure)]
    if not before:
        return f"{procedure} is the first procedure of {unit.product_id}."
    return f"It has passed what comes before {procedure}: {', '.join(before)}."


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"

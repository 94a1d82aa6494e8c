"""One test at one simulated machine: the values it measures and the message it makes of them.

Pure: no I/O, no clock; chance is an argument.
"""

from dataclasses import dataclass
from random import Random
from typing import Final
from zlib import crc32

import orjson

from service.simulator.life import Life, Message
from service.simulator.plant import Line, Machine, Shape, Step

_NEVER_GOOD_SHARE: Final = 0.12
"""Of the units that fail; the others pass at the second attempt."""
_SHIFT_S: Final = 7_200
"""How long one operator stays at a machine."""


@dataclass(slots=True)
class Unit:
    """One unit on its way."""

    barcode: str
    panel: Message | None = None
    """The panel it is on, and its position there."""
    defect: str | None = None
    """The step that it fails at every attempt."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Where and when a unit is tested. Times are offsets from the start."""

    line: Line
    machine: Machine
    fixture: str
    number: int
    """1 is the first."""
    began_s: float
    ended_s: float


def run_test(unit: Unit, attempt: Attempt, life: Life, random: Random) -> Message:
    """Test a unit: return the Run, or the flat Measurement, that the machine makes of it.

    A unit found to be really bad is marked so.
    """
    machine = attempt.machine
    bad_step = _bad_step(unit, attempt, random)
    measurements = [_measure(attempt, step, bad_step, random) for step in machine.steps]
    if machine.shape is Shape.FLAT:
        return {
            "barcode": unit.barcode,
            "product_id": attempt.line.product_id,
            "procedure": machine.procedure,
            **measurements[0],
            "timestamp": life.moment(attempt.ended_s),
        }
    said = {measurement["reported_outcome"] for measurement in measurements}
    product = attempt.line.product_id
    return {
        "barcode": unit.barcode,
        "machine_id": machine.machine_id,
        "product_id": product,
        "procedure": machine.procedure,
        "started_at": life.moment(attempt.began_s),
        "ended_at": life.moment(attempt.ended_s),
        "reported_outcome": next((word for word in ("FAIL", "ERROR") if word in said), "PASS"),
        **({"panel": unit.panel} if unit.panel else {}),
        "program": f"{product}_{machine.procedure}".lower().replace("-", ""),
        "program_version": "2.3",
        "operator": _operator(attempt),
        "fixture": attempt.fixture,
        "measurements": measurements,
    }


def spoil(run: Message, random: Random) -> Message | bytes:
    """Return a run as a machine's trouble makes it: cut off on its way, or with no barcode."""
    if random.random() < 0.5:  # noqa: PLR2004 - heads or tails
        whole = orjson.dumps(run)
        return whole[: int(len(whole) * random.uniform(0.2, 0.8))]
    kept = {name: value for name, value in run.items() if name != "sequence"}
    return {**kept, "barcode": "", "message_id": f"{run['message_id']}-unread"}


def _bad_step(unit: Unit, attempt: Attempt, random: Random) -> str | None:
    """Decide which step fails in this attempt; None: none, except by drift."""
    if unit.defect:
        return unit.defect
    machine = attempt.machine
    contact = machine.troubles.bad_contact
    if contact and contact.fixture == attempt.fixture and random.random() < contact.share:
        return contact.test_step
    if attempt.number > 1 or random.random() >= machine.fail_share:
        return None
    names = [step.test_step for step in machine.steps if step.can_fail]
    # A few steps make most of the failures, as everywhere.
    weights = [1 / place for place in range(1, len(names) + 1)]
    name = random.choices(names, weights)[0]
    if random.random() < _NEVER_GOOD_SHARE:
        unit.defect = name
    return name


def _measure(attempt: Attempt, step: Step, bad_step: str | None, random: Random) -> Message:
    troubles, name = attempt.machine.troubles, step.test_step
    gap = troubles.no_value
    if gap and gap.test_step == name and random.random() < gap.share:
        nothing = {"measured_value": None, **step.limits(), "reported_outcome": "ERROR"}
        return {"test_step": name, **nothing}
    shift = 0.0
    if troubles.drift and troubles.drift.test_step == name:
        shift = troubles.drift.shift(attempt.ended_s)
    value = step.bad(random) if name == bad_step else step.good(random, shift)
    outcome = "PASS" if step.passes(value) else "FAIL"
    return {
        "test_step": name,
        "measured_value": value,
        **step.limits(),
        "reported_outcome": outcome,
    }


def _operator(attempt: Attempt) -> str:
    """Return the badge of who works there."""
    turn = int(attempt.ended_s // _SHIFT_S) + crc32(attempt.machine.machine_id.encode())
    return f"op-{101 + turn % 12}"

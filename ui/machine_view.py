"""What a browser gets of one machine, for its own page: values ready for JSON. Pure: no I/O."""

import sys
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from broker.messages import Outcome
from ui.floor_machine import Machine
from ui.floor_model import FloorModel
from ui.floor_view import TILE_RUNS, live_run, tile
from ui.measurement_view import bar, sides
from ui.seen import Seen
from ui.wording import Scale, Telling, percent

Frame: TypeAlias = dict[str, Any]

STEPS_SHOWN: Final = 5
PEERS_MAX: Final = 40
EARLIER_MAX: Final = 3


def machine_frame(model: FloorModel, machine: Machine, now_s: float) -> Frame:
    """Return one machine as its own page needs it."""
    tally = machine.tally
    return {
        "tile": tile(model, machine, now_s),
        "marks": "".join(machine.tape),
        "runs": [live_run(seen) for seen in reversed(machine.runs)],
        "verdict": verdict(machine.runs) if machine.runs else None,
        "online": machine.online_s,
        "agent": machine.agent,
        "agent_said": machine.agent_s,
        "skew": skew_s(machine),
        "final": percent(tally.final_yield, tally.units),
        "failing": tally.units - tally.last_passed,
        "runs_shift": sum(machine.outcomes.values()),
        "retests": machine.retests,
        "outcomes": dict(machine.outcomes),
        "steps": machine.steps.most_common(STEPS_SHOWN),
        "peers": peers(model, machine),
    }


def verdict(runs: Sequence[Seen]) -> Frame:
    """Return the newest of a machine's runs, oldest first, with all that stands beside it.

    `earlier` are those before it of the same unit and procedure at this machine, oldest first.
    """
    last = runs[-1]
    same = [each for each in runs if _is_same_unit(each, last) and each is not last]
    return {
        **live_run(last),
        "value": last.value,
        "limit": last.limit,
        "product": last.product_id,
        "procedure": last.procedure,
        "beyond": beyond(last.telling) if last.telling else "",
        "bar": _bar(last.telling) if last.telling else None,
        "earlier": [
            {"run": each.run_id, "mark": each.mark, "value": each.value, "attempt": each.attempt}
            for each in same[-EARLIER_MAX:]
        ],
    }


def beyond(measurement: Telling) -> str:
    """Return how far a failed value is beyond its limit, such as `6.8 above`; empty: not told."""
    value, low, high = measurement.measured_value, measurement.low, measurement.high
    if measurement.outcome is not Outcome.FAIL or not isinstance(value, float):
        return ""
    lower, upper = sides(str(measurement.comparator or ""), low, high)
    scale = Scale(value, measurement.unit)
    if upper is not None and value > upper:
        return f"{scale.number(min(value - upper, sys.float_info.max))} above"
    if lower is not None and value < lower:
        return f"{scale.number(min(lower - value, sys.float_info.max))} below"
    return ""


def _bar(measurement: Telling) -> Frame | None:
    placed = bar(
        measurement.measured_value,
        str(measurement.comparator or ""),
        measurement.low,
        measurement.high,
        holds=measurement.outcome is Outcome.PASS,
    )
    return placed._asdict() if placed else None


def skew_s(machine: Machine) -> float | None:
    """Return how far the machine's clock is ahead of ours, in seconds; None: it cannot be told.

    By the newest heartbeat. Without one only a clock that is ahead shows: a run cannot begin after
    its result arrived.
    """
    if machine.skew_s is not None:
        return round(machine.skew_s, 2)
    ahead = max((each.started_s - each.received_s for each in machine.runs), default=0.0)
    return round(ahead, 2) if ahead > 0 else None


def peers(model: FloorModel, machine: Machine) -> list[Frame]:
    """Return the machines that run the same procedure, itself among them, with their tapes."""
    if machine.last is None:
        return []
    procedure = machine.last.procedure
    same = [each for each in model.machines.values() if each.last and _runs(each, procedure)]
    same.sort(key=lambda each: (each is not machine, each.line != machine.line, each.machine_id))
    return [
        {
            "id": each.machine_id,
            "line": each.line,
            "tape": "".join(each.tape)[-TILE_RUNS:],
            "product": each.last.product_id if each.last else None,
        }
        for each in same[:PEERS_MAX]
    ]


def _runs(machine: Machine, procedure: str) -> bool:
    return machine.last is not None and machine.last.procedure == procedure


def _is_same_unit(seen: Seen, other: Seen) -> bool:
    return (seen.barcode, seen.product_id, seen.procedure) == (
        other.barcode,
        other.product_id,
        other.procedure,
    )

"""What a browser gets of the floor model: plain values, ready for JSON. Pure: no I/O.

Times are seconds since 1970 UTC: the browser counts ages itself, so that a silent machine changes
its look even when the server is gone.
"""

from collections.abc import Iterable
from math import prod
from typing import Any, Final, TypeAlias

from service.store.queries.arithmetic import wilson_interval
from service.store.queries.machine_history import ProgramChange
from ui.floor_figures import (
    buckets_of,
    line_figures,
    plant_figures,
    rolled_facts,
    sparks,
    yield_facts,
)
from ui.floor_machine import Machine
from ui.floor_model import BUCKET_S, FloorModel
from ui.seen import Seen

Frame: TypeAlias = dict[str, Any]

TILE_RUNS: Final = 30
MARGINAL_SHARE: Final = 0.3
_MARGINAL_RUNS_MIN: Final = 10
_CANDIDATE_STEPS: Final = 5


def floor_frame(model: FloorModel, now_s: float) -> Frame:
    """Return the whole floor: what a browser needs that has seen nothing yet.

    A browser that looks at one line gets `line_part` with it.
    """
    return {
        "tiles": [tile(model, machine, now_s) for machine in model.machines.values()],
        "live": [live_run(seen) for seen in reversed(model.live)],
        **floor_figures(model, now_s),
    }


def floor_changes(model: FloorModel, changed: Iterable[str], new_runs: int, now_s: float) -> Frame:
    """Return what changed: some tiles, the newest runs, and all figures of the floor."""
    machines = [model.machines[each] for each in sorted(changed) if each in model.machines]
    newest = list(reversed(model.live))[:new_runs]
    return {
        "tiles": [tile(model, machine, now_s) for machine in machines],
        "live": [live_run(seen) for seen in newest],
        **floor_figures(model, now_s),
    }


def floor_figures(model: FloorModel, now_s: float) -> Frame:
    """Return the figures of the shift, the lines, the trend and the failing steps."""
    return {
        "kpi": plant_figures(model, now_s),
        "lines": [_line(model, line, machines, now_s) for line, machines in model.lines()],
        **line_part(model, "", now_s),
    }


def line_part(model: FloorModel, line: str, now_s: float) -> Frame:
    """Return trends and failing steps of one line; '' is the plant."""
    return {
        "sparks": sparks(model, line),
        "trend": _trend(model, line),
        "steps": model.failing_steps(now_s, _CANDIDATE_STEPS, line),
        "of": line,
    }


def tile(model: FloorModel, machine: Machine, now_s: float) -> Frame:
    """Return one machine as its tile and its attention card need it."""
    usual_s, stale_s = model.freshness(machine)
    recent = list(machine.tape)[-TILE_RUNS:]
    last = machine.last
    rate = machine.rate_per_hour(now_s)
    return {
        "id": machine.machine_id,
        "line": machine.line,
        "tape": "".join(recent),
        **yield_facts(machine.tally, model.target_percent(machine)),
        "rate": None if rate is None else round(rate),
        "last": machine.last_s,
        "stale": stale_s,
        "usual": usual_s,
        "offline": machine.offline_s,
        "procedure": last.procedure if last else None,
        "run": last.run_id if last else None,
        "fails": machine.trailing("F"),
        "errors": recent.count("E"),
        "unjudged": recent.count("U"),
        "marginal": _marginal_percent(recent),
        "why": _newest_words(machine, "F"),
        "odd": _newest_words(machine, "EU"),
    }


def live_run(seen: Seen) -> Frame:
    """Return one run for a list of runs."""
    return {
        "run": seen.run_id,
        "machine": seen.machine_id,
        "barcode": seen.barcode,
        "outcome": str(seen.outcome),
        "mark": seen.mark,
        "step": seen.step,
        "detail": seen.detail,
        "attempt": seen.attempt,
        "reported": seen.reported_outcome,
        "agrees": seen.agrees,
        "at": seen.received_s,
        "started": seen.started_s,
    }


def _line(model: FloorModel, line: str, machines: list[Machine], now_s: float) -> Frame:
    tallies, known = model.by_line.get(line, {}), model.lines_known.get(line)
    rates = [machine.rate_per_hour(now_s) for machine in machines]
    units = model.line_units[line]
    products = [machine.last.product_id for machine in machines if machine.last]
    return {
        "line": line,
        "product": max(set(products), key=lambda each: (products.count(each), each), default=""),
        "products": len(set(products)),
        "units": units,
        **rolled_facts(tallies, units, known.target_rty_percent if known else None),
        "rate": round(max((rate for rate in rates if rate is not None), default=0.0)),
        "spark": _line_spark(model, line),
        "machines": [machine.machine_id for machine in machines],
        "kpi": line_figures(model, line, machines, now_s),
    }


def _line_spark(model: FloorModel, line: str) -> list[float]:
    points = []
    for (each, _), tallies in sorted(model.line_buckets.items(), key=lambda item: item[0][1]):
        shares = [tally.first_pass_yield for tally in tallies.values() if each == line]
        known = [share for share in shares if share is not None]
        if known:
            points.append(round(prod(known) * 100, 1))
    return points


def _trend(model: FloorModel, line: str) -> Frame:
    """Return the first pass yield of each 15 minutes with its interval, in percent."""
    points = []
    for bucket, tally in sorted(buckets_of(model, line).items()):
        interval = wilson_interval(tally.first_passed, tally.units)
        share = tally.first_pass_yield
        if interval and share is not None:
            at_s = model.start_s + bucket * BUCKET_S
            low, high = interval
            points.append(
                [at_s, *(round(each * 100, 2) for each in (share, low, high)), tally.units]
            )
    return {
        "start": model.start_s,
        "end": model.end_s,
        "step": BUCKET_S,
        "target": model.line_target_percent(line),
        "points": points,
        "programs": [
            _program(each)
            for each in model.program_changes
            if not line or _line_of(model, each.machine_id) == line
        ],
    }


def _line_of(model: FloorModel, machine_id: str) -> str | None:
    machine = model.machines.get(machine_id)
    return machine.line if machine else None


def _program(change: ProgramChange) -> Frame:
    name = change.program_version or change.program or "not named"
    return {"at": change.at.timestamp(), "machine": change.machine_id, "name": name}


def _marginal_percent(recent: list[str]) -> int | None:
    """Return how many percent of the last runs were marginal, when that is worth saying."""
    if len(recent) < _MARGINAL_RUNS_MIN:
        return None
    share = recent.count("M") / len(recent)
    return round(share * 100) if share >= MARGINAL_SHARE else None


def _newest_words(machine: Machine, marks: str) -> Frame | None:
    """Return step and detail of the machine's newest run that bears one of `marks`."""
    for seen in reversed(machine.runs):
        if seen.mark in marks:
            words = {"step": seen.step, "detail": seen.detail, "outcome": str(seen.outcome)}
            return {**words, "value": seen.value, "limit": seen.limit}
    return None

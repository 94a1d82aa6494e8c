"""What a browser gets of the floor model: plain values, ready for JSON. Pure: no I/O.

Times are seconds since 1970 UTC: the browser counts ages itself, so that a silent machine changes
its look even when the server is gone.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from service.store.queries.arithmetic import wilson_interval
from ui.figures import Tally, rolled_yield
from ui.floor_model import BUCKET_S, FloorModel, Machine
from ui.seen import Seen
from ui.wording import EN_DASH, percent

Frame: TypeAlias = dict[str, Any]

TILE_RUNS: Final = 30
FEW_UNITS: Final = 20
FAILS_IN_A_ROW: Final = 3
NO_VERDICT_RUNS: Final = 3
MARGINAL_SHARE: Final = 0.3
_MARGINAL_RUNS_MIN: Final = 10
_CANDIDATE_STEPS: Final = 5


def floor_frame(model: FloorModel, now_s: float) -> Frame:
    """Return the whole floor: what a browser needs that has seen nothing yet."""
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
        "kpi": _kpi(model),
        "lines": [_line(model, line, machines, now_s) for line, machines in model.lines()],
        "trend": _trend(model),
        "steps": model.failing_steps(now_s, _CANDIDATE_STEPS),
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
        **_yield(machine.tally, model.plant.target_fpy_percent),
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


def _yield(tally: Tally, target_percent: float) -> Frame:
    """Return a first pass yield with its doubt; it is low only when the whole interval is."""
    interval = wilson_interval(tally.first_passed, tally.units)
    high = interval[1] if interval else 1.0
    return {
        "fpy": percent(tally.first_pass_yield, tally.units),
        "units": tally.units,
        "interval": _interval_words(interval),
        "low": tally.units >= FEW_UNITS and high * 100 < target_percent,
        "few": tally.units < FEW_UNITS,
        "target": target_percent,
    }


def _kpi(model: FloorModel) -> Frame:
    total = model.total
    return {
        **_yield(total, model.plant.target_fpy_percent),
        "final": percent(total.final_yield, total.units),
        "open": total.units - total.last_passed,
        "parts": model.unit_count,
        "procedures": len({each for line in model.by_line.values() for each in line}),
        "runs": model.runs,
        "retests": model.retests,
        "retest_percent": percent(model.retests / model.runs if model.runs else None, model.runs),
        "errors": model.errors,
        "unjudged": model.unjudged,
        "fpy_spark": _spark(model.buckets, first=True),
        "final_spark": _spark(model.buckets, first=False),
        "unit_spark": [tally.units for _, tally in sorted(model.buckets.items())],
        "retest_spark": [
            round(retests / runs * 100, 2)
            for _, (runs, retests) in sorted(model.run_buckets.items())
        ],
    }


def _spark(buckets: dict[int, Tally], *, first: bool) -> list[float]:
    shares = [
        each.first_pass_yield if first else each.final_yield for _, each in sorted(buckets.items())
    ]
    return [round(share * 100, 2) for share in shares if share is not None]


def _line(model: FloorModel, line: str, machines: list[Machine], now_s: float) -> Frame:
    tallies = model.by_line.get(line, {})
    rates = [machine.rate_per_hour(now_s) for machine in machines]
    units = model.line_units[line]
    products = [machine.last.product_id for machine in machines if machine.last]
    return {
        "line": line,
        "product": max(set(products), key=lambda each: (products.count(each), each), default=""),
        "products": len(set(products)),
        "units": units,
        **_rolled(tallies, units),
        "rate": round(max((rate for rate in rates if rate is not None), default=0.0)),
        "spark": _line_spark(model, line),
        "machines": [machine.machine_id for machine in machines],
    }


def _rolled(tallies: Mapping[str, Tally], units: int) -> Frame:
    """Return a line's rolled yield with its doubt.

    A product is as sure as its least sure factor: one unit at a new procedure can make it 0 %. So
    it is few when the units of any procedure are, and `least` names that one.
    """
    known = {name: tally for name, tally in tallies.items() if tally.units}
    rolled = rolled_yield(known.values())
    least = min(known, key=lambda name: (known[name].units, name), default=None)
    is_few = least is None or known[least].units < FEW_UNITS
    return {
        "rty": percent(rolled and rolled.value, units),
        "rty_interval": _interval_words(rolled and rolled[1:]),
        "few": is_few,
        "least": {"procedure": least, "units": known[least].units} if least and is_few else None,
    }


def _interval_words(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return ""
    low, high = interval
    return f"{percent(low, 0)} {EN_DASH} {percent(high, 0)}"


def _line_spark(model: FloorModel, line: str) -> list[float]:
    points = []
    for (each, _), tallies in sorted(model.line_buckets.items(), key=lambda item: item[0][1]):
        rolled = rolled_yield(tallies.values()) if each == line else None
        if rolled is not None:
            points.append(round(rolled.value * 100, 1))
    return points


def _trend(model: FloorModel) -> Frame:
    """Return the first pass yield of each 15 minutes with its interval, in percent."""
    points = []
    for bucket, tally in sorted(model.buckets.items()):
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
        "target": model.plant.target_fpy_percent,
        "points": points,
    }


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

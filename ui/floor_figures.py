"""The figures of the shift, of the plant and of each line: values ready for JSON. Pure: no I/O."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from service.store.queries.arithmetic import wilson_interval
from ui.figures import Tally, rolled_yield
from ui.floor_machine import Machine
from ui.floor_model import FloorModel
from ui.plan import worked_h
from ui.wording import EN_DASH, percent

Frame: TypeAlias = dict[str, Any]

FEW_UNITS: Final = 20


def yield_facts(tally: Tally, target_percent: float) -> Frame:
    """Return a first pass yield with its doubt; it is low only when the whole interval is."""
    interval = wilson_interval(tally.first_passed, tally.units)
    high = interval[1] if interval else 1.0
    return {
        "fpy": percent(tally.first_pass_yield, tally.units),
        "units": tally.units,
        "interval": interval_words(interval),
        "low": tally.units >= FEW_UNITS and high * 100 < target_percent,
        "few": tally.units < FEW_UNITS,
        "target": target_percent,
    }


def plant_figures(model: FloorModel, now_s: float) -> Frame:
    """Return the six figures of the plant."""
    machines = list(model.machines.values())
    procedures = len({each for line in model.by_line.values() for each in line})
    target = model.plant.target_fpy_percent
    counted = _Counted(model.total, model.unit_count, procedures, target)
    return {
        **_figures(model, counted, machines, list(model.by_line)),
        "plan": plan(model, model.line_units, now_s),
    }


def sparks(model: FloorModel, line: str) -> Frame:
    """Return where the figures were going, of one line or ('') the plant."""
    tallies = buckets_of(model, line)
    runs: dict[int, tuple[int, int]] = {}
    for (each, bucket), (tests, retests) in model.run_buckets.items():
        if line in {"", each}:
            before = runs.get(bucket, (0, 0))
            runs[bucket] = before[0] + tests, before[1] + retests
    return {
        "fpy_spark": _spark(tallies, first=True),
        "final_spark": _spark(tallies, first=False),
        "unit_spark": [tally.units for _, tally in sorted(tallies.items())],
        "retest_spark": [
            round(again / tests * 100, 2) for _, (tests, again) in sorted(runs.items())
        ],
    }


def buckets_of(model: FloorModel, line: str) -> Mapping[int, Tally]:
    """Return the units of each 15 minutes, of one line or ('') the plant."""
    if not line:
        return model.buckets
    return {
        bucket: add_tallies(tallies.values())
        for (each, bucket), tallies in model.line_buckets.items()
        if each == line
    }


def line_figures(model: FloorModel, line: str, machines: Sequence[Machine], now_s: float) -> Frame:
    """Return the six figures of one line."""
    tallies = model.by_line.get(line, {})
    target = model.line_target_percent(line)
    counted = _Counted(add_tallies(tallies.values()), model.line_units[line], len(tallies), target)
    return {
        **_figures(model, counted, machines, [line]),
        "plan": plan(model, {line: model.line_units[line]}, now_s),
    }


def plan(model: FloorModel, units: Mapping[str, int], now_s: float) -> Frame | None:
    """Return units against plan, of the lines that have one; None: none has.

    `done` units were first tested on them this shift, `due` should be by now and `all` by the end
    of the shift, planned breaks left out. `without` names the lines that have units and no plan.
    """
    per_hour = {line: known.plan_per_hour for line, known in model.lines_known.items()}
    rates = {line: rate for line, rate in per_hour.items() if rate and line in units}
    if not rates:
        return None
    due_h, all_h = (
        worked_h(model.start_s, min(end_s, model.end_s), model.zone, model.plant.breaks)
        for end_s in (int(now_s), model.end_s)
    )
    return {
        "done": sum(units[line] for line in rates),
        "due": round(sum(rates.values()) * due_h, 1),
        "all": round(sum(rates.values()) * all_h, 1),
        "without": sorted(line for line, count in units.items() if count and line not in rates),
    }


def rolled_facts(tallies: Mapping[str, Tally], units: int, target_percent: float | None) -> Frame:
    """Return a line's rolled yield with its doubt; it is low only when the whole interval is.

    A product is as sure as its least sure factor: one unit at a new procedure can make it 0 %. So
    it is few when the units of any procedure are, and `least` names that one.
    """
    known = {name: tally for name, tally in tallies.items() if tally.units}
    rolled = rolled_yield(known.values())
    least = min(known, key=lambda name: (known[name].units, name), default=None)
    is_few = least is None or known[least].units < FEW_UNITS
    is_low = (
        rolled is not None and target_percent is not None and rolled.high * 100 < target_percent
    )
    return {
        "rty": percent(rolled and rolled.value, units),
        "rty_interval": interval_words(rolled and rolled[1:]),
        "few": is_few,
        "low": is_low and not is_few,
        "goal": target_percent,
        "least": {"procedure": least, "units": known[least].units} if least and is_few else None,
    }


def interval_words(interval: tuple[float, float] | None) -> str:
    """Return an interval, 0 to 1, in percent, such as `97.4 - 99.6`; empty: there is none."""
    if interval is None:
        return ""
    low, high = interval
    return f"{percent(low, 0)} {EN_DASH} {percent(high, 0)}"


@dataclass(frozen=True, slots=True)
class _Counted:
    """Units, as plant and line count them, and the first pass yield they should reach."""

    total: Tally
    parts: int
    procedures: int
    target_percent: float


def _figures(
    model: FloorModel, counted: _Counted, machines: Iterable[Machine], lines: Iterable[str]
) -> Frame:
    total, outcomes, retests = counted.total, Counter[str](), 0
    for machine in machines:
        outcomes.update(machine.outcomes)
        retests += machine.retests
    runs = outcomes.total()
    timed = [model.retest_times[line] for line in lines if line in model.retest_times]
    return {
        **yield_facts(total, counted.target_percent),
        "final": percent(total.final_yield, total.units),
        "open": total.units - total.last_passed,
        "parts": counted.parts,
        "procedures": counted.procedures,
        "runs": runs,
        "retests": retests,
        "retest_percent": percent(retests / runs if runs else None, runs),
        "retests_timed": sum(each.runs for each in timed),
        "retest_s": round(sum(each.seconds for each in timed)),
        "errors": outcomes["E"],
        "unjudged": outcomes["U"],
    }


def add_tallies(tallies: Iterable[Tally]) -> Tally:
    """Return units at several procedures together."""
    found = Tally()
    for each in tallies:
        found.units += each.units
        found.first_passed += each.first_passed
        found.last_passed += each.last_passed
    return found


def _spark(buckets: Mapping[int, Tally], *, first: bool) -> list[float]:
    shares = [
        each.first_pass_yield if first else each.final_yield for _, each in sorted(buckets.items())
    ]
    return [round(share * 100, 2) for share in shares if share is not None]

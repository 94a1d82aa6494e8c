"""The worked example of docs/judgement.md and docs/statistics.md, by the product's own functions.

Twelve units at two procedures: docs/examples/psu-12.csv, judged by the rulebook beside it.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from broker.messages import Outcome
from service.core.capability import Bounds, Capability, capability_of
from service.core.distribution import Histogram, histogram_of
from service.core.intervals import Estimate
from service.core.judge import judge
from service.core.lookup import Rulebook
from service.core.pareto import Pareto, StepFailures, rank_steps
from service.core.records import DecodedRun, JudgedMeasurement, JudgedRun
from service.core.spc import ControlChart, individuals_chart
from service.core.spc_rules import NELSON, ChartSignal, find_signals
from service.core.whatif import ChangedRun, HistoricRun, Report, WhatIf
from service.core.yields import (
    UnitFacts,
    YieldCounts,
    Yields,
    count_units,
    defects_per_million,
    estimate_rolled_throughput,
    yields_of,
)
from service.rulebook import parse_rulebook
from tests.support.core import decode_all
from tests.support.paths import ROOT

FOLDER: Final = ROOT / "docs/examples"
PAGES: Final = (ROOT / "docs/judgement.md", ROOT / "docs/statistics.md")
PRODUCT: Final = "PSU-12"
PROCEDURES: Final = ("ICT", "FCT")
VOUT: Final = Bounds(11.88, 12.12)
"""What the rulebook asks of vout, in V; a test compares."""


def messages() -> list[dict[str, Any]]:
    """Return the Runs of the CSV file, in time order; a row of it is one measurement."""
    with (FOLDER / "psu-12.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    key = itemgetter("started_at", "machine_id", "procedure", "barcode", "run_reported")
    return [
        _message(key(group[0]), group) for group in (list(each) for _, each in groupby(rows, key))
    ]


def _message(head: Sequence[str], rows: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    started_at, machine_id, procedure, barcode, reported = head
    return {
        "started_at": started_at,
        "machine_id": machine_id,
        "procedure": procedure,
        "barcode": barcode,
        "product_id": PRODUCT,
        "reported_outcome": reported,
        "measurements": [
            {
                "test_step": row["test_step"],
                "measured_value": float(row["measured_value"]),
                "unit": row["unit"],
                "reported_outcome": row["step_reported"],
            }
            for row in rows
        ],
    }


def rulebook(name: str) -> Rulebook:
    """Return one of the two rulebooks: psu-12.toml, or psu-12-draft.toml."""
    return Rulebook(1, parse_rulebook((FOLDER / name).read_text("utf-8"), name))


@cache
def judged(name: str = "psu-12.toml") -> tuple[JudgedRun, ...]:
    """Return all runs in time order, as a rulebook judges them."""
    rules = rulebook(name)
    runs = []
    for message in messages():
        (run,) = decode_all(message, f"factory/v1/line-1/{message['machine_id']}/test")
        assert isinstance(run, DecodedRun), run
        runs.append(judge(run, rules))
    return tuple(runs)


def measurements(runs: Iterable[JudgedRun]) -> list[JudgedMeasurement]:
    """Return the measurements of runs, in order."""
    return [each for run in runs for each in run.measurements]


# -- yields ----------------------------------------------------------------------------------------


def runs_of_units(procedure: str) -> list[list[JudgedRun]]:
    """Return the runs of each unit at a procedure, in time order."""
    units: defaultdict[str, list[JudgedRun]] = defaultdict(list)
    for each in judged():
        if each.run.procedure == procedure:
            units[each.run.message.barcode].append(each)
    return list(units.values())


def counts_of(procedure: str) -> YieldCounts:
    """Return what became of the units at a procedure."""
    return count_units(
        UnitFacts(
            runs[0].outcome,
            runs[1].outcome if len(runs) > 1 else None,
            runs[-1].outcome,
            len(runs),
        )
        for runs in runs_of_units(procedure)
    )


def yields_at(procedure: str) -> Yields:
    """Return the yields of a procedure."""
    return yields_of(counts_of(procedure))


def pareto() -> Pareto:
    """Return the steps that fail, by first failures."""
    first = Counter(run.first_failure for run in judged() if run.first_failure)
    failed = Counter(
        each.measurement.test_step
        for each in measurements(judged())
        if each.outcome is Outcome.FAIL
    )
    return rank_steps(StepFailures(step, first[step], failed[step]) for step in failed)


# -- what if ---------------------------------------------------------------------------------------


@cache
def backtest() -> Report:
    """Return what the draft would have changed."""
    what_if = WhatIf()
    after = judged("psu-12-draft.toml")
    places = {
        id(run): (index == 0, index == 1, index == len(runs) - 1)
        for procedure in PROCEDURES
        for runs in runs_of_units(procedure)
        for index, run in enumerate(runs)
    }
    for number, (old, new) in enumerate(zip(judged(), after, strict=True)):
        unit_id = int(old.run.message.barcode.removeprefix("PS-"))
        what_if.add(HistoricRun(number, unit_id, *places[id(old)], old.outcome), old, new)
    return what_if.report()


# -- statistics ------------------------------------------------------------------------------------


def vout_runs() -> list[JudgedRun]:
    """Return the runs at FCT in time order: each measured vout, as its first step."""
    return [each for each in judged() if each.run.procedure == "FCT"]


def vout_values() -> list[float]:
    """Return vout of every run in time order, in V."""
    values = [each.measurements[0].measurement.measured_value for each in vout_runs()]
    return [each for each in values if isinstance(each, float)]


def capability() -> Capability:
    """Return the capability of vout."""
    return capability_of(vout_values(), VOUT)


def histogram() -> Histogram:
    """Return the histogram of vout."""
    found = histogram_of(vout_values(), VOUT)
    assert found
    return found


def chart() -> ControlChart:
    """Return individuals and moving ranges of vout."""
    found = individuals_chart(vout_values())
    assert found
    return found


def signals() -> tuple[ChartSignal, ...]:
    """Return the rules of Nelson that the individuals of vout break."""
    return find_signals(chart().location, NELSON)


# -- as the pages print them -----------------------------------------------------------------------


def figures() -> dict[str, str]:
    """Return every figure of the two pages: its label there, and how it is printed."""
    return dict([*_yield_figures(), *_backtest_figures(), *_statistic_figures()])


def _yield_figures() -> Iterator[tuple[str, str]]:
    yields = yields_at("FCT")
    yield "FPY of ICT", percent(needed(yields_at("ICT").first_pass_yield).value)
    first = needed(yields.first_pass_yield)
    yield "FPY of FCT", percent(first.value)
    yield "FPY of FCT, low", percent(first.low)
    yield "FPY of FCT, high", percent(first.high)
    yield "second pass yield of FCT", percent(needed(yields.second_pass_yield).value)
    yield "final yield of FCT", percent(needed(yields.final_yield).value)
    yield "retest rate of FCT", percent(needed(yields.retest_rate).value)
    yield "retests of FCT", str(yields.retests)
    rolled = needed(estimate_rolled_throughput(map(counts_of, PROCEDURES)))
    yield "RTY", percent(rolled.value)
    yield "RTY, low", percent(rolled.low)
    yield "RTY, high", percent(rolled.high)
    both = backtest().units.before
    yield "FPY over both", percent(needed(yields_of(both).first_pass_yield).value)
    runs = Counter(each.outcome for each in judged())
    yield "pass rate", percent(runs[Outcome.PASS] / runs.total())
    steps = Counter(each.outcome for each in measurements(judged()))
    dpmo = needed(defects_per_million(steps[Outcome.FAIL], steps[Outcome.PASS]))
    yield "DPMO", f"{dpmo.value:,.0f}"


def _backtest_figures() -> Iterator[tuple[str, str]]:
    change = backtest().procedures["FCT"]
    for words, counts in (
        ("then", change.before),
        ("at least", change.after_low),
        ("at most", change.after_high),
    ):
        yields = yields_of(counts)
        yield f"FPY of FCT {words}", percent(needed(yields.first_pass_yield).value)
        yield f"final yield {words}", percent(needed(yields.final_yield).value)


def _statistic_figures() -> Iterator[tuple[str, str]]:
    found, lines = capability(), chart()
    assert found.sigma_overall
    assert found.sigma_within
    yield "mean", f"{found.moments.mean:.3f} V"
    yield "sigma overall", f"{found.sigma_overall.value:.5f} V"
    yield "mean moving range", f"{lines.spread.centre:.5f} V"
    yield "sigma within", f"{found.sigma_within.value:.5f} V"
    yield "freedom within", f"{found.sigma_within.freedom:.1f}"
    for name, index in (
        ("Cp", found.cp),
        ("Cpk", found.cpk),
        ("Pp", found.pp),
        ("Ppk", found.ppk),
    ):
        yield name, f"{needed(index).value:.2f}"
        yield f"{name}, low", f"{needed(index).low:.2f}"
        yield f"{name}, high", f"{needed(index).high:.2f}"
    yield "lower control limit", f"{lines.location.lower:.3f} V"
    yield "upper control limit", f"{lines.location.upper:.3f} V"
    yield "upper limit of the moving range", f"{lines.spread.upper:.3f} V"


def table_rows() -> list[str]:
    """Return the rows of tables on the two pages, as they stand there."""
    return [
        *(
            f"| {runs[0].run.message.barcode} | {procedure} |"
            f" {_outcomes(runs)} | {_reasons(runs)} |"
            for procedure in PROCEDURES
            for runs in runs_of_units(procedure)
            if runs[0].outcome is not Outcome.PASS
        ),
        *(_changed_row(each) for each in backtest().changes),
        *(
            f"| {each.step.test_step} | {each.step.first_failures} | {percent(each.share)} |"
            f" {percent(each.cumulative_share)} |"
            for each in pareto().entries
        ),
        *_histogram_rows(),
        *(
            f"| Nelson {each.rule.number} | {each.rule.name} |"
            f" {', '.join(str(index + 1) for index in each.indices)} |"
            for each in signals()
        ),
    ]


def _outcomes(runs: Iterable[JudgedRun]) -> str:
    return ", ".join(each.outcome for each in runs)


def _reasons(runs: Iterable[JudgedRun]) -> str:
    failed = (each for each in measurements(runs) if each.outcome is Outcome.FAIL)
    return "; ".join(each.reason or "" for each in failed)


def _changed_row(changed: ChangedRun) -> str:
    if changed.is_unfinished:
        why = "rescued, but unfinished: it stopped before `ripple`"
    else:
        why = f"newly failing: {changed.steps[0].after.reason}"
    return f"| {changed.barcode} | {changed.run.outcome} | {changed.after} | {why} |"


def _histogram_rows() -> Iterator[str]:
    found = histogram()
    edges = found.edges.tolist()
    for low, high, count in zip(edges[:-1], edges[1:], found.counts.tolist(), strict=True):
        yield f"| {low:.3f} | {high:.3f} | {count} |"


def percent(share: float) -> str:
    """Return a share as percent, to one digit."""
    return f"{share:.1%}".replace("%", " %")


def needed(estimate: Estimate | None) -> Estimate:
    """Return an estimate that is there."""
    assert estimate
    return estimate

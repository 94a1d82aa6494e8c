"""Trouble in words: the sentence, subject and evidence of an alert. Pure: no I/O.

A sentence is written once, when the alert opens: it says nothing that changes by itself.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from broker.messages import Outcome, Severity
from service.core.alert_facts import MachineFacts, Offline, RunFact
from service.core.alerts import EVIDENCE_MAX, AlertKind, Finding, Subject, key_of
from service.core.floods import Allowance
from service.core.intervals import wilson_interval

_NAMED_MAX: Final = 3


class YieldFact(NamedTuple):
    """A first pass yield of a shift."""

    procedure: str
    units: int
    passed: int


def silent(machine: MachineFacts, since: str) -> Finding:
    """Say that a machine sends no result; `since` by the plant's clock."""
    usual_s = round(machine.interval_s or 0)
    usual = f"; usual is one every {usual_s} s" if usual_s else ""
    return _finding(
        AlertKind.SILENT,
        Severity.MAJOR,
        machine,
        f"{machine.machine_id} has sent no result since {since}{usual}.",
        runs=machine.runs[:1],
    )


def offline(machine_id: str, known: Offline, heard: str) -> Finding:
    """Say that a machine's connection ended; `heard` by the plant's clock."""
    return Finding(
        AlertKind.OFFLINE,
        key_of(AlertKind.OFFLINE, machine_id),
        Subject(machine_id),
        known.line,
        Severity.MAJOR,
        f"{machine_id} is offline: the broker said at {heard} that its connection ended.",
        topic=known.topic,
    )


def many_offline(fresh: Mapping[str, Offline]) -> Finding:
    """Say that machines, at least one, went offline together."""
    names, lines = sorted(fresh), sorted({each.line for each in fresh.values()})
    more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
    where = f" on {', '.join(lines)}" if len(lines) <= _NAMED_MAX else ""
    return Finding(
        AlertKind.OFFLINE_MANY,
        key_of(AlertKind.OFFLINE_MANY),
        Subject(),
        lines[0] if len(lines) == 1 else None,
        Severity.CRITICAL,
        f"{len(names)} machines went offline together{where}:"
        f" {', '.join(names[:_NAMED_MAX])}{more}. Look at the network and the broker.",
    )


def yield_low(machine: MachineFacts, fact: YieldFact, target_percent: float) -> Finding:
    """Say that a yield, of at least one unit, is below the target."""
    low, high = wilson_interval(fact.passed, fact.units) or (0.0, 1.0)
    failing = [
        run
        for run in machine.runs
        if run.procedure == fact.procedure and run.attempt == 1 and run.outcome is not Outcome.PASS
    ]
    return _finding(
        AlertKind.YIELD_LOW,
        Severity.MAJOR,
        machine,
        f"First pass yield of {fact.procedure} at {machine.machine_id} is"
        f" {_percent(fact.passed / fact.units)} of {fact.units} units this shift"
        f" ({_percent(low)} to {_percent(high)}), below the target of {target_percent:g} %.",
        Subject(machine.machine_id, procedure=fact.procedure),
        runs=failing,
        key=(machine.machine_id, fact.procedure),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def step_repeats(machine: MachineFacts, streak: Sequence[RunFact]) -> Finding:
    """Say that runs, at least one, fail first at one step; newest first."""
    newest = streak[0]
    product = newest.product_id if len({run.product_id for run in streak}) == 1 else None
    return _finding(
        AlertKind.STEP_REPEATS,
        Severity.CRITICAL,
        machine,
        f"{newest.first_failure} failed first in {len(streak)} runs in a row at"
        f" {machine.machine_id}. Look at its fixture and its limits.",
        Subject(machine.machine_id, product, newest.procedure, newest.first_failure),
        runs=streak,
        key=(machine.machine_id, newest.first_failure),
    )


def retests(machine: MachineFacts, newest: RunFact) -> Finding:
    """Say that a unit is run again and again, last at `machine`."""
    unit = (newest.product_id, newest.procedure, newest.barcode)
    return _finding(
        AlertKind.RETESTS,
        Severity.MINOR,
        machine,
        f"Unit {newest.barcode} was run {newest.attempt} times at {newest.procedure}, last at"
        f" {machine.machine_id}. Send it to repair.",
        Subject(machine.machine_id, newest.product_id, newest.procedure, barcode=newest.barcode),
        runs=[run for run in machine.runs if (run.product_id, run.procedure, run.barcode) == unit],
        key=unit,
    )


def rejections(machine: MachineFacts, count: int, within_s: float) -> Finding:
    """Say that a machine's messages are not understood."""
    return _finding(
        AlertKind.REJECTIONS,
        Severity.MAJOR,
        machine,
        f"{count} messages of {machine.machine_id} were not understood within"
        f" {within_s / 60:.3g} min. Their reasons are with the rejections.",
    )


def flood(machine: MachineFacts, per_s: float, allowance: Allowance) -> Finding:
    """Say that a machine sends more than it may, at last `per_s` messages a second."""
    return _finding(
        AlertKind.FLOOD,
        Severity.MAJOR,
        machine,
        f"{machine.machine_id} floods the service: {per_s:,.0f} messages a second, where"
        f" {allowance.per_s:g} and bursts of {allowance.burst:,} are allowed. All are stored."
        " Look at what it repeats.",
    )


def _finding(  # noqa: PLR0913 - each is a part of an alert
    kind: AlertKind,
    severity: Severity,
    machine: MachineFacts,
    message: str,
    subject: Subject | None = None,
    *,
    runs: Sequence[RunFact] = (),
    key: Sequence[str | None] | None = None,
) -> Finding:
    return Finding(
        kind,
        key_of(kind, *(key or (machine.machine_id,))),
        subject or Subject(machine.machine_id),
        machine.line,
        severity,
        message,
        tuple(run.run_id for run in runs[:EVIDENCE_MAX]),
        machine.topic,
    )

"""What another rulebook would have made of stored history. Pure: no I/O.

Every run of the units that count is judged twice by the same code: by the rulebook that judged it
then, and by the draft. Where a machine stops at the first failure the answer is an interval: a run
that the draft would let pass was never finished, and nobody knows how it would have ended.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import Enum, auto
from itertools import chain
from typing import Final, NamedTuple

from broker.messages import Outcome
from service.core.records import JudgedMeasurement, JudgedRun
from service.core.yields import YieldCounts, add_counts

CHANGED_STEPS_MAX: Final = 20
"""Steps that are told of one run; the sums count them all."""
NAMED_MAX: Final = 10_000
"""Runs that are named, of those rescued and of those newly failing; the sums count them all."""
_PASS: Final = Outcome.PASS


class HistoricRun(NamedTuple):
    """What is stored of a run that is judged again."""

    run_id: int
    unit_id: int
    is_first: bool
    """The unit's first run of the procedure, by start time."""
    is_second: bool
    is_last: bool
    outcome: Outcome
    """As stored."""


class ChangedStep(NamedTuple):
    """One measurement on which the two rulebooks differ."""

    before: JudgedMeasurement
    after: JudgedMeasurement

    @property
    def test_step(self) -> str:
        """Its name."""
        return self.before.measurement.test_step


class ChangedRun(NamedTuple):
    """One run on which the two rulebooks differ."""

    run: HistoricRun
    barcode: str
    product_id: str
    procedure: str
    machine_id: str
    started_at: datetime
    after: Outcome
    first_failure: str | None
    """By the draft; a required step too, which no measurement shows."""
    steps: tuple[ChangedStep, ...]
    """The first of the measurements that differ; empty where a required step makes it."""
    is_unfinished: bool = False
    """It stopped at a failure that the draft would let pass: how it would end is not known."""


class StepChange(NamedTuple):
    """One way in which one step's verdict changes."""

    test_step: str
    rule_before: str | None
    rule_after: str | None
    outcome_before: Outcome
    outcome_after: Outcome


class YieldChange(NamedTuple):
    """Units at one procedure, or in all, by what became of them."""

    before: YieldCounts
    after_low: YieldCounts
    """Unfinished runs counted as not passed."""
    after_high: YieldCounts
    """Unfinished runs counted as passed."""


class Report(NamedTuple):
    """What the draft would have changed."""

    runs: int
    """Judged again."""
    changed: int
    """Of them with another outcome."""
    rescued: int
    """Of those, which the draft lets pass."""
    newly_failing: int
    """Of those, which passed."""
    unfinished: int
    """Of those rescued, which never came to their end."""
    not_reproduced: int
    """Runs whose stored outcome the rulebook of then does not give any more; 0 unless the program
    that judged them was another."""
    procedures: dict[str, YieldChange]
    """By name, sorted."""
    units: YieldChange
    """Over all procedures: good at first pass where the first run of every procedure was."""
    steps: dict[StepChange, int]
    """How many measurements changed, and how."""
    changes: list[ChangedRun]
    """Those rescued and newly failing, the first of each that were added, in the order of `add`."""


class WhatIf:
    """Adds up the runs of a back-test, in any order, each once.

    Of a run that does not change, or is not named any more, only a few bits of its unit are kept.

    Args:
        named_max: Runs to name, of those rescued and of those newly failing.
    """

    def __init__(self, named_max: int = NAMED_MAX) -> None:
        self._named_max = named_max
        self._runs = self._not_reproduced = 0
        self._units: dict[tuple[int, str], _Unit] = defaultdict(_Unit)
        self._steps: Counter[StepChange] = Counter()
        self._complete = _CompleteRuns()
        self._changes: Counter[_Change] = Counter()
        self._rescued: dict[_Shape, list[tuple[_Unit, int]]] = defaultdict(list)
        self._named: list[tuple[ChangedRun, _Shape | None]] = []

    def add(self, run: HistoricRun, before: JudgedRun, after: JudgedRun) -> None:
        """Take one run as its own rulebook judges it, and as the draft does."""
        self._runs += 1
        self._not_reproduced += before.outcome is not run.outcome
        if run.outcome is _PASS:
            self._complete.learn(before)
        unit = self._units[run.unit_id, before.run.procedure]
        unit.add(run, after.outcome)
        steps = list(changed_steps(before, after))
        self._steps.update(map(_change_of, steps))
        if after.outcome is run.outcome:
            return
        change, shape = _change_to(run, after), None
        self._changes[change] += 1
        if change is _Change.RESCUED:
            shape = self._complete.shape_of(before, steps)
            self._rescued[shape].append((unit, unit.places(run)))
        if change is not _Change.OTHER and self._changes[change] <= self._named_max:
            self._named.append((_changed_run(run, after, steps), shape))

    def report(self) -> Report:
        """Return the sums. Once, after the last `add`."""
        unfinished = {each for each in self._rescued if self._complete.is_unfinished(each)}
        for shape in unfinished:
            for unit, places in self._rescued[shape]:
                unit.doubt(places)
        by_procedure: dict[str, list[_Unit]] = defaultdict(list)
        by_unit: dict[int, list[_Unit]] = defaultdict(list)
        for (unit_id, procedure), unit in self._units.items():
            by_procedure[procedure].append(unit)
            by_unit[unit_id].append(unit)
        return Report(
            self._runs,
            self._changes.total(),
            self._changes[_Change.RESCUED],
            self._changes[_Change.NEWLY_FAILING],
            sum(len(self._rescued[each]) for each in unfinished),
            self._not_reproduced,
            {
                name: _change([each] for each in units)
                for name, units in sorted(by_procedure.items())
            },
            _change(by_unit.values()),
            dict(self._steps),
            [each._replace(is_unfinished=shape in unfinished) for each, shape in self._named],
        )


class _Change(Enum):
    """How a run's outcome changes."""

    RESCUED = auto()
    NEWLY_FAILING = auto()
    OTHER = auto()


class _Shape(NamedTuple):
    """What of a run tells whether it came to its end."""

    product_id: str
    procedure: str
    steps: frozenset[str]
    ends_with_change: bool


class _CompleteRuns:
    """Which steps every passed run of a product at a procedure has: one without did not end."""

    def __init__(self) -> None:
        self._common: dict[tuple[str, str], frozenset[str]] = {}
        self._known: dict[frozenset[str], frozenset[str]] = {}  # nearly all runs share a few

    def learn(self, judged: JudgedRun) -> None:
        scope = (judged.run.message.product_id, judged.run.procedure)
        steps = _step_names(judged)
        common = self._common.get(scope)
        if common is None or not common <= steps:
            self._common[scope] = steps if common is None else common & steps

    def shape_of(self, judged: JudgedRun, changed: Sequence[ChangedStep]) -> _Shape:
        steps = _step_names(judged)
        last = judged.run.measurements[-1].test_step
        ends_with_change = any(each.test_step == last for each in changed)
        return _Shape(
            judged.run.message.product_id,
            judged.run.procedure,
            self._known.setdefault(steps, steps),
            ends_with_change,
        )

    def is_unfinished(self, shape: _Shape) -> bool:
        common = self._common.get((shape.product_id, shape.procedure))
        if common is None:  # none ever passed: it may have stopped where it is forgiven
            return shape.ends_with_change
        return not common <= shape.steps


class _Unit:
    """What became of one unit at one procedure, before and after; three bits each."""

    __slots__ = ("after", "before", "doubted", "runs")
    FIRST, SECOND, LAST = 1, 2, 4

    def __init__(self) -> None:
        self.before = self.after = self.doubted = self.runs = 0

    def add(self, run: HistoricRun, after: Outcome) -> None:
        self.runs += 1
        places = self.places(run)
        self.before |= places if run.outcome is _PASS else 0
        self.after |= places if after is _PASS else 0

    def doubt(self, places: int) -> None:
        """Note that a run that would pass was not finished."""
        self.doubted |= places

    def ways(self) -> tuple[int, int, int]:
        """Return what passed: before, after at least, after at most."""
        return self.before, self.after & ~self.doubted, self.after

    def places(self, run: HistoricRun) -> int:
        """Return of which of the unit's runs it is, in bits."""
        return self.FIRST * run.is_first + self.SECOND * run.is_second + self.LAST * run.is_last


def _change_to(run: HistoricRun, after: JudgedRun) -> _Change:
    if after.outcome is _PASS:
        return _Change.RESCUED
    return _Change.NEWLY_FAILING if run.outcome is _PASS else _Change.OTHER


def _change(units: Iterable[Sequence[_Unit]]) -> YieldChange:
    """Count units, each over the procedures it has: good where it was good at every one."""
    counts: list[list[YieldCounts]] = [[], [], []]
    for unit in units:
        for way, passed in enumerate(zip(*(each.ways() for each in unit), strict=True)):
            counts[way].append(_count(unit, passed))
    return YieldChange(*(add_counts(each) if each else YieldCounts() for each in counts))


def _count(unit: Sequence[_Unit], passed: Sequence[int]) -> YieldCounts:
    return YieldCounts(
        units=1,
        first_passed=all(bits & _Unit.FIRST for bits in passed),
        second_passed=all(bits & (_Unit.FIRST | _Unit.SECOND) for bits in passed),
        last_passed=all(bits & _Unit.LAST for bits in passed),
        retested=any(each.runs > 1 for each in unit),
        runs=sum(each.runs for each in unit),
    )


def _changed_run(run: HistoricRun, after: JudgedRun, steps: Sequence[ChangedStep]) -> ChangedRun:
    message = after.run.message
    return ChangedRun(
        run,
        message.barcode,
        message.product_id,
        after.run.procedure,
        after.run.machine_id,
        after.run.started_at,
        after.outcome,
        after.first_failure,
        tuple(steps[:CHANGED_STEPS_MAX]),
    )


def _step_names(judged: JudgedRun) -> frozenset[str]:
    """Return the steps that the machine sent; what expressions make says nothing of its end."""
    return frozenset(each.test_step for each in judged.run.measurements)


def changed_steps(before: JudgedRun, after: JudgedRun) -> Iterator[ChangedStep]:
    """Yield the measurements of one run whose outcome two rulebooks see differently, in order."""
    sent = len(before.run.measurements)
    pairs = zip(before.measurements[:sent], after.measurements[:sent], strict=True)
    for old, new in chain(pairs, _derived_pairs(before, after, sent)):
        if old.outcome is not new.outcome:
            yield ChangedStep(old, new)


def _derived_pairs(before: JudgedRun, after: JudgedRun, sent: int) -> Iterator[ChangedStep]:
    """Yield what expressions made of a run, by name: a name has one rule in a rulebook's scope.

    Where one of the two rulebooks makes no such measurement, nobody judged it there.
    """
    old, new = (
        {each.measurement.test_step: each for each in judged.measurements[sent:]}
        for judged in (before, after)
    )
    for step in old | new:
        if step not in new:
            yield ChangedStep(old[step], _unjudged(old[step]))
        else:
            yield ChangedStep(old.get(step) or _unjudged(new[step]), new[step])


def _unjudged(judged: JudgedMeasurement) -> JudgedMeasurement:
    return JudgedMeasurement(
        judged.measurement,
        Outcome.UNJUDGED,
        comparator=None,
        low=None,
        high=None,
        nominal=None,
        rule_id=None,
        reason=None,
        marginal=False,
        agrees=None,
    )


def _change_of(step: ChangedStep) -> StepChange:
    before, after = step
    return StepChange(step.test_step, before.rule_id, after.rule_id, before.outcome, after.outcome)

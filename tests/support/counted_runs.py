"""Runs of every kind, stored, and what counting every one of them gives."""

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from broker.messages import Outcome
from service.core.records import JudgedRun
from service.store.queries.filters import Filters
from tests.support.stored import NOON, Stored, run_message

RUNS = 400
_OUTCOMES = {"PASS": 0.5, "FAIL": 2.0, "ERROR": None, "UNJUDGED": 0.5}
_PANELS = (None, {"id": "PN-1", "position": "1"}, {"id": "PN-1", "position": "2"}, {"id": "PN-2"})


class Counted(NamedTuple):
    """One stored run, as the brute force sees it."""

    run_id: int
    judged: JudgedRun
    received_at: datetime

    @property
    def started_at(self) -> datetime:
        """When it started."""
        return self.judged.run.started_at

    @property
    def is_pass(self) -> bool:
        """Whether it passed."""
        return self.judged.outcome is Outcome.PASS

    def facts(self) -> dict[str, Any]:
        """Return what filters may ask for by name."""
        run, message = self.judged.run, self.judged.run.message
        return {
            "machine_id": run.machine_id,
            "line": run.line,
            "product_id": message.product_id,
            "procedure": run.procedure,
            "barcode": message.barcode,
            "outcome": self.judged.outcome,
            "agrees": self.judged.agrees,
            "fixture": message.fixture,
            "operator": message.operator,
            "panel_position": message.panel and message.panel.position,
            "first_failure": self.judged.first_failure,
        }

    @property
    def is_golden(self) -> bool:
        """Whether it is of a golden sample."""
        return self.judged.run.is_golden

    def matches(self, filters: Filters) -> bool:
        """Return whether it is among what these filters ask for."""
        if self.is_golden is not bool(filters.golden):
            return False
        known = self.facts()
        if any(getattr(filters, name) not in (None, value) for name, value in known.items()):
            return False
        steps = [each.measurement.test_step for each in self.judged.measurements]
        if filters.step is not None and filters.step not in steps:
            return False
        if filters.since is not None and self.started_at < filters.since:
            return False
        return filters.until is None or self.started_at < filters.until


class Filled(NamedTuple):
    """A database that nobody changes, and what is in it."""

    stored: Stored
    counted: list[Counted]


def fill(stored: Stored) -> list[Counted]:
    """Store runs of every kind, in no order, at three machines and over six hours."""
    dice = random.Random(7)
    counted = []
    for number in range(RUNS):
        outcome = dice.choice(list(_OUTCOMES))
        limit = {} if outcome == "UNJUDGED" else {"high": 1.0}
        steps = [
            {"test_step": f"s{dice.randrange(4)}", "measured_value": _OUTCOMES[outcome], **limit}
            for _ in range(dice.randint(1, 3))
        ]
        message = run_message(
            f"U{dice.randrange(60)}",
            procedure=dice.choice(["ICT", "FCT", "EOL"]),
            minutes=dice.randrange(-180, 180) + number / 10_000,  # no two start together
            steps=steps,
            fixture=dice.choice([None, "F1"]),
            operator=dice.choice([None, "ann", "bob"]),
            reported_outcome=dice.choice([None, None, "PASS", "FAIL"]),
        )
        machine = dice.randrange(3)
        product = dice.choice(["P1", "P2"])
        received_at = NOON + timedelta(hours=dice.choice([0, 0, 1, 5]), seconds=number)
        saved = stored.save(
            message | {"product_id": product, "panel": _PANELS[number % len(_PANELS)]},
            machine_id=f"M{machine}",
            line=f"L{machine % 2}",
            at=received_at,
            is_golden=message["barcode"] in {"U8", "U9"},
        ).saved
        counted += [Counted(each.run_id, each.judged, received_at) for each in saved.runs]
    assert len(counted) == RUNS
    return counted


# -- what may be asked for -------------------------------------------------------------------------


HOUR = timedelta(hours=1)
FILTERS = {
    "everything": Filters(),
    "panel position": Filters(panel_position="2"),
    "first failure": Filters(first_failure="s1"),
    "whole hours": Filters(since=NOON - HOUR, until=NOON + HOUR),
    "since": Filters(since=NOON - timedelta(minutes=17, microseconds=3)),
    "until": Filters(until=NOON + timedelta(minutes=17)),
    "odd ends": Filters(since=NOON - timedelta(minutes=95), until=NOON + timedelta(minutes=61)),
    "within an hour": Filters(since=NOON + timedelta(minutes=5), until=NOON + timedelta(minutes=9)),
    "over a full hour": Filters(
        since=NOON - timedelta(minutes=5), until=NOON + timedelta(minutes=9)
    ),
    "nothing": Filters(since=NOON + HOUR, until=NOON - HOUR),
    "machine": Filters(machine_id="M1"),
    "line and product": Filters(line="L0", product_id="P2"),
    "procedure": Filters(procedure="FCT"),
    "procedure, odd ends": Filters(procedure="FCT", since=NOON - timedelta(minutes=31)),
    "step": Filters(step="s2"),
    "barcode": Filters(barcode="U7"),
    "outcome": Filters(outcome=Outcome.FAIL),
    "disagreements": Filters(agrees=False),
    "agreements": Filters(agrees=True, line="L1"),
    "fixture": Filters(fixture="F1"),
    "operator, odd ends": Filters(operator="bob", since=NOON - timedelta(minutes=33)),
    "golden samples": Filters(golden=True),
    "golden samples, odd ends": Filters(golden=True, since=NOON - timedelta(minutes=31)),
    "a golden sample": Filters(barcode="U8"),
    "unknown": Filters(machine_id="M9"),
    "unknown barcode": Filters(barcode="never"),
}
each_filter = pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)


# -- the brute force -------------------------------------------------------------------------------


Units = dict[tuple[str, str, str], list[Counted]]
"""By product, barcode and procedure: the runs of a unit, by start."""


def units_of(counted: Sequence[Counted], filters: Filters) -> Units:
    """Return every unit at every procedure where its first run matches."""
    runs: Units = defaultdict(list)
    for each in sorted(counted, key=lambda each: each.started_at):
        facts = each.facts()
        runs[facts["product_id"], facts["barcode"], facts["procedure"]].append(each)
    return {key: each for key, each in runs.items() if each[0].matches(filters)}


def share(good: int, total: int) -> float | None:
    """Return the good of all, from 0 to 1; None where there is nothing."""
    return good / total if total else None


def count_units(units: Units) -> dict[str, Any]:
    """Count each unit once, by what became of it at all of its procedures."""
    first: dict[tuple[str, str], bool] = {}
    last: dict[tuple[str, str], bool] = {}
    for (product, barcode, _), runs in units.items():
        unit = (product, barcode)
        first[unit] = first.get(unit, True) and runs[0].is_pass
        last[unit] = last.get(unit, True) and runs[-1].is_pass
    return {
        "units": len(first),
        "first_pass_yield": share(sum(first.values()), len(first)),
        "final_yield": share(sum(last.values()), len(last)),
    }


def count_retests(units: Units) -> dict[str, Any]:
    """Count units by what became of them when they were tested again."""
    second: dict[tuple[str, str], bool] = {}
    retested: dict[tuple[str, str], bool] = {}
    for (product, barcode, _), runs in units.items():
        unit = (product, barcode)
        is_good = any(run.is_pass for run in runs[:2])
        second[unit] = second.get(unit, True) and is_good
        retested[unit] = retested.get(unit, False) or len(runs) > 1
    return {
        "second_pass_yield": share(sum(second.values()), len(second)),
        "retested": sum(retested.values()),
        "retest_rate": share(sum(retested.values()), len(retested)),
        "retests": sum(len(runs) - 1 for runs in units.values()),
    }


def count_measurements(counted: Sequence[Counted]) -> dict[str, Any]:
    """Count what failed among all that was judged; DPMO may differ by rounding."""
    outcomes = [each.outcome for run in counted for each in run.judged.measurements]
    defects, passed = outcomes.count(Outcome.FAIL), outcomes.count(Outcome.PASS)
    dpmo = share(defects * 1_000_000, defects + passed)
    return {"defects": defects, "opportunities": defects + passed, "dpmo": pytest.approx(dpmo)}


def count_late(counted: Sequence[Counted]) -> dict[str, Any]:
    """Count what came an hour or more after the hour in which it started was over."""
    late = []
    for run in counted:
        hour = run.started_at.replace(minute=0, second=0, microsecond=0)
        if run.received_at >= hour + timedelta(hours=2):
            late.append(run.received_at)
    return {"late_runs": len(late), "last_late_at": f"{max(late):%FT%TZ}" if late else None}


def count_runs(counted: Sequence[Counted]) -> dict[str, Any]:
    """Count runs by their outcome."""
    outcomes = [each.judged.outcome for each in counted]
    return {
        "total_tests": len(outcomes),
        "pass_count": outcomes.count(Outcome.PASS),
        "fail_count": outcomes.count(Outcome.FAIL),
        "error_count": outcomes.count(Outcome.ERROR),
        "unjudged_count": outcomes.count(Outcome.UNJUDGED),
        "pass_rate": share(outcomes.count(Outcome.PASS), len(outcomes)),
    }


def product_of_yields(units: Units) -> float:
    """Return the product of what each procedure passed at first."""
    by_procedure: dict[str, list[bool]] = defaultdict(list)
    for (_, _, procedure), runs in units.items():
        by_procedure[procedure].append(runs[0].is_pass)
    return math.prod(sum(each) / len(each) for each in by_procedure.values())

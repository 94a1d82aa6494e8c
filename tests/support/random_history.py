"""One random history of runs as both databases hold it, and as brute force sees it."""

import math
import random
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from broker.messages import Outcome
from service.core.lookup import Rulebook
from service.core.records import JudgedRun
from service.rulebook import parse_rulebook
from service.store.database import Database
from service.store.queries.filters import Filters
from tests.support.stored import NOON, Stored, run_message

HOUR = timedelta(hours=1)
RUNS = 500
RULES = """
[[rule]]
id = "res"
test_step = "res"
comparator = "GE"
low = 27.0
unit = "kOhm"

[[rule]]
id = "seal"
test_step = "seal"
product = "P2"
procedure = "EOL"
comparator = "EQ"
nominal = true
required = true
"""


class Kept(NamedTuple):
    """One stored run, as the brute force sees it."""

    run_id: int
    judged: JudgedRun

    @property
    def started_at(self) -> datetime:
        return self.judged.run.started_at


class History(NamedTuple):
    """The same runs in both databases."""

    sqlite: Database
    postgres: Database
    runs: list[Kept]
    """By start, with their ids in SQLite."""
    sqlite_ids: dict[int, int]
    """By the id in PostgreSQL, whose sequences leave gaps."""

    def of(self, **fields: Any) -> list[Kept]:  # noqa: ANN401 - fields of a run
        """Return those that match, golden samples left out."""
        return [
            run
            for run in self.runs
            if not run.judged.run.is_golden
            and all(_field(run.judged, name) == value for name, value in fields.items())
        ]


def _field(judged: JudgedRun, name: str) -> Any:  # noqa: ANN401 - any field
    return getattr(judged.run, name, None) or getattr(judged.run.message, name, None)


def steps_of(dice: random.Random, number: int) -> list[dict[str, Any]]:
    """Return the steps of a run: two units of measure, limits that change, text, truth, nothing."""
    volts = round(dice.gauss(5.0, 0.1), 4)
    span = 0.25 if number < RUNS // 2 else 0.2
    in_milli = dice.random() < 0.3
    factor, unit = (1000.0, "mV") if in_milli else (1.0, "V")
    vcc = {"test_step": "vcc", "measured_value": round(volts * factor, 6), "unit": unit}
    vcc |= {"low": (5 - span) * factor, "high": (5 + span) * factor}
    kilo = round(dice.gauss(28.0, 0.5), 3)
    res = {"test_step": "res", "measured_value": kilo, "unit": "kOhm"}
    if dice.random() < 0.2:
        res = {"test_step": "res", "measured_value": round(kilo * 1000, 1), "unit": "Ohm"}
    steps: list[dict[str, Any]] = [vcc, res]
    steps.append({"test_step": "led", "measured_value": dice.random() < 0.9, "nominal": True})
    steps[-1]["comparator"] = "EQ"
    steps.append({"test_step": "code", "measured_value": dice.choice(["A1", "B2", None])})
    steps[-1] |= {"comparator": "REGEX", "nominal": "^A"}
    if dice.random() < 0.1:
        steps.append({"test_step": "odd", "measured_value": dice.random(), "unit": "furlong/V"})
    if dice.random() < 0.7:
        steps.append({"test_step": "seal", "measured_value": True})
    for step in steps:
        if dice.random() < 0.4:
            step["reported_outcome"] = dice.choice(["PASS", "PASS", "FAIL", "ERROR"])
    return dice.sample(steps, len(steps))


def messages(dice: random.Random) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return runs and how they arrive: late, twice, from three machines, in no order."""
    made = []
    for number in range(RUNS):
        barcode = f"U{dice.randrange(80)}"
        message = run_message(
            barcode,
            procedure=dice.choice(["ICT", "EOL"]),
            minutes=number * 0.7 - 180 + number / 10_000,
            steps=steps_of(dice, number),
            fixture=dice.choice([None, "F1"]),
            operator=dice.choice([None, "ann", "bob"]),
            reported_outcome=dice.choice([None, None, "PASS", "FAIL", "ABORTED"]),
            product_id=dice.choice(["P1", "P2"]),
        )
        machine = dice.randrange(3)
        made.append(
            (
                message,
                {
                    "machine_id": f"M{machine}",
                    "line": f"L{machine % 2}",
                    "at": NOON + timedelta(hours=dice.choice([3, 3, 9]), seconds=number),
                    "is_golden": barcode in {"U8", "U9"},
                },
            )
        )
    made += dice.sample(made, 100)
    dice.shuffle(made)
    return made


def fill(stored: Stored) -> list[Kept]:
    """Store the history; return its runs by start."""
    rules = Rulebook(1, parse_rulebook(RULES, "rules"))
    kept = []
    for message, how in messages(random.Random(11)):
        saved = stored.save(message, rules=rules, **how).saved
        kept += [Kept(each.run_id, each.judged) for each in saved.runs]
    assert len(kept) == RUNS
    return sorted(kept, key=lambda run: (run.started_at, run.run_id))


FILTERS = {
    "everything": Filters(),
    "product": Filters(product_id="P1"),
    "machine, odd ends": Filters(
        machine_id="M1", product_id="P2", since=NOON - HOUR * 1.3, until=NOON + HOUR * 1.7
    ),
    "procedure": Filters(procedure="EOL", line="L0"),
    "operator": Filters(operator="bob", product_id="P1"),
    "fixture and outcome": Filters(fixture="F1", outcome=Outcome.FAIL),
    "golden": Filters(golden=True),
    "nothing": Filters(product_id="P9"),
}
"""What of it may be asked for."""
each_filter = pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)


def assert_same(one: Any, other: Any, where: str = "") -> None:  # noqa: ANN401 - JSON
    """Compare two answers; their sums may have been added up in another order."""
    if isinstance(one, float) and isinstance(other, float):
        assert math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key, value in one.items():
            assert_same(value, other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}[{index}]")
    else:
        assert (type(one), one) == (type(other), other), where

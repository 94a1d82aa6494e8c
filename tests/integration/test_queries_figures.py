"""Figures and yields: what roll-ups and unit states say is what counting every run says."""

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from broker.messages import Outcome
from broker.plant_sections import PlantSettings
from service.core.records import JudgedRun
from service.store.queries.figures import figures
from service.store.queries.filters import Filters
from service.store.queries.steps import failing_steps
from service.store.queries.yields import GROUPS, rolled_throughput, yields
from tests.support.stored import NOON, Stored, run_message

RUNS = 400
_OUTCOMES = {"PASS": 0.5, "FAIL": 2.0, "ERROR": None, "UNJUDGED": 0.5}


class Counted(NamedTuple):
    """One stored run, as the brute force sees it."""

    run_id: int
    judged: JudgedRun
    received_at: datetime

    @property
    def started_at(self) -> datetime:
        return self.judged.run.started_at

    @property
    def is_pass(self) -> bool:
        return self.judged.outcome is Outcome.PASS

    def facts(self) -> dict[str, Any]:
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
        return self.judged.run.is_golden

    def matches(self, filters: Filters) -> bool:
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


_PANELS = (None, {"id": "PN-1", "position": "1"}, {"id": "PN-1", "position": "2"}, {"id": "PN-2"})


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


class Filled(NamedTuple):
    """A database that nobody changes, and what is in it."""

    stored: Stored
    counted: list[Counted]


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Filled]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('figures') / 'yieldline.db'}"
    else:
        url = request.getfixturevalue("postgres_server").database()
    stored = Stored(url)
    yield Filled(stored, fill(stored))
    stored.close()


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
    outcomes = [each.outcome for run in counted for each in run.judged.measurements]
    defects, passed = outcomes.count(Outcome.FAIL), outcomes.count(Outcome.PASS)
    dpmo = share(defects * 1_000_000, defects + passed)
    return {"defects": defects, "opportunities": defects + passed, "dpmo": pytest.approx(dpmo)}


def count_late(counted: Sequence[Counted]) -> dict[str, Any]:
    late = []
    for run in counted:
        hour = run.started_at.replace(minute=0, second=0, microsecond=0)
        if run.received_at >= hour + timedelta(hours=2):
            late.append(run.received_at)
    return {"late_runs": len(late), "last_late_at": f"{max(late):%FT%TZ}" if late else None}


def count_runs(counted: Sequence[Counted]) -> dict[str, Any]:
    outcomes = [each.judged.outcome for each in counted]
    return {
        "total_tests": len(outcomes),
        "pass_count": outcomes.count(Outcome.PASS),
        "fail_count": outcomes.count(Outcome.FAIL),
        "error_count": outcomes.count(Outcome.ERROR),
        "unjudged_count": outcomes.count(Outcome.UNJUDGED),
        "pass_rate": share(outcomes.count(Outcome.PASS), len(outcomes)),
    }


@each_filter
def test_figures_are_what_counting_every_run_gives(filled: Filled, filters: Filters) -> None:
    assert_figures(filled, filters)


def assert_figures(filled: Filled, filters: Filters) -> None:
    matching = [each for each in filled.counted if each.matches(filters)]
    units = count_units(units_of(filled.counted, filters))
    assert figures(filled.stored.database, filters) == count_runs(matching) | units


INDIA = PlantSettings(time_zone="Asia/Kolkata", shift_starts=("06:00", "16:45", "18:20"))
"""No shift and no day of it begins on an hour of UTC."""
DAYS_APART = PlantSettings(time_zone="Pacific/Auckland")
"""Where the day changes at 11:00 UTC."""


def local(run: Counted, plant: PlantSettings) -> datetime:
    return run.started_at.astimezone(ZoneInfo(plant.time_zone))


def shift_name(run: Counted, plant: PlantSettings) -> str:
    begun = local(run, plant)
    starts = [start for start in plant.shift_starts if start <= f"{begun:%H:%M}"]
    day = begun if starts else begun - timedelta(days=1)
    return f"{day:%F} {starts[-1] if starts else plant.shift_starts[-1]}"


_KEYS: dict[str, Callable[[Counted, PlantSettings], str | None]] = {
    "procedure": lambda run, _: run.facts()["procedure"],
    "line": lambda run, _: run.facts()["line"],
    "machine": lambda run, _: run.facts()["machine_id"],
    "product": lambda run, _: run.facts()["product_id"],
    "fixture": lambda run, _: run.facts()["fixture"],
    "operator": lambda run, _: run.facts()["operator"],
    "panel_position": lambda run, _: run.facts()["panel_position"],
    "15min": lambda run, _: (
        f"{run.started_at:%Y-%m-%dT%H}:{run.started_at.minute // 15 * 15:02}:00Z"
    ),
    "hour": lambda run, _: f"{run.started_at:%Y-%m-%dT%H}:00:00Z",
    "day": lambda run, plant: f"{local(run, plant):%F}",
    "shift": shift_name,
}


@each_filter
@pytest.mark.parametrize(
    ("group", "plant"),
    [(group, INDIA) for group in GROUPS] + [("day", DAYS_APART), ("shift", DAYS_APART)],
    ids=[*GROUPS, "day on the hour", "shift on the hour"],
)
def test_yields_of_groups_are_what_counting_gives(
    filled: Filled, filters: Filters, group: str, plant: PlantSettings
) -> None:
    assert_yields(filled, filters, group, plant)


def assert_yields(filled: Filled, filters: Filters, group: str, plant: PlantSettings) -> None:
    key_of = _KEYS[group]
    units = units_of(filled.counted, filters)
    entries = yields(filled.stored.database, filters, group, plant)
    found = {each["group"]: each for each in entries}
    expected_names = {key_of(runs[0], plant) for runs in units.values()}
    assert list(found) == sorted(expected_names, key=lambda name: (name is None, name))
    assert len(found) == len(entries)
    for name, entry in found.items():
        of_group = {key: each for key, each in units.items() if key_of(each[0], plant) == name}
        runs = [
            each for each in filled.counted if each.matches(filters) and key_of(each, plant) == name
        ]
        expected = count_units(of_group) | count_runs(runs) | count_retests(of_group)
        expected |= count_measurements(runs) | count_late(runs)
        assert {key: entry[key] for key in expected} == expected
        assert entry["rolled_throughput_yield"] == pytest.approx(product_of_yields(of_group))
        low, high = entry["first_pass_yield_low"], entry["first_pass_yield_high"]
        assert low <= entry["first_pass_yield"] <= high
        assert_bounds_hold(entry, [each[0] for each in of_group.values()], group)


@pytest.mark.parametrize(
    "odd",
    [["vcc", "gnd"], ["vcc", "gnd", "vcc"], ["gnd"]],
    ids=["has it", "repeats it", "lacks it"],
)
def test_figures_of_a_step_are_those_of_the_runs_that_hold_it(
    store_url: str, odd: list[str]
) -> None:
    """Where every run has the step, roll-ups say it; one that is odd must not hide in them."""
    dice = random.Random(4)
    stored = Stored(store_url)
    counted = []
    for number in range(60):
        names = odd if number == 40 else ["vcc", "gnd"]
        value = dice.choice([0.5, 2.0])
        message = run_message(
            f"U{dice.randrange(12)}",
            procedure=dice.choice(["ICT", "FCT"]),
            minutes=dice.randrange(180) + number / 100,
            steps=[{"test_step": name, "measured_value": value, "high": 1.0} for name in names],
            fixture=dice.choice([None, "F1"]),
        )
        (saved,) = stored.save(message, machine_id=f"M{number % 2}").saved.runs
        counted.append(Counted(saved.run_id, saved.judged, NOON))
    of_step = Filters(step="vcc")
    for more in ({}, {"fixture": "F1"}, {"machine_id": "M1"}, {"since": NOON + HOUR / 3}):
        filters = replace(of_step, **more)
        assert_figures(Filled(stored, counted), filters)
        for group in ("procedure", "machine", "fixture", "hour", "shift"):
            assert_yields(Filled(stored, counted), filters, group, INDIA)
    stored.close()


def assert_bounds_hold(entry: dict[str, Any], firsts: Sequence[Counted], group: str) -> None:
    if group not in {"15min", "hour", "day", "shift"}:
        assert (entry["since"], entry["until"]) == (None, None)
        return
    since, until = (datetime.fromisoformat(entry[name]) for name in ("since", "until"))
    assert all(since <= run.started_at < until for run in firsts)


def product_of_yields(units: Units) -> float:
    by_procedure: dict[str, list[bool]] = defaultdict(list)
    for (_, _, procedure), runs in units.items():
        by_procedure[procedure].append(runs[0].is_pass)
    return math.prod(sum(each) / len(each) for each in by_procedure.values())


@each_filter
def test_rolled_throughput_is_the_product_of_the_procedures(
    filled: Filled, filters: Filters
) -> None:
    units = units_of(filled.counted, filters)
    found = rolled_throughput(filled.stored.database, filters)
    value, low, high = (found[f"rolled_throughput_yield{end}"] for end in ("", "_low", "_high"))
    assert value == (pytest.approx(product_of_yields(units)) if units else None)
    assert low <= value <= high if units else (low, high) == (None, None)


@each_filter
def test_failing_steps_are_what_counting_every_measurement_gives(
    filled: Filled, filters: Filters
) -> None:
    failures: dict[tuple[str, str], int] = defaultdict(int)
    first_failures: dict[tuple[str, str], int] = defaultdict(int)
    for run in filled.counted:
        if not run.matches(filters):
            continue
        machine = run.facts()["machine_id"]
        for each in run.judged.measurements:
            if each.outcome is Outcome.FAIL:
                failures[each.measurement.test_step, machine] += 1
        if run.judged.first_failure is not None:
            first_failures[run.judged.first_failure, machine] += 1
    keys = [key for key in failures if filters.step in (None, key[0])]
    expected = {key: (first_failures[key], failures[key]) for key in keys}
    found = {
        (step["test_step"], machine["machine_id"]): (machine["first_failures"], machine["failures"])
        for step in failing_steps(filled.stored.database, filters)
        for machine in step["machines"]
    }
    assert found == expected


@pytest.mark.parametrize("group", ["15min", "hour", "day", "shift"])
def test_clocks_at_the_ends_of_the_calendar_break_no_figure(store_url: str, group: str) -> None:
    stored = Stored(store_url)
    times = ["0001-01-01T00:30:00Z", "1969-12-31T23:30:00Z", "9999-12-31T23:30:00Z"]
    for number, started_at in enumerate(times):
        stored.save(run_message(f"U{number}", started_at=started_at))
    for filters in (Filters(), Filters(operator=None, outcome=Outcome.PASS)):
        found = yields(stored.database, filters, group, INDIA)
        assert [each["units"] for each in found] == [1, 1, 1]
        assert [each["total_tests"] for each in found] == [1, 1, 1]
        assert [str(each["group"])[:4] for each in found][1:] == [
            "1970" if group == "day" else "1969",
            "9999",
        ]
    stored.close()


def test_a_late_first_run_moves_its_unit_to_the_earlier_period(store_url: str) -> None:
    stored = Stored(store_url)
    stored.save(run_message("U", minutes=0))
    since = Filters(since=NOON)
    assert figures(stored.database, since)["units"] == 1
    stored.save(run_message("U", minutes=-5, passes=False))
    assert figures(stored.database, since)["units"] == 0
    everything = figures(stored.database, Filters())
    assert (everything["units"], everything["first_pass_yield"]) == (1, 0.0)
    assert everything["final_yield"] == 1.0
    stored.close()

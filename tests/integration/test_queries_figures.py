"""Figures and yields: what roll-ups and unit states say is what counting every run says."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from broker.messages import Outcome
from broker.plant_sections import PlantSettings
from service.store.queries.figures import figures
from service.store.queries.filters import Filters
from service.store.queries.steps import failing_steps
from service.store.queries.yields import GROUPS, rolled_throughput, yields
from tests.support.counted_runs import (
    HOUR,
    Counted,
    Filled,
    count_late,
    count_measurements,
    count_retests,
    count_runs,
    count_units,
    each_filter,
    fill,
    product_of_yields,
    units_of,
)
from tests.support.stored import NOON, Stored, run_message


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


def assert_bounds_hold(entry: dict[str, Any], firsts: Sequence[Counted], group: str) -> None:
    if group not in {"15min", "hour", "day", "shift"}:
        assert (entry["since"], entry["until"]) == (None, None)
        return
    since, until = (datetime.fromisoformat(entry[name]) for name in ("since", "until"))
    assert all(since <= run.started_at < until for run in firsts)


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

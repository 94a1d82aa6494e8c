"""What a rebuilt floor adds up of a busy shift: it counts as if it had taken in each run."""

import asyncio
from dataclasses import asdict
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from broker.plant_sections import PlantSettings
from service.store.database import Database
from service.store.queries import pages_earlier, pages_seed
from service.store.queries.pages_earlier import reading_earlier
from service.store.queries.pages_seed import read_seed
from tests.support.random_history import RUNS, History
from tests.support.stored import NOON, Stored, run_message
from ui.figures import Tally
from ui.floor_earlier import count_earlier
from ui.floor_model import FloorModel
from ui.floor_seed import seed
from ui.seen import seen_of_stored
from ui.state import LiveHub
from ui.status_line import StoredStatus, status_line

PLANT = PlantSettings(shift_starts=("03:00",), golden_barcodes=("U8", "U9"))
"""One shift holds all of the random history, whose golden samples are these."""
LATER = NOON + timedelta(hours=1)


def seeded(database: Database) -> FloorModel:
    model = FloorModel(PLANT, LATER)
    seed(database, model)
    return model


def counted(database: Database, model: FloorModel | None = None) -> FloorModel:
    model = model or seeded(database)
    asyncio.run(count_earlier(database, model))
    assert model.uncounted is None
    return model


def figures(model: FloorModel) -> dict[str, Any]:
    """Return all that a floor counts; P and M are one, as only what is shown can be marginal."""
    machines = {
        machine.machine_id: {
            "tally": asdict(machine.tally),
            "retests": machine.retests,
            "steps": dict(machine.steps),
            "products": machine.products,
            "marks": {
                **machine.outcomes,
                "M": 0,
                "P": machine.outcomes["P"] + machine.outcomes["M"],
            },
            "tape": "".join(machine.tape),
            "line": machine.line,
        }
        for machine in model.machines.values()
    }
    return {
        "machines": machines,
        "total": model.total,
        "buckets": model.buckets,
        "by_line": model.by_line,
        "line_buckets": {
            key: {procedure: tally for procedure, tally in tallies.items() if tally.units}
            for key, tallies in model.line_buckets.items()
            if any(tally.units for tally in tallies.values())
        },
        "run_buckets": model.run_buckets,
        "line_units": dict(model.line_units),
        "units": model.unit_count,
        "runs": (model.runs, model.retests),
        "failures": sorted(model.failures),
        "live": [seen.run_id for seen in model.live],
    }


@pytest.mark.parametrize("taken", [0, 1, 37, RUNS // 2, RUNS - 1, RUNS])
@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def test_sums_of_what_came_earlier_make_the_same_figures(
    history: History, monkeypatch: pytest.MonkeyPatch, database: str, taken: int
) -> None:
    stored: Database = getattr(history, database)
    whole = figures(seeded(stored))
    assert whole["runs"][0] == len(history.of())
    monkeypatch.setattr(pages_seed, "RUNS_MAX", taken)
    assert figures(counted(stored)) == whole


@pytest.fixture
def busy(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> Stored:
    """A shift of which only two runs are taken one by one; A failed, the others passed."""
    stored.save(run_message("A", passes=False), run_message("B", minutes=1))
    at = NOON + timedelta(minutes=3)
    stored.save(*(run_message(barcode, minutes=2) for barcode in "CDE"), at=at)
    monkeypatch.setattr(pages_seed, "RUNS_MAX", 2)
    return stored


def take_live(stored: Stored, model: FloorModel, *messages: dict[str, Any]) -> None:
    """Store runs, and let the floor take them in as they come live."""
    saved = {each.run_id for each in stored.save(*messages).saved.runs}
    for run in read_seed(stored.database, NOON).runs:
        if run.run_id in saved:
            model.take(seen_of_stored(run))


def test_until_it_is_added_up_a_shift_says_from_when_on_it_counts(busy: Stored) -> None:
    model = seeded(busy.database)
    live = cast("LiveHub", SimpleNamespace(connected=True, changed_at=LATER, trouble=None))

    def shift() -> str:
        now_s = LATER.timestamp()
        return str(status_line(live, model, StoredStatus(), lag_s=None, now_s=now_s)["shift"])

    assert (model.total.units, model.unit_count) == (2, 2)
    assert shift() == "03:00 \u2013 03:00, counted since 12:03"
    counted(busy.database, model)
    assert (model.total, model.unit_count) == (Tally(5, 4, 4), 5)
    assert shift() == "03:00 \u2013 03:00"


def test_a_shift_that_is_taken_whole_leaves_nothing_to_add_up(stored: Stored) -> None:
    assert seeded(stored.database).uncounted is None
    stored.save(run_message("A", started_at=(NOON - timedelta(days=2)).isoformat()))
    stored.save(run_message("B"))
    assert seeded(stored.database).uncounted is None


def test_a_retest_of_an_earlier_unit_changes_its_yield(busy: Stored) -> None:
    model = counted(busy.database)
    take_live(busy, model, run_message("A", minutes=3), run_message("B", minutes=3, passes=False))
    assert model.total == Tally(5, 4, 4)
    assert (model.runs, model.retests) == (7, 2)
    take_live(busy, model, run_message("B", minutes=4))
    assert model.total == Tally(5, 4, 5)


def test_an_earlier_unit_at_its_next_procedure_is_no_new_unit(busy: Stored) -> None:
    model = counted(busy.database)
    take_live(busy, model, run_message("B", procedure="EOL", minutes=3))
    assert (model.unit_count, model.line_units["L1"], model.total.units) == (5, 5, 6)


def test_what_comes_while_it_is_added_up_counts_once(
    busy: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = seeded(busy.database)
    take_live(busy, model, run_message("B", procedure="EOL", minutes=3))
    take_live(busy, model, run_message("A", minutes=3, passes=False))
    read = pages_earlier.Earlier.units

    def read_and_go_on(earlier: pages_earlier.Earlier) -> list[pages_earlier.EarlierUnit]:
        found = list(read(earlier))
        take_live(busy, model, run_message("A", minutes=4))
        return found

    monkeypatch.setattr(pages_earlier.Earlier, "units", read_and_go_on)
    counted(busy.database, model)
    assert (model.total, model.runs, model.retests) == (Tally(6, 5, 6), 8, 2)
    assert (model.unit_count, model.line_units["L1"]) == (5, 5)


def test_what_a_shift_is_short_of_is_not_added_to_the_next_one(
    busy: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = seeded(busy.database)
    read = pages_earlier.Earlier.units

    def read_until_it_is_over(
        earlier: pages_earlier.Earlier,
    ) -> list[pages_earlier.EarlierUnit]:
        model.roll(LATER + timedelta(days=1))
        return list(read(earlier))

    monkeypatch.setattr(pages_earlier.Earlier, "units", read_until_it_is_over)
    counted(busy.database, model)
    assert (model.runs, model.total, model.unit_count) == (0, Tally(), 0)


def test_of_earlier_units_those_that_did_not_pass_come_first(
    busy: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_out = read_seed(busy.database, NOON).left_out
    assert left_out is not None
    monkeypatch.setattr(pages_earlier, "UNITS_MAX", 2)
    with reading_earlier(busy.database, NOON, left_out.newest_id) as earlier:
        assert [unit.barcode for unit in earlier.units()] == ["A", "C"]


def test_a_run_that_is_added_up_is_shown_and_counts_once(busy: Stored) -> None:
    model = counted(busy.database)
    assert "".join(model.machines["M1"].tape) == "FPPPP"
    assert not any(model.take(seen_of_stored(run)) for run in read_seed(busy.database, NOON).runs)
    assert model.runs == 5


def test_sums_and_units_are_of_one_moment(busy: Stored) -> None:
    left_out = read_seed(busy.database, NOON).left_out
    assert left_out is not None
    with reading_earlier(busy.database, NOON, left_out.newest_id) as earlier:
        assert sum(each.runs for each in earlier.run_sums()) == 3
        busy.save(run_message("A", minutes=4))
        assert sum(each.last_passed for each in earlier.unit_sums()) == 2

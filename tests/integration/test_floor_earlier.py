"""A floor rebuilt from sums of a shift's earlier runs: it counts as if it had taken each one in."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from broker.plant_sections import PlantSettings
from service.store.database import Database
from service.store.queries import pages_earlier, pages_seed
from service.store.queries.pages_seed import reading_seed
from tests.support.random_history import RUNS, History
from tests.support.stored import NOON, Stored, run_message
from ui.figures import Tally
from ui.floor_model import FloorModel
from ui.floor_seed import seed
from ui.seen import seen_of_stored

PLANT = PlantSettings(shift_starts=("03:00",), golden_barcodes=("U8", "U9"))
"""One shift holds all of the random history, whose golden samples are these."""
LATER = NOON + timedelta(hours=1)


def floor_of(database: Database) -> FloorModel:
    model = FloorModel(PLANT, LATER)
    seed(database, model)
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
    whole = figures(floor_of(stored))
    assert whole["runs"][0] == len(history.of())
    monkeypatch.setattr(pages_seed, "SHIFT_RUNS_MAX", taken)
    assert figures(floor_of(stored)) == whole


@pytest.fixture
def busy(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> Stored:
    """A shift of which only two runs are taken one by one; A failed, the others passed."""
    stored.save(run_message("A", passes=False), run_message("B", minutes=1))
    stored.save(*(run_message(barcode, minutes=2) for barcode in "CDE"))
    monkeypatch.setattr(pages_seed, "SHIFT_RUNS_MAX", 2)
    return stored


def take_live(stored: Stored, model: FloorModel, *messages: dict[str, Any]) -> None:
    """Store runs, and let the floor take them in as they come live."""
    saved = {each.run_id for each in stored.save(*messages).saved.runs}
    with reading_seed(stored.database, NOON) as found:
        for run in [each for each in found.runs if each.run_id in saved]:
            model.take(seen_of_stored(run))


def test_a_retest_of_an_earlier_unit_changes_its_yield(busy: Stored) -> None:
    model = floor_of(busy.database)
    assert (model.total, model.unit_count) == (Tally(5, 4, 4), 5)
    take_live(busy, model, run_message("A", minutes=3), run_message("B", minutes=3, passes=False))
    assert model.total == Tally(5, 4, 4)
    assert (model.runs, model.retests) == (7, 2)
    take_live(busy, model, run_message("B", minutes=4))
    assert model.total == Tally(5, 4, 5)


def test_an_earlier_unit_at_its_next_procedure_is_no_new_unit(busy: Stored) -> None:
    model = floor_of(busy.database)
    take_live(busy, model, run_message("B", procedure="EOL", minutes=3))
    assert (model.unit_count, model.line_units["L1"], model.total.units) == (5, 5, 6)


def test_of_earlier_units_those_that_did_not_pass_are_remembered_first(
    busy: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_earlier, "UNITS_MAX", 2)
    with reading_seed(busy.database, NOON) as found:
        assert found.earlier is not None
        assert [unit.barcode for unit in found.earlier.units()] == ["C", "A"]


def test_a_run_of_the_sums_that_is_shown_or_comes_again_counts_once(busy: Stored) -> None:
    model = floor_of(busy.database)
    assert "".join(model.machines["M1"].tape) == "FPPPP"
    with reading_seed(busy.database, NOON) as found:
        assert not any(model.take(seen_of_stored(run)) for run in found.runs)
    assert model.runs == 5


def test_what_is_stored_while_a_floor_is_rebuilt_is_not_in_its_sums(busy: Stored) -> None:
    with reading_seed(busy.database, NOON) as found:
        assert found.earlier is not None
        busy.save(run_message("A", minutes=4))
        assert sum(each.runs for each in found.earlier.run_sums()) == 3
        assert sum(each.last_passed for each in found.earlier.unit_sums()) == 2

"""What the pages read from the store, on both databases."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import event

from broker.messages import Comparator, Outcome
from broker.plant_sections import PlantSettings
from service.commands.resubmissions import close_rejections
from service.core.lookup import Rulebook
from service.core.rules import Rule
from service.store.queries.pages_search import (
    nearest_barcodes,
    rejections_with,
    telling_measurements,
)
from service.store.queries.pages_seed import MACHINE_RUNS_MAX, StoredRun, read_seed
from service.store.queries.pages_status import read_status
from service.store.queries.retests import RetestTime, retest_times
from tests.support.stored import NOON, Stored, run_message
from ui.floor_model import FloorModel
from ui.floor_seed import seed
from ui.seen import seen_of_stored


def run_of(barcode: str, minute: int = 0, **changes: object) -> dict[str, object]:
    begun = NOON - timedelta(minutes=30) + timedelta(minutes=minute)
    return {
        "barcode": barcode,
        "product_id": "P",
        "procedure": "FCT",
        "started_at": begun.isoformat(),
        "measurements": [step("v_in", 12.0)],
        **changes,
    }


def step(name: str, value: object, **changes: object) -> dict[str, object]:
    return {"test_step": name, "measured_value": value, "low": 11.0, "high": 13.0, **changes}


def floor_of(stored: Stored) -> FloorModel:
    model = FloorModel(PlantSettings(), NOON)
    seed(stored.database, model)
    return model


def seeded_runs(stored: Stored, since: datetime = NOON) -> list[StoredRun]:
    return list(read_seed(stored.database, since).runs)


def test_the_floor_is_rebuilt_from_what_is_stored(stored: Stored) -> None:
    bad = [step("ok", 12.0), step("v_in", 14.5), step("v_out", 99.0)]
    stored.save(run_of("A"), run_of("B", 1, measurements=bad), machine_id="M1")
    stored.save(run_of("B", 2), machine_id="M2", line="L2")
    model = floor_of(stored)
    assert model.total.units == 2
    assert model.total.first_passed == 1
    assert model.total.last_passed == 2
    assert "".join(model.machines["M1"].tape) == "PF"
    last = model.machines["M1"].last
    assert last is not None
    assert (last.barcode, last.step, last.detail) == ("B", "v_in", "14.5 > 13")
    assert model.machines["M2"].line == "L2"


def test_an_error_is_explained_by_its_first_error(stored: Stored) -> None:
    rules = Rulebook(
        1, (Rule(id="r", test_step="v_in", comparator=Comparator.GELE, low=11.0, high=13.0),)
    )
    nothing = [step("other", 12.0), step("v_in", None)]
    stored.save(run_of("A", measurements=nothing), rules=rules)
    (seen,) = map(seen_of_stored, seeded_runs(stored))
    assert (seen.outcome, seen.step, seen.mark) == (Outcome.ERROR, "v_in", "E")
    assert "no value" in seen.detail


def test_a_run_of_an_earlier_shift_is_seeded_for_the_tape_only(stored: Stored) -> None:
    old = (NOON - timedelta(days=3)).isoformat()
    stored.save(run_of("A", started_at=old))
    model = floor_of(stored)
    assert model.total.units == 0
    assert "".join(model.machines["M1"].tape) == "P"


def test_the_seed_holds_each_run_once_in_the_order_of_arrival(stored: Stored) -> None:
    for i in range(3):
        stored.save(run_of(f"A{i}", -i), at=NOON + timedelta(seconds=i))
    runs = seeded_runs(stored, NOON - timedelta(hours=4))
    assert [run.barcode for run in runs] == ["A0", "A1", "A2"]


def test_a_machine_is_seeded_with_its_newest_runs_only(stored: Stored) -> None:
    old = NOON - timedelta(days=2)
    many = [
        run_of(f"A{i}", started_at=(old + timedelta(seconds=i)).isoformat())
        for i in range(MACHINE_RUNS_MAX + 5)
    ]
    stored.save(*many)
    runs = seeded_runs(stored)
    assert len(runs) == MACHINE_RUNS_MAX
    assert {"A0", "A4"}.isdisjoint({run.barcode for run in runs})


def test_a_machine_that_was_only_rejected_is_known(stored: Stored) -> None:
    stored.save(b"{", machine_id="BAD-1", line="L9")
    assert read_seed(stored.database, NOON).machines == [("BAD-1", "L9")]


def test_an_empty_database_seeds_nothing(stored: Stored) -> None:
    machines, runs, left_out = read_seed(stored.database, NOON)
    assert (machines, list(runs), left_out) == ([], [], None)
    status = read_status(stored.database)
    assert (status.rulebook_version, status.rejections_open) == (None, 0)
    assert status.database_ms > 0


def test_the_status_line_counts_open_rejections_and_reads_the_trail_only_when_it_grew(
    stored: Stored,
) -> None:
    database, by = stored.database, {"actor": "ann", "reason": "why", "now": NOON}
    saved = stored.save(*(b"{" * each for each in range(1, 6)))
    first, second, *_ = (each.rejection_id for each in saved.saved.rejections)
    assert read_status(database).rejections_open == 5
    close_rejections(database, [first, second], **by)
    other = Stored(stored.url)  # another process
    close_rejections(other.database, [first], **by)
    other.close()
    assert read_status(database).rejections_open == 3

    asked: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _(_c: object, _u: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    stored.save(b"[")
    assert read_status(database).rejections_open == 4
    assert not [each for each in asked if "LIKE" in each]


def test_what_retests_took_counts_those_that_say_when_they_ended(stored: Stored) -> None:
    ended = {"minutes": 1, "ended_at": (NOON + timedelta(seconds=90)).isoformat()}
    stored.save(run_message("A"))
    stored.save(run_message("A", **ended), run_message("A", minutes=2))  # one has no end
    before = {"minutes": 3, "ended_at": NOON.isoformat()}
    stored.save(run_message("A", **before), machine_id="M2", line="L2")
    assert retest_times(stored.database, NOON) == {"L1": RetestTime(1, 30.0)}
    assert retest_times(stored.database, NOON + timedelta(minutes=2)) == {}


def test_the_nearest_barcodes_come_first(stored: Stored) -> None:
    stored.save(*(run_of(name) for name in ("EC41-018832", "EC41-018841", "ZZ-1", "EC41-9")))
    found = nearest_barcodes(stored.database, "EC41-018831")
    assert set(found[:2]) == {"EC41-018832", "EC41-018841"}
    assert "ZZ-1" not in found


@pytest.mark.parametrize("strange", ["", "x", "%", "_____", "\U0010ffff", "é" * 128])
def test_a_strange_barcode_has_no_neighbours_and_no_error(stored: Stored, strange: str) -> None:
    stored.save(run_of("EC41-018832"))
    assert nearest_barcodes(stored.database, strange) == []


@pytest.mark.parametrize("length", [129, 4_000])
def test_what_is_too_long_for_a_barcode_is_not_searched(stored: Stored, length: int) -> None:
    asked: list[str] = []

    @event.listens_for(stored.database.engine, "before_cursor_execute")
    def _(_c: object, _u: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    assert nearest_barcodes(stored.database, "x" * length) == []
    assert asked == []


def test_rejections_that_hold_the_barcode_are_found_newest_first(stored: Stored) -> None:
    broken = b'{"barcode": "EC41-018832", "product_id": '
    stored.save(broken, at=NOON)
    stored.save(broken + b" ", b'{"barcode": "OTHER"', at=NOON + timedelta(minutes=1))
    found = rejections_with(stored.database, "EC41-018832")
    assert len(found) == 2
    assert found[0].received_at > found[1].received_at
    assert found[0].code == "not_json"
    assert rejections_with(stored.database, "EC41-0188%") == []


def test_marginal_values_are_told_with_the_measurement(stored: Stored) -> None:
    rule = Rule(
        id="r",
        test_step="v_in",
        comparator=Comparator.GELE,
        low=11.0,
        high=13.0,
        marginal_percent=10,
    )
    stored.save(run_of("A", measurements=[step("v_in", 12.95)]), rules=Rulebook(1, (rule,)))
    (run,) = seeded_runs(stored)
    told = telling_measurements(stored.database, [run.run_id, 999])
    assert list(told) == [run.run_id]
    marginal, measurement = told[run.run_id]
    assert marginal
    assert measurement is not None
    assert measurement.measured_value == 12.95
    assert seen_of_stored(run).mark == "M"

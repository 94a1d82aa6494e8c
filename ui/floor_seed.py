"""A floor rebuilt from what is stored: when the web app starts, or has missed messages."""

from service.store.database import Database
from service.store.queries.pages_earlier import Earlier, EarlierUnit
from service.store.queries.pages_seed import reading_seed
from ui.failing_steps import Failure
from ui.floor_model import FloorModel
from ui.seen import mark_of, seen_of_stored
from ui.shift_units import UnitRuns


def seed(database: Database, model: FloorModel) -> None:
    """Take into a new model what is stored of its shift. Blocks, for seconds after a busy shift.

    The newest runs come one by one, as live ones do. What was before them is added up, and of its
    units those are remembered that are likeliest to come again: a retest of another changes no
    yield.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble.
    """
    with reading_seed(database, model.shift.start) as stored:
        for machine_id, line in stored.machines:
            model.machine(machine_id, line)
        earlier_id = 0
        if stored.earlier is not None:
            earlier_id = stored.earlier.newest_id
            _count_runs(model, stored.earlier)
            _count_units(model, stored.earlier)
        for run in stored.runs:
            model.take(seen_of_stored(run), is_counted=run.run_id > earlier_id)
    model.rank_procedures()


def _count_runs(model: FloorModel, earlier: Earlier) -> None:
    for sums in earlier.run_sums():
        machine = model.machine(sums.machine_id, sums.line)
        if machine is not None:
            at_s, mark = sums.slot_at.timestamp(), mark_of(sums.outcome)
            model.add_runs(machine, at_s, mark, sums.runs, is_retest=sums.is_retest)
            model.note_product(machine, sums.product_id)
    for machine_id, step, count in earlier.failed_steps():
        if machine := model.machines.get(machine_id):
            model.add_failures(machine, step, count)
    for failed in earlier.failures():
        place = failed.machine_id, failed.barcode, failed.line
        model.failures.append(Failure(failed.began_at.timestamp(), failed.step, *place))


def _count_units(model: FloorModel, earlier: Earlier) -> None:
    for sums in earlier.unit_sums():
        at_s = sums.slot_at.timestamp()
        for tally in model.tallies(sums.line, sums.machine_id, sums.procedure, at_s):
            tally.units += sums.units
            tally.first_passed += sums.first_passed
            tally.last_passed += sums.last_passed
    model.line_units.update(dict(earlier.line_units()))
    model.units.count += earlier.unit_count()
    for unit in earlier.units():
        model.units.remember(unit.barcode, unit.product_id, _as_runs(unit))


def _as_runs(unit: EarlierUnit) -> UnitRuns:
    (first_at, first_id), (last_at, last_id) = unit.first, unit.last
    return UnitRuns(
        unit.procedure,
        unit.line,
        unit.machine_id,
        (first_at.timestamp(), first_id),
        (last_at.timestamp(), last_id),
        unit.first_passed,
        unit.last_passed,
    )

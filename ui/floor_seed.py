"""A floor rebuilt from what is stored: when the web app starts, or has missed messages."""

from service.store.database import Database
from service.store.queries.pages_seed import read_seed
from ui.floor_model import FloorModel
from ui.seen import seen_of_stored
from ui.shift_units import Uncounted


def seed(database: Database, model: FloorModel) -> None:
    """Take into a new model what is newest of its shift. Blocks, for seconds after a busy shift.

    What it leaves `uncounted` is for `ui/floor_earlier.py`.

    Raises:
        StoreUnavailable, StoreRefused: Database trouble.
    """
    stored = read_seed(database, model.shift.start)
    if stored.left_out is not None:
        model.uncounted = Uncounted(stored.left_out.newest_id, stored.left_out.until.timestamp())
    for machine_id, line in stored.machines:
        model.machine(machine_id, line)
    for run in stored.runs:
        model.take(seen_of_stored(run))
    model.rank_procedures()

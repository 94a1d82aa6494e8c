"""New runs on their way into the tables: ids, units and their states, rows, roll-ups."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from service.core.records import JudgedRun
from service.store.batches import Arrival, StoredRun
from service.store.codes import OUTCOME_CODE, NameKind
from service.store.drivers import Driver, table
from service.store.names import Names
from service.store.rollups import (
    RUN_HOUR,
    RUN_HOUR_ADD,
    RUN_HOUR_DETAIL,
    RUN_HOUR_DETAIL_ADD,
    STEP_HOUR,
    STEP_HOUR_ADD,
    roll_up,
)
from service.store.rows import (
    MEASUREMENT,
    RAW_MESSAGE,
    RUN,
    RunKeys,
    measurement_row,
    raw_row,
    run_row,
)
from service.store.times import microseconds
from service.store.unit_states import (
    UNIT_HOUR,
    UNIT_HOUR_ADD,
    UNIT_HOUR_DETAIL,
    UNIT_HOUR_DETAIL_ADD,
    UNIT_STATE,
    UNIT_STATE_REPLACE,
    NewRun,
    UnitHours,
    UnitState,
    unit_hours,
    with_run,
)

_UNIT = table("unit", id="int8", barcode="text", product="int4")
_FIND = (
    "SELECT u.barcode, u.product, u.id FROM k JOIN unit u ON u.barcode = k.k0 AND u.product = k.k1"
)
_FIND_AND_LOCK = f"{_FIND} ORDER BY u.id FOR UPDATE OF u"


def insert_runs(
    driver: Driver,
    names: Names,
    new: Sequence[tuple[JudgedRun, Arrival]],
    received_us: int,
) -> list[StoredRun]:
    """Insert runs that are known to be new, and all that follows from them.

    Raises:
        KeyError: A name is not known yet; learn the names of the batch and call again.
    """
    if not new:
        return []
    keyed = _key_runs(driver, names, new)
    run_rows = [run_row(judged, keys, received_us, names) for judged, keys in keyed]
    driver.insert(RUN, run_rows)
    driver.insert(
        MEASUREMENT,
        [
            measurement_row(keys.run_id, position, each, names)
            for judged, keys in keyed
            for position, each in enumerate(judged.measurements)
        ],
    )
    rolled_up = roll_up(keyed, names, received_us)
    driver.upsert(RUN_HOUR, rolled_up.run_hours, RUN_HOUR_ADD)
    driver.upsert(RUN_HOUR_DETAIL, rolled_up.run_details, RUN_HOUR_DETAIL_ADD)
    driver.upsert(STEP_HOUR, rolled_up.step_hours, STEP_HOUR_ADD)
    return [
        StoredRun(keys.run_id, keys.attempt, judged, arrival.topic)
        for (judged, keys), (_, arrival) in zip(keyed, new, strict=True)
    ]


def _key_runs(
    driver: Driver, names: Names, new: Sequence[tuple[JudgedRun, Arrival]]
) -> list[tuple[JudgedRun, RunKeys]]:
    """Give every new run its ids, its attempt and its unit; insert raw messages and units."""
    of = names.of
    machines, lines = of[NameKind.MACHINE], of[NameKind.LINE]
    products, procedures = of[NameKind.PRODUCT], of[NameKind.PROCEDURE]
    fixtures, operators = of[NameKind.FIXTURE], of[NameKind.OPERATOR]
    run_ids = driver.next_ids("run", len(new))
    raw_ids = _insert_raw(driver, names, [arrival for _, arrival in new])
    barcodes = [(j.run.message.barcode, products[j.run.message.product_id]) for j, _ in new]
    units = _units(driver, barcodes)
    unit_procedures = [
        (units.ids[barcode], procedures[judged.run.procedure])
        for barcode, (judged, _) in zip(barcodes, new, strict=True)
    ]
    known = {key for key in unit_procedures if key[0] not in units.added}
    states = read_states(driver, known)
    keyed = []
    changed: dict[tuple[int, int], UnitState] = {}
    begun: set[int] = set()
    for index, (judged, arrival) in enumerate(new):
        run, run_id, unit_procedure = judged.run, run_ids[index], unit_procedures[index]
        unit_id, procedure = unit_procedure
        product = barcodes[index][1]
        machine, line = machines[run.machine_id], lines[run.line]
        started_us = microseconds(run.started_at)
        is_further = unit_id not in units.added or unit_id in begun
        begun.add(unit_id)
        state = changed[unit_procedure] = with_run(
            changed.get(unit_procedure) or states.get(unit_procedure),
            NewRun(
                unit_id,
                procedure,
                product,
                machine,
                line,
                run_id,
                started_us,
                OUTCOME_CODE[judged.outcome],
                run.is_golden,
                None if run.message.fixture is None else fixtures[run.message.fixture],
                None if run.message.operator is None else operators[run.message.operator],
                is_further,
            ),
        )
        keys = RunKeys(
            run_id,
            machine,
            line,
            unit_id,
            product,
            procedure,
            state.runs,
            raw_ids[id(arrival)],
            started_us,
        )
        keyed.append((judged, keys))
    _save_states(driver, states, changed, units.added)
    return keyed


def _save_states(
    driver: Driver,
    before: dict[tuple[int, int], UnitState],
    after: dict[tuple[int, int], UnitState],
    added: set[int],
) -> None:
    """Write the states of a batch, and add to the hours of the first runs what that changes."""
    ordered = [after[key] for key in sorted(after)]
    driver.insert(UNIT_STATE, [state for state in ordered if state.unit_id in added])
    old = [state for state in ordered if state.unit_id not in added]
    driver.upsert(UNIT_STATE, old, UNIT_STATE_REPLACE)
    changes = ((before.get(key), state) for key, state in after.items())
    add_unit_hours(driver, unit_hours(changes))


def add_unit_hours(driver: Driver, changes: UnitHours) -> None:
    """Add to the hours of units, in the order of their keys."""
    driver.upsert(UNIT_HOUR, changes.hours, UNIT_HOUR_ADD)
    driver.upsert(UNIT_HOUR_DETAIL, changes.details, UNIT_HOUR_DETAIL_ADD)


def _insert_raw(driver: Driver, names: Names, arrivals: Sequence[Arrival]) -> dict[int, int]:
    """Store each message's bytes once; return their ids by `id(arrival)`."""
    different = {id(arrival): arrival for arrival in arrivals}
    ids = driver.next_ids("raw_message", len(different))
    topics = names.of[NameKind.TOPIC]
    driver.insert(
        RAW_MESSAGE,
        [
            raw_row(raw_id, topics[arrival.topic], arrival.payload)
            for raw_id, arrival in zip(ids, different.values(), strict=True)
        ],
    )
    return dict(zip(different, ids, strict=True))


def _units(driver: Driver, wanted: Sequence[tuple[str, int]]) -> "_Units":
    """Find units by (barcode, product), and add the new ones.

    Those found are locked until the commit where others could write: their states change next.
    """
    different = sorted(set(wanted))
    find = _FIND_AND_LOCK if driver.has_other_writers else _FIND
    types = ("text", "int4")
    ids = {(row[0], row[1]): row[2] for row in driver.match(different, types, find)}
    missing = [key for key in different if key not in ids]
    if not missing:
        return _Units(ids, set())
    new_ids = driver.next_ids("unit", len(missing))
    rows = [(number, *key) for number, key in zip(new_ids, missing, strict=True)]
    added = driver.insert_absent(_UNIT, rows)
    for number, barcode, product in rows:
        if number in added:
            ids[barcode, product] = number
    if len(added) < len(rows):  # another service added them since we looked
        late = [key for key in missing if key not in ids]
        ids |= {(row[0], row[1]): row[2] for row in driver.match(late, types, find)}
    return _Units(ids, added)


def read_states(
    driver: Driver, keys: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], UnitState]:
    """Return the states that exist. Nobody else writes them while their units are locked."""
    columns = ", ".join(f"s.{column}" for column in UNIT_STATE.columns)
    found = driver.match(
        sorted(keys),
        ("int8", "int4"),
        f"SELECT {columns} FROM k"  # noqa: S608 - our own column names
        " JOIN unit_state s ON s.unit_id = k.k0 AND s.procedure = k.k1",
    )
    return {(row[0], row[1]): UnitState(*row) for row in found}


class _Units(NamedTuple):
    ids: dict[tuple[str, int], int]
    added: set[int]
    """Units that did not exist, and of which nobody else can know before the commit."""

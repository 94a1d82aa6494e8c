"""Delete runs, in one small transaction, and correct all that counted them.

After each transaction the roll-ups are what a scan of the rows that are left would give. Only an
hour of one machine, product and procedure that is too large for a transaction leaves them first
and its rows portion by portion: figures rather lack what is going than show what is gone.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from service.store.database import Database
from service.store.drivers import Driver, PostgresDriver, SqliteDriver
from service.store.queries.old_runs import Portion, Slot
from service.store.run_inserts import add_unit_hours, read_states
from service.store.unit_states import (
    SLOT,
    UNIT_STATE,
    UNIT_STATE_REPLACE,
    WHO,
    NewRun,
    UnitState,
    unit_hours,
    with_runs_left,
)

_LOCK: Final = 0x59_4C_00_03  # "YL": PostgreSQL's advisory lock for deleting by age
_HOUR_OF: Final = " AND ".join(f"{column} = ?" for column in Slot._fields)
_OF_UNIT: Final = "SELECT r.id FROM run r WHERE r.unit_id = k.k0 AND r.procedure = k.k1 ORDER BY"
_LEFT: Final = (
    f"SELECT k.k0, k.k1, ({_OF_UNIT} r.started_us, r.id LIMIT 1),"  # noqa: S608 - our own words
    f" ({_OF_UNIT} r.started_us, r.id LIMIT 1 OFFSET 1),"
    f" ({_OF_UNIT} r.started_us DESC, r.id DESC LIMIT 1) FROM k"
)
_FORGET_VERDICTS: Final = """DELETE FROM shadow_verdict
    WHERE (shadow_id, run_id) IN (SELECT s.id, k.k0 FROM k CROSS JOIN shadow s)"""
_Key = tuple[int, int]
"""Unit and procedure."""


def connect(database: Database) -> Driver:
    """Return a connection of one's own for `forget`, beside that of a running service.

    Raises:
        StoreUnavailable, StoreRefused: Within `Database.translated`.
    """
    if database.is_sqlite:
        return SqliteDriver(database.connect_sqlite())
    return PostgresDriver(database.connect_postgres())


def forget(driver: Driver, portion: Portion, horizon: int) -> int | None:
    """Delete the runs of a portion, with all that belongs to them alone, in one transaction.

    Args:
        driver: Outside of a transaction.
        portion: What to delete; what is gone already does not matter.
        horizon: Microseconds. A slot that was given a run since then is left as it is.

    Returns:
        How many runs are deleted; None: another process is deleting, so nothing was done.
    """
    driver.begin()
    try:
        if driver.has_other_writers and not _is_alone(driver):
            driver.rollback()
            return None
        runs = _delete(driver, portion.run_ids)
        for slot in sorted(portion.slots):  # as the writer locks them
            for roll_up in ("run_hour", "run_hour_detail", "step_hour"):
                driver.change(f"DELETE FROM {roll_up} WHERE {_HOUR_OF}", slot)  # noqa: S608 - our own words
        if _has_newer(driver, portion.slots, horizon):
            driver.rollback()
            return 0
        driver.commit()
    except BaseException:
        driver.rollback()
        raise
    return runs


def _is_alone(driver: Driver) -> bool:
    return bool(driver.execute("SELECT pg_try_advisory_xact_lock(?)", (_LOCK,))[0][0])


def _has_newer(driver: Driver, slots: Sequence[Slot], horizon: int) -> bool:
    """Tell whether a run came to a slot after it was looked at.

    Asked when its roll-up is locked: who stores another one waits for our commit.
    """
    columns = Slot._fields[1:]
    same = " AND ".join(f"r.{column} = k.k{number}" for number, column in enumerate(columns, 1))
    found = driver.match(
        slots,
        ("int4",) * len(Slot._fields),
        f"SELECT 1 FROM k JOIN run r ON {same} AND r.received_us >= {horizon}"  # noqa: S608 - likewise
        " AND r.started_us >= k.k0 * 3600000000 AND r.started_us < (k.k0 + 1) * 3600000000 LIMIT 1",
    )
    return bool(found)


def _delete(driver: Driver, run_ids: Sequence[int]) -> int:
    """Delete runs with their measurements, messages and units; return how many there were."""
    wanted = [(run_id,) for run_id in run_ids]
    find = "SELECT r.id, r.unit_id, r.procedure, r.raw_id FROM k JOIN run r ON r.id = k.k0"
    found = driver.match(wanted, ("int8",), find)
    lost: dict[_Key, int] = {}
    for _, unit_id, procedure, _ in found:
        lost[unit_id, procedure] = lost.get((unit_id, procedure), 0) + 1
    if driver.has_other_writers:
        lock = "SELECT u.id FROM k JOIN unit u ON u.id = k.k0 ORDER BY u.id FOR UPDATE OF u"
        driver.match(_alone(key[0] for key in lost), ("int8",), lock)
    before = read_states(driver, lost)
    _delete_rows(driver, [row[0] for row in found], {row[3] for row in found})
    _correct_states(driver, before, lost)
    return len(found)


def _delete_rows(driver: Driver, run_ids: Sequence[int], raw_ids: Iterable[int]) -> None:
    runs = [(run_id,) for run_id in run_ids]
    for sql in (
        _FORGET_VERDICTS,
        "DELETE FROM measurement WHERE run_id IN (SELECT k.k0 FROM k)",
        "DELETE FROM run WHERE id IN (SELECT k.k0 FROM k)",
    ):
        driver.match(runs, ("int8",), sql)
    driver.match(  # a message that was an array may have runs that stay
        _alone(raw_ids),
        ("int8",),
        "DELETE FROM raw_message WHERE id IN (SELECT k.k0 FROM k WHERE NOT EXISTS"
        " (SELECT 1 FROM run r WHERE r.raw_id = k.k0 AND r.element IS NOT NULL))",
    )


def _correct_states(driver: Driver, before: dict[_Key, UnitState], lost: dict[_Key, int]) -> None:
    """Let units count by the first run that is left of them; forget those without any."""
    left = {key: state.runs - lost[key] for key, state in before.items()}
    after = _states_left(driver, before, {key: count for key, count in left.items() if count > 0})
    driver.upsert(UNIT_STATE, [after[key] for key in sorted(after)], UNIT_STATE_REPLACE)
    gone = sorted(key for key in before if key not in after)
    driver.match(
        gone,
        ("int8", "int4"),
        "DELETE FROM unit_state WHERE (unit_id, procedure) IN (SELECT k.k0, k.k1 FROM k)",
    )
    changes = unit_hours((state, after.get(key)) for key, state in before.items())
    add_unit_hours(driver, changes)
    _forget_empty(driver, "unit_hour", tuple(SLOT), changes.hours)
    _forget_empty(driver, "unit_hour_detail", (*SLOT, *WHO), changes.details)
    driver.match(
        _alone(key[0] for key in gone),
        ("int8",),
        "DELETE FROM unit WHERE id IN (SELECT k.k0 FROM k)"
        " AND NOT EXISTS (SELECT 1 FROM unit_state s WHERE s.unit_id = unit.id)",
    )


def _forget_empty(
    driver: Driver, roll_up: str, key: Sequence[str], changes: Iterable[tuple[int, ...]]
) -> None:
    driver.match(
        [row[: len(key)] for row in changes],
        ("int4",) * len(key),
        f"DELETE FROM {roll_up} WHERE ({', '.join(key)}) IN (SELECT * FROM k) AND units = 0",  # noqa: S608 - likewise
    )


def _states_left(
    driver: Driver, before: dict[_Key, UnitState], left: dict[_Key, int]
) -> dict[_Key, UnitState]:
    """Return the states of units of which runs are left."""
    ends = driver.match(sorted(left), ("int8", "int4"), _LEFT)
    ids = {each for row in ends for each in row[2:] if each is not None}
    columns = (
        "r.unit_id, r.procedure, r.product, r.machine, r.line, r.id, r.started_us, r.outcome,"
        " r.is_golden, r.fixture, r.operator"
    )
    find = f"SELECT {columns} FROM k JOIN run r ON r.id = k.k0"  # noqa: S608 - our own words
    runs = {row[5]: NewRun(*row) for row in driver.match(_alone(ids), ("int8",), find)}
    return {
        (unit_id, procedure): with_runs_left(
            before[unit_id, procedure],
            left[unit_id, procedure],
            runs[first],
            runs.get(second),
            runs[last],
        )
        for unit_id, procedure, first, second, last in ends
    }


def _alone(numbers: Iterable[int]) -> list[tuple[Any, ...]]:
    """Return different numbers, sorted, as keys to match."""
    return [(number,) for number in sorted(set(numbers))]

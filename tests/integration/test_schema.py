"""The schema: what the database itself keeps, and what an upgrade makes of rows that are there."""

import contextlib
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from broker.errors import StoreRefused
from broker.messages import Comparator
from broker.sections import DatabaseSettings
from service.core.lookup import Rulebook
from service.core.rules import Rule
from service.store import schema
from service.store.codes import HOUR_US
from service.store.database import Database
from service.store.revision import is_current, newest
from service.store.schema import upgrade
from service.store.unit_states import UNIT_STATE
from tests.support.processes import PYTHON, Process
from tests.support.stored import Stored, one, run_message

UPGRADE = (
    "import sys; from broker.settings import DatabaseSettings as S;"
    " from service.store.database import Database as D; from service.store.schema import upgrade;"
    " print('ready', flush=True); upgrade(D(S(url=sys.argv[1]))); print('done', flush=True)"
)
KEY = "hour, machine, line, product, procedure, fixture, operator"


def rows(stored: Stored, sql: str) -> list[tuple[Any, ...]]:
    with stored.database.reading() as session:
        return [tuple(row) for row in session.connection().execute(text(sql))]


def fill(stored: Stored) -> None:
    """Units that are tested up to six times, in no order, also before 1970; one is golden."""
    dice = random.Random(3)
    for number in range(150):
        barcode = f"U{dice.randrange(30)}"
        message = run_message(
            barcode,
            procedure=dice.choice(["ICT", "FCT"]),
            minutes=dice.choice([0, -60 * 24 * 365 * 60])
            + dice.randrange(-200, 200)
            + number / 1e4,
            passes=dice.random() < 0.6,
            fixture=dice.choice([None, "F1", "F2"]),
            operator=dice.choice([None, "ann"]),
        )
        stored.save(message, machine_id=f"M{number % 2}", is_golden=barcode == "U7")


def by_hand(stored: Stored) -> dict[tuple[Any, ...], list[int]]:
    """Add up units by the hour of their first run, from the runs alone."""
    found: dict[tuple[int, int], list[tuple[Any, ...]]] = {}
    for row in rows(
        stored,
        "SELECT unit_id, procedure, started_us, machine, line, product, outcome FROM run"
        " WHERE NOT is_golden ORDER BY started_us, id",
    ):
        found.setdefault(row[:2], []).append(row[2:])
    sums: dict[tuple[Any, ...], list[int]] = {}
    for (_, procedure), runs in found.items():
        started_us, machine, line, product, first = runs[0]
        passed = [run[4] == 1 for run in runs]
        counts = [1, first == 1, any(passed[:2]), passed[-1], len(runs) > 1, len(runs)]
        key = (started_us // HOUR_US, machine, line, product, procedure)
        sums[key] = [a + b for a, b in zip(sums.get(key, [0] * 6), counts, strict=True)]
    return sums


def unit_hours(stored: Stored) -> dict[tuple[Any, ...], list[int]]:
    found = rows(
        stored,
        "SELECT hour, machine, line, product, procedure, units, first_passed, second_passed,"
        " last_passed, retested, runs FROM unit_hour WHERE units <> 0",
    )
    return {row[:5]: list(row[5:]) for row in found}


def test_units_by_hour_are_what_counting_the_runs_gives(stored: Stored) -> None:
    fill(stored)
    assert unit_hours(stored) == by_hand(stored)


def assert_all_states_but_one_are_further(stored: Stored) -> None:
    counts = rows(
        stored,
        "SELECT count(*), sum(CASE WHEN is_further THEN 1 ELSE 0 END) FROM unit_state"
        " GROUP BY unit_id",
    )
    assert {(total, int(further)) for total, further in counts} == {(1, 0), (2, 1)}


def test_a_unit_that_comes_to_a_second_procedure_is_marked_there(stored: Stored) -> None:
    fill(stored)
    assert_all_states_but_one_are_further(stored)


def test_an_upgrade_works_out_what_the_older_version_did_not_keep(stored: Stored) -> None:
    fill(stored)
    columns = ", ".join(column for column in UNIT_STATE.columns if column != "is_further")
    states = f"SELECT {columns} FROM unit_state WHERE NOT is_golden ORDER BY unit_id, procedure"
    details = [
        f"SELECT * FROM run_hour_detail ORDER BY {KEY}",
        f"SELECT * FROM unit_hour_detail WHERE units <> 0 ORDER BY {KEY}",
    ]
    before = rows(stored, states), unit_hours(stored), *(rows(stored, each) for each in details)
    golden = {row[0] for row in rows(stored, "SELECT unit_id FROM run WHERE is_golden")}
    stored.writer.close()
    with schema._locked(stored.database) as connection:
        command.downgrade(schema._config(connection), "0001")
    with stored.database.engine.begin() as connection:  # the older version knew no golden sample
        for unit_id in golden:
            for name in ("run", "unit_state"):
                connection.execute(
                    text(f"DELETE FROM {name} WHERE unit_id = :unit_id"), {"unit_id": unit_id}
                )
    upgrade(stored.database)
    after = rows(stored, states), unit_hours(stored), *(rows(stored, each) for each in details)
    assert after == before
    assert_all_states_but_one_are_further(stored)


def test_an_upgrade_counts_measurements_and_missing_steps_as_the_writer_does(
    stored: Stored,
) -> None:
    required = Rule("seal", Comparator.LOG, test_step="seal", required=True)
    rules = Rulebook(1, (required,))
    seal = {"test_step": "seal", "measured_value": 1.0}
    vcc = {"test_step": "vcc", "measured_value": 5.0, "low": 4.0, "high": 6.0}
    for number in range(20):
        steps = [vcc | {"measured_value": 5.0 + number % 3}, *([seal] if number % 4 else [])]
        steps += steps[:1] if number % 9 == 8 else []
        message = run_message(f"U{number}", minutes=number * 30 - 400, steps=steps)
        stored.save(message, rules=rules, is_golden=number == 7)
    queries = (
        "SELECT * FROM run_hour ORDER BY hour",
        "SELECT * FROM step_hour ORDER BY hour, step",
    )
    before = [rows(stored, query) for query in queries]
    counts = rows(stored, "SELECT sum(measured_passed), sum(measured_failed) FROM run_hour")
    assert [tuple(map(int, row)) for row in counts] == [(27, 8)]
    assert rows(stored, "SELECT sum(repeating) FROM run_hour") == [(2,)]
    missing = "SELECT sum(first_failures) FROM step_hour WHERE failed = 0"
    assert rows(stored, missing) == [(4,)]
    stored.writer.close()
    with schema._locked(stored.database) as connection:
        command.downgrade(schema._config(connection), "0004")
    assert rows(stored, missing) == [(0,)]
    upgrade(stored.database)
    assert [rows(stored, query) for query in queries] == before


@pytest.mark.postgres
def test_postgresql_is_told_how_many_measurements_a_run_has(postgres_store_url: str) -> None:
    stored = Stored(postgres_store_url)
    fill(stored)
    with stored.database.engine.begin() as connection:
        connection.execute(text("ANALYZE measurement"))
    query = "SELECT n_distinct FROM pg_stats WHERE tablename = 'measurement' AND attname = 'run_id'"
    assert rows(stored, query) == [(pytest.approx(-0.1),)]
    stored.close()


@pytest.mark.parametrize("table", ["audit", "rulebook"])
@pytest.mark.parametrize(
    "sql", ["UPDATE {table} SET reason = 'forged'", "DELETE FROM {table}", "TRUNCATE {table}"]
)
def test_the_database_refuses_to_change_what_is_kept_for_ever(
    stored: Stored, table: str, sql: str
) -> None:
    if stored.database.is_sqlite and sql.startswith("TRUNCATE"):
        sql = "DELETE FROM {table}"  # it has no other word for it
    with stored.database.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO rulebook (version, body, author, reason, created_us)"
                " VALUES (1, '', 'ann', 'first', 0)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO audit (id, at_us, actor, action, subject, reason, details, chain)"
                " VALUES (1, 0, 'ann', 'activate', 'rulebook 1', 'first', '{}', :chain)"
            ),
            {"chain": b"x"},
        )
    with (
        pytest.raises(DBAPIError, match=f"{table} is kept for ever"),
        stored.database.engine.begin() as connection,
    ):
        connection.execute(text(sql.format(table=table)))
    assert rows(stored, f"SELECT reason FROM {table}") == [("first",)]


@pytest.mark.skipif(os.name != "posix", reason="there a file's folder says who may read it")
@pytest.mark.parametrize("does", [Database.connect_sqlite, lambda each: each.engine.connect()])
def test_a_new_file_is_for_its_owner_alone(does: Callable[[Database], Any], tmp_path: Path) -> None:
    database = Database(DatabaseSettings(url=f"sqlite:///{tmp_path}/new.db"))  # type: ignore[arg-type]
    before = os.umask(0)
    try:
        with contextlib.closing(does(database)):
            assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}
    finally:
        os.umask(before)
        database.dispose()


def test_an_upgrade_may_be_repeated(database_url: str) -> None:
    database = Database(DatabaseSettings(url=database_url))
    assert not is_current(database)
    for _ in range(2):
        upgrade(database)
        assert is_current(database)
    database.dispose()


def test_the_newest_revision_is_the_one_that_an_upgrade_ends_at(stored: Stored) -> None:
    assert one(stored, "SELECT version_num FROM alembic_version") == newest()


def test_processes_that_upgrade_at_once_wait_for_each_other(database_url: str) -> None:
    processes = [Process([PYTHON, "-c", UPGRADE, database_url]) for _ in range(4)]
    assert [each.wait(60) for each in processes] == [0] * 4, [each.output for each in processes]
    database = Database(DatabaseSettings(url=database_url))
    assert is_current(database)
    database.dispose()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(stored: Stored) -> None:
    stored.save(run_message("A"))
    with stored.database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreRefused, match=r"written by a newer Yieldline .*Start that version"):
        upgrade(stored.database)
    assert one(stored, "SELECT version_num FROM alembic_version") == "9999"
    assert one(stored, "SELECT count(*) FROM run") == 1

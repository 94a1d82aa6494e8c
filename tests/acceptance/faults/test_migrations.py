"""Row 33 of the fault matrix: an upgrade that is killed anywhere, and versions that meet.

That an older version refuses what a newer one has written is in tests/integration/test_schema.py.
"""

import re
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

import pytest
from alembic import command

from service.store import schema
from service.store.revision import is_current
from tests.support.dying_upgrade import contents
from tests.support.keeper import Keeper, assert_all_once, message
from tests.support.mosquitto import Mosquitto
from tests.support.paths import ROOT
from tests.support.processes import PYTHON, Process
from tests.support.services import Service
from tests.support.stored import NOON, Stored, run_message

OLDEST = "0001"


def make_old(url: str) -> None:
    """Fill a database, and take it back to the first version's schema."""
    stored = Stored(url)
    for number in range(20):
        message = run_message(f"U{number % 7}", minutes=number, passes=bool(number % 3))
        stored.save(message, machine_id=f"M{number % 2}", at=NOON)
    stored.writer.close()
    with schema._locked(stored.database) as connection:
        command.downgrade(schema._config(connection), OLDEST)
    stored.close()


def killed_again_and_again(url: str, step: int) -> int:
    """Upgrade with a kill at every so many statements; return how many tries were killed."""
    words = [PYTHON, "-m", "tests.support.dying_upgrade", url, str(step)]
    with Process(words, directory=ROOT) as process:
        assert process.wait(120) == 0, process.output
        said = re.search(r"^(\d+) tries were killed$", process.output, re.MULTILINE)
        assert said, process.output
        return int(said[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("database", "step"), [("sqlite", 1), pytest.param("postgres", 15, marks=pytest.mark.postgres)]
)
def test_an_upgrade_killed_at_any_statement_has_changed_nothing_and_the_next_one_completes(
    request: pytest.FixtureRequest, tmp_path: Path, database: str, step: int
) -> None:
    """On both, tables are changed in the transaction that is rolled back: all or nothing."""
    url: str = request.getfixturevalue(f"{database}_url")
    make_old(url)
    if database == "sqlite":
        untouched = f"sqlite:///{tmp_path / 'untouched.db'}"
        copyfile(url.removeprefix("sqlite:///"), tmp_path / "untouched.db")
    else:
        server = request.getfixturevalue("postgres_server")
        untouched = server.database(template=url.rpartition("/")[2])
    assert killed_again_and_again(url, step) >= 60 // step
    Stored(untouched).close()
    assert contents(url) == contents(untouched), "as one that nobody killed"
    stored = Stored(url)
    assert is_current(stored.database)
    again = stored.save(run_message("U0", minutes=0, passes=False), machine_id="M0")
    assert len(again.saved.duplicates) == 1
    stored.close()


@pytest.mark.postgres
def test_two_services_that_find_an_old_database_upgrade_it_once_and_both_work(
    mosquitto_factory: Callable[..., Mosquitto],
    start_service: Callable[..., Service],
    start_keeper: Callable[..., Keeper],
    postgres_url: str,
) -> None:
    stored = Stored(postgres_url)
    stored.writer.close()
    with schema._locked(stored.database) as connection:
        command.downgrade(schema._config(connection), OLDEST)
    stored.close()
    broker = mosquitto_factory()
    services = [start_service(broker.port, postgres_url) for _ in range(2)]
    for service in services:
        service.wait_until("connected")
    keeper = start_keeper(broker.port)
    keeper.give(*(message(number) for number in range(200)))
    keeper.wait_for_receipts()
    assert [service.process.stop() for service in services] == [0, 0]
    assert_all_once(postgres_url, keeper.sent)

"""An upgrade that is killed at its first statement, at its second, at its third … and then is not.

    python -m tests.support.dying_upgrade URL STEP

Each try is a child of its own, forked, that ends itself with SIGKILL at statement 1, 1 + STEP, …
After each the database must be what it was. Says how many tries were killed, or what has changed.
"""

import os
import signal
import sys
from typing import Any

from sqlalchemy import Engine, event, inspect, text

from broker.sections import DatabaseSettings
from service.store.database import Database
from service.store.schema import upgrade


def main() -> None:
    """Try until one try comes through."""
    url, step = sys.argv[1], int(sys.argv[2])
    before = contents(url)
    tries = 0
    while killed(url, 1 + tries * step):
        if contents(url) != before:
            raise SystemExit(f"a kill at statement {1 + tries * step} has changed the database")
        tries += 1
    sys.stdout.write(f"{tries} tries were killed\n")


def killed(url: str, at: int) -> bool:
    """Upgrade in a child that dies at statement `at`; tell whether it got so far."""
    child = os.fork()
    if not child:
        die_at(at)
        upgrade(Database(DatabaseSettings(url=url)))  # type: ignore[arg-type]
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, -signal.SIGKILL}, status
    return status != 0


def die_at(statement: int) -> None:
    """End this process right before a statement; the commit is one too."""
    count = 0

    def before(*_: Any, **__: Any) -> None:  # noqa: ANN401
        nonlocal count
        count += 1
        if count == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "commit", before)


def contents(url: str) -> dict[str, Any]:
    """Return every table's columns, indexes and rows."""
    database = Database(DatabaseSettings(url=url))  # type: ignore[arg-type]
    with database.reading() as session:
        connection = session.connection()
        found = inspect(connection)
        described = {
            name: (
                [(column["name"], str(column["type"])) for column in found.get_columns(name)],
                sorted(_described(each) for each in found.get_indexes(name)),
                sorted(map(repr, connection.execute(text(f'SELECT * FROM "{name}"')))),
            )
            for name in sorted(found.get_table_names())
        }
    database.dispose()
    return described


def _described(index: Any) -> str:  # noqa: ANN401
    options = {name: str(option) for name, option in index.get("dialect_options", {}).items()}
    return repr({**index, "dialect_options": options})


if __name__ == "__main__":
    main()

"""What cannot be recorded does not happen: the line of the trail alone fails, and so all does."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import inspect, text

from broker.errors import YieldlineError
from broker.messages import Severity
from service.commands import users
from service.commands.alerts import acknowledge_alerts, shelve_alerts
from service.commands.resubmissions import close_rejections
from service.commands.roles import Role, Scope
from service.commands.rulebooks import Draft, activate_rulebook
from service.commands.shadows import start_shadow, stop_shadow
from service.commands.tokens import create_token, revoke_token
from service.core.alerts import AlertKind, Finding, Subject, key_of
from service.store.alerts import open_alert
from service.store.database import Database
from tests.support.access import PASSWORD, use_hashes
from tests.support.stored import NOON, Stored

BY: dict[str, Any] = {"actor": "ann", "now": NOON}
DRAFT = Draft('[[rule]]\nid = "vcc"\ntest_step = "vcc"\nlow = 4.75\n', "draft", None)
FULL_ON_SQLITE = (
    "CREATE TRIGGER no_line BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no line'); END"
)
FULL_ON_POSTGRES = "ALTER TABLE audit ADD CONSTRAINT no_line CHECK (false) NOT VALID"


def changes(database: Database, rejection_id: int) -> dict[str, Callable[[], object]]:
    """Return one of each kind of change, to make."""
    later = NOON + timedelta(hours=1)
    return {
        "a new user": lambda: users.add_user(database, "bo", Role.VIEWER, PASSWORD, **BY),
        "a password": lambda: users.set_password(database, "ann", PASSWORD + "!", **BY),
        "a role": lambda: users.set_role(database, "cy", Role.ENGINEER, **BY),
        "a removed user": lambda: users.remove_user(database, "cy", **BY),
        "a new token": lambda: create_token(database, "erp", Scope.INGEST, days=1, **BY),
        "a revoked token": lambda: revoke_token(database, "mes", **BY),
        "a rulebook": lambda: activate_rulebook(database, DRAFT, reason="why", **BY),
        "a shadow": lambda: start_shadow(database, DRAFT, reason="why", **BY),
        "a shadow's end": lambda: stop_shadow(database, **BY),
        "a seen alert": lambda: acknowledge_alerts(database, [1], **BY),
        "a shelved alert": lambda: shelve_alerts(database, [1], until=later, reason="why", **BY),
        "a closed rejection": lambda: close_rejections(
            database, [rejection_id], reason="why", **BY
        ),
    }


def contents(stored: Stored) -> dict[str, list[str]]:
    """Return all rows of all tables, each as text, in order."""
    with stored.database.reading() as session:
        connection = session.connection()
        return {
            name: sorted(map(str, connection.execute(text(f'SELECT * FROM "{name}"'))))
            for name in inspect(connection).get_table_names()
        }


def test_without_its_line_in_the_trail_no_change_happens(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_hashes(monkeypatch)
    database = stored.database
    users.add_user(database, "ann", Role.ADMIN, PASSWORD, **BY)
    users.add_user(database, "cy", Role.VIEWER, PASSWORD, **BY)
    create_token(database, "mes", Scope.VIEWER, days=1, **BY)
    start_shadow(database, DRAFT, reason="why", **BY)
    (rejection,) = stored.save(b"nonsense").saved.rejections
    found = Finding(
        AlertKind.SILENT,
        key_of(AlertKind.SILENT, "M1"),
        Subject("M1"),
        "L1",
        Severity.MAJOR,
        "Silent.",
    )
    with database.changing() as connection:
        open_alert(connection, found, "f/M1/alert", NOON, notify=False)
    with database.engine.begin() as connection:
        connection.execute(text(FULL_ON_SQLITE if database.is_sqlite else FULL_ON_POSTGRES))
    before = contents(stored)
    for what, change in changes(database, rejection.rejection_id).items():
        with pytest.raises(YieldlineError, match=r"no_line|no line"):
            change()
        assert contents(stored) == before, what
    assert len(before["audit"]) == 4

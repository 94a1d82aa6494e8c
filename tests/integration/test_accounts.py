"""Users and tokens: what is taken, what is kept of it, and the way in over the command line."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from broker.errors import AccountError
from broker.sections import DatabaseSettings
from service.commands import users
from service.commands.passwords import is_password
from service.commands.roles import Role, Scope
from service.commands.tokens import create_token, revoke_token, token_hash
from service.store.accounts import has_users, note_use, read_accounts
from service.store.database import Database
from service.store.queries.changes import list_changes
from tests.support.access import PASSWORD, use_hashes
from tests.support.processes import YIELDLINE
from tests.support.stored import Stored

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
BY: dict[str, Any] = {"actor": "ann", "now": NOW}


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real argon2, with less work: what it costs is no part of these tests."""
    use_hashes(monkeypatch)


def named(stored: Stored, name: str) -> Any:  # noqa: ANN401 - a row, or nothing
    return next((each for each in read_accounts(stored.database).users if each.name == name), None)


def trail(stored: Stored) -> list[tuple[str, str, dict[str, Any]]]:
    changes, _ = list_changes(stored.database)
    return [(each["action"], each["subject"], each["details"]) for each in reversed(changes)]


def test_a_user_is_added_changed_and_removed_and_the_trail_says_so(stored: Stored) -> None:
    assert not has_users(stored.database)
    users.add_user(stored.database, "Ann", Role.ADMIN, PASSWORD, **BY)
    users.add_user(stored.database, "bo", Role.VIEWER, PASSWORD, **BY)
    assert has_users(stored.database)
    users.set_role(stored.database, "bo", Role.ENGINEER, **BY)
    assert (named(stored, "bo").role, named(stored, "bo").sessions) == ("engineer", 1)
    users.set_password(stored.database, "bo", PASSWORD[::-1], **BY)
    assert is_password(named(stored, "bo").password_hash, PASSWORD[::-1])
    assert not is_password(named(stored, "bo").password_hash, PASSWORD)
    users.remove_user(stored.database, "bo", **BY)
    gone = named(stored, "bo")
    assert (gone.disabled_at, gone.password_hash, gone.sessions) == (NOW, "", 3)
    assert trail(stored) == [
        ("add", "user ann", {"role": "admin"}),
        ("add", "user bo", {"role": "viewer"}),
        ("set role", "user bo", {"before": "viewer", "after": "engineer"}),
        ("set password", "user bo", {}),
        ("remove", "user bo", {"role": "engineer"}),
    ]


def test_who_comes_back_has_no_old_login(stored: Stored) -> None:
    users.add_user(stored.database, "ann", Role.ADMIN, PASSWORD, **BY)
    users.add_user(stored.database, "bo", Role.VIEWER, PASSWORD, **BY)
    users.remove_user(stored.database, "bo", **BY)
    back = users.add_user(stored.database, "bo", Role.OPERATOR, PASSWORD, **BY)
    assert (back.sessions, back.role, back.disabled_at) == (3, "operator", None)


def test_there_is_always_an_admin(stored: Stored) -> None:
    with pytest.raises(AccountError, match="the first user must be an admin"):
        users.add_user(stored.database, "bo", Role.ENGINEER, PASSWORD, **BY)
    users.add_user(stored.database, "ann", Role.ADMIN, PASSWORD, **BY)
    users.add_user(stored.database, "bo", Role.VIEWER, PASSWORD, **BY)
    with pytest.raises(AccountError, match="ann is the last admin"):
        users.remove_user(stored.database, "ann", **BY)
    with pytest.raises(AccountError, match="ann is the last admin"):
        users.set_role(stored.database, "ann", Role.ENGINEER, **BY)
    users.set_role(stored.database, "bo", Role.ADMIN, **BY)
    users.remove_user(stored.database, "ann", **BY)
    assert len(trail(stored)) == 4


@pytest.mark.parametrize(
    ("name", "password", "sentence"),
    [
        ("bo", "eleven char", "the password has 11 characters. Use 12 or more"),
        ("bo", "x" * 257, "the password has more than 256 characters"),
        ("bo", "ababababababab", "hardly more than one character again"),
        ("robert.tables", "robert.tables1", "the password is among the first that are guessed"),
        ("b o", PASSWORD, "'b o' cannot be a user's name"),
        ("api", PASSWORD, "'api' cannot be a user's name"),
        ("x" * 65, PASSWORD, "cannot be a user's name"),
        ("ANN", PASSWORD, "there is a user ann already"),
    ],
)
def test_what_is_not_taken_changes_nothing(
    sqlite_store_url: str, name: str, password: str, sentence: str
) -> None:
    stored = Stored(sqlite_store_url)
    users.add_user(stored.database, "ann", Role.ADMIN, PASSWORD, **BY)
    with pytest.raises(AccountError, match=sentence):
        users.add_user(stored.database, name, Role.ADMIN, password, **BY)
    assert len(read_accounts(stored.database).users) == len(trail(stored)) == 1
    stored.close()


def test_a_hash_that_took_too_little_work_is_made_anew_and_nothing_else_changes(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    users.add_user(stored.database, "ann", Role.ADMIN, PASSWORD, **BY)
    before = named(stored, "ann")
    assert not users.renew_hash(stored.database, before, PASSWORD)
    use_hashes(monkeypatch, time_cost=2, memory_cost=16)
    assert users.renew_hash(stored.database, before, PASSWORD)
    after = named(stored, "ann")
    assert "m=16,t=2" in after.password_hash
    assert after == before._replace(password_hash=after.password_hash)
    assert is_password(after.password_hash, PASSWORD)
    assert not users.renew_hash(stored.database, before, PASSWORD)  # as read before: too late
    assert trail(stored) == [("add", "user ann", {"role": "admin"})]


def test_of_a_token_only_its_hash_is_kept(stored: Stored) -> None:
    token, kept = create_token(stored.database, "mes", Scope.INGEST, days=30, **BY)
    assert len(token) == len("yl_") + 43
    assert kept.token_hash == token_hash(token)
    assert kept.expires_at == NOW + timedelta(days=30)
    with pytest.raises(AccountError, match="there is a token mes already"):
        create_token(stored.database, "mes", Scope.WALL, days=30, **BY)
    note_use(stored.database, {kept.token_id: NOW})
    assert read_accounts(stored.database).tokens == (kept._replace(last_used_at=NOW),)
    revoke_token(stored.database, "mes", **BY)
    with pytest.raises(AccountError, match="there is no token 'mes'"):
        revoke_token(stored.database, "mes", **BY)
    create_token(stored.database, "mes", Scope.VIEWER, days=1, **BY)
    assert [each.revoked_at for each in read_accounts(stored.database).tokens] == [None, NOW]
    with stored.database.reading() as session:
        rows = session.connection().execute(text("SELECT * FROM audit, api_token")).all()
    assert token not in str(rows)
    assert trail(stored)[0][:2] == ("create", "token mes")


@pytest.mark.parametrize(("name", "days"), [("a b", 30), ("", 30), ("mes", 0), ("mes", 3_651)])
def test_a_token_has_a_name_and_an_end(sqlite_store_url: str, name: str, days: int) -> None:
    stored = Stored(sqlite_store_url)
    with pytest.raises(AccountError):
        create_token(stored.database, name, Scope.VIEWER, days=days, **BY)
    assert trail(stored) == []
    stored.close()


def test_a_database_that_does_not_exist_has_no_users(tmp_path: Path) -> None:
    database = Database(DatabaseSettings(url=f"sqlite:///{tmp_path / 'no.db'}"))  # type: ignore[arg-type]
    assert not has_users(database)
    assert not database.file.exists()
    assert read_accounts(database).users == ()
    assert not has_users(database)


# -- the command line ------------------------------------------------------------------------------


def yieldline(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    url = f"sqlite:///{folder / 'data' / 'yieldline.db'}"
    return subprocess.run(
        [YIELDLINE, *arguments],
        cwd=folder,
        env={**os.environ, "YIELDLINE_DATABASE__URL": url},
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_first_admin_needs_nothing_but_the_command_line(tmp_path: Path) -> None:
    first = yieldline(tmp_path, "users", "add", "ann", "--role", "admin", typed=f"{PASSWORD}\n")
    assert (first.returncode, first.stdout) == (0, "ann may log in, as admin.\n")
    (tmp_path / "bo.txt").write_text(f"{PASSWORD}\n", "utf-8")
    second = yieldline(tmp_path, "users", "add", "bo", "--password-file", "bo.txt")
    assert second.stdout == "bo may log in, as viewer.\n"
    last = yieldline(tmp_path, "users", "remove", "ann")
    assert (last.returncode, last.stdout) == (2, "")
    assert last.stderr.startswith("ann is the last admin: nobody could look after users any more.")


def test_a_token_is_printed_once_and_alone(tmp_path: Path) -> None:
    made = yieldline(tmp_path, "tokens", "create", "wall-l1", "--scope", "wall")
    token = made.stdout.strip()
    assert token.startswith("yl_")
    assert "is not shown again. Open /wall?token=… with it" in made.stderr
    listed = yieldline(tmp_path, "tokens", "list").stdout
    assert "wall-l1" in listed
    assert token not in listed

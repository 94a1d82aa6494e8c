"""Rulebooks in the database: versions, who may follow whom, and the trail nobody can change."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from broker.errors import RulebookConflict, RulebookError
from broker.settings import load_settings
from service.commands.drafts import check_draft, compare_versions
from service.commands.rulebooks import RULES_FILE, Draft, activate_rulebook, load_rules_file
from service.pulse import Pulse
from service.serve import prepare
from service.store.queries.changes import first_forged_change, list_changes
from service.store.rulebooks import StoredRulebook, active_rulebook, list_rulebooks, rulebook
from tests.support.stored import Stored

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
ONE = '# our first\r\n[[rule]]\nid = "vcc"\ntest_step = "vcc"\nlow = 4.75\nhigh = 5.25\n'
TWO = ONE.replace("4.75", "4.9")


def activate(
    stored: Stored, body: str, based_on: int | None = None, reason: str = "why not"
) -> StoredRulebook:
    return activate_rulebook(
        stored.database, Draft(body, "rules.toml", based_on), actor="ann", reason=reason, now=NOW
    )


def test_versions_are_numbered_and_the_highest_is_in_force(stored: Stored) -> None:
    assert active_rulebook(stored.database) is None
    assert [activate(stored, body).version for body in (ONE, TWO, ONE)] == [1, 2, 3]
    assert [each.version for each in list_rulebooks(stored.database)] == [3, 2, 1]
    assert active_rulebook(stored.database) == StoredRulebook(3, ONE, "ann", "why not", NOW)
    assert rulebook(stored.database, 4) is None


def test_a_version_comes_back_byte_for_byte(stored: Stored) -> None:
    activate(stored, ONE)
    assert rulebook(stored.database, 1) == StoredRulebook(1, ONE, "ann", "why not", NOW)


@pytest.mark.parametrize(
    ("body", "reason", "sentence"),
    [
        (ONE, "again", "rules.toml is rulebook 1, which is in force already."),
        (TWO, "  ", "a rulebook needs a reason. Say it in a few words."),
        (TWO, "x" * 501, "reason has 501 characters; at most 500 are kept."),
        ("[[rule]]\n", "bad", "rules.toml, rule no. 1: id is missing."),
    ],
)
def test_what_cannot_be_activated_changes_nothing(
    stored: Stored, body: str, reason: str, sentence: str
) -> None:
    activate(stored, ONE)
    with pytest.raises(RulebookError) as caught:
        activate(stored, body, reason=reason)
    assert str(caught.value).startswith(sentence)
    assert len(list_rulebooks(stored.database)) == 1
    assert len(list_changes(stored.database)[0]) == 1


def test_a_draft_from_an_older_version_does_not_undo_what_came_between(stored: Stored) -> None:
    activate(stored, ONE, based_on=0)
    activate(stored, TWO, based_on=1)
    with pytest.raises(RulebookConflict, match="made from rulebook 1, but 2 is in force now"):
        activate(stored, ONE + "# mine", based_on=1)


def test_of_many_who_activate_at_once_each_gets_a_number_of_his_own(stored: Stored) -> None:
    bodies = [f"{ONE}# {number}\n" for number in range(8)]
    threads = [threading.Thread(target=activate, args=(stored, body)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = list_rulebooks(stored.database)
    assert [each.version for each in found] == list(range(8, 0, -1))
    assert {each.body for each in found} == set(bodies)
    assert first_forged_change(stored.database) is None


def test_the_trail_says_who_activated_what_and_why_newest_first(stored: Stored) -> None:
    activate(stored, ONE, reason="start")
    activate(stored, TWO, reason="the recall")
    newest, oldest = list_changes(stored.database)[0]
    assert newest == {
        "audit_id": 2,
        "at": "2026-11-25T10:00:00Z",
        "actor": "ann",
        "action": "activate",
        "subject": "rulebook 2",
        "reason": "the recall",
        "details": {"before": 1, "changes": ["rule 'vcc' changed: low 4.75 → 4.9"]},
    }
    assert oldest["details"]["before"] is None
    first, cursor = list_changes(stored.database, limit=1)
    assert [each["audit_id"] for each in first] == [2]
    assert [each["audit_id"] for each in list_changes(stored.database, 1, cursor)[0]] == [1]


def test_a_trail_that_was_edited_behind_the_databases_back_is_found_out(stored: Stored) -> None:
    for number in range(4):
        activate(stored, f"{ONE}# {number}\n")
    assert first_forged_change(stored.database) is None
    drop = (
        "DROP TRIGGER audit_no_update"
        if stored.database.is_sqlite
        else "DROP TRIGGER audit_no_change ON audit"
    )
    with stored.database.engine.begin() as connection:
        connection.execute(text(drop))
        connection.execute(text("UPDATE audit SET actor = 'bob' WHERE id = 3"))
    assert first_forged_change(stored.database) == 3


def test_a_draft_is_checked_against_the_one_in_force(stored: Stored) -> None:
    activate(stored, ONE)
    good = check_draft(stored.database, TWO)
    assert (good["valid"], good["error"], good["rule_count"], good["based_on"]) == (
        True,
        None,
        1,
        1,
    )
    assert [each["sentence"] for each in good["changes"]] == ["rule 'vcc' changed: low 4.75 → 4.9"]
    bad = check_draft(stored.database, ONE.replace("4.75", "9"))
    assert (bad["valid"], bad["changes"]) == (False, None)
    assert bad["error"].startswith("the draft, rule 'vcc': low 9 is above high 5.25.")


def test_a_draft_may_be_compared_with_another_version_than_the_one_in_force(
    stored: Stored,
) -> None:
    activate(stored, ONE)
    activate(stored, TWO)
    found = check_draft(stored.database, TWO, against=1)
    assert [each["kind"] for each in found["changes"]] == ["changed"]
    assert found["based_on"] == 2, "what it would follow is still the one in force"
    assert [each["kind"] for each in check_draft(stored.database, TWO, against=0)["changes"]] == [
        "added"
    ]


def test_two_versions_are_compared_and_one_that_is_not_there_is_not(stored: Stored) -> None:
    activate(stored, ONE)
    activate(stored, TWO)
    (change,) = compare_versions(stored.database, 2, 1) or []
    assert change["fields"] == [{"field": "low", "before": 4.9, "after": 4.75}]
    assert compare_versions(stored.database, 1, 7) is None


# -- the rules file of a service -------------------------------------------------------------------


def load(stored: Stored, body: str, minutes: int = 0) -> int | None:
    now = NOW + timedelta(minutes=minutes)
    found = load_rules_file(stored.database, body, origin="rules.toml", now=now)
    return found and found.version


def test_a_rules_file_is_loaded_once_and_again_when_it_changes(stored: Stored) -> None:
    assert [load(stored, body) for body in (ONE, ONE, TWO, TWO)] == [1, None, 2, None]
    assert [each.author for each in list_rulebooks(stored.database)] == [RULES_FILE] * 2


def test_a_file_that_stayed_the_same_does_not_undo_what_was_activated_since(
    stored: Stored,
) -> None:
    load(stored, ONE)
    activate(stored, TWO)
    assert load(stored, ONE) is None, "the service only starts again"
    active = active_rulebook(stored.database)
    assert active
    assert active.body == TWO
    assert load(stored, f"{ONE}# edited\n") == 3


def test_the_sample_is_loaded_where_no_rulebook_is_in_force_and_replaces_none(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = tmp_path / "sample.toml"
    monkeypatch.setattr("service.serve.sample_rules", lambda: sample)
    flags = {"rules": {"file": sample}, "database": {"url": stored.url}}

    def prepared(body: str) -> int:
        sample.write_text(body, "utf-8")
        return prepare(load_settings(flags=flags), stored.database, Pulse()).version

    assert prepared(ONE) == 1
    activate(stored, TWO)
    assert prepared(f"{ONE}# of a newer release\n") == 2

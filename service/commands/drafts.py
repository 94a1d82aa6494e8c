"""Look at a rulebook before it is activated: is it right, and what differs. Changes nothing."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from broker.errors import RulebookError
from service.core.rulebook_diff import RuleChange, compare_rulebooks
from service.core.rules import Rule
from service.rulebook import parse_rulebook
from service.store.database import Database
from service.store.queries.base import Facts, as_time
from service.store.rulebooks import StoredRulebook, active_rulebook, rulebook
from service.store.times import microseconds as as_microseconds

_FIELDS = tuple(each.name for each in fields(Rule) if each.init)


def check_draft(
    database: Database, body: str, origin: str = "the draft", *, against: int | None = None
) -> Facts:
    """Tell whether a draft could be activated.

    Args:
        database: Whose rulebook is in force.
        body: The draft, TOML.
        origin: Where it is from, for sentences.
        against: The version to compare it with; None: the one in force.

    Returns:
        valid, error (one sentence, or null), rule_count, based_on (the version in force; 0: none)
        and changes against the one it is compared with: all rules are added where that does not
        exist. Of a draft with a fault the last are null.
    """
    active = active_rulebook(database)
    based_on = 0 if active is None else active.version
    try:
        rules = parse_rulebook(body, origin)
    except RulebookError as error:
        found = {"valid": False, "error": str(error), "rule_count": None, "changes": None}
        return {**found, "based_on": based_on}
    other = active if against is None else rulebook(database, against)
    before = () if other is None else rules_of(other)
    return {
        "valid": True,
        "error": None,
        "rule_count": len(rules),
        "changes": _as_facts(compare_rulebooks(before, rules)),
        "based_on": based_on,
    }


def describe_rulebook(stored: StoredRulebook, *, is_active: bool) -> Facts:
    """Return a version with its rules: version, author, reason, activated_at, toml, rules."""
    rules = [rule_facts(rule) for rule in rules_of(stored)]
    return {**summarise_rulebook(stored, is_active=is_active), "toml": stored.body, "rules": rules}


def summarise_rulebook(stored: StoredRulebook, *, is_active: bool) -> Facts:
    """Return a version without what is in it."""
    return {
        "version": stored.version,
        "is_active": is_active,
        "author": stored.author,
        "reason": stored.reason,
        "activated_at": as_time(as_microseconds(stored.activated_at)),
    }


def compare_versions(database: Database, before: int, after: int) -> list[Facts] | None:
    """Return the changes from one version to another; None where one of them does not exist."""
    found = [rulebook(database, version) for version in (before, after)]
    old, new = (None if each is None else rules_of(each) for each in found)
    if old is None or new is None:
        return None
    return _as_facts(compare_rulebooks(old, new))


def rules_of(stored: StoredRulebook) -> tuple[Rule, ...]:
    """Return the rules of a version.

    Raises:
        RulebookError: This program cannot read it, as one that a newer one wrote.
    """
    return parse_rulebook(stored.body, f"rulebook {stored.version}")


def rule_facts(rule: Rule) -> Facts:
    """Return a rule as JSON: what it sets, selectors always."""
    return {name: getattr(rule, name) for name in _FIELDS if getattr(rule, name) is not None}


def _as_facts(changes: Sequence[RuleChange]) -> list[dict[str, Any]]:
    return [
        {
            "rule_id": each.rule_id,
            "kind": each.kind,
            "sentence": each.sentence,
            "fields": [field._asdict() for field in each.fields],
        }
        for each in changes
    ]

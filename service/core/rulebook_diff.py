"""What differs between two rulebooks, rule by rule, in words. Pure: no I/O."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Final, NamedTuple

from service.core.rules import Rule

_FIELDS: Final = tuple(each.name for each in fields(Rule) if each.init and each.name != "id")


class FieldChange(NamedTuple):
    """One field of a rule that is in both."""

    field: str
    before: object
    after: object
    """None: left out."""


class RuleChange(NamedTuple):
    """One rule that differs."""

    rule_id: str
    kind: str
    """`added`, `removed` or `changed`."""
    fields: tuple[FieldChange, ...]
    """What changed; of an added or removed rule what differs from a rule without anything."""

    @property
    def sentence(self) -> str:
        """Say it in one line."""
        said = ", ".join(
            f"{each.field} {_word(each.after)}"
            if self.kind == "added"
            else f"{each.field} {_word(each.before)}"
            if self.kind == "removed"
            else f"{each.field} {_word(each.before)} → {_word(each.after)}"
            for each in self.fields
        )
        return f"rule {self.rule_id!r} {self.kind}: {said}"


def compare_rulebooks(before: Sequence[Rule], after: Sequence[Rule]) -> list[RuleChange]:
    """Return what turns one set of rules into another.

    Rules are the same rule when they have the same id; their order means nothing.

    Returns:
        Removed, changed and added rules in the order of `before`, then of `after`; empty when
        both judge alike.
    """
    old, new = ({rule.id: rule for rule in rules} for rules in (before, after))
    changes = [
        _changed(rule, new[rule.id]) if rule.id in new else _whole("removed", rule)
        for rule in before
    ]
    changes += [_whole("added", rule) for rule in after if rule.id not in old]
    return [each for each in changes if each.fields]


def _changed(before: Rule, after: Rule) -> RuleChange:
    found = tuple(
        FieldChange(name, getattr(before, name), getattr(after, name))
        for name in _FIELDS
        if getattr(before, name) != getattr(after, name)
    )
    return RuleChange(before.id, "changed", found)


def _whole(kind: str, rule: Rule) -> RuleChange:
    """Return a rule that is in one of them only, with the fields that it sets."""
    bare = Rule(rule.id, rule.comparator)
    found = [FieldChange("comparator", rule.comparator, rule.comparator)]
    found += [
        FieldChange(name, getattr(rule, name), getattr(rule, name))
        for name in _FIELDS
        if getattr(rule, name) != getattr(bare, name)
    ]
    return RuleChange(rule.id, kind, tuple(found))


def _word(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, tuple):
        return f"[{', '.join(map(_word, value))}]"
    return repr(str(value))

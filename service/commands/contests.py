"""Ask a version of the rulebook which of its rules would judge a measurement. Changes nothing."""

from service.commands.drafts import rule_facts, rules_of
from service.core.contest import Place, describe_specificity, find_contest
from service.store.database import Database
from service.store.queries.base import Facts
from service.store.rulebooks import active_rulebook, rulebook

__all__ = ["Place", "contest_of"]


def contest_of(database: Database, place: Place, version: int | None = None) -> Facts | None:
    """Return the rule that would judge, how specific it is, and those that it beats.

    Args:
        database: Whose rulebooks.
        place: What the measurement is of.
        version: Of the rulebook; None: the one in force.

    Returns:
        version (0: there is no rulebook yet), rule (null: none applies), specificity,
        makes_its_own (the rule is an expression: it judges a value of its own, and what is sent
        under this step is left to the machine) and competitors; None where the version does not
        exist.

    Raises:
        RulebookError: This program cannot read the version, as one that a newer one wrote.
    """
    stored = active_rulebook(database) if version is None else rulebook(database, version)
    if stored is None and version is not None:
        return None
    found = find_contest(() if stored is None else rules_of(stored), place)
    winner = found.winner
    return {
        "version": 0 if stored is None else stored.version,
        "rule": winner and rule_facts(winner),
        "specificity": winner and describe_specificity(winner),
        "makes_its_own": winner is not None and winner.expression is not None,
        "competitors": [
            {"rule": rule_facts(each.rule), "reason": each.reason} for each in found.competitors
        ],
    }

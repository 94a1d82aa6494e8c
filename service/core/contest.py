"""Which rule would judge a measurement, and why not another one. Pure: no I/O."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from service.core.globs import Glob
from service.core.rules import SELECTORS, Rule, specificity

_RANKS: Final = ("any text", "a pattern", "an exact text")
"""By the rank of a glob."""


class Place(NamedTuple):
    """What a measurement is of."""

    test_step: str
    product_id: str
    procedure: str
    machine_id: str


class Competitor(NamedTuple):
    """A rule that applies too, but is less specific."""

    rule: Rule
    reason: str
    """Why the one that judges beats it; a sentence."""


class Contest(NamedTuple):
    """The rules that apply to one place."""

    winner: Rule | None
    """The most specific one; None: none applies, and the machine's own limits or word count."""
    competitors: tuple[Competitor, ...]
    """The others, the next specific first."""


def find_contest(rules: Sequence[Rule], place: Place) -> Contest:
    """Return which of the rules would judge, as `Rulebook.scope` finds it, and the others."""
    applying = [rule for rule in rules if _applies(rule, place)]
    ranked = sorted(applying, key=specificity, reverse=True)
    if not ranked:
        return Contest(None, ())
    winner, *others = ranked
    return Contest(winner, tuple(Competitor(each, explain(winner, each)) for each in others))


def describe_specificity(rule: Rule) -> str:
    """Say how specific each selector is, in the order in which they are compared."""
    return ", ".join(
        f"{name}: {_words(glob)}" for name, glob in zip(SELECTORS, rule.globs(), strict=True)
    )


def explain(winner: Rule, other: Rule) -> str:
    """Say at which selector one rule is more specific than another, and how."""
    pairs = zip(SELECTORS, winner.globs(), other.globs(), strict=True)
    name, its, others = next(pair for pair in pairs if _key(pair[1]) != _key(pair[2]))
    return (
        f"{winner.id!r} beats {other.id!r} by its {name}: {its.text!r} is {_words(its)},"
        f" {others.text!r} is {_words(others)}."
    )


def _applies(rule: Rule, place: Place) -> bool:
    return all(glob.matches(text) for glob, text in zip(rule.globs(), place, strict=True))


def _key(glob: Glob) -> tuple[int, int]:
    return glob.rank, glob.literals


def _words(glob: Glob) -> str:
    if glob.rank != 1:
        return _RANKS[glob.rank]
    return f"{_RANKS[1]} with {glob.literals} literal character{'s' * (glob.literals != 1)}"

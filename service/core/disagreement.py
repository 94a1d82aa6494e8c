"""Which way a machine and our own arithmetic differ. Pure: no I/O."""

from enum import StrEnum
from typing import Final, NamedTuple

from broker.messages import Comparator, Outcome, ReportedOutcome

_OF_TEXT: Final = frozenset({Comparator.REGEX, Comparator.CASESENSIT, Comparator.IGNORECASE})
_EQUALITY: Final = frozenset({Comparator.EQ, Comparator.NE})
_FLOORS: Final = frozenset({Comparator.GT, Comparator.GE})
_CEILINGS: Final = frozenset({Comparator.LT, Comparator.LE})


class DisagreementKind(StrEnum):
    """Which way they differ."""

    FALSE_ACCEPT = "false_accept"
    """The machine said PASS, our arithmetic says FAIL."""
    FALSE_REJECT = "false_reject"
    """The machine said FAIL, our arithmetic says PASS."""
    OTHER = "other"
    """One of the two could not tell: ERROR, ABORTED, no value."""


class ValueShape(StrEnum):
    """What kind of value a measurement has."""

    NUMBER = "number"
    TEXT = "text"
    TRUTH = "truth"
    NONE = "none"


class DisagreeingMeasurement(NamedTuple):
    """What is stored of a measurement whose `agrees` is false, as far as it tells which way."""

    reported: ReportedOutcome
    outcome: Outcome
    is_by_rule: bool
    """A rule of the plant judged it: then `outcome` is our arithmetic's."""
    shape: ValueShape
    comparator: Comparator | None
    has_low: bool
    has_high: bool
    nominal: ValueShape
    """Of what it was compared with, where that is in `nominal`; of a list NONE."""


def kind_of(found: DisagreeingMeasurement) -> DisagreementKind:
    """Return which way a measurement differs.

    Where the machine decided, `outcome` is the machine's word. Our arithmetic said something else,
    so it said the opposite, unless value and limit cannot be compared. (That a unit of measure does
    not convert is not stored in fields; such a measurement counts as compared.)
    """
    if found.is_by_rule:
        return _kind(found.reported, found.outcome)
    if not _is_comparable(found):
        return DisagreementKind.OTHER
    ours = Outcome.FAIL if found.reported is ReportedOutcome.PASS else Outcome.PASS
    return _kind(found.reported, ours)


def kind_of_run(
    reported: ReportedOutcome, *, has_failure: bool, has_error: bool
) -> DisagreementKind:
    """Return which way a run differs whose `agrees` is false.

    Args:
        reported: What the machine said of the run.
        has_failure: A measurement failed by our arithmetic or the machine's own word, or a required
            step is missing.
        has_error: A measurement could not be compared.
    """
    ours = Outcome.FAIL if has_failure else Outcome.ERROR if has_error else Outcome.PASS
    return _kind(reported, ours)


def _kind(reported: ReportedOutcome, ours: Outcome) -> DisagreementKind:
    if reported is ReportedOutcome.PASS and ours is Outcome.FAIL:
        return DisagreementKind.FALSE_ACCEPT
    if reported is ReportedOutcome.FAIL and ours is Outcome.PASS:
        return DisagreementKind.FALSE_REJECT
    return DisagreementKind.OTHER


def _is_comparable(found: DisagreeingMeasurement) -> bool:
    """Tell whether value and limit are of one kind; of a set one member is taken to be."""
    comparator = found.comparator
    if found.shape is ValueShape.NONE or comparator is None:
        return False
    if comparator is Comparator.IN:
        return True
    if comparator in _OF_TEXT:
        return found.shape is found.nominal is ValueShape.TEXT
    if comparator in _EQUALITY:
        return found.shape is (ValueShape.NUMBER if found.has_low else found.nominal)
    return found.shape is ValueShape.NUMBER and _has_limits(comparator, found)


def _has_limits(comparator: Comparator, found: DisagreeingMeasurement) -> bool:
    if comparator in _FLOORS:
        return found.has_low
    if comparator in _CEILINGS:
        return found.has_low or found.has_high
    return found.has_low and found.has_high

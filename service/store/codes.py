"""The small integers that stand for enums and kinds in the tables. Pure: no I/O.

They are written to disk: never renumber, only add.
"""

from enum import IntEnum
from typing import Final

from broker.messages import Comparator, Outcome, ReportedOutcome


class NameKind(IntEnum):
    """What a row of `name` is the name of."""

    MACHINE = 1
    LINE = 2
    PRODUCT = 3
    PROCEDURE = 4
    STEP = 5
    MEASURE_UNIT = 6
    RULE = 7
    FIXTURE = 8
    OPERATOR = 9
    PROGRAM = 10
    TOPIC = 11


class ValueKind(IntEnum):
    """Which kind of value a measurement holds."""

    NONE = 0
    NUMBER = 1
    TEXT = 2
    TRUTH = 3


OUTCOME_CODE: Final = {
    Outcome.PASS: 1,
    Outcome.FAIL: 2,
    Outcome.ERROR: 3,
    Outcome.UNJUDGED: 4,
}
REPORTED_CODE: Final = {
    ReportedOutcome.PASS: 1,
    ReportedOutcome.FAIL: 2,
    ReportedOutcome.ERROR: 3,
    ReportedOutcome.ABORTED: 4,
}
COMPARATOR_CODE: Final = {each: number for number, each in enumerate(Comparator, start=1)}
"""By the order of the contract's list, which only grows at its end."""

OUTCOME_OF: Final = {code: outcome for outcome, code in OUTCOME_CODE.items()}
REPORTED_OF: Final = {code: reported for reported, code in REPORTED_CODE.items()}
COMPARATOR_OF: Final = {code: comparator for comparator, code in COMPARATOR_CODE.items()}

HOUR_US: Final = 3_600_000_000
"""Microseconds of an hour; a roll-up's `hour` is `started_us // HOUR_US`."""

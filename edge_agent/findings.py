"""What `agent check` finds, a sentence each. Pure: no I/O."""

from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARN = "warn"
    """It works, but not as one would wish."""
    FAIL = "FAIL"
    """Results will not arrive."""


class Finding(NamedTuple):
    """One thing that was tried."""

    verdict: Verdict
    sentence: str
    """What was found and, unless it is ok, what to do."""

    def __str__(self) -> str:
        return f"{self.verdict.value:<5} {self.sentence}"


def ok(sentence: str) -> Finding:
    """Return a good finding."""
    return Finding(Verdict.OK, sentence)


def warn(sentence: str) -> Finding:
    """Return a finding to know of."""
    return Finding(Verdict.WARN, sentence)


def fail(sentence: str) -> Finding:
    """Return a finding that keeps results from arriving."""
    return Finding(Verdict.FAIL, sentence)

"""A rulebook that judges live runs beside the active one, without any effect. Pure: no I/O."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from broker.messages import Outcome
from service.core.judge import judge
from service.core.lookup import Rulebook
from service.core.records import JudgedRun

RunKey: TypeAlias = tuple[str, str]
"""Machine id and message id."""


class Shadow(NamedTuple):
    """The shadow that runs."""

    shadow_id: int
    rulebook: Rulebook


class ShadowVerdict(NamedTuple):
    """What a shadow says of a run on which it differs."""

    outcome: Outcome
    first_failure: str | None


class Shadowed(NamedTuple):
    """What a shadow says of a batch."""

    shadow_id: int
    differing: Mapping[RunKey, ShadowVerdict]
    """Only runs on which it differs from the active rulebook."""


def shadow_runs(shadow: Shadow, judged: Iterable[JudgedRun]) -> Shadowed:
    """Judge runs by a shadow too, and keep what differs in the run's outcome."""
    differing = {}
    for each in judged:
        verdict = judge(each.run, shadow.rulebook)
        if verdict.outcome is not each.outcome:
            key = (each.run.machine_id, each.run.message_id)
            differing[key] = ShadowVerdict(verdict.outcome, verdict.first_failure)
    return Shadowed(shadow.shadow_id, differing)

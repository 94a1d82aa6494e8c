"""Judge one stored run again by other rulebooks: what each would have said, and what differs."""

from collections.abc import Sequence
from typing import Any, Final

from service.commands.replay import Rulebooks, replayed
from service.core.judge import judge
from service.core.records import JudgedMeasurement, JudgedRun
from service.core.whatif import ChangedStep, changed_steps
from service.store.database import Database
from service.store.queries.base import Facts
from service.store.rulebooks import newest_versions

VERSIONS_MAX: Final = 20
"""Rulebooks of one question."""
_NEWEST: Final = 3


def judge_again(database: Database, run_id: int, versions: Sequence[int] = ()) -> Facts | None:
    """Return what rulebooks make of a stored run; nothing that is stored changes.

    Args:
        database: Where it is.
        run_id: Which run.
        versions: Which rulebooks, at most `VERSIONS_MAX`; 0 is none. Left out: the newest three and
            the one that judged it.

    Returns:
        `run_id`, its stored `outcome` and `rulebook_version`, and `items`, one a version, lowest
        first: its `outcome`, `first_failure` and `counts`, whether it `judged` the run, and in
        `changes` the measurements whose outcome it sees differently from the one that did. None: no
        such run.

    Raises:
        RulebookError: There is no rulebook of such a number.
        StoreUnavailable: The database is away.
    """
    found = next(replayed(database, [run_id]), None)
    if found is None:
        return None
    stored, run = found
    own = stored.rulebook_version
    wanted = set(versions) or {*newest_versions(database, _NEWEST), own}
    rulebooks = Rulebooks(database)
    before = judge(run, rulebooks.version(own))
    return {
        "run_id": run_id,
        "outcome": stored.outcome,
        "rulebook_version": own,
        "items": [
            _verdict(before, judge(run, rulebooks.version(version)), own)
            for version in sorted(wanted)
        ],
    }


def _verdict(before: JudgedRun, after: JudgedRun, own: int) -> Facts:
    passed, failed, errors, unjudged = after.counts
    return {
        "version": after.rulebook_version,
        "judged": after.rulebook_version == own,
        "outcome": after.outcome,
        "first_failure": after.first_failure,
        "counts": {"PASS": passed, "FAIL": failed, "ERROR": errors, "UNJUDGED": unjudged},
        "changes": [_change(each) for each in changed_steps(before, after)],
    }


def _change(step: ChangedStep) -> dict[str, Any]:
    return {
        "test_step": step.test_step,
        "measured_value": step.after.measurement.measured_value,
        "unit": step.after.measurement.unit,
        "before": _said(step.before),
        "after": _said(step.after),
    }


def _said(judged: JudgedMeasurement) -> dict[str, Any]:
    return {
        "outcome": judged.outcome,
        "rule_id": judged.rule_id,
        "comparator": judged.comparator,
        "low": judged.low,
        "high": judged.high,
        "nominal": judged.nominal,
        "reason": judged.reason,
    }

"""What the alert rules look at. Pure: no I/O."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise, takewhile
from statistics import median
from typing import Final, NamedTuple

from broker.messages import Outcome
from service.core.floods import Bucket

RUNS_READ: Final = 50
"""Newest runs of a machine that the rules look at."""


class RunFact(NamedTuple):
    """One stored run of a machine."""

    run_id: int
    started_at: datetime
    received_at: datetime
    product_id: str
    procedure: str
    barcode: str
    outcome: Outcome
    first_failure: str | None
    attempt: int


class MachineFacts(NamedTuple):
    """What is stored of one machine."""

    machine_id: str
    line: str
    topic: str
    """Where its alerts are published."""
    last_result_at: datetime | None
    """When its newest result was received; None: it never sent any."""
    runs: tuple[RunFact, ...] = ()
    """Newest start first, at most RUNS_READ; no golden samples."""
    interval_s: float | None = None
    """See `usual_interval_s`."""
    stored: int = 0
    """Runs of it that were ever stored."""
    received: int = 0
    """Messages of it that were ever received."""


class Offline(NamedTuple):
    """A machine that is offline by its own last will."""

    at: datetime
    """When we heard it."""
    said_at: datetime
    """When it was said, as far as known: what the broker kept may be old."""
    line: str
    topic: str
    """Where its alerts are published."""


class ShiftYield(NamedTuple):
    """Units of the shift at one machine and procedure."""

    units: int
    passed: int
    """Those whose first run passed."""
    products: frozenset[str] = frozenset()
    """What they are."""


class Facts(NamedTuple):
    """All that the rules look at."""

    machines: Mapping[str, MachineFacts]
    """Every machine that ever sent something."""
    yields: Mapping[tuple[str, str], ShiftYield]
    """By machine and procedure."""
    rejections: Mapping[str, int]
    """By machine: messages not understood of late."""
    offline: Mapping[str, Offline]
    """By machine; see `still_offline`."""
    listening_since: datetime | None
    """Since when we hear machines; None: we do not, and silence says nothing."""
    buckets: Mapping[str, Bucket]
    """By machine: what it may still send; none where there is no limit."""


def still_offline(
    said: Mapping[str, Offline],
    machines: Mapping[str, MachineFacts],
    now: datetime,
    forget: timedelta,
) -> dict[str, Offline]:
    """Return those offline that sent no result since, and of which something was heard of late."""
    found = {}
    for machine_id, known in said.items():
        last = machines[machine_id].last_result_at if machine_id in machines else None
        newest = known.said_at if last is None else max(known.said_at, last)
        if (last is None or last <= known.at) and now - newest <= forget:
            found[machine_id] = known
    return found


def usual_interval_s(starts: Iterable[datetime]) -> float | None:
    """Return the median time between runs in seconds; None of fewer than three starts.

    Runs that began at the same moment, such as a panel's, count as one.
    """
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(sorted(set(starts)))]
    return median(gaps) if len(gaps) > 1 else None


def failing_streak(runs: Sequence[RunFact]) -> list[RunFact]:
    """Return the newest runs that fail first at one and the same step, newest first."""
    step = runs[0].first_failure if runs else None
    if step is None:
        return []
    return list(takewhile(lambda run: run.first_failure == step, runs))

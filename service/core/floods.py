"""How much each machine sends against what it may: a token bucket a machine. Pure: no I/O.

What is above is stored like all else; it is only said (`alert_rules`). The bucket is filled from
the machine's books, which every batch keeps anyway: who stores does nothing for it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple


class Allowance(NamedTuple):
    """What machines may send; an element of an array counts as one message."""

    per_s: float
    """Messages a second for good; 0: there is no limit."""
    burst: int
    """Messages that may come at once beyond that."""


class Bucket(NamedTuple):
    """What a machine may still send."""

    received: int
    """Messages of it that had ever been received."""
    at: datetime
    """When that was; aware."""
    room: float
    """Messages, 0 to the burst; 0: it sends more than it may."""
    per_s: float = 0.0
    """Messages a second since the look before."""


def fill(
    buckets: Mapping[str, Bucket],
    received: Mapping[str, int],
    now: datetime,
    allowance: Allowance,
) -> dict[str, Bucket]:
    """Return the bucket of each machine in `received`.

    Args:
        buckets: As of the look before. A machine that is not among them begins with half of the
            burst, which is neither trouble nor over: we may have been restarted amid its flood.
        received: How many messages of each machine were ever received.
        now: Aware.
        allowance: The same for each machine.
    """
    if not allowance.per_s:
        return {}
    return {
        machine_id: (
            _filled(buckets[machine_id], count, now, allowance)
            if machine_id in buckets
            else Bucket(count, now, allowance.burst / 2)
        )
        for machine_id, count in received.items()
    }


def _filled(bucket: Bucket, received: int, now: datetime, allowance: Allowance) -> Bucket:
    elapsed_s = max(0.0, (now - bucket.at).total_seconds())  # the clock may have stepped back
    sent = received - bucket.received
    room = bucket.room + allowance.per_s * elapsed_s - sent
    per_s = sent / elapsed_s if elapsed_s else 0.0
    return Bucket(received, now, max(0.0, min(allowance.burst, room)), per_s)

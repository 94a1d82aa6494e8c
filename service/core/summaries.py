"""A machine's live figures, and whether it lives. Pure: no I/O, no clock."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from broker.answers import MachineStatus, MachineSummary
from service.core.alert_facts import MachineFacts
from service.core.intervals import estimate_share


def status_of(
    machine: MachineFacts, silence: timedelta, now: datetime, *, is_offline: bool
) -> MachineStatus:
    """Tell whether a machine is live, as the pages do.

    Args:
        machine: When its newest result was received.
        silence: After how long without a result it is stale.
        now: Aware.
        is_offline: Its last will was said, and no result came since.
    """
    if is_offline:
        return "offline"
    if machine.last_result_at is None:
        return "never"
    return "stale" if now - machine.last_result_at > silence else "live"


def summarise(
    entry: Mapping[str, Any], status: MachineStatus, since: datetime, now: datetime
) -> MachineSummary:
    """Return what is published of a machine.

    Args:
        entry: Its machine_id, line, last_result and figures, as the queries give them.
        status: As it is now.
        since: What the figures begin with; aware.
        now: When they were read; aware.
    """
    figures = dict(entry["figures"])
    figures.pop("pass_rate")
    units, share = figures["units"], figures["first_pass_yield"]
    interval = estimate_share(round(share * units), units) if units else None
    return MachineSummary(
        machine_id=entry["machine_id"],
        line=entry["line"],
        status=status,
        at=now,
        since=since,
        **figures,
        first_pass_yield_low=interval and interval.low,
        first_pass_yield_high=interval and interval.high,
        last_result=entry["last_result"],
    )

"""Does anybody look for alerts? From what service processes last said. Pure: no I/O, no clock."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from broker.messages import parse_time
from broker.settings import Settings
from ui.lights import HEARTBEAT_AGE_MAX_S

_LOOKS_MISSED: Final = 5
"""A watcher that is so many looks behind is not taken for alive."""


class Watching(NamedTuple):
    """Whoever raises alerts and sums up."""

    is_wanted: bool
    """The settings ask for it."""
    look_age_s: float | None
    """Seconds since anybody last looked; None: nobody who reports ever did."""
    is_elected: bool
    """One does, and looked of late."""


def watching(
    settings: Settings, heartbeats: Sequence[Mapping[str, Any]], now: datetime
) -> Watching:
    """Return how the watcher does.

    Args:
        settings: Of this process; those of the services are taken to be the same.
        heartbeats: What each service process last said.
        now: Aware.
    """
    said = [each["facts"].get("looked_at") for each in heartbeats]
    ages_s = [(now - parse_time(each)).total_seconds() for each in said if each]
    look_age_s = max(0.0, min(ages_s)) if ages_s else None
    limit_s = HEARTBEAT_AGE_MAX_S + _LOOKS_MISSED * settings.alerts.check_s
    return Watching(
        settings.alerts.enabled or bool(settings.service.summary_s),
        look_age_s,
        look_age_s is not None and look_age_s <= limit_s,
    )


def watcher_trouble(found: Watching) -> str | None:
    """Return what is wrong and what to do; None: nothing."""
    if found.is_elected or not found.is_wanted:
        return None
    since = "" if found.look_age_s is None else f" for {found.look_age_s:.0f} s"
    return (
        f"nobody has looked for alerts{since}: none is raised or closed, and summaries stand still."
        " Start `yieldline service`; if one runs, look at its log for what holds it up, and restart"
        " it."
    )

"""Tell people of new alerts, through Apprise: mail, chat, pagers, web hooks.

Apprise is imported when somebody is to be told. Its URLs hold passwords: they are never logged.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

import structlog

from broker.messages import Severity
from broker.printable import printable
from broker.settings import Settings
from service.core.alerts import (
    SEVERITY_RANK,
    AlertAction,
    AlertEvent,
    AlertRecord,
)

log = structlog.get_logger()

ATTEMPTS_MAX: Final = 5
_FIRST_DELAY: Final = timedelta(seconds=5)
_TOLD_MAX: Final = 10
"""Alerts in one notification; of more, how many."""
_TIMEOUT_S: Final = 60.0


class Notifier:
    """Who is told, and how."""

    def __init__(self, settings: Settings) -> None:
        """Read whom to tell.

        Raises:
            SettingsError: The file that says so cannot be read.
        """
        self._addresses = settings.alerts.addresses()
        self._plant = settings.plant.name
        self._rank_max = SEVERITY_RANK[Severity(settings.alerts.notify_from)]

    @property
    def has_somebody(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._addresses)

    def wants(self, severity: Severity) -> bool:
        """Tell whether somebody is told of such alerts."""
        return self.has_somebody and SEVERITY_RANK[severity] <= self._rank_max

    async def tell(self, alerts: Sequence[AlertRecord]) -> bool:
        """Send one notification of all `alerts`, at least one; tells whether anybody was reached.

        Who was not is logged by the place of its URL in the settings.
        """
        title, body = wording(self._plant, alerts)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                taken = await asyncio.to_thread(self._send, title, body)
        except TimeoutError:
            taken = []
        failed = [place for place, is_taken in enumerate(taken, start=1) if not is_taken]
        if failed or not taken:
            log.warning("notification_failed", urls=failed or "all", alerts=len(alerts))
        return any(taken)

    def _send(self, title: str, body: str) -> list[bool]:
        # As text: else mail and chat would take what a machine calls its step for their markup.
        message = {"title": title, "body": body, "body_format": "text"}
        return [bool(each.notify(**message)) for each in self._channels]

    @cached_property
    def _channels(self) -> list[Any]:
        import apprise  # noqa: PLC0415 - takes half a second, and most plants need it seldom

        channels = []
        for place, url in enumerate(self._addresses, start=1):
            channel = apprise.Apprise()
            if not channel.add(url):
                log.error(
                    "notify_url_refused",
                    setting=f"alerts.notify_urls, number {place}",
                    remedy="write it as an Apprise URL, such as mailto://user:password@host",
                )
            channels.append(channel)
        return channels


def wording(plant: str, alerts: Sequence[AlertRecord]) -> tuple[str, str]:
    """Return title and body of the notification of `alerts`, at least one; the worst first."""
    ordered = sorted(alerts, key=lambda each: (SEVERITY_RANK[each.severity], each.alert_id))
    worst = ordered[0].severity.value
    title = f"{plant}: {worst} alert" if len(alerts) == 1 else f"{plant}: {len(alerts)} alerts"
    lines = [_line(each) for each in ordered[:_TOLD_MAX]]
    if len(ordered) > _TOLD_MAX:
        lines.append(f"... and {len(ordered) - _TOLD_MAX} more.")
    return title, "\n".join(lines)


def _line(alert: AlertRecord) -> str:
    """Return one line, whatever the machine's names hold."""
    return printable(f"{alert.severity.value}: {' '.join(alert.message.split())}")


def after_attempt(
    attempts: int, now: datetime, *, is_told: bool
) -> tuple[datetime | None, AlertEvent | None]:
    """Return when to try again (None: never), and what goes into the alert's history.

    Args:
        attempts: How often it was tried before.
        now: Aware.
        is_told: It reached somebody this time.
    """
    if is_told:
        return None, AlertEvent(AlertAction.NOTIFIED, now)
    if attempts + 1 >= ATTEMPTS_MAX:
        note = f"given up after {ATTEMPTS_MAX} attempts"
        return None, AlertEvent(AlertAction.NOT_NOTIFIED, now, note=note)
    return now + _FIRST_DELAY * 4**attempts, None

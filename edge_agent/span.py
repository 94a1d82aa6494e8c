"""A span of time, and which messages were started in it. Pure: no I/O."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import jiter

from broker.errors import SettingsError
from broker.messages import parse_time


class Span(NamedTuple):
    """From `since`, inclusive, to `until`, exclusive; None is open.

    A bound without an offset stands beside a log's times as they are printed, and is UTC where
    those have an offset.
    """

    since: datetime | None
    until: datetime | None

    def holds(self, started_at: datetime) -> bool:
        """Tell whether a run that began then is meant.

        Raises:
            SettingsError: A bound has an offset and the run's time has none.
        """
        return (self.since is None or not _is_before(started_at, self.since)) and (
            self.until is None or _is_before(started_at, self.until)
        )

    def holds_any(self, payload: bytes) -> bool:
        """Tell whether a message holds a run, or a measurement, that was started in it."""
        value = jiter.from_json(payload)
        elements = value if isinstance(value, list) else [value]
        return any(self.holds(_started_at(each)) for each in elements)


def read_bound(option: str, text: str) -> datetime:
    """Return a time given on the command line: ISO 8601, a date alone is its midnight.

    Raises:
        SettingsError: It is something else.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(
            f"{option} {text!r} is not a time such as 2026-11-23T06:00 or 2026-11-23."
        ) from error


def _started_at(element: dict[str, Any]) -> datetime:
    return parse_time(element.get("started_at") or element["timestamp"])


def _is_before(moment: datetime, bound: datetime) -> bool:
    if bound.tzinfo is None and moment.tzinfo is not None:
        bound = bound.replace(tzinfo=UTC)
    if bound.tzinfo is not None and moment.tzinfo is None:
        raise SettingsError(
            f"{bound.isoformat()} has an offset, and the log's times have none, such as"
            f" {moment.isoformat()}. Give --since and --until without one."
        )
    return moment < bound

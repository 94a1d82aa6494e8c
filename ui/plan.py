"""How many units were planned: hours of work times units an hour. Pure: no I/O."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from service.store.queries.arithmetic import breaks_of, breaks_within

_HOUR_S: Final = 3600


def worked_h(start_s: float, end_s: float, zone: ZoneInfo, breaks: tuple[str, ...]) -> float:
    """Return the hours between two moments, without planned breaks; 0 where they are swapped.

    Args:
        start_s: Seconds since 1970.
        end_s: Likewise.
        zone: The plant's.
        breaks: As the settings write them.
    """
    if end_s <= start_s:
        return 0.0
    return (end_s - start_s - _rest_s(start_s, end_s, zone, breaks)) / _HOUR_S


@lru_cache(maxsize=64)  # every line of every frame asks for the same second
def _rest_s(start_s: float, end_s: float, zone: ZoneInfo, breaks: tuple[str, ...]) -> float:
    """Return the seconds of planned breaks between two moments."""
    start, end = (datetime.fromtimestamp(each, UTC) for each in (start_s, end_s))
    spans = breaks_within(start, end, zone, breaks_of(breaks))
    return sum((stop - begin).total_seconds() for begin, stop in spans)

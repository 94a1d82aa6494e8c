"""The time zone of a reader who has switched to their own time. Pure: no I/O, but the zone's file.

The switch is the browser's (ui/static/live/words.js); what the server writes itself follows it by a
cookie.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

COOKIE: Final = "yieldline_zone"


def own_zone(cookies: Mapping[str, str]) -> ZoneInfo | None:
    """Return the reader's zone; None: the plant's, as with a name that is no zone."""
    name = cookies.get(COOKIE, "").replace("%2F", "/")
    return ZoneInfo(name) if name in _known() else None


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())

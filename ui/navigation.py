"""What stands in the rail and in the phone's bar. Pure: no I/O.

An entry is shown once its page registers it (ui/pages/__init__.py): none leads nowhere.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple


class Entry(NamedTuple):
    """One page's entry."""

    id: str
    """What `frame(active=…)` lights."""
    word: str
    icon: str
    """Its symbol in ui/static/icons.svg, without `i-`."""
    href: str
    place: int
    """1 to 8: from the top, with the key Alt+place. Above: at the foot of the rail, without one."""
    count_field: str = ""
    """The field of the status frame (`Feed.status`) with its count; empty: it has none."""
    is_alarming: bool = False
    """Its count is red, not grey."""
    is_on_phone: bool = False
    """It stands in the phone's bar itself, not behind "More"."""


FLOOR: Final = Entry("floor", "Floor", "floor", "/", 1, is_on_phone=True)
ANALYTICS: Final = Entry("analytics", "Analytics", "analytics", "/analytics", 2)
RESULTS: Final = Entry("results", "Results", "results", "/results", 3, is_on_phone=True)
UNITS: Final = Entry("units", "Units", "barcode", "/units", 4)
ALERTS: Final = Entry(
    "alerts", "Alerts", "bell", "/alerts", 5, "alerts_open", is_alarming=True, is_on_phone=True
)
RULES: Final = Entry("rules", "Rules", "rules", "/rules", 6)
REJECTS: Final = Entry("rejects", "Rejects", "rejects", "/rejects", 7, "rejections_open")
SYSTEM: Final = Entry("system", "System", "system", "/system", 8)
WALL: Final = Entry("wall", "Wall", "wall", "/wall", 9)
API: Final = Entry("api", "API", "docs", "/docs", 10)


def rail(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return entries by place, as the shell takes them."""
    return [each._asdict() for each in sorted(entries, key=lambda each: each.place)]

"""The time ranges of the pages: a name becomes two moments, in the plant's time. Pure: no I/O."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from broker.messages import format_time
from broker.plant_sections import PlantSettings
from service.store.queries.arithmetic import Shift, shift_at
from ui.figures import shift_label
from ui.wording import EN_DASH


class TimeRange(NamedTuple):
    """From `since` on, up to but not including `until`; both aware, UTC."""

    name: str
    """As in the address: `range=shift`."""
    words: str
    label: str
    """Its bounds in the plant's time, such as `06:00 - 14:00`."""
    since: datetime
    until: datetime | None
    """None: it still goes on."""


class Plant(NamedTuple):
    """What ranges need to know of the plant."""

    zone: ZoneInfo
    shift_starts: Sequence[str]
    """Local times such as `06:00`, rising, at least one."""


def plant_of(settings: PlantSettings) -> Plant:
    """Return what ranges need of the settings."""
    return Plant(ZoneInfo(settings.time_zone), settings.shift_starts)


_Make: TypeAlias = Callable[[str, datetime, Plant], TimeRange]


def _this_shift(name: str, now: datetime, plant: Plant) -> TimeRange:
    shift = shift_at(now, plant.zone, plant.shift_starts)
    return TimeRange(name, "This shift", shift_label(shift, plant.zone), shift.start, None)


def _last_shift(name: str, now: datetime, plant: Plant) -> TimeRange:
    this = shift_at(now, plant.zone, plant.shift_starts)
    just_before = this.start - timedelta(microseconds=1)
    last = shift_at(just_before, plant.zone, plant.shift_starts)
    return TimeRange(name, "Last shift", _dated(last, now, plant.zone), last.start, last.end)


def _dated(shift: Shift, now: datetime, zone: ZoneInfo) -> str:
    """Return a shift's label, with its day where it did not begin today."""
    label, start = shift_label(shift, zone), shift.start.astimezone(zone)
    is_today = start.date() == now.astimezone(zone).date()
    return label if is_today else f"{_day(start)} {label}"


def _last_hours(words: str, span: timedelta) -> _Make:
    """Make ranges that are so long, whatever the clocks do meanwhile."""

    def make(name: str, now: datetime, plant: Plant) -> TimeRange:
        since = (now.astimezone(UTC) - span).astimezone(plant.zone)
        is_today = since.date() == now.astimezone(plant.zone).date()
        day = "" if is_today else f"{_day(since)} "
        return TimeRange(name, words, f"since {day}{since:%H:%M}", since.astimezone(UTC), None)

    return make


def _last_days(words: str, days: int) -> _Make:
    """Make ranges that begin so many days ago at the same time by the plant's clock."""

    def make(name: str, now: datetime, plant: Plant) -> TimeRange:
        local = now.astimezone(plant.zone)
        since = local - timedelta(days=days)  # of one zone: by the clock on the wall
        label = f"{_day(since)} {EN_DASH} {_day(local)}"
        return TimeRange(name, words, label, since.astimezone(UTC), None)

    return make


def _day(local: datetime) -> str:
    return f"{local.day} {local:%b}"


_MAKERS: Final[dict[str, _Make]] = {
    "shift": _this_shift,
    "last-shift": _last_shift,
    "15min": _last_hours("15 min", timedelta(minutes=15)),
    "1h": _last_hours("1 h", timedelta(hours=1)),
    "24h": _last_hours("24 h", timedelta(hours=24)),
    "7d": _last_days("7 d", 7),
    "30d": _last_days("30 d", 30),
}
RANGES: Final = tuple(_MAKERS)
"""The names, in the order of the menu; the first is the default."""


def range_at(name: str, now: datetime, plant: Plant) -> TimeRange:
    """Return what a range means at `now` (aware).

    Raises:
        KeyError: It is none of `RANGES`.
    """
    return _MAKERS[name](name, now, plant)


def ranges_at(now: datetime, plant: Plant) -> list[dict[str, Any]]:
    """Return what every range means at `now`, in the words of the HTTP API."""
    return [
        {
            **each._asdict(),
            "since": format_time(each.since),
            "until": each.until and format_time(each.until),
        }
        for each in (range_at(name, now, plant) for name in RANGES)
    ]

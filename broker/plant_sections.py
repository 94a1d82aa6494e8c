"""The sections of yieldline.toml that say what the plant is: shifts, lines, machines, products."""

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, field_validator

from broker.errors import SettingsError
from broker.sections import Section, did_you_mean
from broker.topics import ID_PATTERN

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_is_break = re.compile(
    r"(?:(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))? )?"
    r"(?P<start>[0-2]\d:[0-5]\d)-(?P<end>[0-2]\d:[0-5]\d)"
).fullmatch
_DAY_MINUTES: Final = 24 * 60


def parse_break(text: str) -> tuple[int, int, int, int]:
    """Return a planned break such as `sat-sun 00:00-24:00` as numbers.

    Returns:
        The first and the last of its days, 0 is Monday; minutes after midnight of its start and of
        its end.

    Raises:
        ValueError: It is not written so.
    """
    found = _is_break(text)
    days = [found["first"] or "mon", found["last"] or found["first"] or "sun"] if found else []
    minutes = [_minutes(found[name]) for name in ("start", "end")] if found else []
    is_known = bool(found) and set(days) <= set(WEEKDAYS)
    if not is_known or minutes[0] >= _DAY_MINUTES or minutes[1] > _DAY_MINUTES:
        raise ValueError(f"{text!r} is not a break such as 12:00-12:30 or sat-sun 00:00-24:00")
    return WEEKDAYS.index(days[0]), WEEKDAYS.index(days[1]), minutes[0], minutes[1]


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


class PlantSettings(Section):
    """What the pages need to know of the plant."""

    name: str = Field(default="Plant", max_length=64, description="Shown on the pages.")
    time_zone: str = Field(default="UTC", description="IANA name, such as Europe/Berlin.")
    shift_starts: tuple[str, ...] = Field(
        default=("06:00", "14:00", "22:00"), description="Local times at which a shift begins."
    )
    breaks: tuple[str, ...] = Field(
        default=(),
        description="Local times in which silence raises no alert, such as 12:00-12:30 or"
        " sat-sun 00:00-24:00.",
    )
    target_fpy_percent: float = Field(
        default=95.0,
        ge=0,
        le=100,
        description="First pass yield below this is said so; machine, product, line may have"
        " another.",
    )
    stale_after_s: float = Field(
        default=60, gt=0, description="A machine silent for longer is stale, at least this long."
    )
    stale_factor: float = Field(
        default=4, gt=1, description="... and this many times its usual interval between results."
    )
    golden_barcodes: tuple[str, ...] = Field(
        default=(),
        description="Barcodes of golden samples, as globs such as GOLD-*: stored, judged and shown,"
        " but left out of every yield. A change concerns the runs that come after it.",
    )
    scan_prefix: str = Field(
        default="",
        max_length=16,
        description="What every barcode scanner sends first, such as ]C1; it is taken off. Where it"
        " is set, only what begins with it counts as a scan.",
    )
    unit_barcodes: tuple[str, ...] = Field(
        default=(),
        description="Barcodes of units, as globs such as EC41-*: a scan that looks otherwise opens"
        " no unit unasked. Default: any may be a unit's.",
    )
    badge_barcodes: tuple[str, ...] = Field(
        default=(),
        description="Barcodes of people's badges, as globs such as BADGE-*: a scan of one shows"
        " what this operator has run.",
    )

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        return _known_time_zone(name)

    @field_validator("shift_starts")
    @classmethod
    def _are_times(cls, starts: tuple[str, ...]) -> tuple[str, ...]:
        for start in starts:
            hours, _, minutes = start.partition(":")
            if not (hours.isdigit() and minutes.isdigit()):
                raise ValueError(f"{start!r} is not a local time such as 06:00")
            if int(hours) > 23 or int(minutes) > 59:  # noqa: PLR2004 - a clock
                raise ValueError(f"{start!r} is not a local time such as 06:00")
        if not starts or list(starts) != sorted(set(starts)):
            raise ValueError("shift_starts must rise through the day, at least one")
        return starts

    @field_validator("breaks")
    @classmethod
    def _are_breaks(cls, breaks: tuple[str, ...]) -> tuple[str, ...]:
        for each in breaks:
            parse_break(each)
        return breaks

    @field_validator("golden_barcodes", "badge_barcodes")
    @classmethod
    def _are_globs(cls, globs: tuple[str, ...]) -> tuple[str, ...]:
        if "" in globs or "*" in globs:
            raise ValueError("a glob that is empty or * would match every unit")
        return globs

    def is_golden(self, barcode: str) -> bool:
        """Tell whether a unit is a golden sample."""
        return any(fnmatchcase(barcode, glob) for glob in self.golden_barcodes)


class AlertsSettings(Section):
    """What the service calls attention to, and whom it tells. Yields: see plant."""

    enabled: bool = Field(default=True, description="False: no alert is raised or closed.")
    check_s: float = Field(
        default=2, ge=0.1, le=60, description="Seconds between two looks at what is stored."
    )
    silent_forget_s: float = Field(
        default=86_400,
        gt=0,
        description="A machine silent for longer is no longer expected: its alert closes.",
    )
    offline_after_s: float = Field(
        default=10, ge=0, description="Seconds a machine may be offline before that is an alert."
    )
    offline_together: int = Field(
        default=5, ge=2, description="So many machines offline at once are one alert."
    )
    yield_units_min: int = Field(
        default=20, ge=1, description="Fewer units of a shift say nothing of its yield."
    )
    yield_clear_percent: float = Field(
        default=1,
        ge=0,
        le=50,
        description="A yield alert closes when the interval reaches so far above the target.",
    )
    step_repeats: int = Field(
        default=3,
        ge=2,
        le=20,
        description="So many runs in a row failing first at one step are an alert, and so many"
        " without close it.",
    )
    unit_runs_max: int = Field(
        default=3, ge=1, description="More runs of one procedure on one unit are an alert."
    )
    retests_quiet_s: float = Field(
        default=3_600, gt=0, description="... that closes when the unit rests so long."
    )
    rejections: int = Field(
        default=20, ge=2, description="So many messages not understood of one machine ..."
    )
    rejections_within_s: float = Field(
        default=600, ge=10, le=86_400, description="... within so many seconds are an alert."
    )
    flood_per_s: float = Field(
        default=50,
        ge=0,
        description="Messages a second that a machine may send for good; more are stored all the"
        " same, and an alert. An element of an array counts as one. 0: no limit.",
    )
    flood_burst: int = Field(
        default=10_000,
        ge=2,
        description="... and so many at once beyond that, such as an agent's after an outage.",
    )
    notify_urls: tuple[SecretStr, ...] = Field(
        default=(),
        description="Apprise URLs that hear of new alerts, such as mailto:// or msteams://."
        " Best in the environment or in notify_urls_file.",
    )
    notify_urls_file: Path | None = Field(
        default=None,
        description="File that holds them, one a line, such as a container's secret.",
    )
    notify_from: str = Field(
        default="major",
        pattern="^(critical|major|minor)$",
        description="Least severity that is notified.",
    )

    def addresses(self) -> tuple[str, ...]:
        """Return whom to tell, from their file or setting.

        Raises:
            SettingsError: The file cannot be read.
        """
        if self.notify_urls_file is None:
            return tuple(each.get_secret_value() for each in self.notify_urls)
        try:
            lines = self.notify_urls_file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SettingsError(
                f"alerts.notify_urls_file {str(self.notify_urls_file)!r} cannot be read"
                f" ({reason}). Check the path and its rights."
            ) from error
        return tuple(line.strip() for line in lines if line.strip())


class MachineSettings(Section):
    """One machine; one that is not listed works, with these defaults."""

    line: str | None = Field(
        default=None, pattern=f"^{ID_PATTERN}$", description="Where topics do not say it."
    )
    time_zone: str | None = Field(
        default=None, description="Zone of its timestamps without offset; default UTC."
    )
    expected_interval_s: float | None = Field(
        default=None, gt=0, description="Usual seconds between results; default: as seen."
    )
    procedures: tuple[str, ...] = Field(
        default=(), description="What it runs; `check` refuses anything else here. Default: any."
    )
    target_fpy_percent: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="First pass yield below this; default: the product's, the line's, the plant's.",
    )

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        return name and _known_time_zone(name)


class LineSettings(Section):
    """One line; one that is not listed works, without plan and targets of its own."""

    plan_per_hour: float | None = Field(
        default=None, gt=0, description="Units that it should begin in an hour of work."
    )
    target_fpy_percent: float | None = Field(
        default=None, ge=0, le=100, description="First pass yield below this; default: the plant's."
    )
    target_rty_percent: float | None = Field(
        default=None, ge=0, le=100, description="Rolled throughput yield below this is said so."
    )


class ProductSettings(Section):
    """One product; one that is not listed may be run anywhere."""

    route: tuple[str, ...] = Field(
        default=(),
        description="Its procedures, in the order in which a unit must pass them. Default: none.",
    )
    retests_max: int | None = Field(
        default=None,
        ge=0,
        description="So often a unit may be run again at one procedure; default: no limit.",
    )
    target_fpy_percent: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="First pass yield below this; default: the line's, the plant's.",
    )
    target_rty_percent: float | None = Field(
        default=None, ge=0, le=100, description="Rolled throughput yield below this is said so."
    )

    @field_validator("route")
    @classmethod
    def _is_a_way(cls, route: tuple[str, ...]) -> tuple[str, ...]:
        if "" in route or len(set(route)) != len(route):
            raise ValueError("each procedure of a route has a name, and is on it once")
        return route


def _known_time_zone(name: str) -> str:
    if name not in available_timezones():
        hint = did_you_mean(name, available_timezones())
        raise ValueError(f"{name!r} is not a time zone.{hint}")
    return name

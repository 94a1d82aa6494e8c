"""Settings of every program: yieldline.toml, then YIELDLINE_SECTION__KEY, then flags.

One frozen model a section; `Field(description=…)` is the documentation (docs/configuration.md is
generated from it). Reads the file and the environment, never the network.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Self
from zoneinfo import available_timezones

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

from broker.errors import SettingsError
from broker.origins import Layers, dotted
from broker.topics import ID_PATTERN, TopicTemplate

ENV_PREFIX = "YIELDLINE_"
CONFIG_ENV = "YIELDLINE_CONFIG"
"""Environment variable that names another file than yieldline.toml."""
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


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BrokerSettings(_Section):
    """How to reach the MQTT broker."""

    host: str = Field(default="127.0.0.1", description="Name or address of the broker.")
    port: int = Field(default=1883, ge=1, le=65535, description="1883 plain, 8883 with TLS.")
    username: str | None = Field(default=None, description="None: anonymous.")
    password: SecretStr | None = Field(
        default=None, description="Best in the environment or in password_file."
    )
    password_file: Path | None = Field(
        default=None, description="File that holds the password, such as a container's secret."
    )
    tls: bool = Field(default=False, description="Speak TLS to the broker.")
    ca_file: Path | None = Field(default=None, description="CA that signed the broker's name.")
    cert_file: Path | None = Field(default=None, description="Our client certificate.")
    key_file: Path | None = Field(default=None, description="The certificate's private key.")
    keepalive_s: int = Field(default=20, ge=5, le=300, description="Seconds between pings.")
    connect_timeout_s: float = Field(default=5, gt=0, description="Seconds to wait for CONNACK.")
    retry_delay_min_s: float = Field(default=0.1, gt=0, description="First wait after a loss.")
    retry_delay_max_s: float = Field(default=30, gt=0, description="Longest wait after losses.")
    publish_timeout_s: float = Field(default=10, gt=0, description="Seconds to wait for PUBACK.")
    ingest_protocol: str = Field(
        default="5",
        pattern=r"^(5|3\.1\.1)$",
        description="MQTT version of POST /ingest. Only 5 hears that an ACL denies.",
    )

    @model_validator(mode="after")
    def _login_is_complete(self) -> Self:
        if self.password is not None and self.username is None:
            raise ValueError("a password without a username: set both, or neither")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("set cert_file and key_file together, or neither")
        return self

    def secret(self) -> str | None:
        """Return the password from its file or setting.

        Raises:
            SettingsError: The file cannot be read.
        """
        if self.password_file is not None:
            try:
                return self.password_file.read_text("utf-8").strip()
            except OSError as error:
                raise SettingsError(
                    f"broker.password_file {str(self.password_file)!r} cannot be read"
                    f" ({error.strerror}). Check the path and its rights."
                ) from error
        return self.password.get_secret_value() if self.password else None


class TopicsSettings(_Section):
    """Where machines publish."""

    template: str = Field(
        default="factory/v1/{line}/{machine_id}/{channel}",
        description="Any level a literal or one of {enterprise} {site} {area} {line} {cell}"
        " {machine_id} {channel}.",
    )

    @field_validator("template")
    @classmethod
    def _is_usable(cls, text: str) -> str:
        try:
            TopicTemplate(text)
        except SettingsError as error:
            raise ValueError(str(error)) from error
        return text


class ServiceSettings(_Section):
    """The subscriber that judges and stores."""

    payload_bytes_max: int = Field(
        default=1_048_576, ge=1_024, description="Largest message taken, in bytes."
    )
    pending_count_max: int = Field(
        default=20_000, ge=1, description="Messages held in memory before reading stops."
    )
    pending_bytes_max: int = Field(
        default=67_108_864, ge=1_048_576, description="Their bytes, likewise."
    )
    batch_count_max: int = Field(default=1_000, ge=1, description="Messages of one transaction.")
    batch_bytes_max: int = Field(
        default=8_388_608, ge=1_048_576, description="Bytes of one transaction."
    )
    retry_delay_max_s: float = Field(
        default=30, gt=0, description="Longest wait while the database is away."
    )
    shutdown_timeout_s: float = Field(
        default=5, gt=0, description="Seconds to finish the batch in hand at stop."
    )
    adopt_after_s: float = Field(
        default=60,
        gt=0,
        description="Seconds a service process may be gone before another takes over its queue.",
    )
    answer_protocol: str = Field(
        default="3.1.1",
        pattern=r"^(5|3\.1\.1)$",
        description="MQTT version in which answers are published. Only 5 hears that an ACL denies"
        " one; it is slower.",
    )
    heartbeat_s: float = Field(
        default=2, gt=0, description="Seconds between the lines on its health it leaves for the UI."
    )
    answer_checks: bool = Field(
        default=True, description="Answer `check`: may this unit be run here?"
    )
    check_age_max_s: float = Field(
        default=10, ge=1, le=60, description="A check that is older, in seconds, is not answered."
    )
    check_protocol: str = Field(
        default="5",
        pattern=r"^(5|3\.1\.1)$",
        description="MQTT version of checks. Only 5 knows response topics and correlation data.",
    )
    summary_s: float = Field(
        default=5,
        ge=0,
        le=3_600,
        description="Seconds between two summaries of a machine that changed; 0: none.",
    )


class DatabaseSettings(_Section):
    """Where results are kept."""

    url: SecretStr = Field(
        default=SecretStr("sqlite:///data/yieldline.db"),
        description="sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME.",
    )
    url_file: Path | None = Field(
        default=None, description="File that holds the URL, such as a container's secret."
    )
    timeout_s: float = Field(default=10, gt=0, description="Seconds to wait for a lock or login.")

    def address(self) -> str:
        """Return the URL with its password.

        Raises:
            SettingsError: The file cannot be read, or the URL is of no database we know.
        """
        text = self.url.get_secret_value()
        if self.url_file is not None:
            try:
                text = self.url_file.read_text("utf-8").strip()
            except OSError as error:
                raise SettingsError(
                    f"database.url_file {str(self.url_file)!r} cannot be read"
                    f" ({error.strerror}). Check the path and its rights."
                ) from error
        if not text.startswith(("sqlite:///", "postgresql://", "postgres://")):
            scheme, found, _ = text.partition("://")  # without one it may all be a password
            raise SettingsError(
                f"database.url starts with {scheme if found else 'no scheme'!r}."
                " Use sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME."
            )
        return text


class RetentionSettings(_Section):
    """How long results are kept."""

    days: int | None = Field(
        default=None,
        ge=1,
        description="Once an hour the service deletes runs that started, and arrived, longer ago:"
        " with their measurements, their messages and what they add to figures. Default: keep all.",
    )
    archive: Path | None = Field(
        default=None,
        description="Folder of Parquet files that is given what goes, day by day; what it cannot"
        " take is not deleted. Default: what is deleted is gone.",
    )


class RulesSettings(_Section):
    """The plant's own limits."""

    file: Path = Field(
        default=Path("rules.toml"),
        description="Loaded as a new rulebook version at start when it has changed.",
    )


class HttpSettings(_Section):
    """The web app and HTTP API."""

    host: str = Field(
        default="127.0.0.1", description="Address to bind; another than loopback needs users."
    )
    port: int = Field(default=8080, ge=1, le=65535, description="One port for pages and API.")
    no_login: bool = Field(
        default=False,
        description="Let everyone in, as viewer, also on another address than loopback; every page"
        " says so in red.",
    )
    secret_file: Path = Field(
        default=Path("data/session.key"),
        description="32 random bytes that sign logins; made where there are none. Web apps that"
        " share the load share it.",
    )
    secure_cookies: bool = Field(
        default=False,
        description="Give cookies to https alone, also where a proxy does not say that it speaks"
        " it.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=("127.0.0.1",),
        description="Proxies whose X-Forwarded-For and -Proto are believed: addresses, networks"
        " or *.",
    )


class PlantSettings(_Section):
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
        default=95.0, ge=0, le=100, description="First pass yield below this is said so."
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


class AlertsSettings(_Section):
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
    notify_urls: tuple[SecretStr, ...] = Field(
        default=(),
        description="Apprise URLs that hear of new alerts, such as mailto:// or msteams://."
        " Best in the environment.",
    )
    notify_from: str = Field(
        default="major",
        pattern="^(critical|major|minor)$",
        description="Least severity that is notified.",
    )


class MachineSettings(_Section):
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

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        return name and _known_time_zone(name)


class LineSettings(_Section):
    """One line; one that is not listed works, without plan and target."""

    plan_per_hour: float | None = Field(
        default=None, gt=0, description="Units that it should begin in an hour of work."
    )
    target_rty_percent: float | None = Field(
        default=None, ge=0, le=100, description="Rolled throughput yield below this is said so."
    )


class ProductSettings(_Section):
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
        default=None, ge=0, le=100, description="First pass yield below this; default: the plant's."
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


NAMED_SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    "machines": MachineSettings,
    "lines": LineSettings,
    "products": ProductSettings,
}
"""Sections with a table for each name, such as [machines.FCT-12]."""


class LogSettings(_Section):
    """What the programs say of themselves."""

    level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Least level shown."
    )
    json_lines: bool = Field(default=False, description="One JSON object a line, for collectors.")


class Settings(BaseSettings):
    """All sections. Build with `load_settings`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter="__"
    )

    broker: BrokerSettings = BrokerSettings()
    topics: TopicsSettings = TopicsSettings()
    service: ServiceSettings = ServiceSettings()
    database: DatabaseSettings = DatabaseSettings()
    retention: RetentionSettings = RetentionSettings()
    rules: RulesSettings = RulesSettings()
    http: HttpSettings = HttpSettings()
    plant: PlantSettings = PlantSettings()
    alerts: AlertsSettings = AlertsSettings()
    log: LogSettings = LogSettings()
    machines: dict[str, MachineSettings] = Field(
        default_factory=dict, description="One table a machine: [machines.FCT-12]."
    )
    lines: dict[str, LineSettings] = Field(
        default_factory=dict, description="One table a line: [lines.L1]."
    )
    products: dict[str, ProductSettings] = Field(
        default_factory=dict, description="One table a product: [products.PCB-7]."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keep the environment and our own layers; no .env file is read unasked."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    def template(self) -> TopicTemplate:
        """Return the topic template, parsed."""
        return TopicTemplate(self.topics.template)


def load_settings(
    file: Path | None = None, flags: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Read the settings of this process.

    Args:
        file: Another file than `yieldline.toml` (which may be missing; a named one may not).
        flags: Command-line values by section and key; they beat the file and the environment.

    Raises:
        SettingsError: Something is wrong; the sentence names the file or variable, the key and
            the closest known one.
    """
    _check_environment()
    path, layers = _read_file(file)
    try:
        settings = Settings(**layers)
        if flags:
            merged = settings.model_dump()
            for section, values in flags.items():
                merged[section] = {**merged[section], **values}
            settings = _Validated(**merged)
    except ValidationError as error:
        raise SettingsError(_sentence(error, path)) from error
    except UnreadableVariable as error:
        raise not_json(error) from error
    return settings


def read_layers(
    file: Path | None = None, flags: Mapping[str, Mapping[str, Any]] | None = None
) -> Layers:
    """Return which settings each layer names, for people who ask where a value comes from.

    Args:
        file: As in `load_settings`.
        flags: Likewise.

    Raises:
        SettingsError: The file cannot be read.
    """
    path, values = _read_file(file)
    named = frozenset(
        name.upper().removeprefix(ENV_PREFIX).lower().replace("__", ".")
        for name in os.environ
        if name.upper().startswith(ENV_PREFIX)
    )
    return Layers(str(path), dotted(values), named, dotted(flags or {}))


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield every section and its model; of those with a table for each name, the table's."""
    for section, info in Settings.model_fields.items():
        model = NAMED_SECTIONS.get(section, info.annotation)
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield section, model


def setting_names() -> Iterator[tuple[str, str]]:
    """Yield (section, key) of every setting."""
    for section, model in sections():
        for key in model.model_fields:
            yield section, key


def as_environment(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return settings by section and key as the variables that hand them to a child process."""
    return {
        f"{ENV_PREFIX}{section}__{key}".upper(): str(value)
        for section, values in settings.items()
        for key, value in values.items()
    }


class _Validated(Settings):
    """Settings from values alone: the environment has already been read."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keep only what the caller gives."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def _known_time_zone(name: str) -> str:
    if name not in available_timezones():
        hint = _closest(name, available_timezones())
        raise ValueError(f"{name!r} is not a time zone.{hint}")
    return name


def _closest(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean {found[0]}?" if found else ""


def _read_file(file: Path | None) -> tuple[Path, dict[str, Any]]:
    named = file or (Path(os.environ[CONFIG_ENV]) if os.environ.get(CONFIG_ENV) else None)
    path = named or Path("yieldline.toml")
    try:
        return path, tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        if named is None:
            return path, {}
        raise SettingsError(f"{path} does not exist. Give another --config, or none.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as TOML: {error}.") from error


def _check_environment() -> None:
    """Refuse a misspelt variable: pydantic-settings ignores an unknown section (measured)."""
    known = {f"{ENV_PREFIX}{section}__{key}".upper() for section, key in setting_names()}
    known |= {CONFIG_ENV}
    named = tuple(f"{ENV_PREFIX}{section}".upper() for section in NAMED_SECTIONS)
    free = (*(f"{each}__" for each in named), f"{ENV_PREFIX}TEST_")
    for name in os.environ:
        if not name.startswith(ENV_PREFIX) or name in known or name in named:
            continue
        if name.startswith(free):
            continue
        raise SettingsError(
            f"environment: {name} is not a setting.{_closest(name, known)}"
            " See docs/configuration.md."
        )


def not_json(error: UnreadableVariable) -> SettingsError:
    """Return the sentence on a list or a table in the environment; never what stands in it."""
    named = re.search(r'field "(\w+)"', str(error))
    variable = f"{ENV_PREFIX}{named[1] if named else ''}".upper()
    return SettingsError(
        f"environment: a list or a table in a variable {variable}… is not JSON."
        ' Write a list as ["a", "b"].'
    )


def _sentence(error: ValidationError, path: Path) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    origin = _origin(first["loc"], path)
    if first["type"] == "extra_forbidden":
        known = [f"{section}.{key}" for section, key in setting_names()] + list(
            Settings.model_fields
        )
        return f"{origin}{where} is not a setting.{_closest(where, known)}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{origin}{where}: {message}."


def _origin(loc: tuple[int | str, ...], path: Path) -> str:
    variable = f"{ENV_PREFIX}{'__'.join(str(part) for part in loc[:2])}".upper()
    if variable in os.environ:
        return f"environment {variable}: "
    return f"{path}: " if path.exists() else ""

"""The sections of yieldline.toml that say how the programs run.

One frozen model a section; `Field(description=…)` is the documentation (docs/configuration.md is
generated from it). The plant's own sections are in `broker/plant_sections.py`.
"""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from broker.errors import SettingsError
from broker.topics import TopicTemplate

_SHARED_GROUP: Final = "yieldline"
_GROUP_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


class Section(BaseModel):
    """What every section has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BrokerSettings(Section):
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

    def login(self) -> str:
        """Return as whom we come, for a sentence: most brokers name us by our certificate."""
        if self.username is None and self.cert_file is not None:
            return f"certificate {self.cert_file.name}"
        return repr(self.username or "anonymous")

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


class TopicsSettings(Section):
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


class ServiceSettings(Section):
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
    share: bool | None = Field(
        default=None,
        description="Share what machines send with other service processes. False: for one alone;"
        " Mosquitto's classic file keeps its subscription over a restart and a shared one not, and"
        " some brokers, such as the embedded one, cannot share. Default: true with PostgreSQL,"
        " false with SQLite, which is for one alone.",
    )
    shared_group_file: Path | None = Field(
        default=None,
        description="File with the name of the group in which services share what machines send,"
        " to be kept as a password is: who knows it can have a share that is then lost. On further"
        " lines, names it had before. Default: `yieldline`.",
    )

    def filters(self, topics: str, *, is_alone: bool) -> tuple[str, ...]:
        """Return what services subscribe to, and what they may have subscribed to before.

        Args:
            topics: What machines send.
            is_alone: There can be one service process only.

        Raises:
            SettingsError: As `shared_groups`.
        """
        shared = tuple(f"$share/{each}/{topics}" for each in self.shared_groups())
        is_shared = not is_alone if self.share is None else self.share
        return (*shared, topics) if is_shared else (topics, *shared)

    def shared_groups(self) -> tuple[str, ...]:
        """Return the group that services share, and those of before, which they leave.

        Raises:
            SettingsError: The file cannot be read, or holds no such name.
        """
        if self.shared_group_file is None:
            return (_SHARED_GROUP,)
        where = f"service.shared_group_file {str(self.shared_group_file)!r}"
        try:
            names = self.shared_group_file.read_text("utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{where} cannot be read ({error}). Check the path and its rights."
            ) from error
        if not names or not all(_GROUP_NAME.fullmatch(each) for each in names):
            raise SettingsError(
                f"{where} holds no name of a group: letters, digits, - and _, one name a line."
                " Make one with: openssl rand -hex 16"
            )
        return tuple(dict.fromkeys([*names, _SHARED_GROUP]))


class DatabaseSettings(Section):
    """Where results are kept."""

    url: SecretStr = Field(
        default=SecretStr("sqlite:///data/yieldline.db"),
        description="sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME.",
    )
    url_file: Path | None = Field(
        default=None, description="File that holds the URL, such as a container's secret."
    )
    no_tls: bool = Field(
        default=False,
        description="Talk to a PostgreSQL on another host also where the URL does not say"
        " sslmode=verify-full or verify-ca; every start warns of it.",
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

    def is_for_one(self) -> bool:
        """Tell whether one service process is all that it takes: SQLite.

        Raises:
            SettingsError: As `address`.
        """
        return self.address().startswith("sqlite:")


class RetentionSettings(Section):
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


class RulesSettings(Section):
    """The plant's own limits."""

    file: Path = Field(
        default=Path("rules.toml"),
        description="Loaded as a new rulebook version at start when it has changed.",
    )


class HttpSettings(Section):
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
    login_notice: str = Field(
        default="",
        max_length=4_000,
        description="Plain text that the login page shows, such as who may use this and that use"
        " is recorded. Default: none.",
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
    session_hours_max: int = Field(
        default=24,
        ge=1,
        le=720,
        description="A login ends so long after its beginning, however much it is used.",
    )
    session_idle_minutes: int | None = Field(
        default=None,
        ge=5,
        le=480,
        description="End a login so long after the last key or touch. None: after eight hours in"
        " which none of its pages was open, so that screens at the line stay.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=("127.0.0.1",),
        description="Proxies whose X-Forwarded-For and -Proto are believed: addresses, networks"
        " or *: whoever calls is one, and the last address it forwards is the caller's.",
    )


class LogSettings(Section):
    """What the programs say of themselves."""

    level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Least level shown."
    )
    json_lines: bool = Field(default=False, description="One JSON object a line, for collectors.")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question that ends a sentence, about what somebody may have meant; or nothing."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean {found[0]}?" if found else ""

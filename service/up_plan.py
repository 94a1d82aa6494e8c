"""What `yieldline up` is about to start, decided from values alone. Pure: no I/O."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.addresses import is_loopback
from broker.errors import SettingsError
from broker.settings import Settings, as_environment
from service.supervisor import Program

BROKERS = ("auto", "mosquitto", "embedded", "none")
_PORTS_TRIED_MAX = 100
_PORT_MAX = 65_535
_DEMO_HISTORY_MINUTES = 90
"""A floor that has run for a while has trends and yields to look at from the first second."""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """The flags of `yieldline up`; None is a flag that was not given."""

    data_dir: Path = Path("data")
    http_port: int | None = None
    mqtt_port: int | None = None
    broker: str = "auto"
    database: str | None = None
    host: str | None = None
    no_login: bool = False
    demo: bool = False
    replicas: int = 1
    """Service processes; more than one needs PostgreSQL."""
    seed: int | None = None
    """Of the simulated floor."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens."""

    host: str
    port: int


def check_options(options: UpOptions, settings: Settings, database: str) -> None:
    """Refuse what cannot work together.

    Raises:
        SettingsError: The sentence names the flag and what to do.
    """
    if options.broker not in BROKERS:
        raise SettingsError(f"--broker {options.broker} is none of {', '.join(BROKERS)}.")
    if options.database and settings.database.url_file:
        raise SettingsError(
            "--database and database.url_file both name a database. Leave one of them out."
        )
    if options.replicas < 1:
        raise SettingsError(f"{options.replicas} service processes do nothing. Use 1 or more.")
    if options.replicas > 1 and database.startswith("sqlite"):
        raise SettingsError(
            f"{options.replicas} service processes cannot share a SQLite file."
            " Use one, or a PostgreSQL --database."
        )


def check_embedded(options: UpOptions) -> None:
    """Refuse what the embedded broker cannot do: it falls silent when one of several services goes.

    Raises:
        SettingsError: The sentence says what to do.
    """
    if options.replicas > 1:
        raise SettingsError(
            f"--service-replicas {options.replicas}: the embedded broker (iotcore) cannot share"
            " messages among service processes. Use one, or install Mosquitto."
        )


def needs_users(options: UpOptions, settings: Settings) -> bool:
    """Tell whether others reach the pages, so that somebody must be able to log in."""
    host = options.host or settings.http.host
    return not (is_loopback(host) or options.no_login or settings.http.no_login)


def choose_port(
    flag: str, given: int | None, default: int, is_free: Callable[[int], bool]
) -> tuple[int, str | None]:
    """Choose a port: the given one or nothing, else the first free one from the default on.

    Returns:
        The port, and the sentence to say where it is not the default.

    Raises:
        SettingsError: The given one is taken, or none is free.
    """
    if given is not None:
        if not is_free(given):
            raise SettingsError(
                f"{flag} {given} is in use by another program. Choose another, or leave it out to"
                " get the next free one."
            )
        return given, None
    for port in range(default, min(default + _PORTS_TRIED_MAX, _PORT_MAX + 1)):
        if is_free(port):
            moved = f"Port {default} is in use by another program: using {port} ({flag})."
            return port, None if port == default else moved
    raise SettingsError(
        f"no port from {default} to {default + _PORTS_TRIED_MAX - 1} is free. Choose one: {flag}."
    )


def database_url(options: UpOptions, settings: Settings) -> str | None:
    """Return the URL to hand to the children; None where the settings name a file that holds it.

    The flag, else the settings where somebody has set them, else a file in the data folder.
    """
    if options.database:
        return options.database
    if settings.database.url_file:
        return None
    if "url" in settings.database.model_fields_set:
        return settings.database.url.get_secret_value()
    return f"sqlite:///{(options.data_dir / 'yieldline.db').as_posix()}"


def environment(
    options: UpOptions,
    broker: Address,
    database: str | None,
    http: Address,
    *,
    embedded: bool = False,
) -> dict[str, str]:
    """Return the variables that hand these choices to the children.

    Args:
        options: For `--no-login`.
        broker: Where it is; its login and TLS stay with the settings.
        database: Its URL; None where the settings name a file that holds it.
        http: Where the web app listens.
        embedded: The broker is the embedded one. It speaks no MQTT 5, whose clients would wait for
            ever, and falls silent when a member of a shared subscription goes with messages in
            hand.
    """
    values: dict[str, dict[str, Any]] = {
        "http": {"host": http.host, "port": http.port},
        "broker": {"host": broker.host, "port": broker.port},
    }
    if options.no_login:
        values["http"]["no_login"] = True
    if embedded:
        values["broker"]["ingest_protocol"] = "3.1.1"
        values["service"] = {"check_protocol": "3.1.1", "share": False}
    if database:
        values["database"] = {"url": database}
    return as_environment(values)


def executable() -> tuple[str, ...]:
    """Return how to run `yieldline` here, so that its name stands in the command line."""
    suffix = ".exe" if sys.platform == "win32" else ""
    return (str(Path(sys.executable).with_name(f"yieldline{suffix}")),)


def embedded_broker(port: int, data_dir: Path) -> Program:
    """Return the child that is the broker from pip."""
    flags = ("--broker", "embedded", "--port", str(port), "--data-dir", str(data_dir))
    return Program("broker", (*executable(), "broker", *flags))


def programs(options: UpOptions, variables: Mapping[str, str]) -> list[Program]:
    """Return the service processes and the web app, in the order of their start."""
    names = ["service", *(f"service-{number}" for number in range(2, options.replicas + 1))]
    services = [Program(name, (*executable(), "service"), variables) for name in names]
    return [*services, Program("ui", (*executable(), "ui"), variables)]


def simulator(options: UpOptions, variables: Mapping[str, str]) -> Program:
    """Return the simulated floor."""
    seed = () if options.seed is None else ("--seed", str(options.seed))
    flags = ("--history", str(_DEMO_HISTORY_MINUTES), *seed)
    return Program("simulate", (*executable(), "simulate", *flags), variables)


def page_url(http: Address) -> str:
    """Return what to open in a browser on this machine."""
    return f"http://{_reachable(http.host)}:{http.port}"


def _reachable(host: str) -> str:
    if host in {"0.0.0.0", ""}:  # noqa: S104 - every address, ours among them
        return "127.0.0.1"
    if host == "::":
        return "[::1]"
    return f"[{host}]" if ":" in host else host

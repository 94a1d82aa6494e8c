"""The command line, `yieldline`. Commands import late: `--help` must not load a database driver."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.errors import YieldlineError
from broker.settings import Settings, load_settings
from broker.signals import leave_when_told, stop_when_told
from service import ca_cli, rules_cli, tokens_cli, users_cli
from service.backup_cli import backup, restore, verify
from service.export_cli import export
from service.prune_cli import prune
from service.shared_cli import Config

EXIT_FAILED, EXIT_USAGE = 1, 2
_GRACE_S = 4.0  # with the five of the default, below the ten after which containers are killed
_RUN_ON = {"up", "service", "ui", "broker", "simulate"}
"""Commands that end when they are told to."""

app = typer.Typer(
    name="yieldline",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Every test result judged by the plant's own rules, stored exactly once, shown live.",
    epilog="Also: `yieldline ui` (the web app alone), `yieldline agent` (a log file's way to MQTT),"
    " `yieldline evidence` (what proves one verdict). Try it: `yieldline up --demo`, then open the"
    " URL it prints.",
)
db_app = typer.Typer(
    no_args_is_help=True, help="The database.", epilog="Example: `yieldline db stats`"
)
app.add_typer(rules_cli.app, name="rules")
app.add_typer(db_app, name="db")
app.add_typer(users_cli.app, name="users")
app.add_typer(tokens_cli.app, name="tokens")
app.add_typer(ca_cli.app, name="ca")


@app.callback()
def _common(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True)
    ] = False,
) -> None:
    if show_version:
        typer.echo(version("yieldline"))
        raise typer.Exit


@app.command(epilog="Example: `yieldline up --demo`, or `yieldline up --database postgresql://…`")
def up(  # noqa: PLR0913 - the flags of the contract
    *,
    data_dir: Annotated[Path, typer.Option(help="Where database and broker keep files.")] = Path(
        "data"
    ),
    http_port: Annotated[
        int | None, typer.Option(help="Pages and API; default 8080 or the next free.")
    ] = None,
    mqtt_port: Annotated[
        int | None, typer.Option(help="The broker; default 1883 or the next free.")
    ] = None,
    broker: Annotated[
        str, typer.Option(help="auto, mosquitto, embedded or none (one runs elsewhere).")
    ] = "auto",
    database: Annotated[
        str | None, typer.Option(help="URL; default a SQLite file in the data folder.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address for the pages; default 127.0.0.1.")
    ] = None,
    no_login: Annotated[
        bool, typer.Option("--no-login", help="Let everyone in who reaches --host.")
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Start a simulated floor too.")
    ] = False,
    service_replicas: Annotated[
        int, typer.Option(help="Service processes; more than one needs PostgreSQL.")
    ] = 1,
    seed: Annotated[int | None, typer.Option(help="Seed of the simulated floor.")] = None,
) -> None:
    """Start broker, service and web app, and stop them with Ctrl-C."""
    from service.up import up as run_up
    from service.up_plan import UpOptions

    options = UpOptions(
        data_dir=data_dir,
        http_port=http_port,
        mqtt_port=mqtt_port,
        broker=broker,
        database=database,
        host=host,
        no_login=no_login,
        demo=demo,
        replicas=service_replicas,
        seed=seed,
    )
    raise typer.Exit(run_up(options))


@app.command(epilog="Example: `YIELDLINE_DATABASE__URL=postgresql://… yieldline service`")
def service(*, config: Config = None) -> None:
    """Judge and store what machines publish, until stopped."""
    from service.serve import serve

    settings = _settings(config)
    _run_until_stopped(settings, lambda stop: serve(settings, stop))


@app.command(epilog="Example: `yieldline broker --port 1883`")
def broker(
    *,
    port: Annotated[int, typer.Option(help="Where to listen, on this machine only.")] = 1883,
    data_dir: Annotated[Path, typer.Option(help="Where it keeps its file.")] = Path("data"),
    kind: Annotated[str, typer.Option("--broker", help="auto, mosquitto or embedded.")] = "auto",
) -> None:
    """Run an MQTT broker for a trial on this machine."""
    from broker.embedded import run_broker

    raise typer.Exit(run_broker(kind, port, data_dir))


@app.command(epilog="Example: `yieldline simulate --seed 7 --speed 10`")
def simulate(  # noqa: PLR0913 - one flag a quality of the floor
    *,
    seed: Annotated[int | None, typer.Option(help="Same seed, same floor.")] = None,
    speed: Annotated[float, typer.Option(help="Seconds of the floor in a second.")] = 1.0,
    runs: Annotated[int | None, typer.Option(help="Stop after so many runs.")] = None,
    lines: Annotated[int, typer.Option(help="Production lines.")] = 3,
    history: Annotated[float, typer.Option(help="First publish so many past minutes.")] = 0.0,
    check: Annotated[bool, typer.Option("--check", help="Ask before each run.")] = False,
    host: Annotated[str | None, typer.Option(help="Broker; default as in the settings.")] = None,
    port: Annotated[int | None, typer.Option(help="Its port.")] = None,
    config: Config = None,
) -> None:
    """Publish as a floor of real machines would, with their troubles."""
    from service.simulator.play import SimulateOptions
    from service.simulator.play import simulate as play

    given = {"host": host, "port": port}
    flags = {"broker": {key: value for key, value in given.items() if value is not None}}
    settings = _settings(config, flags)
    options = SimulateOptions(
        seed=seed, speed=speed, runs=runs, lines=lines, history_minutes=history, check=check
    )
    _run_until_stopped(settings, lambda stop: play(options, settings, stop))


@db_app.command("upgrade", epilog="Example: `yieldline db upgrade`")
def db_upgrade(*, config: Config = None) -> None:
    """Create or upgrade the tables; the service does it at start by itself."""
    from service.store.database import Database
    from service.store.schema import upgrade

    database = Database(_settings(config).database)
    upgrade(database)
    typer.echo(f"{database.label} is up to date.")


@db_app.command("stats", epilog="Example: `yieldline db stats`")
def db_stats(*, config: Config = None) -> None:
    """Print how many rows each table holds, and when it was last backed up."""
    from service.backup_cli import describe_last
    from service.store.database import Database
    from service.store.queries.backups import last_backup
    from service.store.schema import count_rows

    database = Database(_settings(config).database)
    for name, count in count_rows(database).items():
        typer.echo(f"{name:<14}{count:>12,}")
    typer.echo(describe_last(last_backup(database, datetime.now(UTC))))


db_app.command(
    epilog="Examples: `yieldline db backup backups/`, or `yieldline db backup today.db`"
)(backup)
db_app.command(epilog="Example: `yieldline db verify backups/yieldline-20261125T020000Z.dump`")(
    verify
)
db_app.command(
    epilog="Examples: `yieldline db restore backups/yieldline-20261125T020000Z.dump`,"
    ' or `yieldline db restore today.db --replace --reason "new disk"`'
)(restore)


db_app.command(
    epilog="Examples: `yieldline db prune --older-than 365 --dry-run`,"
    ' or `yieldline db prune --older-than 365 --reason "disk"`'
)(prune)


app.command(
    epilog="Examples: `yieldline export runs.csv --since 2026-11-01 --line L1`,"
    " or `yieldline export values.parquet --rows measurements`"
)(export)


@app.command(
    epilog="Examples: `yieldline health`, or `yieldline health --url http://10.0.4.7:8080`"
)
def health(
    *,
    url: Annotated[
        str | None, typer.Option(help="Where the web app is; default as in the settings.")
    ] = None,
    config: Config = None,
) -> None:
    """Say in words whether everything works; exit 1 if not."""
    from service.health import ask
    from service.up_plan import Address, page_url

    if url is None:
        http = _settings(config).http
        url = page_url(Address(http.host, http.port))
    is_well, sentences = ask(url)
    for sentence in sentences:
        typer.echo(sentence)
    raise typer.Exit(0 if is_well else EXIT_FAILED)


def main() -> None:
    """Run the command line; the console script `yieldline` and `python -m service`."""
    if _RUN_ON.intersection(sys.argv[1:2]):
        leave_when_told()
    _become_program(sys.argv)
    try:
        app()
    except YieldlineError as error:
        _end_with(error)
    except BaseExceptionGroup as group:
        ours, rest = group.split(YieldlineError)
        if rest is not None or ours is None:
            raise
        _end_with(_first(ours))


def _become_program(argv: list[str]) -> None:
    """Hand over to the agent or the web app, found by name: no package imports another."""
    if len(argv) < 2:  # noqa: PLR2004 - the program's name and a command
        return
    for program in entry_points(group="yieldline.programs", name=argv[1]):
        try:
            run: Callable[[], Any] = program.load()
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in {"broker", "edge_agent", "service", "ui"}:
                raise  # a bug of ours, not a missing extra
            extra = "ui" if program.module.startswith("ui.") else argv[1]
            print(  # noqa: T201 - stderr is where a person looks
                f"`yieldline {argv[1]}` needs {error.name}, which is not installed."
                f" Run: pip install 'yieldline[{extra}]'",
                file=sys.stderr,
            )
            raise SystemExit(EXIT_USAGE) from error
        sys.argv = [f"yieldline {argv[1]}", *argv[2:]]
        raise SystemExit(run())


def _settings(config: Path | None, flags: dict[str, dict[str, Any]] | None = None) -> Settings:
    return load_settings(config, flags)


def _run_until_stopped(
    settings: Settings, work: Callable[[asyncio.Event], Awaitable[None]]
) -> None:
    """Run `work` with an event that SIGINT and SIGTERM set; end in bounded time after that."""
    from broker.logs import configure_logging

    configure_logging(settings.log)

    async def run() -> None:
        stop = asyncio.Event()
        stop_when_told(stop, settings.service.shutdown_timeout_s + _GRACE_S)
        await work(stop)

    # The selector loop everywhere: paho's socket is watched by add_reader.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(run())


def _first(group: BaseExceptionGroup[YieldlineError]) -> YieldlineError:
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("an exception group is never empty")


def _end_with(error: YieldlineError) -> None:
    from broker.errors import BrokerUnavailable, StoreUnavailable

    print(error, file=sys.stderr)  # noqa: T201
    is_outage = isinstance(error, BrokerUnavailable | StoreUnavailable)
    raise SystemExit(EXIT_FAILED if is_outage else EXIT_USAGE)


if __name__ == "__main__":
    main()

"""`yieldline agent`: forward log files to the broker, and the tools around it."""

import io
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from broker.errors import SettingsError, SpoolFull, YieldlineError
from broker.files import trouble_of
from broker.signals import leave_when_told
from edge_agent.config import load_config
from edge_agent.errors import NotDone
from edge_agent.formats import FORMAT_NAMES, Options, check_format, read_options

_BAR_FROM_BYTES: Final = 8_388_608
_EXIT_NOT_DONE: Final = 1

app = typer.Typer(
    help="Forward tester log files to the broker; each record arrives once, or is still here.",
    epilog="Example: yieldline agent run --config agent.toml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

ConfigFile = Annotated[Path, typer.Option("--config", help="What to read, where to send it.")]
MachineId = Annotated[str | None, typer.Option("--machine", help="Only this machine_id.")]
_CONFIG: Final = Path("agent.toml")


@app.command(
    epilog="Examples:\n\n"
    "    yieldline agent run --config agent.toml\n\n"
    "    yieldline agent run --config agent.toml --once --timeout 60"
)
def run(
    config: ConfigFile = _CONFIG,
    once: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--once", help="Read what is there, wait for the receipts, exit.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds that --once may take; then exit 1.")
    ] = 300,
) -> None:
    """Read log files as they grow and send their results until the service has stored them."""
    leave_when_told(_EXIT_NOT_DONE if once else 0)
    from edge_agent.run import run_agent

    run_agent(load_config(config), once=once, timeout_s=timeout)


@app.command(
    epilog=f"Formats: {', '.join(FORMAT_NAMES)}.\n\nExamples:\n\n"
    "    yieldline agent parse --format spea board.csv\n\n"
    "    yieldline agent parse --format spea --options options.toml board.csv"
)
def parse(
    file: Annotated[Path, typer.Argument(help="The log file.", exists=True, dir_okay=False)],
    format_name: Annotated[str, typer.Option("--format", help="How it is written.")],
    options: Annotated[
        Path | None, typer.Option(help="TOML with the keys of [source.options].")
    ] = None,
) -> None:
    """Print the runs that a file holds, one JSON a line; say what was not understood."""
    check_format(format_name)  # a wrong one is not the option file's mistake
    where = str(options) if options else "without --options"
    chosen = read_options(format_name, _table(options), f"{where}: ")
    if not _show(file, format_name, chosen):
        raise typer.Exit(1)


@app.command(
    epilog="Examples:\n\n"
    "    yieldline agent init\n\n"
    "    yieldline agent init --machine-id ICT-3 --line line-1 --format spea --path 'logs/*.csv'"
    " --broker mqtt.plant:8883 --username ICT-3"
)
def init(  # noqa: PLR0913, PLR0917 - a flag for each question
    machine_id: Annotated[str | None, typer.Option(help="Whose results they are.")] = None,
    line: Annotated[str | None, typer.Option(help="The machine's line.")] = None,
    format_name: Annotated[
        str | None, typer.Option("--format", help=f"One of {', '.join(FORMAT_NAMES)}.")
    ] = None,
    path: Annotated[str | None, typer.Option(help="Its logs, a file or a glob.")] = None,
    broker: Annotated[str | None, typer.Option(help="HOST or HOST:PORT.")] = None,
    username: Annotated[str | None, typer.Option(help="Login at the broker.")] = None,
    output: Annotated[Path, typer.Option(help="The file to write.")] = _CONFIG,
    force: Annotated[  # noqa: FBT002
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
) -> None:
    """Write an agent.toml: asks, or takes all from --machine-id, --format, --path and the others.

    A password is never written.
    """
    from edge_agent.init import Answers, write_config

    answers = Answers(machine_id, line, format_name, path, broker, username)
    try:
        _print(write_config(answers, output, force=force))
    except typer.Abort as error:
        raise SettingsError(
            "nothing was written: nobody answered. Give --machine-id, --format and --path."
        ) from error


@app.command(epilog="Example: yieldline agent check --config agent.toml")
def check(config: ConfigFile = _CONFIG) -> None:
    """Try files, formats, spool and broker; say what is wrong. Sends no result, changes nothing."""
    from edge_agent.check import check_all
    from edge_agent.findings import fail

    try:
        loaded = load_config(config)
    except SettingsError as error:
        raise SettingsError(str(fail(str(error)))) from error
    if not check_all(loaded, lambda finding: typer.echo(str(finding))):
        raise typer.Exit(1)


@app.command(
    epilog="Examples:\n\n"
    "    yieldline agent status --config agent.toml\n\n"
    "    yieldline agent status --config agent.toml --json"
)
def status(
    config: ConfigFile = _CONFIG,
    as_json: Annotated[  # noqa: FBT002
        bool, typer.Option("--json", help="One JSON object instead of words.")
    ] = False,
) -> None:
    """Say how far files are read and what waits in the spool; a running agent is not disturbed."""
    from edge_agent.status import read_status, status_json, status_lines

    found = read_status(load_config(config))
    _print([status_json(found)] if as_json else status_lines(found))


@app.command(
    epilog="Examples:\n\n"
    "    yieldline agent refused --config agent.toml --machine ICT-3\n\n"
    "    yieldline agent refused --config agent.toml --export refused/ --forget"
)
def refused(
    config: ConfigFile = _CONFIG,
    machine: MachineId = None,
    export: Annotated[
        Path | None, typer.Option(help="New folder for their bytes and an index.jsonl.")
    ] = None,
    forget: Annotated[  # noqa: FBT002
        bool, typer.Option("--forget", help="Delete them from the spool; the counts stay.")
    ] = False,
) -> None:
    """List records that were not understood or too large, write out their bytes, forget them."""
    from edge_agent.refused import export_refused, forget_refused, refused_lines
    from edge_agent.spool_view import SpoolView

    spool_file = load_config(config).agent.spool_file
    with SpoolView(spool_file) as view:
        last_id = view.last_refused_id()
        if export is not None:
            typer.echo(f"{export_refused(view.refused(machine), export)} written to {export}.")
        elif not forget:
            _print(refused_lines(view.refused(machine)))
    if forget:
        typer.echo(f"{forget_refused(spool_file, machine, last_id)} forgotten.")


@app.command(
    epilog="Examples:\n\n"
    "    yieldline agent replay --config agent.toml --since 2026-11-23T06:00"
    " --until 2026-11-23T14:00\n\n"
    "    yieldline agent replay --config agent.toml --since 2026-11-23 --file 'lot77*' --dry-run"
)
def replay(  # noqa: PLR0913, PLR0917 - a flag for each narrowing
    since: Annotated[str, typer.Option(help="Runs started then or later, ISO 8601.")],
    config: ConfigFile = _CONFIG,
    until: Annotated[str | None, typer.Option(help="Runs started before; default all.")] = None,
    file: Annotated[
        str | None, typer.Option(help="Only files of this name or path, a glob.")
    ] = None,
    machine: MachineId = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,  # noqa: FBT002
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds that sending may take; then exit 1.")
    ] = 300,
) -> None:
    """Send a span of time again from the files; what the service has is counted as duplicates."""
    from edge_agent.replay import Wanted
    from edge_agent.replay import replay as send_again
    from edge_agent.span import Span, read_bound

    loaded = load_config(config)
    if machine is not None and machine not in loaded.machines():
        raise SettingsError(
            f"--machine {machine} is not in {config}. Known: {', '.join(loaded.machines())}."
        )
    span = Span(read_bound("--since", since), read_bound("--until", until) if until else None)
    send_again(loaded, Wanted(span, file, machine), is_dry=dry_run, timeout_s=timeout)


def main() -> None:
    """Run the command line; a person's mistake is one sentence, never a traceback."""
    own_name = sys.argv[0] if sys.argv[0].endswith("agent") else "python -m edge_agent"
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # Windows would write JSON in its code page
    try:
        app(prog_name=own_name)
    except (NotDone, SpoolFull) as error:  # no setting is wrong: with room it goes on
        typer.echo(str(error), err=True)
        sys.exit(_EXIT_NOT_DONE)
    except YieldlineError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)


def _show(file: Path, format_name: str, options: Options) -> bool:
    """Show a file; a bar where it is big, and the terminal is not what the runs go to."""
    from edge_agent.progress import StepProgress
    from edge_agent.show import Screen, show_file

    size = file.stat().st_size
    if size < _BAR_FROM_BYTES or sys.stdout.isatty() or not sys.stderr.isatty():
        return show_file(file, format_name, options, Screen(sys.stdout, sys.stderr))
    with StepProgress("reading", size, is_bytes=True) as progress:
        screen = Screen(sys.stdout, sys.stderr, progress.show)  # the bar has its own stderr now
        return show_file(file, format_name, options, screen)


def _table(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--options {file} {trouble_of(error)}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} cannot be read as TOML: {error}.") from error


if __name__ == "__main__":
    main()

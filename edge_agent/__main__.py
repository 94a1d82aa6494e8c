"""`yieldline agent`: forward log files to the broker, or show what they hold."""

import io
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.errors import SettingsError, YieldlineError
from edge_agent.config import load_config
from edge_agent.formats import FORMAT_NAMES, check_format, read_options
from edge_agent.run import NotDone, run_agent
from edge_agent.show import show_file

app = typer.Typer(
    help="Forward tester log files to the broker; each record arrives once, or is still here.",
    epilog="Example: yieldline agent run --config agent.toml",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.command(
    epilog="Examples:\n\n"
    "    yieldline agent run --config agent.toml\n\n"
    "    yieldline agent run --config agent.toml --once --timeout 60"
)
def run(
    config: Annotated[Path, typer.Option(help="What to read, where to send it.")] = Path(
        "agent.toml"
    ),
    once: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--once", help="Read what is there, wait for the receipts, exit.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds that --once may take; then exit 1.")
    ] = 300,
) -> None:
    """Read log files as they grow and send their results until the service has stored them."""
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
    if not show_file(file, format_name, chosen, sys.stdout, sys.stderr):
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; a person's mistake is one sentence, never a traceback."""
    own_name = sys.argv[0] if sys.argv[0].endswith("agent") else "python -m edge_agent"
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # Windows would write JSON in its code page
    try:
        app(prog_name=own_name)
    except NotDone as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
    except YieldlineError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)


def _table(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file} cannot be read as TOML: {error}.") from error


if __name__ == "__main__":
    main()

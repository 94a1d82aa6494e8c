"""`yieldline evidence`: the evidence pack of one run into a file."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from broker.errors import SettingsError, StoreUnavailable, YieldlineError
from broker.files import put_in_place
from broker.settings import load_settings
from service.store.database import Database
from ui.evidence_zip import evidence_zip

EXIT_FAILED, EXIT_USAGE = 1, 2
_RUN_ID_MAX = 2**63 - 1  # what the column holds

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: yieldline evidence 1042 --out complaint-77.zip")
def evidence(
    run_id: Annotated[
        int, typer.Argument(metavar="RUN_ID", min=1, max=_RUN_ID_MAX, help="Of a Result.")
    ],
    *,
    out: Annotated[
        Path | None, typer.Option(help="Where to; default yieldline-run-RUN_ID.zip here.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    config: Annotated[
        Path | None, typer.Option(help="Settings file; default yieldline.toml if there.")
    ] = None,
) -> None:
    """Write all that proves one verdict: message, result, rulebook, receipt, hashes, a PDF page.

    The same file as `GET /api/v1/results/RUN_ID/evidence.zip` gives.
    """
    file = out or Path(f"yieldline-run-{run_id}.zip")
    if file.exists() and not force:
        raise SettingsError(f"{file} exists. Choose another name, or replace it with --force.")
    settings = load_settings(config)
    database = Database(settings.database)
    pack = evidence_zip(database, run_id, settings.plant.time_zone)
    if pack is None:
        raise SettingsError(
            f"no run {run_id} is stored in {database.label}. The run_id stands in each result, and"
            " on the page of its unit."
        )
    _write(file, pack)
    typer.echo(f"{file} holds the evidence of run {run_id}, {len(pack):,} bytes.")


def _write(file: Path, content: bytes) -> None:
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_bytes(content)
        put_in_place(part, file)
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written: {error.strerror}. Check folder, rights and disk."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def main() -> None:
    """Run the command line; a person's mistake is one sentence, never a traceback."""
    try:
        app(prog_name="yieldline evidence")
    except YieldlineError as error:
        typer.echo(str(error), err=True)
        sys.exit(EXIT_FAILED if isinstance(error, StoreUnavailable) else EXIT_USAGE)


if __name__ == "__main__":
    main()

"""`yieldline export`: runs or measurements into a file."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from broker.errors import SettingsError
from broker.messages import Outcome
from service.flags import moment_of
from service.shared_cli import Config, database_of

if TYPE_CHECKING:
    from service.store.exports.columns import FileFormat


def export(  # noqa: PLR0913 - one flag a filter
    file: Annotated[Path, typer.Argument(help="Where to; .csv or .parquet says the format.")],
    *,
    rows: Annotated[
        str, typer.Option(help="runs: one row a run; measurements: one a measurement.")
    ] = "runs",
    since: Annotated[str | None, typer.Option(help="Started then or later.")] = None,
    until: Annotated[str | None, typer.Option(help="Started before then.")] = None,
    machine_id: Annotated[str | None, typer.Option(help="Tested at this machine.")] = None,
    line: Annotated[str | None, typer.Option(help="Tested on this line.")] = None,
    product_id: Annotated[str | None, typer.Option(help="Units of this product.")] = None,
    procedure: Annotated[str | None, typer.Option(help="Runs of this procedure.")] = None,
    step: Annotated[str | None, typer.Option(help="Runs with this test_step.")] = None,
    first_failure: Annotated[
        str | None, typer.Option(help="Runs in which this test_step failed first.")
    ] = None,
    barcode: Annotated[str | None, typer.Option(help="Runs of this unit.")] = None,
    outcome: Annotated[
        Outcome | None, typer.Option(case_sensitive=False, help="Runs with this outcome.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    config: Config = None,
) -> None:
    """Write stored results to a file, newest first: CSV that a spreadsheet can open, or Parquet.

    The same file as `GET /api/v1/export.csv` and `.parquet` give. It has its name only when whole.
    """
    from service.progress_bar import ProgressBar
    from service.store.exports.columns import Rows
    from service.store.exports.export import Export
    from service.store.queries.filters import Filters

    rows = rows.lower()
    if rows not in set(Rows):
        raise SettingsError(f"--rows {rows!r} is neither runs nor measurements.")
    filters = Filters(
        machine_id=machine_id,
        line=line,
        product_id=product_id,
        procedure=procedure,
        step=step,
        first_failure=first_failure,
        barcode=barcode,
        outcome=outcome,
        since=moment_of("--since", since),
        until=moment_of("--until", until),
    )
    asked = Export(_format_of(file), Rows(rows), filters)
    database = database_of(config)
    with _new_file(file, replaces=force) as written, ProgressBar(rows) as bar:
        done, total = 0, asked.count(database)

        def show(so_far: int) -> None:
            nonlocal done
            done = so_far
            bar.show(done, max(done, total))

        for chunk in asked.chunks(database, show):
            written.write(chunk)
    typer.echo(f"{file} holds {done:,} {rows}, {file.stat().st_size:,} bytes.")


def _format_of(file: Path) -> "FileFormat":
    from service.store.exports.columns import FileFormat

    suffix = file.suffix.lower().removeprefix(".")
    if suffix not in set(FileFormat):
        raise SettingsError(f"{file} ends neither in .csv nor in .parquet. Choose one of them.")
    return FileFormat(suffix)


@contextlib.contextmanager
def _new_file(file: Path, *, replaces: bool) -> Iterator[IO[bytes]]:
    """Give a file to write to, which gets its name when all is written, and is gone otherwise.

    Raises:
        SettingsError: It exists, or its folder cannot be written to.
    """
    if file.exists() and not replaces:
        raise SettingsError(f"{file} exists. Choose another name, or replace it with --force.")
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as written:
            yield written
            written.flush()
            os.fsync(written.fileno())
        part.replace(file)
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written: {error.strerror}. Check folder, rights and disk."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()

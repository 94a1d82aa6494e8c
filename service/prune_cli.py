"""`yieldline db prune`: delete old runs by hand. Commands import late."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from broker.settings import load_settings
from service.shared_cli import Author, Config, actor_of


def prune(  # noqa: PLR0913 - one flag a quality of the pruning
    *,
    older_than: Annotated[int, typer.Option(min=1, help="Days, from start and from arrival.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how much would be deleted.")
    ] = False,
    archive: Annotated[
        Path | None,
        typer.Option(
            help="Folder; first write what goes to Parquet files there. Default retention.archive."
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; kept in the audit trail.")] = "",
    author: Author = None,
    config: Config = None,
) -> None:
    """Delete runs that started, and arrived, longer ago, with all that belongs to them alone.

    Services may run meanwhile. `retention.days` has them do it by themselves. With an archive
    nothing is deleted that was not read back out of a file.
    """
    from service.commands.retention import plan_pruning
    from service.commands.retention import prune as delete_old
    from service.progress_bar import ProgressBar
    from service.store.database import Database

    settings = load_settings(config)
    database, now = Database(settings.database), datetime.now(UTC)
    pruning = plan_pruning(database, older_than, now, archive or settings.retention.archive)
    found = pruning.found
    typer.echo(
        f"{found.runs:,} runs with {found.measurements:,} measurements started and arrived before"
        f" {pruning.before}."
    )
    if dry_run or not found.runs:
        typer.echo("Nothing was deleted.")
        return
    with ProgressBar() as bar:
        deleted = delete_old(
            database,
            pruning,
            actor=actor_of(author),
            reason=" ".join(reason.split()),
            now=now,
            progress=bar.show,
        )
    typer.echo(f"{deleted:,} runs are deleted.")

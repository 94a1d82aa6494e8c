"""`yieldline rules shadow`: let a draft judge live runs beside the active rulebook."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from broker.errors import RulebookError
from broker.files import read_text
from broker.printable import printable
from service.shared_cli import Author, Config, actor_of, database_of

app = typer.Typer(
    no_args_is_help=True,
    help="A draft that judges live runs too, without any effect.",
    epilog="Example: `yieldline rules shadow show`",
)


@app.command(epilog='Example: `yieldline rules shadow start draft.toml --reason "trial week"`')
def start(
    file: Annotated[Path, typer.Argument(help="A rulebook in TOML.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; kept with it.")],
    author: Author = None,
    config: Config = None,
) -> None:
    """Let a draft judge every new run too; one that runs already is stopped."""
    from service.commands.rulebooks import Draft
    from service.commands.shadows import start_shadow

    shadow = start_shadow(
        database_of(config),
        Draft(read_text(file, RulebookError), str(file)),
        actor=actor_of(author),
        reason=reason,
        now=datetime.now(UTC),
    )
    typer.echo(f"Shadow {shadow.shadow_id} judges live runs. See: yieldline rules shadow show")


@app.command(epilog="Example: `yieldline rules shadow stop`")
def stop(*, author: Author = None, config: Config = None) -> None:
    """Stop the shadow that runs; what it found stays."""
    from service.commands.shadows import stop_shadow

    shadow = stop_shadow(database_of(config), actor=actor_of(author), now=datetime.now(UTC))
    typer.echo(f"Shadow {shadow.shadow_id} is stopped.")


@app.command(epilog="Example: `yieldline rules shadow show --limit 50`")
def show(
    *,
    limit: Annotated[int, typer.Option(min=0, max=1000, help="Runs to list.")] = 20,
    config: Config = None,
) -> None:
    """Show on how many runs the newest shadow differs, and the latest of them."""
    from service.store.queries.shadow_runs import differing_runs
    from service.store.shadows import list_shadows

    database = database_of(config)
    shadows = list_shadows(database)
    if not shadows:
        raise RulebookError(
            "no shadow rulebook ever ran."
            ' Start one: yieldline rules shadow start draft.toml --reason "…"'
        )
    newest = shadows[0]
    since = f"{newest.started_at:%Y-%m-%d %H:%M:%SZ}"
    state = "runs since" if newest.stopped_at is None else "is stopped; it ran from"
    said = printable(f"{newest.author}: {newest.reason}")
    typer.echo(f"Shadow {newest.shadow_id} ({said}) {state} {since}.")
    typer.echo(f"It judged {newest.judged:,} runs and differs on {newest.differed:,}.")
    for each in differing_runs(database, newest.shadow_id, limit)[0] if limit else []:
        first = each["shadow_first_failure"] or each["first_failure"] or ""
        typer.echo(
            f"  {each['barcode']}  {each['procedure']} at {each['machine_id']}"
            f" {each['timestamp']}  {each['outcome']} → {each['shadow_outcome']}  {first}"
        )

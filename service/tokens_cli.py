"""`yieldline tokens`: what scripts, Prometheus and walls come in with. Commands import late."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.roles import Scope
from service.shared_cli import Author, Config, actor_of, migrated_database_of

if TYPE_CHECKING:
    from service.store.accounts import StoredToken

_DAYS_DEFAULT = 90

app = typer.Typer(
    no_args_is_help=True,
    help="Tokens for scripts, Prometheus and walls.",
    epilog="Example: `yieldline tokens create mes --scope ingest`",
)


@app.command(
    epilog="Examples: `yieldline tokens create mes --scope ingest --days 365`,"
    " or `yieldline tokens create wall-l1 --scope wall`"
)
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    *,
    scope: Annotated[
        Scope, typer.Option(case_sensitive=False, help="A role, or ingest or wall alone.")
    ] = Scope.VIEWER,
    days: Annotated[int, typer.Option(help="How long it lasts.")] = _DAYS_DEFAULT,
    author: Author = None,
    config: Config = None,
) -> None:
    """Create a token and print it, this once: only its hash is kept."""
    from service.commands.tokens import create_token

    token, stored = create_token(
        migrated_database_of(config),
        name,
        scope,
        days=days,
        actor=actor_of(author),
        now=datetime.now(UTC),
    )
    typer.echo(token)
    how = (
        "Open /wall?token=… with it on the wall's screen."
        if scope is Scope.WALL
        else "Send it as `Authorization: Bearer …`."
    )
    until = f"{stored.expires_at:%Y-%m-%d %H:%MZ}"
    typer.echo(f"It opens {scope} until {until}, and is not shown again. {how}", err=True)


@app.command("list", epilog="Example: `yieldline tokens list`")
def list_tokens(*, config: Config = None) -> None:
    """List tokens, newest first: name, scope, until when, last use. The tokens are not kept."""
    from service.store.accounts import read_accounts

    tokens, now = read_accounts(migrated_database_of(config)).tokens, datetime.now(UTC)
    if not tokens:
        typer.echo("There are no tokens.")
    for token in tokens:
        used = f"{token.last_used_at:%Y-%m-%d %H:%MZ}" if token.last_used_at else "never"
        typer.echo(
            f"{token.name:<20}  {token.scope:<8}  {_state(token, now)}"
            f"  by {token.created_by}  last used {used}"
        )


@app.command(epilog="Example: `yieldline tokens revoke mes`")
def revoke(
    name: Annotated[str, typer.Argument(help="Its name.")],
    *,
    author: Author = None,
    config: Config = None,
) -> None:
    """End a token, at once."""
    from service.commands.tokens import revoke_token

    actor = actor_of(author)
    revoke_token(migrated_database_of(config), name, actor=actor, now=datetime.now(UTC))
    typer.echo(f"{name} opens nothing any more.")


def _state(token: "StoredToken", now: datetime) -> str:
    if token.revoked_at is not None:
        return f"revoked {token.revoked_at:%Y-%m-%d}"
    word = "until" if now < token.expires_at else "expired"
    return f"{word} {token.expires_at:%Y-%m-%d}"

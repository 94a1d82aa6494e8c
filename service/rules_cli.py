"""`yieldline rules`: look at rulebooks, compare them, put one in force. Commands import late."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.errors import RulebookError
from broker.files import read_text
from broker.printable import printable
from service import shadow_cli
from service.backtest_cli import backtest
from service.shared_cli import Author, Config, actor_of, database_of

if TYPE_CHECKING:
    from service.core.rules import Rule
    from service.store.database import Database
    from service.store.rulebooks import StoredRulebook

app = typer.Typer(
    no_args_is_help=True,
    help="Rulebooks: the plant's own limits, in numbered versions.",
    epilog="Example: `yieldline rules check rules.toml`",
)

app.add_typer(shadow_cli.app, name="shadow")

File = Annotated[Path, typer.Argument(help="A rulebook in TOML.")]
Which = Annotated[str, typer.Argument(help="A version's number, or a file.")]
IN_FORCE = "active"


@app.command(epilog="Example: `yieldline rules check rules.toml`")
def check(file: File) -> None:
    """Say whether a rulebook could be activated, and what is wrong if not."""
    _, rules = _read(file)
    typer.echo(f"{file}: {len(rules)} rules, no conflicts.")


@app.command("list", epilog="Example: `yieldline rules list`")
def list_versions(*, config: Config = None) -> None:
    """List every version: number, when, who, why. The first one is in force."""
    from service.store.rulebooks import list_rulebooks

    versions = list_rulebooks(database_of(config))
    if not versions:
        raise RulebookError(_NONE_YET)
    for each in versions:
        at = f"{each.activated_at:%Y-%m-%d %H:%M:%SZ}"
        typer.echo(printable(f"{each.version:>5}  {at}  {each.author}: {each.reason}"))


@app.command(epilog="Examples: `yieldline rules show`, or `yieldline rules show 3`")
def show(
    version: Annotated[str, typer.Argument(help="Its number; default the one in force.")] = (
        IN_FORCE
    ),
    *,
    config: Config = None,
) -> None:
    """Print a rulebook as TOML, as its author wrote it."""
    typer.echo(_stored(database_of(config), version).body, nl=False)


@app.command(
    epilog="Examples: `yieldline rules diff rules.toml` (against the one in force),"
    " or `yieldline rules diff 3 4`"
)
def diff(
    first: Which,
    second: Annotated[str | None, typer.Argument(help="Likewise.")] = None,
    *,
    config: Config = None,
) -> None:
    """Say in words what differs, rule by rule: from the first to the second.

    With one of them only: from the one in force to it.
    """
    from service.core.rulebook_diff import compare_rulebooks

    before, after = (IN_FORCE, first) if second is None else (first, second)
    old, new = (_rules_of(which, config) for which in (before, after))
    changes = compare_rulebooks(old, new)
    for each in changes:
        typer.echo(each.sentence)
    if not changes:
        typer.echo("No rule differs.")


app.command(
    epilog="Example: `yieldline rules backtest draft.toml --since 2026-11-01 --product-id PCB-7`"
)(backtest)


@app.command(
    epilog='Example: `yieldline rules activate rules.toml --reason "tighter after the vcc recall"`'
)
def activate(
    file: File,
    *,
    reason: Annotated[str, typer.Option(help="Why; kept with the version.")],
    author: Author = None,
    config: Config = None,
) -> None:
    """Put a rulebook in force. Running services judge by it within two seconds."""
    from service.commands.rulebooks import Draft, activate_rulebook

    body, _ = _read(file)
    stored = activate_rulebook(
        database_of(config),
        Draft(body, str(file)),
        actor=actor_of(author),
        reason=reason,
        now=datetime.now(UTC),
    )
    typer.echo(f"Rulebook {stored.version} is in force.")


@app.command(epilog="Example: `yieldline rules export 3 --output rules-3.toml`")
def export(
    version: Annotated[str, typer.Argument(help="Its number; default the one in force.")] = (
        IN_FORCE
    ),
    *,
    output: Annotated[Path, typer.Option(help="Where to; refused when it exists.")] = Path(
        "rules-export.toml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace it.")] = False,
    config: Config = None,
) -> None:
    """Write a version to a file, byte for byte as it was activated."""
    stored = _stored(database_of(config), version)
    if output.exists() and not force:
        raise RulebookError(f"{output} exists. Name another --output, or add --force.")
    try:
        output.write_bytes(stored.body.encode())
    except OSError as error:
        raise RulebookError(
            f"{output} cannot be written: {error.strerror}. Check folder, rights and disk."
        ) from error
    typer.echo(f"Rulebook {stored.version} is in {output}.")


_NONE_YET = "no rulebook is in force yet. Activate one: yieldline rules activate rules.toml"


def _read(file: Path) -> tuple[str, tuple["Rule", ...]]:
    """Return a file's text and rules."""
    from service.rulebook import parse_rulebook

    text = read_text(file, RulebookError)
    return text, parse_rulebook(text, str(file))


def _stored(database: "Database", version: str) -> "StoredRulebook":
    from service.store.rulebooks import active_rulebook, list_rulebooks, rulebook

    if version == IN_FORCE:
        found = active_rulebook(database)
        if found is None:
            raise RulebookError(_NONE_YET)
        return found
    number = int(version) if version.isascii() and version.isdigit() else 0
    found = rulebook(database, number)
    if found is None:
        known = [each.version for each in list_rulebooks(database)]
        there_are = f"There are {min(known)} to {max(known)}." if known else "There is none yet."
        raise RulebookError(f"{version!r} is no version of the rulebook. {there_are}")
    return found


def _rules_of(which: str, config: Path | None) -> tuple["Rule", ...]:
    """Return the rules of a version or a file: what is a number is a version."""
    from service.rulebook import parse_rulebook

    if which != IN_FORCE and not which.isdigit():
        return _read(Path(which))[1]
    stored = _stored(database_of(config), which)
    return parse_rulebook(stored.body, f"rulebook {stored.version}")

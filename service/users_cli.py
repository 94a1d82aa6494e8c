"""`yieldline users`: who may log in to the web app. Commands import late."""

import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from broker.errors import AccountError
from broker.files import read_text
from service.commands.roles import Role
from service.shared_cli import Author, Config, actor_of, migrated_database_of

app = typer.Typer(
    no_args_is_help=True,
    help="People who log in to the web app.",
    epilog="Example: `yieldline users add ann --role admin`",
)

Name = Annotated[str, typer.Argument(help="Name to log in with.")]
PasswordFile = Annotated[
    Path | None, typer.Option(help="File with the password; - or a pipe: stdin. Else it is asked.")
]


@app.command(
    epilog="Examples: `yieldline users add ann --role admin`,"
    " or `yieldline users add bo --role operator --password-file bo.txt`"
)
def add(
    name: Name,
    *,
    role: Annotated[
        Role, typer.Option(case_sensitive=False, help="What the user may do.")
    ] = Role.VIEWER,
    password_file: PasswordFile = None,
    author: Author = None,
    config: Config = None,
) -> None:
    """Let a person log in. The first one must be an admin; from then on everybody logs in."""
    from service.commands.passwords import hash_password
    from service.commands.users import add_user, user_name

    name = user_name(name)
    password = _password(password_file)
    hash_password(name, password)  # what is not taken is said before a database is touched
    database = migrated_database_of(config)
    add_user(database, name, role, password, actor=actor_of(author), now=datetime.now(UTC))
    typer.echo(f"{name} may log in, as {role}.")


@app.command("list", epilog="Example: `yieldline users list`")
def list_users(*, config: Config = None) -> None:
    """List everybody: name, role, since when; those who were removed too."""
    from service.store.accounts import read_accounts

    users = read_accounts(migrated_database_of(config)).users
    if not users:
        typer.echo("There are no users: nobody has to log in on this machine, and nobody else can.")
    for user in users:
        gone = "" if user.disabled_at is None else f"  removed {user.disabled_at:%Y-%m-%d}"
        typer.echo(f"{user.name:<20}  {user.role:<8}  since {user.created_at:%Y-%m-%d}{gone}")


@app.command(epilog="Example: `yieldline users passwd ann`")
def passwd(
    name: Name,
    *,
    password_file: PasswordFile = None,
    author: Author = None,
    config: Config = None,
) -> None:
    """Give a user who forgot it another password; all logins end. Others change their own."""
    from service.commands.users import set_password

    password = _password(password_file)
    set_password(
        migrated_database_of(config), name, password, actor=actor_of(author), now=datetime.now(UTC)
    )
    typer.echo(f"{name} has a new password, and must log in again everywhere.")


@app.command(epilog="Example: `yieldline users role bo engineer`")
def role(
    name: Name,
    new_role: Annotated[
        Role, typer.Argument(metavar="ROLE", case_sensitive=False, help="The new role.")
    ],
    *,
    author: Author = None,
    config: Config = None,
) -> None:
    """Give a user another role, at once."""
    from service.commands.users import set_role

    set_role(
        migrated_database_of(config), name, new_role, actor=actor_of(author), now=datetime.now(UTC)
    )
    typer.echo(f"{name} is {new_role} now.")


@app.command(epilog="Example: `yieldline users remove bo`")
def remove(name: Name, *, author: Author = None, config: Config = None) -> None:
    """Let a user log in no more, at once. The last admin stays."""
    from service.commands.users import remove_user

    remove_user(migrated_database_of(config), name, actor=actor_of(author), now=datetime.now(UTC))
    typer.echo(f"{name} is removed.")


def _password(file: Path | None) -> str:
    """Return a password, never from the command line: other users of the machine can see that."""
    if file is not None and str(file) != "-":
        return read_text(file, AccountError, f"--password-file {file}").rstrip("\r\n")
    if file is not None or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("The same again: ") != first:
        raise AccountError("the two passwords differ. Nothing was changed; try again.")
    return first

"""`yieldline ca`: certificates for trying a broker that asks for them. Commands import late."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="A certificate authority for trying: the broker's certificate and one for each machine.",
    epilog="Example: `yieldline ca new secrets --host broker.example`",
)

Folder = Annotated[Path, typer.Argument(help="Where keys and certificates are kept.")]
Days = Annotated[int, typer.Option(min=1, max=3_650, help="How many days they are valid.")]


@app.command(epilog="Example: `yieldline ca new secrets --host broker.example --host 10.0.4.2`")
def new(
    folder: Folder,
    *,
    host: Annotated[list[str], typer.Option(help="A name or address of the broker; repeatable.")],
    days: Days = 825,
    database: Annotated[
        list[str] | None, typer.Option(help="A name or address of PostgreSQL; repeatable.")
    ] = None,
    ca_days: Annotated[
        int, typer.Option(min=1, max=36_500, help="How many days the authority is valid.")
    ] = 3_650,
) -> None:
    """Make an authority, certificates of broker and database, and one for each of our programs."""
    from broker.authority import PROGRAMS, Authority

    Authority(folder).create(host, days, ca_days, database=database or ())
    servers = "ca, broker, postgres" if database else "ca, broker"
    typer.echo(f"{folder}: {servers}, {', '.join(PROGRAMS)}; a .key and a .crt each.")
    typer.echo("Keep ca.key somewhere else: whoever has it can be any machine.")


@app.command(epilog="Example: `yieldline ca issue secrets FCT-12 ICT-3 --days 365`")
def issue(
    folder: Folder,
    machine_id: Annotated[list[str], typer.Argument(help="Machines, by their machine_id.")],
    *,
    days: Days = 825,
) -> None:
    """Make a key and a certificate for each machine: to the broker it is who that says."""
    from broker.authority import Authority

    Authority(folder).issue(machine_id, days)
    for each in machine_id:
        typer.echo(f"{folder}: {each}.key and {each}.crt. Give the machine these and ca.crt.")


@app.command(epilog="Example: `yieldline ca revoke secrets FCT-12`")
def revoke(
    folder: Folder,
    name: Annotated[list[str], typer.Argument(help="A machine_id or a program's name.")],
    *,
    days: Annotated[
        int, typer.Option(min=1, max=36_500, help="How long the list is good.")
    ] = 3_650,
) -> None:
    """Put certificates on the list of revoked ones, ca.crl, which the broker reads."""
    from broker.authority import Authority

    Authority(folder).revoke(name, days)
    typer.echo(
        f"{folder}: ca.crl names {', '.join(name)}. Send the broker SIGHUP: it reads it again."
        " Connections that stand are ended by its restart alone."
    )


@app.command(epilog="Example: `yieldline ca renew secrets broker FCT-12`")
def renew(
    folder: Folder,
    name: Annotated[
        list[str], typer.Argument(help="`broker`, `postgres`, a machine_id or a program's name.")
    ],
    *,
    days: Days = 825,
) -> None:
    """Make certificates anew, for the keys that are there."""
    from broker.authority import Authority

    Authority(folder).renew(name, days)
    for each in name:
        server = {"broker": "the broker", "postgres": "PostgreSQL"}.get(each)
        hint = f" Send {server} SIGHUP: it reads it again." if server else ""
        typer.echo(f"{folder}: {each}.crt is new.{hint}")

"""`yieldline ui`: the web app alone."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer

from broker.addresses import is_loopback
from broker.errors import SettingsError, StoreUnavailable, YieldlineError
from broker.handles import raise_handle_limit
from broker.logs import configure_logging
from broker.origins import Layers
from broker.sections import HttpSettings
from broker.settings import Settings, load_settings, read_layers
from broker.signals import leave_when_told
from service.store.accounts import has_users
from service.store.database import Database
from service.store.transport import warn_exposed
from ui.access.secret import read_secret
from ui.memory import give_memory_back, seek_garbage_seldom

if TYPE_CHECKING:
    import uvicorn

    from ui.state import AppState

log = structlog.get_logger()

EXIT_FAILED, EXIT_USAGE = 1, 2
_GRACE_S = 3
_NICENESS = 10

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: yieldline ui --port 8081 --config yieldline.toml")
def run(
    *,
    host: Annotated[str | None, typer.Option(help="Address to bind; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default 8080.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file; default yieldline.toml if there.")
    ] = None,
    no_login: Annotated[
        bool, typer.Option("--no-login", help="Let everyone look who reaches the address.")
    ] = False,
) -> None:
    """Serve the pages and the HTTP API, until Ctrl-C."""
    http: dict[str, Any] = {"host": host, "port": port, "no_login": no_login or None}
    given = {key: value for key, value in http.items() if value is not None}
    flags = {"http": given} if given else None
    settings = load_settings(config, flags)
    layers = read_layers(config, flags)
    configure_logging(settings.log)
    _check_login(settings)
    raise_handle_limit()
    give_memory_back()
    # Before the slow imports: who chose a taken port hears it at once.
    with contextlib.closing(_bound(settings.http)) as bound:
        failure = asyncio.run(_serve(settings, layers, bound))
    if failure is not None:
        raise typer.Exit(EXIT_FAILED)


def main() -> None:
    """Run the command line; a person's mistake is one sentence, never a traceback."""
    leave_when_told()
    try:
        app(prog_name="yieldline ui")
    except YieldlineError as error:
        typer.echo(str(error), err=True)
        sys.exit(EXIT_FAILED if isinstance(error, StoreUnavailable) else EXIT_USAGE)


def _check_login(settings: Settings) -> None:
    """Refuse to be reached from elsewhere while nobody can log in; make the secret of logins.

    Raises:
        SettingsError: Nobody can log in, or logins cannot be signed.
        StoreUnavailable: The database does not say whether anybody can.
    """
    http = settings.http
    if http.no_login or is_loopback(http.host):
        return
    database = Database(settings.database)
    try:
        if not has_users(database):
            raise SettingsError(
                f"http.host {http.host} lets others reach the pages, which needs a login, and"
                f" database {database.label} has no users yet. Add one, then start again:"
                " yieldline users add NAME --role admin. Or let everyone look with --no-login."
            )
    finally:
        database.dispose()
    read_secret(http.secret_file)


def _give_way() -> None:
    """Let the service have a busy processor first: storing comes before showing."""
    if sys.platform != "win32":
        os.nice(_NICENESS)


def _bound(settings: HttpSettings) -> socket.socket:
    """Return a socket that is bound to the address, and does not listen yet.

    Raises:
        SettingsError: The address cannot be had.
    """
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError(
            f"http.host {settings.host!r} is no address of this machine ({error.strerror})."
            " Choose another with --host."
        ) from error
    try:
        if sys.platform != "win32":  # there it would share a port that is in use
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(128)  # two may bind one port; only one may listen
    except OSError as error:
        bound.close()
        raise SettingsError(
            f"port {settings.port} on {settings.host} cannot be used ({error.strerror})."
            " Choose another with --port or YIELDLINE_HTTP__PORT."
        ) from error
    return bound


async def _serve(settings: Settings, layers: Layers, bound: socket.socket) -> BaseException | None:
    """Serve until asked to stop; return what made it stop otherwise."""
    import uvicorn  # noqa: PLC0415 - after the port is known to be ours

    from ui.access.forwarded import behind_proxies  # noqa: PLC0415 - likewise
    from ui.app import create_app  # noqa: PLC0415 - likewise

    web = create_app(settings, layers)
    state: AppState = web.state.yieldline
    if state.database.is_exposed:
        warn_exposed(state.database.label)
    server = uvicorn.Server(
        uvicorn.Config(
            behind_proxies(web, settings.http.trusted_proxies),
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # ours are there already
            timeout_graceful_shutdown=_GRACE_S,
            ws_per_message_deflate=False,
        )
    )
    _give_way()
    seek_garbage_seldom()
    server.capture_signals = lambda: _signals(server, state)  # type: ignore[method-assign]
    stopping = asyncio.create_task(_stop(server, state), name="stop")
    log.info("web_app_starting", url=f"http://{settings.http.host}:{settings.http.port}")
    await server.serve(sockets=[bound])
    stopping.cancel()
    return state.failure


@contextlib.contextmanager
def _signals(server: "uvicorn.Server", state: "AppState") -> Iterator[None]:
    """Stop in order on the first signal, at once on the second.

    uvicorn's own way raises the signal again when all is done, which would end the process by it.
    """
    loop = asyncio.get_running_loop()

    def ask(_number: int, _frame: FrameType | None) -> None:
        server.force_exit = state.stopping.is_set()
        loop.call_soon_threadsafe(state.stopping.set)

    before = {each: signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


async def _stop(server: "uvicorn.Server", state: "AppState") -> None:
    await state.stopping.wait()
    server.should_exit = True


if __name__ == "__main__":
    main()

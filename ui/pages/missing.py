"""What stands where no page is: a mistyped address, or a link of long ago."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeAlias, cast

from fastapi import Request, Response
from nicegui import Client, app, ui

from ui.access.routes import is_page
from ui.components import Sentence
from ui.feed import Feed
from ui.theme import frame

_Handler: TypeAlias = Callable[[Request, Exception], Awaitable[Response]]


def register(feed: Feed) -> None:
    """Add it in place of the framework's own. Importing this file does nothing."""
    of_files = cast("_Handler", app.exception_handlers[HTTPStatus.NOT_FOUND])

    @app.exception_handler(HTTPStatus.NOT_FOUND)
    async def missing_page(request: Request, error: Exception) -> Response:
        path = request.url.path
        if not is_page(request.method, path):
            return await of_files(request, error)
        with Client(ui.page(""), request=request) as client, frame(feed, "No such page", active=""):
            Sentence(
                said=f"There is no page {path} here.",
                hint="Choose another one, or scan a unit. A machine has /machines/ID.",
            )
        return client.build_response(request, HTTPStatus.NOT_FOUND)

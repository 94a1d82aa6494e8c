"""No body is longer than the longest that is of use: nobody fills the memory with one."""

from http import HTTPStatus
from typing import Final

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES_MAX: Final = 25_000_000
"""A rulebook of 4,000,000 characters, each escaped in JSON."""
_COUNTS_ITSELF: Final = "/ingest"


class BoundedBody:
    """Stands before the routes, which read a body whole."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is asked, and at most BODY_BYTES_MAX bytes of its body."""
        size = 0

        async def receive_some() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > BODY_BYTES_MAX:
                said = f"the body has more than the {BODY_BYTES_MAX:,} bytes that are taken."
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{said} Send less.")
            return message

        is_bounded = scope["type"] == "http" and scope["path"] != _COUNTS_ITSELF
        await self._app(scope, receive_some if is_bounded else receive, send)

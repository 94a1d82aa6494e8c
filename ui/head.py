"""HEAD answers as GET does, without a body: so load balancers ask whether somebody is there."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """Stands before everything else, which so knows nothing of HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is asked; HEAD as GET."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            await self._answer({**scope, "method": "GET"}, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head of the answer, and end what would go on: a stream, an export."""
        is_told = False

        async def send_head(message: Message) -> None:
            nonlocal is_told
            if message["type"] == "http.response.start":
                await send(message)
            elif not is_told:
                is_told = True
                await send({"type": "http.response.body"})
                if message.get("more_body"):
                    answering.cancel()

        answering = asyncio.ensure_future(self._app(scope, receive, send_head))
        try:
            await answering
        except asyncio.CancelledError:
            if not is_told:
                raise

"""What NiceGUI's own middlewares add to answers, by one that passes messages on as they come.

Theirs are of Starlette's BaseHTTPMiddleware, which takes a browser that goes away in the middle of
an answer for a bug ("No response returned.") and logs eighty lines of it.
"""

from typing import Final

from nicegui import __version__, app
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FILES: Final = f"/_nicegui/{__version__}/"
_CHANGING: Final = f"{_FILES}dynamic_resources/"
_REPLACED: Final = "nicegui.middlewares"


class FrameworkHeaders:
    """ASGI middleware of NiceGUI's app: redirects below a proxy's prefix, and how long files keep.

    Args:
        answering: What answers.
        kept: The Cache-Control of NiceGUI's files, whose addresses change with their content.
    """

    def __init__(self, answering: ASGIApp, kept: str) -> None:
        self._app = answering
        self._kept = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is asked and answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        prefix = Headers(scope=scope).get("x-forwarded-prefix", "")
        path = str(scope["path"])
        is_kept = path.startswith(_FILES) and not path.startswith(_CHANGING)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("location", "").startswith("/"):
                    headers["location"] = prefix + headers["location"]
                if is_kept:
                    headers["cache-control"] = self._kept
            await send(message)

        await self._app(scope, receive, send_with_headers)


def replace_middlewares() -> None:
    """Put ours in the place of NiceGUI's two: after `ui.run_with`, before it serves."""
    others = [each for each in app.user_middleware if each.cls.__module__ != _REPLACED]
    app.user_middleware[:] = others
    app.add_middleware(FrameworkHeaders, kept=app.config.cache_control_directives)

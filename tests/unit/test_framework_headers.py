"""NiceGUI's answers keep the headers that its own middlewares gave them."""

import pytest
from nicegui import __version__
from nicegui.middlewares import RedirectWithPrefixMiddleware, SetCacheControlMiddleware
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message

from ui import framework_headers
from ui.framework_headers import FrameworkHeaders

FILES = f"/_nicegui/{__version__}"


async def answered(answer: ASGIApp, path: str, prefix: str = "") -> dict[str, str]:
    """Return the headers of an answer, as sent."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nobody asks for a body")

    given = [(b"x-forwarded-prefix", prefix.encode())] if prefix else []
    scope = {"type": "http", "method": "GET", "path": path, "headers": given}
    await FrameworkHeaders(answer, kept="for ever")(scope, receive, send)
    assert [each["type"] for each in sent] == ["http.response.start", "http.response.body"]
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (f"{FILES}/static/nicegui.js", "for ever"),
        (f"{FILES}/dynamic_resources/a.js", None),
        ("/_nicegui/1.0.0/static/nicegui.js", None),
        ("/results", None),
    ],
)
async def test_files_with_a_version_in_their_address_are_kept(path: str, kept: str | None) -> None:
    assert (await answered(PlainTextResponse("x"), path)).get("cache-control") == kept


@pytest.mark.parametrize(
    ("prefix", "target", "location"),
    [
        ("/plant", "/login", "/plant/login"),
        ("", "/login", "/login"),
        ("/plant", "https://example.com/", "https://example.com/"),
    ],
)
async def test_a_redirect_stays_below_the_prefix_of_a_proxy(
    prefix: str, target: str, location: str
) -> None:
    assert (await answered(RedirectResponse(target), "/x", prefix))["location"] == location


async def test_without_an_answer_nothing_is_made_up() -> None:
    async def gone(*_: object) -> None:
        """A browser that went away is answered nothing."""

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "path": "/", "headers": []}
    await FrameworkHeaders(gone, kept="")(scope, receive, send)


def test_no_middleware_is_left_that_takes_a_lost_browser_for_a_bug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Other:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

    theirs = (SetCacheControlMiddleware, RedirectWithPrefixMiddleware, Other)
    app = framework_headers.app
    monkeypatch.setattr(app, "user_middleware", [Middleware(each) for each in theirs])
    monkeypatch.setattr(app.config, "cache_control_directives", "for ever", raising=False)
    framework_headers.replace_middlewares()
    left = [each.cls for each in app.user_middleware]
    assert left == [FrameworkHeaders, Other]
    assert not [each for each in left if issubclass(each, BaseHTTPMiddleware)]

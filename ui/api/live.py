"""Results as they are judged: `WS /ws/live` and `GET /api/v1/live` (server-sent events)."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Self

from fastapi import APIRouter, Query, Response, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from broker.feed import LiveMessage
from broker.topics import Channel
from ui.access.callers import Caller
from ui.api.parameters import State, Who
from ui.state import AppState

router = APIRouter(tags=["live"])

_WAITING_MAX = 5_000
"""Results that may wait for one reader; one that is further behind is cut off, and told so."""

_PING_S = 15.0
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_TRY_AGAIN_LATER, _GOING_AWAY, _NOT_ALLOWED = 1013, 1001, 1008  # RFC 6455 and IANA's close codes


class LiveQuery(BaseModel):
    """Whose results."""

    model_config = ConfigDict(extra="forbid")

    machine_id: str | None = Field(default=None, description="Of this machine only.")
    line: str | None = Field(default=None, description="Of this line only.")


class _Reader:
    """One who listens, and what waits for it. A context: it stops listening at the end."""

    def __init__(self, state: AppState, query: LiveQuery, caller: Caller) -> None:
        self._state = state
        self._query = query
        self._caller = caller
        self._waiting: deque[bytes] = deque()
        self._something = asyncio.Event()
        self.is_behind = False
        self.is_shut_out = False
        """Whoever reads may not read any more: logged out, removed, the token is over."""

    def __enter__(self) -> Self:
        self._stop_listening = self._state.live.listen(self._take)
        self._leave = self._state.access.presence.enter(self._caller, self._shut_out)
        self._state.viewer_count += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._state.viewer_count -= 1
        self._leave()
        self._stop_listening()

    def _shut_out(self) -> None:
        self.is_shut_out = True
        self._something.set()

    def _take(self, messages: Sequence[LiveMessage]) -> None:
        if self.is_behind:  # it may sleep for hours before it hears that
            return
        for topic, payload, _ in messages:
            if topic.channel is not Channel.RESULT:
                continue
            if self._query.machine_id not in {None, topic.machine_id}:
                continue
            if self._query.line not in {None, topic.line}:
                continue
            self._waiting.append(payload)
        if self._waiting:
            self._something.set()
        if len(self._waiting) > _WAITING_MAX:
            self.is_behind = True
            self._waiting.clear()

    async def next(self, timeout_s: float) -> list[str] | None:
        """Return what has come, maybe nothing within `timeout_s`; None: it is over."""
        stopping = asyncio.ensure_future(self._state.stopping.wait())
        waiting = asyncio.ensure_future(self._something.wait())
        try:
            await asyncio.wait(
                (stopping, waiting), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            stopping.cancel()
            waiting.cancel()
        if self.is_behind or self.is_shut_out or self._state.stopping.is_set():
            return None
        self._something.clear()
        found = [each.decode("utf-8", "replace") for each in self._waiting]
        self._waiting.clear()
        return found


@router.websocket("/ws/live")
async def live_socket(socket: WebSocket, state: State, caller: Who) -> None:
    """Send every Result as a text message. A reader that falls behind is closed with 1013."""
    known = {name: socket.query_params.get(name) for name in LiveQuery.model_fields}
    await socket.accept()
    with _Reader(state, LiveQuery(**known), caller) as reader:
        sending = asyncio.create_task(_send(socket, reader), name="live socket")
        hearing = asyncio.create_task(_hear_close(socket), name="live socket, other side")
        _, unfinished = await asyncio.wait((sending, hearing), return_when=asyncio.FIRST_COMPLETED)
        for task in unfinished:
            task.cancel()
        # What fails while a socket closes from both sides is no news.
        await asyncio.gather(sending, hearing, return_exceptions=True)


async def _send(socket: WebSocket, reader: _Reader) -> None:
    while (found := await reader.next(_PING_S)) is not None:
        for each in found:
            await socket.send_text(each)
    if reader.is_behind:
        await socket.close(_TRY_AGAIN_LATER, "You read too slowly. Read on from /api/v1/results.")
    elif reader.is_shut_out:
        await socket.close(_NOT_ALLOWED, "Your login or token is over.")
    else:
        await socket.close(_GOING_AWAY, "The web app is stopping.")


async def _hear_close(socket: WebSocket) -> None:
    """Ignore what the other side says, until it closes."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


@router.get(
    "/api/v1/live",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "One Result an event."}},
)
async def live_events(state: State, query: Annotated[LiveQuery, Query()], caller: Who) -> Response:
    """Stream every Result as a server-sent event, its data the Result.

    A reader that falls behind gets the event `behind` and the end of the stream.
    """
    return StreamingResponse(
        _events(state, query, caller),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(state: AppState, query: LiveQuery, caller: Caller) -> AsyncIterator[str]:
    with _Reader(state, query, caller) as reader:
        yield ": results as they are judged\n\n"
        while (found := await reader.next(_PING_S)) is not None:
            yield "".join(map(_event, found)) or ": still here\n\n"
        if reader.is_behind:
            yield "event: behind\ndata: You read too slowly. Read on from /api/v1/results.\n\n"


def _event(result: str) -> str:
    # A result holds no line break; what anybody else may publish could.
    return "".join(f"data: {line}\n" for line in _LINE_BREAK.split(result)) + "\n"

"""The HTTP API on a real port, in the test's own event loop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import uvicorn

from broker.settings import Settings
from tests.support.waiting import eventually
from ui.app import create_api
from ui.state import AppState


class Web:
    """The API of one process, and a client that knows where it is."""

    def __init__(self, state: AppState, port: int) -> None:
        self.state = state
        self.port = port
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False)

    async def get(self, path: str, **parameters: object) -> httpx.Response:
        """GET; the parameters become the query."""
        query = {name: str(value) for name, value in parameters.items()}
        return await self.client.get(path, params=query or None)


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Web]:
    """Serve the API until the end of the block."""
    state = AppState(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            create_api(state),
            lifespan="on",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
            ws_per_message_deflate=False,
        )
    )
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]
    with socket.create_server(("127.0.0.1", 0)) as bound:
        task = asyncio.create_task(server.serve(sockets=[bound]), name="web")
        await eventually(lambda: server.started or task.done())
        web = Web(state, bound.getsockname()[1])
        try:
            yield web
        finally:
            await web.client.aclose()
            state.stopping.set()
            server.should_exit = True
            await task


def settings_of(url: str, broker_port: int, root: str = "factory/v1") -> Settings:
    """Return the settings of a database and a broker's port, of which nobody need be there."""
    return Settings.model_validate(
        {
            "broker": {"port": broker_port, "retry_delay_max_s": 0.2, "connect_timeout_s": 1},
            "database": {"url": url},
            "topics": {"template": f"{root}/{{line}}/{{machine_id}}/{{channel}}"},
        }
    )


def problem_of(response: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem document that a response must be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"].endswith(".")
    return problem

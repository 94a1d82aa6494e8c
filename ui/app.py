"""The web app: the HTTP API and the pages on one port."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute, Match

from broker.messages import Measurement, Run
from broker.origins import Layers
from broker.settings import Settings
from ui.access.gate import Gate
from ui.access.routes import find_need
from ui.api import (
    accounts,
    alerts,
    analysis,
    backtests,
    books,
    contests,
    documents,
    evidence,
    exports,
    figures,
    health,
    ingest,
    live,
    login,
    machines,
    me,
    names,
    plan,
    problems,
    programs,
    prometheus,
    ranges,
    rejections,
    rejudging,
    resubmissions,
    results,
    rulebooks,
    shadows,
    system,
    unit_page,
    units,
)
from ui.body import BoundedBody
from ui.head import HeadAsGet
from ui.state import AppState

_OUR_PATHS = (
    "/api/{rest:path}",
    "/ingest",
    "/schemas/{rest:path}",
    "/asyncapi.json",
    "/healthz",
    "/readyz",
    "/metrics",
)
_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "yieldline tokens create. Needed as soon as there are users; x-role and x-scope"
    " say of each call which will do.",
}
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"]
_REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)
"""What the gate answers of itself."""
_RECONNECT_S = 10


def create_app(settings: Settings, layers: Layers = Layers()) -> FastAPI:  # noqa: B008 - frozen
    """Build the whole web app; its lifespan opens and closes all it needs.

    `layers` tell where the settings come from. Once per process: NiceGUI has one app.

    Raises:
        SettingsError: The database's URL makes no sense.
    """
    from nicegui import ui  # noqa: PLC0415 - takes a second; who wants only the API goes without

    from ui.framework_headers import replace_middlewares  # noqa: PLC0415 - likewise
    from ui.pages import register_pages  # noqa: PLC0415 - likewise

    state = AppState(settings, layers)
    app = create_api(state)
    register_pages(state)
    ui.run_with(
        app,
        title="Yieldline",
        reconnect_timeout=_RECONNECT_S,
        binding_refresh_interval=None,
        tailwind=False,  # the styles are ours; its runtime would watch every change of the page
        show_welcome_message=False,
    )
    replace_middlewares()
    return app


def create_api(state: AppState) -> FastAPI:
    """Build the HTTP API alone, without pages."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with state.running():
            yield

    app = FastAPI(
        title="Yieldline",
        version=version("yieldline"),
        description="Results judged by the plant's own rules. Times are UTC with Z; errors are"
        " problem documents (RFC 9457). The MQTT side is in /asyncapi.json.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.yieldline = state
    problems.register(app)
    for module in (
        ingest,
        results,
        evidence,
        rejudging,
        exports,
        units,
        unit_page,
        machines,
        books,
        ranges,
        names,
        figures,
        plan,
        programs,
        analysis,
        rejections,
        resubmissions,
        alerts,
        backtests,
        contests,
        rulebooks,
        shadows,
        live,
        login,
        me,
        accounts,
        system,
        health,
        documents,
    ):
        app.include_router(module.router)
    prometheus.register(app, state)
    _add_ends(app)
    _describe_bodies(app)
    app.add_middleware(BoundedBody)
    app.add_middleware(Gate, access=state.access)
    app.add_middleware(HeadAsGet)
    return app


def _add_ends(app: FastAPI) -> None:
    """Answer what is below our paths but does not exist ourselves, not with a page."""
    known = list(app.router.routes)

    async def end(request: Request) -> Response:
        taken = ", ".join(method for method in _METHODS if _takes(known, request, method))
        if taken:
            detail = f"{request.url.path} does not take {request.method}. It takes {taken}."
            response = problems.problem_response(HTTPStatus.METHOD_NOT_ALLOWED, detail)
            response.headers["Allow"] = taken
            return response
        detail = f"{request.url.path} does not exist. See /docs."
        return problems.problem_response(HTTPStatus.NOT_FOUND, detail)

    for path in _OUR_PATHS:
        app.add_route(path, end, methods=_METHODS, include_in_schema=False)


def _takes(routes: Sequence[BaseRoute], request: Request, method: str) -> bool:
    scope = {**request.scope, "method": "GET" if method == "HEAD" else method}
    return any(route.matches(scope)[0] is Match.FULL for route in routes)


def _describe_bodies(app: FastAPI) -> None:
    """Put into the OpenAPI document what FastAPI cannot see: /ingest, problems and the gate."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_bodies(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=app.description,
                    routes=app.routes,
                )
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def _describe_gate(operation: dict[str, Any], method: str, path: str) -> None:
    """Say what a call needs, a token and which role or scope, and how it is refused without."""
    need = find_need(method, path).need
    if need is None:
        return
    operation |= {"security": [{"token": []}], "x-role": need.role}
    if need.scope is not None:
        operation["x-scope"] = need.scope
    _add_problems(operation, *_REFUSALS)


def _add_problems(operation: dict[str, Any], *statuses: HTTPStatus) -> None:
    for status in statuses:
        operation["responses"].setdefault(str(status.value), problems.described(status))


def _with_bodies(described: dict[str, Any]) -> dict[str, Any]:
    schemas = described["components"]["schemas"]
    for model in (Measurement, Run, problems.ProblemBody):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {}) | {model.__name__: schema}
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own form, never used
        schemas.pop(name, None)
    invalid = HTTPStatus.UNPROCESSABLE_ENTITY
    described["components"]["securitySchemes"] = {"token": _TOKEN}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            _describe_gate(operation, method.upper(), path)
            if "{" in path:  # of a name with a slash in it there is no such path
                _add_problems(operation, HTTPStatus.NOT_FOUND)
            if str(invalid.value) in operation["responses"]:
                operation["responses"][str(invalid.value)] = problems.described(invalid)
    return described

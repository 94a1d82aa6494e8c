"""The API's own papers, without the internet: `/docs`, `/asyncapi.json`, `/schemas/{name}.json`."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi import Path as PathParameter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse
from swagger_ui_bundle import swagger_ui_path  # type: ignore[import-untyped]

from broker.schemas import SCHEMA_NAMES, asyncapi_document, json_schema
from ui.api.answers import answer
from ui.api.parameters import State
from ui.api.problems import answers, not_found

router = APIRouter(include_in_schema=True, tags=["documents"])
_NULL = {"type": "null"}
_ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}


@router.get("/docs", include_in_schema=False)
async def get_docs() -> HTMLResponse:
    """Show the API in Swagger UI."""
    return get_swagger_ui_html(
        openapi_url="/docs/openapi.json",
        title="Yieldline API",
        swagger_js_url="/docs/swagger-ui-bundle.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/favicon.ico",
    )


@router.get("/docs/openapi.json", include_in_schema=False)
async def get_docs_openapi(request: Request) -> Response:
    """Give the OpenAPI document in the version that the bundled Swagger UI can show."""
    app: FastAPI = request.app
    return answer({**_as_3_0(app.openapi()), "openapi": "3.0.3"})


def _as_3_0(part: Any) -> Any:  # noqa: ANN401 - any part of the document
    """Say "or null" as OpenAPI 3.0 did; 3.1 says it as JSON Schema does."""
    if isinstance(part, list):
        return [_as_3_0(each) for each in part]
    if not isinstance(part, dict):
        return part
    choices = part.get("anyOf")
    if isinstance(choices, list) and _NULL in choices:
        left = [each for each in choices if each != _NULL]
        rest = {key: each for key, each in part.items() if key != "anyOf"}
        only = left[0] if len(left) == 1 else {"anyOf": left}
        return {**_as_3_0(only), **_as_3_0(rest), "nullable": True}
    return {key: _as_3_0(each) for key, each in part.items()}


@router.get("/docs/{name}", include_in_schema=False)
async def get_docs_asset(name: str) -> FileResponse:
    """Give one of Swagger UI's files."""
    if name not in _ASSETS:
        raise not_found(f"/docs/{name} does not exist.")
    return FileResponse(Path(str(swagger_ui_path)) / name, media_type=_ASSETS[name])


@router.get("/asyncapi.json")
async def get_asyncapi(state: State) -> Response:
    """Describe the MQTT side: topics, messages, who sends what."""
    return answer(asyncapi_document(state.template))


@router.get("/schemas/{name}.json", responses=answers(HTTPStatus.NOT_FOUND))
async def get_schema(
    name: Annotated[str, PathParameter(description="measurement, run, test, result …")],
) -> Response:
    """Give the JSON Schema (draft 2020-12) of one message."""
    if name not in SCHEMA_NAMES:
        raise not_found(f"There is no schema {name!r}. There are: {', '.join(SCHEMA_NAMES)}.")
    return answer(json_schema(name))

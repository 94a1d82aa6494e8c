"""The API's own papers, without the internet: `/docs`, `/asyncapi.json`, `/schemas/{name}.json`."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi import Path as PathParameter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse
from swagger_ui_bundle import swagger_ui_path  # type: ignore[import-untyped]

from broker.schemas import SCHEMA_NAMES, asyncapi_document, json_schema
from ui.api.answers import answer
from ui.api.parameters import State
from ui.api.problems import answers, not_found

router = APIRouter(include_in_schema=True, tags=["documents"])
_ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}


@router.get("/docs", include_in_schema=False)
async def get_docs() -> HTMLResponse:
    """Show the API in Swagger UI."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Yieldline API",
        swagger_js_url="/docs/swagger-ui-bundle.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/favicon.ico",
    )


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
